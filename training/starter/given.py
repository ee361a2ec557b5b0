# mypy: allow-untyped-decorators
"""Evaluation tasks with given pixels: their masks, and sampling without guidance where pixels are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

USES = ("first frame", "first and last frame", "inpainting", "extension", "joining")


def given_pixels(use: str, frames: int, side: int, number: int) -> Tensor:
    """The pixels that a task gives, float32 [T, H, W], 1 at given ones."""
    keep = torch.zeros(frames, side, side)
    if use == "inpainting":
        keep[:] = 1
        top, left = (side // 12 + number * step % (side // 3) for step in (7, 11))
        keep[:, top : top + side // 2, left : left + side // 2] = 0
        return keep
    keep[: {"extension": 5, "joining": 5}.get(use, 1)] = 1
    if use == "first and last frame":
        keep[-1] = 1
    if use == "joining":
        keep[-5:] = 1
    return keep


@contextmanager
def unguided_where_given(transformer: Any, keep: Tensor) -> Iterator[None]:
    """A context without guidance for latents that hold given pixels, as `guide_given: false` does.

    Args:
        transformer: called with the prompt and with the negative prompt, in turn.
        keep: float32 [T, H, W], 1 at given pixels.
    """
    given = functional.max_pool3d(functional.pad(keep[None], (0, 0, 0, 0, 3, 0)), (4, 8, 8))
    positive: list[Tensor] = []

    def blend(_: Any, __: Any, output: tuple[Tensor]) -> tuple[Tensor] | None:
        if not positive:
            positive.append(output[0])
            return None
        return (torch.lerp(output[0], positive.pop(), given),)

    hook = transformer.register_forward_hook(blend)
    try:
        yield
    finally:
        hook.remove()
