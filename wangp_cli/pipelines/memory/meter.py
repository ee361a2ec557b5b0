"""Measure free memory, the size of weights and the memory that decoding needs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

MEMORY_FACTS = Path("/proc/meminfo")
CONTROL_GROUP = Path("/sys/fs/cgroup")
DECODING_TENSORS = 7
"""Estimated number of activations of the decoder's widest layer alive at once, with its causal cache."""
TILE_SIDES = (512, 256, 128)
"""Sides of tiles in pixels, the largest first."""


def free(device: str) -> int:
    """Free bytes of a device; for the CPU those of the machine, or of its control group if fewer."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        available: int = torch.cuda.mem_get_info(device)[0]
        return available
    if device == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return min(filter(None, (_of_machine(), _of_container())), default=0)


def _of_machine() -> int | None:
    try:
        lines = MEMORY_FACTS.read_text(encoding="ascii").splitlines()
    except OSError:
        # Systems without /proc: the total is all that is known.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _of_container() -> int | None:
    """Free bytes of the control group (version 2); its file cache counts as free."""
    try:
        limit = (CONTROL_GROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((CONTROL_GROUP / "memory.current").read_text(encoding="ascii"))
        stat = (CONTROL_GROUP / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    if limit == "max":
        return None
    cached = sum(int(line.split()[1]) for line in stat if line.startswith(("inactive_file ", "active_file ")))
    return max(1, int(limit) - used + cached)


def weight_bytes(module: Any) -> int:
    """Bytes of a network's parameters and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in [*module.parameters(), *module.buffers()])


def decoding_bytes(frames: int, pixels: int, channels: float, itemsize: int) -> int:
    """Bytes of the decoder's activations while it decodes one latent frame, with the causal cache.

    Args:
        frames: frames per latent frame.
        pixels: pixels per frame.
        channels: channels per pixel of the decoder's widest layer.
        itemsize: bytes of an element.
    """
    return int(DECODING_TENSORS * frames * pixels * channels * itemsize)


def tile_side(decoding: Callable[[int, int], int], height: int, width: int, available: int) -> int | None:
    """The largest tile side with which decoding fits into `available` bytes; None if it fits without tiles.

    Args:
        decoding: bytes that decoding a latent frame of a given height and width needs.
        height: height of the frames in pixels.
        width: width of the frames in pixels.
        available: free bytes.

    Returns:
        pixels; the smallest side if none fits.
    """
    if decoding(height, width) <= available:
        return None
    fitting = (side for side in TILE_SIDES if decoding(side, side) <= available)
    return next(fitting, TILE_SIDES[-1])
