"""Recognising background, colour, motion and shape in a clip of the starter."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from training.starter.world import COLOURS, SHAPES, Scene, signed_distance

Clip = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was recognised in a clip; empty strings where no object was found."""

    background: str
    colour: str = ""
    motion: str = ""
    shape: str = ""


def read(clip: Clip) -> Reading:
    """Recognise what a clip shows.

    Args:
        clip: float32 [T, H, W, 3] in [0, 1].
    """
    border = np.concatenate([part.reshape(-1, 3) for part in _borders(clip)])
    back = np.median(border, axis=0)
    distance = np.sqrt(((clip - back) ** 2).sum(-1))
    object_mask = distance > max(0.2, 0.5 * float(np.percentile(distance, 99)))
    background = nearest_colour(back)
    if object_mask.mean() < 0.006:
        return Reading(background=background)
    core = object_mask & (distance > 0.85 * np.median(distance[object_mask]))
    return Reading(
        background=background,
        colour=nearest_colour(np.median(clip[core], axis=0)),
        motion=_motion(object_mask),
        shape=_shape(object_mask),
    )


def score(scene: Scene, reading: Reading) -> dict[str, bool]:
    """Whether each property of a reading is that of the scene."""
    return {
        name: getattr(scene, name) == getattr(reading, name)
        for name in ("background", "colour", "motion", "shape")
    }


def nearest_colour(rgb: npt.NDArray[np.float32]) -> str:
    """The name of the nearest colour in `world.COLOURS` to an RGB value in [0, 1]."""
    return min(COLOURS, key=lambda name: float(((np.array(COLOURS[name]) - rgb) ** 2).sum()))


def psnr(left: Clip, right: Clip) -> float:
    """Peak signal-to-noise ratio in dB of values in [0, 1], at most 90."""
    return float(-10 * np.log10(max(1e-9, float(((left - right) ** 2).mean()))))


def _borders(clip: Clip) -> tuple[Clip, ...]:
    return clip[:, :2], clip[:, -2:], clip[:, :, :2], clip[:, :, -2:]


def _centres(mask: Mask) -> npt.NDArray[np.float64]:
    """Centre of the object in each frame, as shares of width and height; NaN where there is none."""
    rows, columns = np.mgrid[0 : mask.shape[1], 0 : mask.shape[2]]
    return np.array(
        [
            (columns[frame].mean() / mask.shape[2], rows[frame].mean() / mask.shape[1])
            if frame.sum() >= 8
            else (np.nan, np.nan)
            for frame in mask
        ]
    )


def _motion(mask: Mask) -> str:
    centres, areas = _centres(mask), mask.mean((1, 2))
    if np.isnan(centres[:2]).all() or np.isnan(centres[-2:]).all():
        return ""
    right, down = np.nanmean(centres[-2:], axis=0) - np.nanmean(centres[:2], axis=0)
    if max(abs(right), abs(down)) > 0.12:
        if abs(right) > abs(down):
            return "right" if right > 0 else "left"
        return "down" if down > 0 else "up"
    ratio = areas[-2:].mean() / max(1e-4, areas[:2].mean())
    return "grows" if ratio > 1.6 else "shrinks" if ratio < 0.62 else "stays"


def _shape(mask: Mask) -> str:
    """The shape whose outline of equal area has the best overlap with the object, over all frames."""
    overlaps = dict.fromkeys(SHAPES, 0.0)
    centres = _centres(mask)
    for frame, centre in zip(mask[::2], centres[::2], strict=True):
        if frame.mean() < 0.015:
            continue
        for shape in SHAPES:
            overlaps[shape] += _overlap(shape, frame, centre)
    return max(overlaps, key=overlaps.__getitem__) if any(overlaps.values()) else ""


def _overlap(shape: str, frame: Mask, centre: npt.NDArray[np.float64]) -> float:
    height, width = frame.shape
    radius = float(frame.mean() / _unit_area(shape)) ** 0.5
    x = (torch.arange(width) / width - centre[0]) / radius
    best = 0.0
    for lift in (-0.12, 0.0, 0.12):
        y = (torch.arange(height) / height - centre[1]) / radius + lift
        outline = (signed_distance(shape, x.view(1, -1), y.view(-1, 1)) < 0).numpy()
        best = max(best, float((outline & frame).sum() / max(1, (outline | frame).sum())))
    return best


@functools.cache
def _unit_area(shape: str) -> float:
    grid = torch.linspace(-2, 2, 257)
    inside = signed_distance(shape, grid.view(1, -1), grid.view(-1, 1)) < 0
    return float(inside.float().mean()) * 16
