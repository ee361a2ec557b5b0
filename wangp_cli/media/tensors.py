"""Frames as batches of torch, and back."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames, as_float


def to_batch(frames: Frames, device: torch.device | str = "cpu") -> torch.Tensor:
    """Frames as float32 `[T, C, H, W]` in [0, 1], channels last in memory."""
    return torch.from_numpy(np.ascontiguousarray(as_float(frames))).to(device).permute(0, 3, 1, 2)


def from_batch(batch: torch.Tensor) -> NDArray[np.float32]:
    """A batch `[T, C, H, W]` of any dtype and device as float32 frames `[T, H, W, C]`."""
    frames: NDArray[np.float32] = batch.float().permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return frames
