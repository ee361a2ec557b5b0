"""A model that gives back what it is shown: every frame then tells where it was put."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from wangp_cli.media.audio import samples_at
from wangp_cli.media.clip import Audio, Frames, as_float
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines import registry
from wangp_cli.pipelines.base import Decoded, Inputs, LoadedLora, Lora, Pipeline, Placement, Progress
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.shot import Shot


@dataclass(frozen=True)
class RecordedInputs:
    """What the model was told, run after run."""

    shots: list[Shot] = field(default_factory=list)
    inputs: list[Inputs] = field(default_factory=list)


def serve(monkeypatch: pytest.MonkeyPatch, load: str = "load") -> RecordedInputs:
    """Let every model give back what it is shown, and listen; `load` names the adapter in this module."""
    told, encode = RecordedInputs(), Echo.encode

    def listen(self: Echo, shot: Shot, inputs: Inputs, progress: Progress) -> Inputs:
        told.shots.append(shot)
        told.inputs.append(inputs)
        return encode(self, shot, inputs, progress)

    monkeypatch.setattr(registry, "ADAPTERS", MappingProxyType({"wan": f"{__name__}:{load}"}))
    monkeypatch.setattr(Echo, "encode", listen)
    return told


SHIFT = np.array([0.03, -0.02, 0.03], np.float32)
"""Of red, green and blue."""


class Echo:
    """The control video as it is; without one grey frames between the pictures at both ends."""

    profile_reason = "as asked"

    def __init__(self, spec: ModelSpec, placement: Placement) -> None:
        self.spec, self.placement = spec, placement

    def reconfigure(self, placement: Placement) -> None:
        """Nothing to change."""

    def set_loras(self, loras: Sequence[Lora]) -> list[LoadedLora]:  # noqa: ARG002 - it has no weights
        """Wear nothing."""
        return []

    def tiles(self, latents: Frames) -> Sequence[int | None]:  # noqa: ARG002 - they are pictures
        """No tiles."""
        return [None]

    def encode(self, shot: Shot, inputs: Inputs, progress: Progress) -> Inputs:  # noqa: ARG002 - nothing to read
        """The inputs themselves."""
        progress("encode", 1, 1)
        return inputs

    def denoise(self, shot: Shot, inputs: Inputs, progress: Progress) -> Frames:
        """The frames they show."""
        progress("denoise", 1, 1)
        width, height = size_of(shot.size)
        frames = np.full((int(shot.frames), height, width, 3), 0.5, np.float32)
        if inputs.control is not None:
            frames[:] = as_float(inputs.control.frames)
        if inputs.start is not None:
            frames[: len(inputs.start)] = as_float(inputs.start.frames)
        if inputs.anchor is not None:
            frames[:1] = as_float(inputs.anchor.frames)
        if inputs.motion is not None:
            frames[1:5] = as_float(inputs.motion.frames)[-4:]
        if inputs.end is not None:
            frames[len(frames) - len(inputs.end) :] = as_float(inputs.end.frames)
        return frames

    def decode(self, latents: Frames, progress: Progress, tile: int | None = None) -> Decoded:  # noqa: ARG002 - there are none
        """The same in pieces."""
        return Decoded(frames=self._pieces(latents, progress))

    def _pieces(self, latents: Frames, progress: Progress) -> Iterator[Frames]:
        progress("decode", 1, 1)
        yield latents[:1]
        yield from (latents[at : at + 4] for at in range(1, len(latents), 4))

    def close(self) -> None:
        """Nothing to free."""


class Tint(Echo):
    """A model that holds what it is shown and shifts all colours by a constant."""

    def denoise(self, shot: Shot, inputs: Inputs, progress: Progress) -> Frames:
        """Each frame the nearest known one, shifted."""
        frames = super().denoise(shot, inputs, progress)
        assert inputs.mask is not None
        places = np.flatnonzero((inputs.mask.frames == 0).all(axis=(1, 2, 3)))
        nearest = [int(places[np.abs(places - index).argmin()]) for index in range(len(frames))]
        return (frames[nearest] + SHIFT).clip(0, 1)


def load(spec: ModelSpec, _weights: Any, placement: Placement, *_rest: Any) -> Pipeline:
    """The adapter's `load`."""
    return Echo(spec, placement)


def load_tint(spec: ModelSpec, _weights: Any, placement: Placement, *_rest: Any) -> Pipeline:
    """The `load` of the adapter that shifts colours."""
    return Tint(spec, placement)


AUDIO_RATE = 16_000


class WithAudio(Echo):
    """A model that generates stereo audio with its frames: each sample tells its run and its frame.

    Run r, counted from 1, has the value `0.1 r + 0.001 j` in its frame j. The audio is some samples longer
    than the frames.
    """

    runs = 0

    def denoise(self, shot: Shot, inputs: Inputs, progress: Progress) -> Frames:
        """As the base class; notes the rate of the frames."""
        self.runs += 1
        self.fps = Fraction(shot.fps)
        return super().denoise(shot, inputs, progress)

    def decode(self, latents: Frames, progress: Progress, tile: int | None = None) -> Decoded:
        """The frames and their audio."""
        starts = [samples_at(frame, AUDIO_RATE, self.fps) for frame in range(len(latents) + 1)]
        frames = np.repeat(np.arange(len(latents)), np.diff(starts))
        values = np.append(0.1 * self.runs + 0.001 * frames, [0.9] * 77).astype(np.float32)
        audio = Audio(samples=np.stack([values, -values], axis=1), rate=AUDIO_RATE)
        return Decoded(frames=super().decode(latents, progress, tile).frames, audio=audio)


def load_with_audio(spec: ModelSpec, _weights: Any, placement: Placement, *_rest: Any) -> Pipeline:
    """The `load` of the adapter that generates audio."""
    return WithAudio(spec, placement)
