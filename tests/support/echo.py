"""A pipeline that returns its conditioning frames, so that tests see where each input frame lands."""

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
    """The shots and inputs of each run of the pipeline, in order."""

    shots: list[Shot] = field(default_factory=list)
    inputs: list[Inputs] = field(default_factory=list)


def serve(monkeypatch: pytest.MonkeyPatch, load: str = "load") -> RecordedInputs:
    """Replace every model by a pipeline of this module and record its inputs; `load` names its function."""
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
    """Returns the control video; without one, grey frames between the start and end images."""

    profile_reason = "as asked"

    def __init__(self, spec: ModelSpec, placement: Placement) -> None:
        self.spec, self.placement = spec, placement

    def reconfigure(self, placement: Placement) -> None:
        """Nothing to reconfigure."""

    def set_loras(self, loras: Sequence[Lora]) -> list[LoadedLora]:  # noqa: ARG002 - it has no weights
        """LoRAs are ignored."""
        return []

    def tiles(self, latents: Frames) -> Sequence[int | None]:  # noqa: ARG002 - they are pictures
        """The VAE has no tiles."""
        return [None]

    def encode(self, shot: Shot, inputs: Inputs, progress: Progress) -> Inputs:  # noqa: ARG002 - nothing to read
        """The inputs, unchanged."""
        progress("encode", 1, 1)
        return inputs

    def denoise(self, shot: Shot, inputs: Inputs, progress: Progress) -> Frames:
        """The frames of the inputs."""
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
        """The frames in pieces."""
        return Decoded(frames=self._pieces(latents, progress))

    def _pieces(self, latents: Frames, progress: Progress) -> Iterator[Frames]:
        progress("decode", 1, 1)
        yield latents[:1]
        yield from (latents[at : at + 4] for at in range(1, len(latents), 4))

    def close(self) -> None:
        """Holds no memory."""


class Tint(Echo):
    """Repeats the nearest given frame and shifts all colours by a constant."""

    def denoise(self, shot: Shot, inputs: Inputs, progress: Progress) -> Frames:
        """Each frame is the nearest given one, shifted."""
        frames = super().denoise(shot, inputs, progress)
        assert inputs.mask is not None
        places = np.flatnonzero((inputs.mask.frames == 0).all(axis=(1, 2, 3)))
        nearest = [int(places[np.abs(places - index).argmin()]) for index in range(len(frames))]
        return (frames[nearest] + SHIFT).clip(0, 1)


def load(spec: ModelSpec, _weights: Any, placement: Placement, *_rest: Any) -> Pipeline:
    """The `load` of `Echo`."""
    return Echo(spec, placement)


def load_tint(spec: ModelSpec, _weights: Any, placement: Placement, *_rest: Any) -> Pipeline:
    """The `load` of `Tint`."""
    return Tint(spec, placement)


AUDIO_RATE = 16_000


class WithAudio(Echo):
    """A pipeline that also generates stereo audio whose samples tell their run and their frame.

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
    """The `load` of `WithAudio`."""
    return WithAudio(spec, placement)
