"""Count, lengths and overlaps of the segments of a travel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.model import broadcast

Mode = Literal["chained", "independent", "svi"]


def segment_count(images: int, values: int, before: int, loop: bool, ends: bool) -> int:
    """How many segments a travel has.

    Raises:
        RequestError: it has neither images nor a video, or cannot loop.
    """
    if before < 0:
        raise RequestError("video_source", f"{before} frames")
    if before and loop:
        raise RequestError("loop", "a continued video cannot loop back to its first image")
    if images < 1 and not before:
        raise RequestError("images", "none, wanted 1 or more", hint="--image FILE for each")
    if loop and not ends:
        raise RequestError("loop", "the model takes no end image")
    if images == 0 or (images == 1 and not before and not loop):
        return max(values, 1)
    return images + bool(before or loop) - ends


def lengths_on_grid(frames: list[int], grid: Grid, notices: list[Notice]) -> list[int]:
    """The frames of each segment on the grid of the model; `notices` tells of those that change."""
    for count in frames:
        if count < 2:
            raise RequestError("frames", f"{count}, a segment has 2 or more")
    lengths = [grid.frames(count) for count in frames]
    for requested, given in dict.fromkeys(zip(frames, lengths, strict=True)):
        if requested != given:
            notices.append(
                Notice(field="frames", text=f"{requested} became {given}, which the model can make")
            )
    return lengths


def seam_overlaps(
    mode: Mode, overlaps: Sequence[int], neighbours: list[int], grid: Grid, notices: list[Notice]
) -> list[int]:
    """The overlap of each seam."""
    count = len(neighbours) - 1
    if mode == "chained" and count:
        return _even_overlaps(broadcast("overlap", overlaps, count, "seam"), neighbours, notices)
    if mode == "svi" and count:
        if any(overlap not in (0, grid.step) for overlap in overlaps):
            notices.append(Notice(field="overlap", text=f"{grid.step} in each seam, as SVI has it"))
        return [grid.step] * count
    if any(overlaps):
        alone = "independent segments have none" if mode == "independent" else "one segment has no seam"
        notices.append(Notice(field="overlap", text=alone))
    return [0] * count


def _even_overlaps(overlaps: list[int], lengths: list[int], notices: list[Notice]) -> list[int]:
    """Overlaps rounded down to even numbers, then limited to the length of the shorter neighbour."""
    result = []
    for seam, requested in enumerate(overlaps):
        if requested < 0:
            raise RequestError("overlap", f"{requested}, must be 0 or more")
        even = requested // 2 * 2
        shorter = min(lengths[seam], lengths[seam + 1])
        if even > shorter:
            notices.append(
                Notice(
                    field="overlap", text=f"{requested} became {shorter}, the length of the shorter neighbour"
                )
            )
        elif even != requested:
            notices.append(Notice(field="overlap", text=f"{requested} became {even}, an even number"))
        result.append(min(even, shorter))
    notices[:] = dict.fromkeys(notices)
    return result
