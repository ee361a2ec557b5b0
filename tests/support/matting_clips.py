"""Moving scenes with a subject whose alpha is known, and figures that compare mattes with it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from tests.support.moving_scenes import MovingScene
from wangp_cli.matting.matter import Alpha, Mask
from wangp_cli.media.clip import Frames
from wangp_cli.motion.flow import flow_between, warp

_SUBJECT = 1
"""Layer; those above it hide it for a while."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MattingClip:
    """A clip with the true alpha of its subject.

    Args:
        frames: uint8 `[T, H, W, 3]`.
        alpha: float32 `[T, H, W, 1]` in [0, 1].
    """

    frames: Frames
    alpha: Alpha

    def mask(self, index: int) -> Mask:
        """The true alpha of one frame as a mask."""
        return self.alpha[index, :, :, 0]


def matting_clip(
    seed: int, count: int = 48, *, size: tuple[int, int] = (144, 128), layers: int = 2, speed: float = 2.5
) -> MattingClip:
    """A clip of a textured, soft-edged subject before a moving camera, with `layers - 1` others above it."""
    scene = MovingScene(
        seed,
        width=size[0],
        height=size[1],
        layers=layers,
        speed=speed,
        sway=1.5 * count,
        sizes=(0.18, 0.34),
        noise=0.01,
    )
    alpha = torch.cat([scene.alpha(time, _SUBJECT) for time in range(count)])
    return MattingClip(frames=scene.clip(count), alpha=alpha.permute(0, 2, 3, 1).numpy())


def warped_mattes(clip: MattingClip) -> Alpha:
    """The first mask carried from frame to frame by optical flow alone."""
    frames = torch.from_numpy(clip.frames).permute(0, 3, 1, 2).float() / 255
    mattes = [torch.from_numpy(clip.alpha[:1]).permute(0, 3, 1, 2)]
    for before, frame in pairwise(frames):
        mattes.append(warp(mattes[-1], flow_between(frame[None], before[None])))
    carried: Alpha = torch.cat(mattes).permute(0, 2, 3, 1).numpy()
    return carried


def mean_overlap(alpha: Alpha, truth: Alpha) -> float:
    """Intersection over union of alpha above 0.5, the mean over all frames; 1 where both are empty."""
    return float(np.mean(_overlaps(alpha > 0.5, truth > 0.5)))


def _overlaps(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.float64]:
    shared, either = ((one & other).sum((1, 2, 3)), (one | other).sum((1, 2, 3)))
    return np.where(either > 0, shared / np.maximum(either, 1), 1.0)
