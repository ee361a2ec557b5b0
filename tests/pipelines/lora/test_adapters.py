"""LoRAs on a loaded pipeline: swapped, weighed at each step, taken off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.support import tiny
from tests.support.lora_files import LAYOUTS, Now, adapted, dense, draw, merged, saved, vace
from tests.support.stock_pipelines import check_same, ours, theirs
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.base import Inputs, Lora, Placement
from wangp_cli.pipelines.lora import adapters as lora_adapters
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.tasks.lora_strength import Strength

Latents = Callable[..., torch.Tensor]


@pytest.fixture
def pipeline(loaded: Any) -> Any:
    pipeline = loaded("t2v")
    yield pipeline
    pipeline.set_loras([])


@pytest.fixture
def latents(pipeline: Any) -> Latents:
    """The latents that the pipeline denoises while some LoRAs are active."""

    def run(*loras: Lora, steps: int = 4) -> torch.Tensor:
        pipeline.set_loras(loras)
        shot = tiny.shot(steps=steps, guidance_scale=1.0)
        made: torch.Tensor = pipeline.denoise(shot, pipeline.encode(shot, Inputs(), tiny.quiet), tiny.quiet)
        return made

    return run


def style(folder: Path, strength: str = "1", seed: int = 0) -> Lora:
    return saved(folder, LAYOUTS["musubi"](draw(tiny.transformer(), seed)), strength)


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_a_lora_equals_stock_bit_for_bit(checkpoint: Any, loaded: Any, tmp_path: Path) -> None:
    from diffusers import WanPipeline

    network, shot = tiny.transformer(), tiny.shot()
    first = saved(tmp_path, LAYOUTS["diffusers"](draw(network)), "0.6")
    second = saved(tmp_path, LAYOUTS["diffusers"](draw(network, 1, "attn1")), "-0.3")
    stock = WanPipeline.from_pretrained(checkpoint("t2v"), disable_mmap=True)
    stock.set_progress_bar_config(disable=True)
    for name, each in (("one", first), ("two", second)):
        stock.load_lora_weights(str(each.path), adapter_name=name)
    stock.set_adapters(["one", "two"], [0.6, -0.3])
    pipeline = loaded("t2v")
    pipeline.set_loras([first, second])
    mine = ours(pipeline, shot, Inputs())
    pipeline.set_loras([])
    check_same(mine, theirs("t2v", stock, shot))


def test_another_lora_is_put_on_the_same_pipeline(pipeline: Any, latents: Latents, tmp_path: Path) -> None:
    plain = latents()
    ink, chalk = style(tmp_path), style(tmp_path, seed=1)
    with_ink, with_chalk = latents(ink), latents(chalk)
    assert not torch.equal(with_ink, with_chalk)
    assert torch.equal(latents(ink), with_ink)
    assert torch.equal(latents(), plain)


def test_only_what_is_new_is_read(pipeline: Any, tmp_path: Path) -> None:
    ink, chalk = style(tmp_path), style(tmp_path, seed=1)
    assert [lora.path for lora in pipeline.set_loras([ink])] == [ink.path]
    assert [lora.path for lora in pipeline.set_loras([chalk, ink])] == [chalk.path]
    assert pipeline.set_loras([Lora(path=ink.path, strength=Strength.parse("0.3")), chalk]) == []
    save_file(LAYOUTS["musubi"](draw(tiny.transformer(), 2)), ink.path)
    assert [lora.path for lora in pipeline.set_loras([ink, chalk])] == [ink.path]


def test_a_lora_that_does_not_fit_leaves_the_others_on(
    pipeline: Any, latents: Latents, tmp_path: Path
) -> None:
    ink = style(tmp_path)
    before = latents(ink)
    strange = saved(tmp_path, {"blocks.7.attn1.to_q.lora_A.weight": torch.zeros(4, 48)})
    with pytest.raises(ModelError, match="no block 7"):
        pipeline.set_loras([strange])
    shot = tiny.shot(steps=4, guidance_scale=1.0)
    after = pipeline.denoise(shot, pipeline.encode(shot, Inputs(), tiny.quiet), tiny.quiet)
    assert torch.equal(after, before)


def test_strengths_follow_the_steps(latents: Latents, tmp_path: Path) -> None:
    constant = latents(style(tmp_path, "0.8"))
    assert torch.equal(latents(style(tmp_path, "0.8,0.8")), constant)
    first_half = latents(style(tmp_path, "0.8,0"))
    last_half = latents(style(tmp_path, "0,0.8"))
    assert not torch.equal(first_half, constant)
    assert not torch.equal(first_half, last_half)
    assert torch.equal(latents(style(tmp_path, "0,0")), latents())
    # More values than steps: of eight values four steps see the first, third, fifth and seventh.
    assert torch.equal(latents(style(tmp_path, "0.8,9,0.8,9,0,9,0,9")), first_half)


def test_whole_differences_follow_the_steps_too(latents: Latents, tmp_path: Path) -> None:
    plain = latents()
    extra = {"diffusion_model.blocks.1.norm3.diff": torch.randn(48)}
    early, late = latents(saved(tmp_path, extra, "1,0")), latents(saved(tmp_path, extra, "0,1"))
    assert not torch.equal(early, late)
    assert not torch.equal(early, plain)
    assert torch.equal(latents(), plain)


def test_files_are_checked_before_weights_are_read(checkpoint: Any, tmp_path: Path) -> None:
    wide = {"blocks.0.attn1.to_q": (torch.zeros(4, 5120), torch.zeros(5120, 4))}
    strange = saved(tmp_path, LAYOUTS["diffusers"](wide))
    read: list[str] = []

    def progress(stage: str, done: int, total: int) -> None:
        read.append(stage)

    with pytest.raises(ModelError, match="fits no layer"):
        wan_load.load(tiny.spec("t2v"), checkpoint("t2v"), Placement(), [strange], tiny.Parts(), progress)
    assert read == []


def test_a_check_needs_no_memory_for_weights(tmp_path: Path) -> None:
    network = vace()
    with torch.device("meta"):
        empty = vace()
    lora_adapters.check([saved(tmp_path, LAYOUTS["comfy"](draw(network)))], empty)
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match="is broken"):
        lora_adapters.check([Lora(path=tmp_path / "broken.safetensors")], empty)


def test_half_precision_follows_the_dense_merge(tmp_path: Path) -> None:
    network = vace()
    factors = draw(network)
    near = adapted(network, saved(tmp_path, LAYOUTS["comfy"](factors), "0.5"))
    assert (near - merged(network, dense(factors, 0.5))).abs().max() < 1e-5
    rough = vace().to(torch.bfloat16)
    adapters = lora_adapters.LoraAdapters([rough], "cpu", torch.bfloat16)
    adapters.set_loras([saved(tmp_path, LAYOUTS["comfy"](factors), "0.5")])
    adapters.set_step(Now())
    layer, x = rough.blocks[0].attn1.to_q, torch.randn(1, 3, 48).to(torch.bfloat16)
    active = layer(x)
    adapters.remove_all()
    down, up = factors["blocks.0.attn1.to_q"]
    expected = layer(x).float() + 0.5 * (x.float() @ down.T @ up.T)
    assert active.dtype == torch.bfloat16
    assert (active.float() - expected).abs().max() < 0.05


EXTRA = {
    "plain": {},
    "of outputs": {"transformer.blocks.0.attn1.to_q.dora_scale": torch.ones(48, 1)},
    "of inputs": {"transformer.blocks.0.attn1.to_q.dora_scale": torch.ones(1, 48)},
    "whole": {
        "diffusion_model.blocks.0.ffn.0.diff": torch.full((96, 48), 0.01),
        "diffusion_model.blocks.1.modulation.diff": torch.full((1, 6, 48), 0.01),
    },
}


@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize("profile", ["3", "4", "5"])
def test_a_lora_on_weights_that_wait_gives_the_same_bits(
    checkpoint: Callable[[str], Path], tmp_path: Path, profile: Any, extra: str
) -> None:
    tensors = LAYOUTS["diffusers"](draw(vace())) | EXTRA[extra]
    active = [saved(tmp_path, tensors, "1,0.5")]

    def run(**changes: Any) -> list[torch.Tensor]:
        placement = Placement(work_dir=tmp_path, **changes)
        pipeline = wan_load.load(
            tiny.spec("vace"), checkpoint("vace"), placement, active, tiny.Parts(), tiny.quiet
        )
        shot, made = tiny.shot(frames=5, guidance_scale=1.0), []
        conditioning = pipeline.encode(shot, Inputs(), tiny.quiet)
        for loras in (active, [], active):
            pipeline.set_loras(loras)
            made.append(pipeline.denoise(shot, conditioning, tiny.quiet))
        return made

    plain, waiting = run(), run(profile=profile)
    assert all(torch.equal(one, other) for one, other in zip(plain, waiting, strict=True))
    assert not torch.equal(plain[0], plain[1])


def test_whole_differences_of_weights_kept_in_eight_bits_are_refused(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    placement = Placement(transformer_quantization="int8")
    pipeline = wan_load.load(tiny.spec("vace"), checkpoint("vace"), placement, [], tiny.Parts(), tiny.quiet)
    pipeline.set_loras([saved(tmp_path, LAYOUTS["diffusers"](draw(vace())) | EXTRA["of inputs"])])
    with pytest.raises(ModelError, match="quantised to 8 bits") as caught:
        pipeline.set_loras([saved(tmp_path, EXTRA["whole"])])
    assert caught.value.hint == "--transformer-quantization none"


def test_each_expert_wears_what_its_phase_says(loaded: Any, tmp_path: Path) -> None:
    pipeline = loaded("t2v_2_2")
    shot = tiny.shot_for("t2v_2_2", steps=4)

    def latents(*loras: Lora) -> torch.Tensor:
        pipeline.set_loras(loras)
        made: torch.Tensor = pipeline.denoise(shot, pipeline.encode(shot, Inputs(), tiny.quiet), tiny.quiet)
        return made

    plain = latents()
    high, low, both = (latents(style(tmp_path, text)) for text in ("1;0", "0;1", "1;1"))
    assert torch.equal(latents(style(tmp_path, "1")), both)
    assert torch.equal(latents(style(tmp_path, "0;0")), plain)
    assert len({made.sum().item() for made in (plain, high, low, both)}) == 4
    # One file for each expert, as Lightning comes: the same as one file on both.
    assert torch.equal(latents(style(tmp_path, "1;0"), style(tmp_path, "0;1")), both)
    pipeline.set_loras([])


@pytest.mark.slow
def test_compiled_blocks_wear_what_comes_and_goes(checkpoint: Any, latents: Latents, tmp_path: Path) -> None:
    compiled = wan_load.load(
        tiny.spec("t2v"), checkpoint("t2v"), Placement(compile=True), [], tiny.Parts(), tiny.quiet
    )
    shot = tiny.shot(steps=4, guidance_scale=1.0)
    for loras in ([], [style(tmp_path)], [], [style(tmp_path, "0.9,0.3", seed=1)]):
        compiled.set_loras(loras)
        made = compiled.denoise(shot, compiled.encode(shot, Inputs(), tiny.quiet), tiny.quiet)
        assert torch.allclose(made, latents(*loras), atol=1e-4)
