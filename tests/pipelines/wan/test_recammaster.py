"""ReCamMaster against plain Wan and a loop written plainly from its published code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UniPCMultistepScheduler
from safetensors.torch import load_file, save_file

from tests.support import checkpoint_layouts, lora_files, tiny
from tests.support.plain_recammaster import add_camera, plain_network
from tests.support.wan import INPUTS, camera, load, ratios, run
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.base import Inputs, Lora, Placement, Weights
from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles
from wangp_cli.pipelines.checkpoints.convert import convert
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.tasks.shot import Shot

RECAM_INPUTS = INPUTS["recam"]


def denoised(pipeline: Any, shot: Shot, inputs: Inputs = RECAM_INPUTS) -> torch.Tensor:
    latents: torch.Tensor = pipeline.denoise(shot, pipeline.encode(shot, inputs, tiny.quiet), tiny.quiet)
    return latents


@pytest.mark.parametrize("path", ["arc-left", "zoom-out"])
def test_the_source_and_the_camera_are_used_as_published(loaded: Any, checkpoint: Any, path: str) -> None:
    pipeline, shot = loaded("recam"), tiny.shot()
    found = denoised(pipeline, shot, replace(RECAM_INPUTS, camera=camera(path)))
    network, text, vae = (
        pipeline._networks[0],
        pipeline._architecture.parts.text_encoder,
        pipeline._vae.model,
    )
    assert RECAM_INPUTS.control is not None
    pixels = torch.from_numpy(RECAM_INPUTS.control.frames).float() / 127.5 - 1
    plain = plain_network(network)
    add_camera(
        plain, network.state_dict(), torch.tensor([camera(path)[frame] for frame in (0, 4, 8)]), tokens=4
    )
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, num_train_timesteps=1000
    )
    scheduler.set_timesteps(shot.steps)
    latents = torch.randn((1, 16, 3, 4, 4), generator=torch.Generator().manual_seed(shot.seed))
    with torch.no_grad():
        source = vae.encode(pixels.permute(3, 0, 1, 2)[None]).latent_dist.mode()
        mean, std = (
            torch.tensor(v).view(1, 16, 1, 1, 1) for v in (vae.config.latents_mean, vae.config.latents_std)
        )
        source = (source - mean) / std
        prompt, negative = (text.embed(words, 24) for words in (shot.prompt, shot.negative_prompt))
        for time in scheduler.timesteps:
            both = torch.cat([latents, source], dim=2)
            guided, away = (plain(both, time.expand(1), words).sample for words in (prompt, negative))
            velocity = (away + shot.guidance_scale * (guided - away))[:, :, :3]
            latents = scheduler.step(velocity, time, latents, return_dict=False)[0]
    assert found.shape == latents.shape
    assert torch.allclose(found, latents, atol=1e-4)


def test_boost_computes_both_prompts_in_one_pass(checkpoint: Any, loaded: Any) -> None:
    made: list[int] = []
    pipeline = load(checkpoint("recam"), "recam", boost=True)
    pipeline._networks[0].register_forward_hook(lambda *_: made.append(1))
    found = run(pipeline, tiny.shot(), RECAM_INPUTS)
    assert len(made) == tiny.shot().steps
    assert abs(found - run(loaded("recam", exact=False), tiny.shot(), RECAM_INPUTS)).max() < 1e-4


@pytest.mark.parametrize("cache", ["fbcache", "magcache"])
def test_step_caches_skip_what_they_should(checkpoint: Any, loaded: Any, tmp_path: Path, cache: str) -> None:
    ratios(tmp_path, "tiny_recam", [0.9] * 6)
    shot = tiny.shot(steps=6)
    whole = run(loaded("recam"), shot, RECAM_INPUTS)
    exact = {"exact": True, "data_dir": tmp_path}
    nothing, much = (
        run(load(checkpoint("recam"), "recam", cache=f"{cache}={x}", **exact), shot, RECAM_INPUTS)
        for x in (0, 10)
    )
    assert np.array_equal(nothing, whole)
    assert not np.array_equal(much, whole)


@pytest.mark.parametrize("profile", ["3", "5"])
def test_offloading_changes_nothing(checkpoint: Any, loaded: Any, tmp_path: Path, profile: str) -> None:
    pipeline = load(checkpoint("recam"), "recam", exact=True, profile=profile, work_dir=tmp_path)
    assert torch.equal(denoised(pipeline, tiny.shot()), denoised(loaded("recam"), tiny.shot()))


def test_eight_bits_are_near(checkpoint: Any, loaded: Any) -> None:
    pipeline = load(checkpoint("recam"), "recam", exact=True, transformer_quantization="int8")
    shot = tiny.shot(guidance_scale=1.0)
    apart = (denoised(pipeline, shot) - denoised(loaded("recam"), shot)).abs()
    assert 0 < apart.mean() < 0.05


@pytest.mark.parametrize("only", ["attn1.to_q", "cam_encoder"])
def test_loras_of_wan_and_of_the_camera_change_the_result(checkpoint: Any, tmp_path: Path, only: str) -> None:
    pipeline, shot = load(checkpoint("recam"), "recam", exact=True), tiny.shot()
    factors = lora_files.draw(pipeline._networks[0], only=only)
    tensors = {
        f"{name.replace('.attn1.cam', '.cam')}{end}": value
        for name, pair in factors.items()
        for end, value in zip(lora_files.PEFT, pair, strict=True)
    }
    save_file(tensors, tmp_path / "lora.safetensors")
    before = denoised(pipeline, shot)
    [loaded] = pipeline.set_loras([Lora(path=tmp_path / "lora.safetensors")])
    assert loaded.layers == len(factors) == 2
    assert not torch.equal(before, denoised(pipeline, shot))
    pipeline.set_loras([])
    assert torch.equal(before, denoised(pipeline, shot))


@pytest.mark.parametrize("key", ["blocks.1.cam_encoder.bias", "blocks.0.projector.weight"])
def test_a_file_without_a_key_of_the_camera_is_refused_by_it(tmp_path: Path, key: str) -> None:
    network = tiny.recam()
    keys = checkpoint_layouts.original_names(network.state_dict())
    del keys[key]
    files = checkpoint_layouts.save(tmp_path / "recam.safetensors", keys)
    with pytest.raises(ModelError, match=f"has no {key}, which tiny needs"):
        TransformerFiles(checkpoint_layouts.network_of(network), files)


def test_a_camera_of_another_shape_is_refused(tmp_path: Path) -> None:
    network = tiny.recam()
    keys = checkpoint_layouts.original_names(network.state_dict()) | {
        "blocks.0.cam_encoder.weight": torch.zeros(48, 16)
    }
    files = checkpoint_layouts.save(tmp_path / "recam.safetensors", keys)
    with pytest.raises(ModelError, match=r"blocks.0.cam_encoder.weight of \[48, 16\], tiny needs \[48, 12\]"):
        TransformerFiles(checkpoint_layouts.network_of(network), files)


@pytest.mark.parametrize(("folder", "name"), [("t2v", "recam"), ("recam", "t2v")])
def test_a_checkpoint_with_a_camera_is_not_one_without(checkpoint: Any, folder: str, name: str) -> None:
    with pytest.raises(ModelError, match="but tiny_"):
        load(checkpoint(folder), name)


def test_a_folder_that_lacks_a_key_is_refused_by_it(checkpoint: Any, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(checkpoint("recam"), tmp_path / "copy"))
    file = copy / "transformer" / "diffusion_pytorch_model.safetensors"
    kept = {key: value for key, value in load_file(file).items() if "blocks.0.attn1.projector" not in key}
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"2 missing keys: blocks.0.attn1.projector.bias"):
        wan_load.load(tiny.spec("recam"), copy, Placement(), [], tiny.Parts(), tiny.quiet)


def test_a_file_in_original_names_makes_the_same_and_is_written_as_a_folder(
    checkpoint: Any, loaded: Any, tmp_path: Path
) -> None:
    network = loaded("recam")._networks[0]
    files = checkpoint_layouts.save(
        tmp_path / "recam.safetensors", checkpoint_layouts.original_names(network.state_dict())
    )
    place = Weights(
        folder=checkpoint("recam"),
        files=(("transformer", tuple(files)),),
        network=checkpoint_layouts.network_of(network),
    )
    convert(
        place,
        tmp_path / "made",
        torch.float32,
        lambda *_: None,
        fingerprint="a",
        may_replace=lambda _: False,
        all_parts=True,
    )
    shot, expected = tiny.shot(), denoised(loaded("recam"), tiny.shot())
    for where in (place, tmp_path / "made"):
        pipeline = wan_load.load(
            tiny.spec("recam"), where, Placement(exact=True), [], tiny.Parts(), tiny.quiet
        )
        assert torch.equal(denoised(pipeline, shot), expected)
