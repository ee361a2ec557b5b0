"""FantasyTalking against plain computations, and what it makes of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support import cuda, tiny, tiny_fantasy_talking
from tests.support.tiny_fantasy_talking import INPUTS
from tests.support.wan import denoised
from wangp_cli.errors import ModelError, RequestError, ResourceError
from wangp_cli.pipelines.base import Lora, Placement, Weights
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.pipelines.wan import pipeline as wan

Load = Callable[..., wan.Wan]


@pytest.fixture(scope="module")
def place(checkpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return tiny_fantasy_talking.weights(checkpoint("i2v"), tmp_path_factory.mktemp("fantasy"))


@pytest.fixture(scope="module")
def load(place: Weights) -> Load:
    parts = tiny.Parts()

    def loaded(weights: Weights = place, **placement: Any) -> wan.Wan:
        how = Placement(**({"exact": True} | placement))
        return wan_load.load(tiny_fantasy_talking.spec(), weights, how, [], parts, tiny.quiet)

    return loaded


@pytest.fixture(scope="module")
def pipeline(load: Load) -> wan.Wan:
    return load()


@pytest.fixture(scope="module")
def plain(pipeline: wan.Wan) -> torch.Tensor:
    return denoised(pipeline, shot(), INPUTS)


def shot(**changes: Any) -> Any:
    return tiny.shot(**({"audio_guidance_scale": 3.0} | changes))


def test_without_weight_the_recording_changes_nothing(pipeline: wan.Wan, loaded: Any) -> None:
    silent = denoised(pipeline, shot(audio_scale=0.0), INPUTS)
    plain = denoised(loaded("i2v"), tiny.shot(), replace(INPUTS, speech=None))
    assert torch.equal(silent, plain)


def test_it_computes_on_a_gpu(load: Load, plain: torch.Tensor) -> None:
    with cuda.simulated():
        made = denoised(load(device="cuda"), shot(), INPUTS)
        assert made.device.type == "cuda"
        assert torch.allclose(made.cpu(), plain, atol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_step_is_the_sum_of_its_passes(pipeline: wan.Wan, scale: float) -> None:
    one = shot(steps=1, guidance_scale=scale, audio_scale=0.7, sampler="euler")
    seen: list[tuple[torch.Tensor, bool]] = []
    network = pipeline._networks[0]

    def look(_network: Any, _args: Any, kwargs: Any, output: Any) -> None:
        heard = bool(network.blocks[0].attn2.norm_q._forward_hooks)
        seen.append((output[0], heard))

    hook = network.register_forward_hook(look, with_kwargs=True)
    try:
        made = denoised(pipeline, one, INPUTS)
    finally:
        hook.remove()
    noise = torch.randn(made.shape, generator=torch.Generator().manual_seed(one.seed))
    silent, negative, heard = (seen[0][0], seen[-2][0], seen[-1][0])
    assert [flag for _, flag in seen] == [False] * (1 if scale == 1 else 2) + [True]
    velocity = silent if scale == 1 else negative + scale * (silent - negative)
    assert torch.allclose(made, noise - (velocity + 3.0 * (heard - silent)), atol=1e-5)


def test_without_guidance_of_either_kind_there_is_one_pass_with_audio(pipeline: wan.Wan) -> None:
    calls: list[bool] = []
    network = pipeline._networks[0]
    ears = network.blocks[0].attn2.norm_q
    hook = network.register_forward_pre_hook(lambda *_: calls.append(bool(ears._forward_hooks)))
    plain = tiny.shot(guidance_scale=1.0)
    try:
        made = denoised(pipeline, plain, INPUTS)
    finally:
        hook.remove()
    assert calls == [True] * plain.steps
    assert not torch.equal(made, denoised(pipeline, plain.replace(audio_scale=0.0), INPUTS))


@pytest.mark.parametrize(
    "change",
    [
        {"audio_guidance_scale": 4.0},
        {"audio_scale": 0.5},
        {"guidance_scale": 5.0},
        {"guidance_scale": 1.0},
        {"prompt": "a blue square"},
        {"negative_prompt": "green"},
        {"cfg_zero": True},
        {"cfg_zero": True, "zero_init_steps": 1},
        {"apg": True},
        {"skip_layers": (1,)},
        {"nag_scale": 5.0},
    ],
    ids=str,
)
def test_every_setting_changes_the_result(
    pipeline: wan.Wan, plain: torch.Tensor, change: dict[str, Any]
) -> None:
    changed = denoised(pipeline, shot(**change), INPUTS)
    assert torch.isfinite(changed).all()
    assert not torch.equal(plain, changed)


def test_the_network_is_left_unchanged(pipeline: wan.Wan, plain: torch.Tensor) -> None:
    assert torch.equal(plain, denoised(pipeline, shot(), INPUTS))


def test_attention_guidance_also_attends_to_audio(pipeline: wan.Wan) -> None:
    guided = shot(nag_scale=5.0, guidance_scale=1.0)
    assert not torch.equal(
        denoised(pipeline, guided, INPUTS), denoised(pipeline, guided.replace(audio_scale=0.0), INPUTS)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"speech": tiny_fantasy_talking.noise(seed=1)},
        {"start": tiny.clip(1, 9)},
        {"speech": tiny_fantasy_talking.noise(rate=22_050)},
    ],
    ids=["speech", "start", "rate"],
)
def test_every_input_changes_the_result(
    pipeline: wan.Wan, plain: torch.Tensor, change: dict[str, Any]
) -> None:
    assert not torch.equal(plain, denoised(pipeline, shot(), replace(INPUTS, **change)))


def test_an_image_also_attends_to_audio(pipeline: wan.Wan) -> None:
    picture = replace(INPUTS, speech=tiny_fantasy_talking.noise(1))
    assert torch.isfinite(denoised(pipeline, shot(frames=1), picture)).all()


@pytest.mark.parametrize("placement", [{"profile": "4"}, {"profile": "5"}, {"cache": "fbcache=0"}], ids=str)
def test_however_it_is_placed_the_result_is_the_same(
    load: Load, plain: torch.Tensor, placement: dict[str, Any], tmp_path: Path
) -> None:
    assert torch.equal(denoised(load(**placement, work_dir=tmp_path), shot(), INPUTS), plain)


@pytest.mark.parametrize(
    ("placement", "most"), [({"boost": True}, 1e-4), ({"dtype": "bfloat16"}, 0.1)], ids=str
)
def test_however_it_computes_the_result_is_near(
    load: Load, plain: torch.Tensor, placement: dict[str, Any], most: float
) -> None:
    assert (denoised(load(**placement), shot(), INPUTS) - plain).abs().mean() < most


def test_a_lora_on_the_audio_layers_equals_a_merge(load: Load, tmp_path: Path) -> None:
    pipeline, random = load(boost=False), torch.Generator().manual_seed(1)
    down, up = torch.randn(4, 48, generator=random), torch.randn(48, 4, generator=random)
    layer = "blocks.1.attn2.to_out.0"
    named = {f"transformer.{layer}.lora_A.weight": down, f"transformer.{layer}.lora_B.weight": up}
    save_file(named, tmp_path / "lora.safetensors")
    pipeline.set_loras([Lora(path=tmp_path / "lora.safetensors")])
    active = denoised(pipeline, shot(), INPUTS)
    pipeline.set_loras([])
    weight = pipeline._networks[0].get_parameter(f"{layer}.weight")
    kept = weight.clone()
    weight += up @ down
    merged = denoised(pipeline, shot(), INPUTS)
    weight.copy_(kept)
    assert torch.allclose(active, merged, atol=1e-4)


def test_compiled_blocks_are_refused(load: Load) -> None:
    with pytest.raises(ResourceError, match="compile: is not served for tiny_fantasy"):
        load(compile=True)


def test_a_recording_is_needed_and_other_models_take_none(pipeline: wan.Wan, loaded: Any) -> None:
    with pytest.raises(RequestError, match="speech: this model needs a recording"):
        pipeline.encode(shot(), replace(INPUTS, speech=None), tiny.quiet)
    with pytest.raises(RequestError, match="speech: is not read by tiny_i2v"):
        loaded("i2v").encode(shot(), INPUTS, tiny.quiet)


def renamed(held: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """In one file, as FantasyTalking's own code names it."""
    return {
        ("audio_processor." if key.startswith("blocks") else "proj_model.") + key: value
        for key, value in held.items()
    }


def test_the_layout_of_one_file_is_read_too(
    place: Weights, load: Load, plain: torch.Tensor, tmp_path: Path
) -> None:
    files = dict(place.files)
    held = {key: value for file in files["speech"] for key, value in load_file(file).items()}
    save_file(renamed(held), tmp_path / "one.safetensors")
    one = replace(place, files=tuple((files | {"speech": (tmp_path / "one.safetensors",)}).items()))
    assert torch.equal(denoised(load(one), shot(), INPUTS), plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda held: held.pop("norm.bias"), "has no norm.bias, which FantasyTalking needs"),
        (
            lambda held: held.pop("blocks.1.cross_attn.processor.k_proj.weight"),
            r"has no blocks.1.cross_attn.processor.k_proj.weight",
        ),
        (lambda held: held.update(strange=torch.ones(1)), "does not know: strange"),
        (
            lambda held: held.update({"blocks.0.cross_attn.processor.k_proj.weight": torch.ones(40, 2048)}),
            r"k_proj.weight of \[40, 2048\], FantasyTalking needs \[48, 2048\]",
        ),
        (
            lambda held: held.update({"blocks.2.cross_attn.processor.k_proj.weight": torch.ones(48, 2048)}),
            "does not know: blocks.2.cross_attn",
        ),
    ],
    ids=["projection", "block", "strange", "width", "blocks"],
)
def test_a_module_that_does_not_fit_is_refused_by_key(
    place: Weights, load: Load, tmp_path: Path, change: Any, message: str
) -> None:
    files = dict(place.files)
    held = {key: value for file in files["speech"] for key, value in load_file(file).items()}
    change(held)
    save_file(held, tmp_path / "wrong.safetensors")
    wrong = replace(place, files=tuple((files | {"speech": (tmp_path / "wrong.safetensors",)}).items()))
    with pytest.raises(ModelError, match=message):
        load(wrong)


def test_a_checkpoint_without_the_module_is_refused(place: Weights, load: Load) -> None:
    files = dict(place.files)
    for part, message in (("speech", "has no speech"), ("audio_encoder", "has no audio encoder")):
        left = tuple((name, several) for name, several in files.items() if name != part)
        with pytest.raises(ModelError, match=message):
            load(replace(place, files=left))
