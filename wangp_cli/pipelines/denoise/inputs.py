"""Clips as tensors of a model, and checks that they fit the size and length of the shot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from wangp_cli.errors import RequestError
from wangp_cli.media.clip import as_float
from wangp_cli.tasks.fields import size_of

if TYPE_CHECKING:
    from wangp_cli.media.clip import Clip
    from wangp_cli.pipelines.base import Inputs
    from wangp_cli.tasks.shot import Shot


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """The size and length of a shot, in pixels and frames."""

    width: int
    height: int
    frames: int

    @classmethod
    def of(cls, shot: Shot) -> Canvas:
        """The canvas of a shot whose length and seed are settled.

        Raises:
            RequestError: the length is still in seconds, or the seed not drawn.
        """
        if not isinstance(shot.frames, int):
            raise RequestError("frames", f"{shot.frames!r} must be a count by now")
        if shot.seed < 0:
            raise RequestError("seed", f"{shot.seed} must be drawn by now")
        width, height = size_of(shot.size)
        return cls(width=width, height=height, frames=shot.frames)

    def check_grid(self, block: int, step: int) -> None:
        """Check that the sides are multiples of `block`, and that the length is `n * step + 1`.

        Raises:
            RequestError: naming the field.
        """
        if self.width % block or self.height % block:
            raise RequestError(
                "size", f"{self.width}x{self.height}, but both sides must be multiples of {block}"
            )
        if self.frames % step != 1 and self.frames != 1:
            raise RequestError("frames", f"{self.frames}, but it must be a multiple of {step} plus 1")


def check_inputs(inputs: Inputs, canvas: Canvas) -> None:
    """Check sizes, lengths and channels of all inputs.

    Raises:
        RequestError: a size, a length or a number of channels is wrong; the message names the input.
    """
    if inputs.mask is not None and inputs.control is None:
        raise RequestError("mask", "given without a control video")
    _check("start", inputs.start, canvas, channels=3)
    _check("end", inputs.end, canvas, channels=3)
    _check("anchor", inputs.anchor, canvas, channels=3, frames=1)
    _check("motion", inputs.motion, canvas, channels=3)
    _check("control", inputs.control, canvas, channels=3, frames=canvas.frames)
    _check("fallback_control", inputs.fallback_control, canvas, channels=3, frames=canvas.frames)
    _check("mask", inputs.mask, canvas, channels=1, frames=canvas.frames)
    _check("background", inputs.background, canvas, channels=3, frames=canvas.frames)
    _check("initial", inputs.initial, canvas, channels=3, frames=canvas.frames)
    if inputs.face is not None:
        side = inputs.face.size[0]
        _check(
            "face", inputs.face, replace(canvas, width=side, height=side), channels=3, frames=canvas.frames
        )
    for reference in inputs.references:
        _check("references", reference, canvas, channels=3, frames=1)
    fixed = sum(len(clip) for clip in (inputs.start, inputs.anchor, inputs.end) if clip is not None)
    if fixed > canvas.frames:
        raise RequestError(
            "start" if inputs.start is not None else "end",
            f"{fixed} frames to start and end with, but the shot has {canvas.frames}",
        )


def check_whole_start(inputs: Inputs, step: int) -> None:
    """Check that the start frames fill whole latent frames; one filled in part would count as known.

    Args:
        inputs: of the shot.
        step: frames in a latent frame.

    Raises:
        RequestError: their number is not 1, `step` + 1, 2 * `step` + 1, ...
    """
    if inputs.start is not None and len(inputs.start) % step != 1:
        taken = f"1, {step + 1}, {2 * step + 1}, ..."
        raise RequestError("start", f"{len(inputs.start)} frames, but this model takes {taken}")


def to_tensor(clip: Clip) -> torch.Tensor:
    """RGB float32 `[1, 3, T, H, W]` in [-1, 1]."""
    frames = torch.from_numpy(as_float(clip.frames)) * 2.0 - 1.0
    return frames.permute(3, 0, 1, 2)[None]


def _check(
    field: str, clip: Clip | None, canvas: Canvas, *, channels: int, frames: int | None = None
) -> None:
    if clip is None:
        return
    if clip.frames.ndim != 4 or clip.frames.shape[3] != channels:
        raise RequestError(field, f"frames of shape {clip.frames.shape}, but [T, H, W, {channels}] is needed")
    if clip.size != (canvas.width, canvas.height):
        width, height = clip.size
        raise RequestError(field, f"{width}x{height}, but the shot is {canvas.width}x{canvas.height}")
    if frames is not None and len(clip) != frames:
        raise RequestError(field, f"{len(clip)} frames, but {frames} are needed")
    if len(clip) == 0:
        raise RequestError(field, "has no frames")
