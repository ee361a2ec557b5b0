"""Diffusion forcing: parity with stock where it is right, and what blocks and known frames mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    SkyReelsV2DiffusionForcingImageToVideoPipeline,
    SkyReelsV2DiffusionForcingPipeline,
    SkyReelsV2DiffusionForcingVideoToVideoPipeline,
)

from tests.support import tiny
from tests.support.lora_files import LAYOUTS, draw, saved
from tests.support.stock_pipelines import check_same, images, ours, theirs
from tests.support.wan import load, run
from wangp_cli.pipelines.base import Inputs

NAME = "diffusion_forcing"
WAVES = {"ar_step": 2, "causal_block_size": 2}
BLOCKS = ("ar_step", "causal_block_size", "addnoise_condition")


def told(shot: Any) -> dict[str, Any]:
    """What the stock pipeline is told of frames apart."""
    said = {name: getattr(shot, name) for name in BLOCKS if getattr(shot, name) != 1}
    return said | {"fps": int(shot.fps)}


@pytest.fixture
def image_pipeline(stock: Any) -> Any:
    made = SkyReelsV2DiffusionForcingImageToVideoPipeline(**stock(NAME).components)
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(autouse=True)
def _blocks_of_one(stock: Any) -> None:
    """The stock pipeline leaves its blocks in the network."""
    stock(NAME).transformer.register_to_config(num_frame_per_block=1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"steps": 5, "flow_shift": 8.0, "fps": "24"},
        {"guidance_scale": 1.0, "frames": 1},
        {"steps": 4, "frames": 13, **WAVES},
        {"steps": 4, "frames": 9, "ar_step": 9},
        {"frames": 13, "causal_block_size": 2},
    ],
    ids=["guided", "rate", "picture", "waves", "one-by-one", "blocks-together"],
)
def test_text_to_video_equals_stock(loaded: Any, stock: Any, changes: dict[str, Any]) -> None:
    shot = tiny.shot(**changes)
    check_same(ours(loaded(NAME), shot, Inputs()), theirs(NAME, stock(NAME), shot, **told(shot)))


@pytest.mark.parametrize(
    "changes",
    [{}, {"steps": 4, "ar_step": 2, "fps": "24"}],
    ids=["together", "apart"],
)
def test_image_to_video_equals_stock(loaded: Any, image_pipeline: Any, changes: dict[str, Any]) -> None:
    start, shot = tiny.clip(1), tiny.shot(**changes)
    mine = ours(loaded(NAME), shot, Inputs(start=start))
    check_same(mine, theirs(NAME, image_pipeline, shot, image=images(start)[0], **told(shot)))


@pytest.mark.parametrize("changes", [{}, WAVES], ids=["together", "waves"])
def test_a_continued_video_equals_stock(loaded: Any, stock: Any, changes: dict[str, Any]) -> None:
    start, shot = tiny.clip(5), tiny.shot(steps=3, frames=13, **changes)
    pipeline = SkyReelsV2DiffusionForcingVideoToVideoPipeline(**stock(NAME).components)
    pipeline.set_progress_bar_config(disable=True)
    mine = ours(loaded(NAME), shot, Inputs(start=start))
    given = {"video": images(start), "overlap_history": 5, "base_num_frames": 13}
    latents, _ = theirs(NAME, pipeline, shot, **given, **told(shot))
    assert np.array_equal(mine[0], latents[:, :, -4:])


def test_noise_on_known_frames_equals_stock_where_that_has_one_source(
    loaded: Any, image_pipeline: Any
) -> None:
    start, shot = tiny.clip(1), tiny.shot(steps=3, addnoise_condition=20)
    mine, _ = ours(loaded(NAME), shot, Inputs(start=start))
    plain, _ = ours(loaded(NAME), shot.replace(addnoise_condition=0), Inputs(start=start))
    assert not np.array_equal(mine, plain)
    assert np.array_equal(mine[:, :, :1], plain[:, :, :1])
    # The stock pipeline takes this noise from torch's own generator, so it must take all from there.
    torch.manual_seed(shot.seed)
    latents = image_pipeline(
        image=images(start)[0],
        prompt=shot.prompt,
        negative_prompt=shot.negative_prompt,
        height=32,
        width=32,
        num_frames=9,
        num_inference_steps=3,
        guidance_scale=shot.guidance_scale,
        max_sequence_length=tiny.text_length(NAME),
        output_type="latent",
        **told(shot),
    ).frames
    assert np.array_equal(mine, latents.numpy())


def test_half_precision_equals_stock(checkpoint: Any) -> None:
    start, shot = tiny.clip(1), tiny.shot(steps=3)
    mine = load(checkpoint(NAME), NAME, dtype="bfloat16", exact=True)
    dtypes = {"default": torch.bfloat16, "vae": torch.float32}
    kind = SkyReelsV2DiffusionForcingImageToVideoPipeline
    stock = kind.from_pretrained(checkpoint(NAME), disable_mmap=True, dtype=dtypes)
    stock.set_progress_bar_config(disable=True)
    check_same(
        ours(mine, shot, Inputs(start=start)), theirs(NAME, stock, shot, image=images(start)[0], **told(shot))
    )


def test_known_frames_of_a_block_stay_as_they_are_and_the_others_are_made(
    loaded: Any, image_pipeline: Any
) -> None:
    start, shot = tiny.clip(1), tiny.shot(steps=4, frames=13, **WAVES)
    mine, frames = ours(loaded(NAME), shot, Inputs(start=start))
    picture, _ = ours(loaded(NAME), tiny.shot(frames=1), Inputs(start=start))
    assert np.array_equal(mine[:, :, :1], picture)
    assert len(frames) == 13
    # The stock pipeline denoises the picture once more, with the rest of its block.
    stock, _ = theirs(NAME, image_pipeline, shot, image=images(start)[0], **told(shot))
    assert not np.array_equal(stock[:, :, :1], picture)


def test_an_incomplete_last_block_is_padded_and_the_padding_removed(loaded: Any) -> None:
    pipeline, shot = loaded(NAME), tiny.shot(steps=3, frames=9, **WAVES)
    latents, frames = ours(pipeline, shot, Inputs())
    assert (latents.shape[2], len(frames)) == (3, 9)
    initial = Inputs(initial=tiny.clip(9, 3))
    assert len(run(pipeline, shot.replace(denoising_strength=0.5), initial)) == 9


@pytest.mark.parametrize(
    "change",
    [
        {"ar_step": 1},
        {"ar_step": 2},
        {"causal_block_size": 2},
        WAVES,
        {"fps": "24"},
        {"addnoise_condition": 20},
    ],
    ids=str,
)
def test_every_setting_of_diffusion_forcing_changes_the_result(loaded: Any, change: dict[str, Any]) -> None:
    pipeline, inputs, shot = loaded(NAME), Inputs(start=tiny.clip(5)), tiny.shot(steps=3, frames=17)
    plain = run(pipeline, shot, inputs)
    assert not np.array_equal(plain, run(pipeline, shot.replace(**change), inputs))
    assert np.array_equal(plain, run(pipeline, shot, inputs))


def test_all_passes_are_counted(loaded: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    shot = tiny.shot(steps=4, frames=13, guidance_scale=1.0, **WAVES)
    run(loaded(NAME), shot, Inputs(), lambda *event: seen.append(event))
    counted = [event[1:] for event in seen if event[0] == "denoise"]
    assert counted == [(done, 6) for done in range(1, 7)]


def test_a_lora_equals_stock_with_asynchronous_blocks(checkpoint: Any, loaded: Any, tmp_path: Path) -> None:
    network = load(checkpoint(NAME), NAME)._networks[0]
    lora, shot = saved(tmp_path, LAYOUTS["diffusers"](draw(network)), "0.6"), tiny.shot(frames=13, **WAVES)
    stock = SkyReelsV2DiffusionForcingPipeline.from_pretrained(checkpoint(NAME), disable_mmap=True)
    stock.set_progress_bar_config(disable=True)
    stock.load_lora_weights(str(lora.path), adapter_name="one")
    stock.set_adapters(["one"], [0.6])
    pipeline = loaded(NAME)
    pipeline.set_loras([lora])
    mine = ours(pipeline, shot, Inputs())
    pipeline.set_loras([])
    assert not np.array_equal(mine[0], ours(pipeline, shot, Inputs())[0])
    check_same(mine, theirs(NAME, stock, shot, **told(shot)))


def test_a_step_cache_works_with_asynchronous_blocks(checkpoint: Any, loaded: Any) -> None:
    shot = tiny.shot(steps=4, frames=13, **WAVES)
    plain = run(loaded(NAME), shot)
    assert np.array_equal(run(load(checkpoint(NAME), NAME, exact=True, cache="fbcache=0"), shot), plain)
    assert not np.array_equal(run(load(checkpoint(NAME), NAME, exact=True, cache="fbcache=10"), shot), plain)
