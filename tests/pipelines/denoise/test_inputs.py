"""The canvas of a shot, clips as tensors, and checks of inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support import tiny
from wangp_cli.errors import RequestError
from wangp_cli.media.clip import Clip
from wangp_cli.pipelines.base import Inputs
from wangp_cli.pipelines.denoise.inputs import Canvas, check_inputs, check_whole_start, to_tensor

CANVAS = Canvas(width=32, height=32, frames=9)


def test_the_canvas_of_a_shot_has_its_size_and_length() -> None:
    assert Canvas.of(tiny.shot(size="48x32", frames=5)) == Canvas(width=48, height=32, frames=5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"width": 40}, "size: 40x32"), ({"height": 24}, "size: 32x24"), ({"frames": 8}, "frames: 8")],
)
def test_a_canvas_off_the_grid_is_refused(changes: dict[str, int], message: str) -> None:
    CANVAS.check_grid(16, 4)
    replace(CANVAS, frames=1).check_grid(16, 4)
    with pytest.raises(RequestError, match=message):
        replace(CANVAS, **changes).check_grid(16, 4)


def test_pixels_are_scaled_to_one_around_zero() -> None:
    pixels = np.array([[[[0, 128, 255]]]], np.uint8)
    tensor = to_tensor(Clip(frames=pixels, fps=tiny.clip(1).fps))
    assert tensor.shape == (1, 3, 1, 1, 1)
    assert tensor.flatten().tolist() == pytest.approx([-1, 128 / 127.5 - 1, 1], abs=1e-6)


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"fallback_control": tiny.clip(5)}, "fallback_control"),
        ({"background": tiny.clip(8)}, "background"),
        ({"initial": tiny.clip(9, channels=1)}, "initial"),
        ({"face": tiny.clip(8, size=20)}, "face"),
        ({"anchor": tiny.clip(1), "end": tiny.clip(9)}, "end"),
        ({"motion": tiny.clip(5, size=48)}, "motion"),
    ],
)
def test_an_input_of_wrong_size_length_or_channels_is_named(inputs: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_inputs(Inputs(**inputs), CANVAS)
    assert caught.value.field == field


def test_inputs_that_fit_are_accepted() -> None:
    check_inputs(
        Inputs(
            start=tiny.clip(5),
            end=tiny.clip(4),
            control=tiny.clip(9),
            mask=tiny.clip(9, channels=1),
            face=tiny.clip(9, size=20),
            references=(tiny.clip(1), tiny.clip(1)),
        ),
        CANVAS,
    )


@pytest.mark.parametrize("frames", [2, 4, 6])
def test_start_frames_fill_whole_latent_frames(frames: int) -> None:
    for whole in (1, 5, 9):
        check_whole_start(Inputs(start=tiny.clip(whole)), 4)
    with pytest.raises(RequestError, match=f"start: {frames} frames, but this model takes 1, 5, 9"):
        check_whole_start(Inputs(start=tiny.clip(frames)), 4)
