"""Image to video: start and end frames, and the anchor and motion of SVI."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import tiny
from tests.support.wan import (
    ANCHOR,
    ENDING,
    MOTION,
    SVI,
    run,
)
from wangp_cli.media.clip import Clip
from wangp_cli.pipelines.base import Inputs
from wangp_cli.pipelines.denoise.inputs import to_tensor


@pytest.mark.parametrize("name", ["i2v", "i2v_2_2"])
@pytest.mark.parametrize(
    "change",
    [
        {"anchor": tiny.clip(1, 9)},
        {"motion": tiny.clip(9, 9)},
        {"motion": None},
        {"end": tiny.clip(4, 9)},
        {"end": tiny.clip(1, 3)},
        {"end": None},
    ],
)
def test_every_input_of_svi_changes_the_result(loaded: Any, name: str, change: dict[str, Any]) -> None:
    pipeline, shot = loaded(name), tiny.shot_for(name, guidance_scale=1.0, frames=17)
    assert not np.array_equal(run(pipeline, shot, SVI), run(pipeline, shot, replace(SVI, **change)))


def test_svi_encodes_each_image_by_itself_with_zeros_between(loaded: Any) -> None:
    pipeline = loaded("i2v_2_2")
    vae = pipeline._architecture.parts.vae
    counted: list[tuple[int, int]] = []
    shot = tiny.shot_for("i2v_2_2", frames=17)
    known = pipeline.encode(shot, SVI, lambda _, done, total: counted.append((done, total))).condition.known
    flags, latents = known[0, :4], known[0, 4:]

    def encoded(clip: Clip) -> torch.Tensor:
        return vae.encode(to_tensor(clip), lambda _: None)[0]

    assert torch.equal(latents[:, :1], encoded(ANCHOR))
    assert torch.equal(latents[:, 1:2], encoded(MOTION)[:, -1:])
    assert not latents[:, 2:4].any()
    still = Clip(frames=np.concatenate([ENDING.frames[:1], ENDING.frames]), fps=ENDING.fps)
    assert torch.equal(latents[:, 4:], encoded(still)[:, -1:])
    assert flags[:, :, 0, 0].sum(0).tolist() == [4, 0, 0, 0, 4]
    assert counted[-1][0] == counted[-1][1]
    single = replace(SVI, end=tiny.clip(1, 3))
    assert pipeline.encode(shot, single, tiny.quiet).condition.known[0, :4, -1, 0, 0].tolist() == [0, 0, 0, 1]


def test_float_images_equal_their_rounded_values(loaded: Any) -> None:
    pipeline, shot, start = loaded("i2v"), tiny.shot(), tiny.clip(1)
    as_float = Clip(frames=start.frames.astype(np.float32) / np.float32(255), fps=start.fps)
    assert np.array_equal(
        run(pipeline, shot, Inputs(start=start)), run(pipeline, shot, Inputs(start=as_float))
    )
