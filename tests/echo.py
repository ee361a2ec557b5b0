"""A model that gives back what it is shown: every frame then tells where it was put."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from wangp_cli.catalogue import ModelSpec
from wangp_cli.media.clip import Frames, as_float
from wangp_cli.pipelines.base import Inputs, Lora, LoraPut, Progress
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.shot import Shot


class Echo:
    """The control video as it is; without one grey frames between start and end pictures."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def adapt(self, _loras: Sequence[Lora]) -> list[LoraPut]:
        """Wear nothing."""
        return []

    def encode(self, _shot: Shot, inputs: Inputs, progress: Progress) -> Inputs:
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
        if inputs.end is not None:
            frames[len(frames) - len(inputs.end) :] = as_float(inputs.end.frames)
        return frames

    def decode(self, latents: Frames, progress: Progress) -> Iterator[Frames]:
        """The same in pieces."""
        progress("decode", 1, 1)
        yield latents[:1]
        yield from (latents[at : at + 4] for at in range(1, len(latents), 4))

    def close(self) -> None:
        """Nothing to free."""


def load(spec: ModelSpec, *_rest: Any) -> Echo:
    """The adapter's `load`."""
    return Echo(spec)
