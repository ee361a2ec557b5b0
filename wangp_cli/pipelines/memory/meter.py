"""How much memory there is, and how much a computation takes."""

from __future__ import annotations

import os
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
        # What is free changes less than what is there.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _of_container() -> int | None:
    """What a control group (version 2) leaves; its file cache can be taken back."""
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


def shown(size: float) -> str:
    """Bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def weigh(module: Any) -> int:
    """Bytes of a network's weights."""
    return sum(tensor.numel() * tensor.element_size() for tensor in [*module.parameters(), *module.buffers()])


def decoding_bytes(vae: Any, height: int, width: int) -> int:
    """Bytes that decoding one latent frame takes, with the frames a causal decoder remembers.

    Args:
        vae: `AutoencoderKLWan`.
        height: of the frames, in pixels.
        width: likewise.
    """
    patch = vae.config.patch_size or 1
    frames = 2 ** sum(vae.temperal_downsample)
    channels = vae.config.get("decoder_base_dim") or vae.config.base_dim
    pixels = (height // patch) * (width // patch)
    return int(DECODING_TENSORS * frames * pixels * channels * vae.dtype.itemsize)


def tile_side(vae: Any, height: int, width: int, available: int) -> int | None:
    """The side of tiles with which decoding fits into `available` bytes; None where it fits as a whole."""
    if decoding_bytes(vae, height, width) <= available:
        return None
    fitting = (side for side in TILE_SIDES if decoding_bytes(vae, side, side) <= available)
    return next(fitting, TILE_SIDES[-1])
