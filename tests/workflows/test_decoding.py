"""Latents that are kept until a result is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Make
from wangp_cli.media.stills import write_image
from wangp_cli.pipelines.wan.pipeline import Wan
from wangp_cli.runtime.workspace.segments_cache import FOLDER


@pytest.fixture
def interrupt(make: Make, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a task that ends when its latents are decoded, as by a kill."""

    def away(*_: Any) -> Any:
        raise OSError(5, "killed")

    def call(**values: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Wan, "decode", away)
            assert make(task_id="a", **values).outcome.status == "failed"

    return call


@pytest.fixture
def denoised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of the runs that were denoised."""
    seeds: list[int] = []
    denoise = Wan.denoise

    def counted(self: Any, shot: Any, *rest: Any) -> Any:
        seeds.append(shot.seed)
        return denoise(self, shot, *rest)

    monkeypatch.setattr(Wan, "denoise", counted)
    return seeds


def messages(made: Any) -> list[str]:
    return [event.data["message"] for event in made.events if event.type == "log"]


def test_a_run_that_goes_on_decodes_the_latents_of_an_interrupted_one(
    make: Make, interrupt: Callable[..., None], denoised: list[int], tmp_path: Path
) -> None:
    grain = {"film_grain_intensity": 0.1}
    whole = make(task_id="b", output=tmp_path / "whole.mkv", **grain).frames
    interrupt(frames=5)
    denoised.clear()
    made = make(task_id="a", frames=5, overwrite=True, **grain)
    assert denoised == []
    assert "latents of result 1 are there already" in messages(made)
    assert (made.frames == whole).all()
    assert not (tmp_path / "made" / FOLDER).exists()


def test_a_drawn_seed_is_that_of_the_latents(
    make: Make, interrupt: Callable[..., None], denoised: list[int]
) -> None:
    interrupt(seed=-1, count=2, frames=1)
    (seed,) = denoised
    made = make(task_id="a", seed=-1, count=2, frames=1)
    assert made.outcome.error is None
    assert denoised == [seed, seed + 1], "the second result had no latents yet"
    assert f"seed: {seed}, drawn by the run that was interrupted" in messages(made)


@pytest.mark.parametrize("change", [{"seed": 8}, "image"])
def test_latents_of_another_request_are_not_used(
    change: Any, make: Make, interrupt: Callable[..., None], denoised: list[int], tmp_path: Path
) -> None:
    image = tmp_path / "start.png"
    write_image(image, np.zeros((32, 64, 3), np.uint8))
    values = {"model": "tiny_i2v", "image_start": image, "frames": 5}
    interrupt(**values)
    if change == "image":
        write_image(image, np.full((32, 64, 3), 200, np.uint8))
    made = make(task_id="a", **values, **(change if isinstance(change, dict) else {}))
    assert made.outcome.error is None
    assert len(denoised) == 2
    assert not any("there already" in message for message in messages(made))
