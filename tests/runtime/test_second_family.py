"""A model family beside Wan: an adapter that is handed in, traits in a YAML file, 17n+5 frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Made, Make
from wangp_cli.media.clip import Frames, as_float
from wangp_cli.media.facts import probe
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.base import Decoded, Inputs, LoadedLora, Lora, Placement, Progress, Weights
from wangp_cli.pipelines.registry import ADAPTERS
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.shot import Shot

FAMILY = """family: gradient
parts: {text_encoder: 0, vae: 0}
architectures:
  fade: {context_latents: 2, control_fill: 1.0}
models:
  fade:
    title: Frames that fade
    architecture: fade
    source: {folder: FOLDER}
    accepts: [source, negative, audio]
    grid: {step: 17, offset: 5, minimum_seconds: 5, maximum_seconds: 15, block: 8}
    defaults: {size: 40x24, frames: 90, fps: "10", steps: 3, guidance_scale: 1.0, flow_shift: 1.0}
"""


class Fade:
    """Frames that fade from the first brightness in the weights to the second."""

    profile_reason = "it is small"

    def __init__(self, spec: ModelSpec, weights: Weights, placement: Placement) -> None:
        self.spec = spec
        self.placement = replace(placement, profile="1")
        self._first, self._last = np.load(weights.folder / "range.npy")

    def reconfigure(self, placement: Placement) -> None:
        """Take attention and tiling as they are."""

    def set_loras(self, loras: Sequence[Lora]) -> list[LoadedLora]:
        """Refuse none, as no task can name one."""
        assert not loras
        return []

    def encode(self, _shot: Shot, inputs: Inputs, progress: Progress) -> Inputs:
        """The inputs themselves."""
        progress("encode", 1, 1)
        return inputs

    def denoise(self, shot: Shot, _conditioning: Inputs, progress: Progress) -> tuple[int, int, int]:
        """Frames, height and width."""
        for step in range(shot.steps):
            progress("denoise", step + 1, shot.steps)
        width, height = size_of(shot.size)
        return int(shot.frames), height, width

    def tiles(self, _latents: Any) -> list[int | None]:
        """As a whole."""
        return [None]

    def decode(self, latents: tuple[int, int, int], progress: Progress, _tile: int | None = None) -> Decoded:
        """The frames, without audio."""
        return Decoded(frames=self._frames(*latents, progress))

    def _frames(self, count: int, height: int, width: int, progress: Progress) -> Iterator[Frames]:
        for index, level in enumerate(np.linspace(self._first, self._last, count, dtype=np.float32)):
            progress("decode", index + 1, count)
            yield np.full((1, height, width, 3), level, np.float32)

    def close(self) -> None:
        """Free nothing."""


def load(
    spec: ModelSpec,
    weights: Weights,
    placement: Placement,
    _loras: Sequence[Lora],
    _components: Any,
    progress: Progress,
) -> Fade:
    """The family's adapter."""
    progress("load", 1, 1)
    return Fade(spec, weights, placement)


@pytest.fixture
def fade(make: Make, config: Path, tmp_path: Path) -> Make:
    """Execute a request of the family's model."""
    folder = tmp_path / "fade"
    folder.mkdir()
    np.save(folder / "range.npy", np.array([0.25, 0.75]))
    (folder / "model_index.json").write_text("{}")
    (config / "models" / "gradient.yaml").write_text(FAMILY.replace("FOLDER", str(folder)))

    def call(**given: Any) -> Made:
        return make("fade", adapters={**ADAPTERS, "gradient": load}, **given)

    return call


def test_its_video_is_of_its_own_form_of_length(fade: Make) -> None:
    made = fade(frames=88)
    frames = as_float(made.frames)
    assert frames.shape == (90, 24, 40, 3)
    assert [frames[0].mean(), frames[-1].mean()] == pytest.approx([0.25, 0.75], abs=1e-3)
    loaded = next(event.data for event in made.events if event.type == "model.loaded")
    assert (loaded["model"], loaded["profile"], loaded["why"]) == ("fade", "1", "it is small")


@pytest.mark.parametrize(
    ("asked", "made"),
    [({"frames": 1}, 56), ({"frames": 73}, 73), ({"frames": "6s"}, 56), ({"frames": 400}, 141)],
)
def test_its_length_stays_in_its_range_of_seconds(fade: Make, asked: dict[str, Any], made: int) -> None:
    assert probe(fade(**asked).path).frames == made


def test_its_range_follows_the_frame_rate(fade: Make) -> None:
    facts = probe(fade(frames=1, fps="4").path)
    assert (facts.frames, facts.fps) == (22, Fraction(4))


def test_it_gives_the_length_that_a_file_of_settings_asks_for_again(fade: Make) -> None:
    first = fade(frames=74, seed=3)
    again = fade(frames=first.frames.shape[0], seed=3, name="again")
    assert np.array_equal(first.frames, again.frames)


def test_what_it_does_not_take_is_refused_by_name(fade: Make) -> None:
    for given, field in (({"guide_given": False}, "--guide-given"), ({"ar_step": 2}, "--ar-step")):
        error = fade(**given).outcome.error
        assert error is not None
        assert field in error.message
        assert "'fade'" in error.message


def test_without_its_adapter_its_file_is_an_error(fade: Make, make: Make) -> None:
    assert fade(frames=56).outcome.error is None
    error = make("fade", adapters=ADAPTERS).outcome.error
    assert error is not None
    assert "gradient.yaml: family: there is no family 'gradient'" in error.message
