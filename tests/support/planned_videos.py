"""Clips and results of planned tasks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.media_files import noise
from wangp_cli.media.clip import Audio, as_uint8
from wangp_cli.media.read_video import read_video
from wangp_cli.media.write import write_video


def clip(folder: Path, name: str, frames: int, *, fps: int = 16, sound: bool = False, **more: Any) -> Path:
    """A clip of noise, which no model generates by chance."""
    path = folder / f"{name}.mkv"
    rng = np.random.default_rng(frames)
    samples = rng.uniform(-0.5, 0.5, (frames * 1000, 1)).astype(np.float32)
    audio = Audio(samples=samples, rate=1000 * fps) if sound else None
    pixels = noise(frames, seed=frames, size=more.pop("size", 32))[:, : more.pop("height", 32)]
    write_video(path, [pixels], fps=Fraction(fps), codec="ffv1", audio=audio)
    return path


def plan_of(made: Any) -> Any:
    return made.outcome.manifest["plan"]


def unchanged(made: Any, clips: list[Path]) -> tuple[int, int]:
    """Count the kept frames that no segment may change, and those of them that are unchanged."""
    plan, frames = plan_of(made), as_uint8(made.frames)
    touched = set()
    for s in plan["segments"]:
        touched |= set(range(s["start"] - s["overlap"], s["start"] + s["frames"] + s["overlap_after"]))
    equal = []
    for part in plan["kept"]:
        given = as_uint8(read_video(clips[part["clip"]]).frames)
        for index in range(part["first"], part["end"]):
            place = part["start"] + index - part["first"]
            if place not in touched:
                equal.append(np.array_equal(frames[place], given[index]))
    return len(equal), sum(equal)


VALUES = {"type": "travel", "frames": 9, "overlap": 4, "steps": 6, "name": "{seed}"}
