"""A pipeline that returns its conditioning frames, so that tests see where each input frame lands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from wangp_cli.media.audio import samples_at
from wangp_cli.media.clip import Audio, Frames, as_float
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.base import Decoded, Inputs, LoadedLora, Lora, Pipeline, Placement, Progress
from wangp_cli.pipelines.registry import Load
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.shot import Shot


@dataclass(frozen=True)
class RecordedInputs:
    """The shots and inputs of each run of the pipeline, in order."""

    shots: list[Shot] = field(default_factory=list)
    inputs: list[Inputs] = field(default_factory=list)


SHIFT = np.array([0.03, -0.02, 0.03], np.float32)
"""Of red, green and blue."""


class Echo:
    """Returns the control video; without one, grey frames between the start and end images."""

    profile_reason = "as asked"

    def __init__(self, spec: ModelSpec, placement: Placement, recorded: RecordedInputs) -> None:
        self.spec, self.placement, self._recorded = spec, placement, recorded

    def reconfigure(self, placement: Placement) -> None:
        """Nothing to reconfigure."""

    def set_loras(self, loras: Sequence[Lora]) -> list[LoadedLora]:  # noqa: ARG002 - it has no weights
        """Load no LoRA."""
        return []

    def tiles(self, latents: Frames) -> Sequence[int | None]:  # noqa: ARG002 - latents are frames
        """No tiles."""
        return [None]

    def encode(self, shot: Shot, inputs: Inputs, progress: Progress) -> Inputs:
        """The inputs themselves, which are recorded."""
        self._recorded.shots.append(shot)
        self._recorded.inputs.append(inputs)
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


class Negative(Echo):
    """Returns the negative of the frames of the base class, which no given frame equals."""

    def denoise(self, shot: Shot, inputs: Inputs, progress: Progress) -> Frames:
        """The frames of the base class in opposite colours; unknown ones are darker than grey."""
        return (0.9 - super().denoise(shot, inputs, progress)).clip(0, 1)


AUDIO_RATE = 16_000


class WithAudio(Echo):
    """A pipeline that also generates stereo audio whose samples tell their run and their frame.

    Each sample in frame j of run r, counted from 1, is `0.1 r + 0.001 j`, negative in the right channel. The
    audio is some samples longer than the frames.
    """

    runs = 0

    def denoise(self, shot: Shot, inputs: Inputs, progress: Progress) -> Frames:
        """The frames of the base class; keeps their rate for `decode`."""
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


def loader(kind: type[Echo] = Echo, recorded: RecordedInputs | None = None) -> Load:
    """The `load` of an adapter of this module.

    Args:
        kind: class of its pipelines.
        recorded: gets the shot and inputs of each run.
    """

    def load(spec: ModelSpec, _weights: Any, placement: Placement, *_rest: Any) -> Pipeline:
        return kind(spec, placement, RecordedInputs() if recorded is None else recorded)

    return load


def use_echo(adapters: dict[str, str | Load], kind: type[Echo] = Echo) -> RecordedInputs:
    """Replace the adapter of Wan by one of this module; gives the record of its runs."""
    recorded = RecordedInputs()
    adapters["wan"] = loader(kind, recorded)
    return recorded
