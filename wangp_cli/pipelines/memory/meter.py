"""Free memory of devices, and the memory that decoding takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

MEMORY_FACTS = Path("/proc/meminfo")
CONTROL_GROUP = Path("/sys/fs/cgroup")
DECODING_TENSORS = 7
"""Tensors of the decoder's widest layer that live at once, an estimate: frames kept, convolution and norm."""
TILE_SIDES = (512, 256, 128)


def free(device: str) -> int:
    """Bytes that can still be had on a device; for a CPU of the machine, or of its container if less."""
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
        # Without that file only the total is known.
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


def weigh(module: Any) -> int:
    """Bytes of a network's weights."""
    return sum(tensor.numel() * tensor.element_size() for tensor in [*module.parameters(), *module.buffers()])


def decoding_bytes(frames: int, pixels: int, channels: float, itemsize: int) -> int:
    """Bytes of the decoder's tensors while it decodes one latent frame, with those a causal decoder keeps.

    Args:
        frames: that one latent frame holds.
        pixels: of each frame.
        channels: of the decoder's widest layer, for each pixel.
        itemsize: bytes of a number.
    """
    return int(DECODING_TENSORS * frames * pixels * channels * itemsize)


def tile_side(decoding: Callable[[int, int], int], height: int, width: int, available: int) -> int | None:
    """The side of tiles with which decoding fits into `available` bytes; None where it fits as a whole.

    Args:
        decoding: bytes that decoding a latent frame of a height and a width takes.
        height: of the frames, in pixels.
        width: likewise.
        available: bytes.
    """
    if decoding(height, width) <= available:
        return None
    fitting = (side for side in TILE_SIDES if decoding(side, side) <= available)
    return next(fitting, TILE_SIDES[-1])
