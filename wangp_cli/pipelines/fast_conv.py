"""Faster 3D convolutions on a CPU."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d


def speed_up(module: Any) -> int:
    """Let the `Conv3d` layers of one module compute faster on a CPU.

    The libraries behind torch have a fast float32 path for two dimensions only, so float32 layers compute as
    sums of 2D convolutions: a video VAE becomes three to four times as fast, and its output moves by rounding
    errors (below 1e-5). Layers of 16 bits become almost twice as fast with channels last in memory. Other
    modules stay as they are.

    Returns:
        How many layers were changed.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, torch.nn.Conv3d) and _plain(layer)]
    for layer in layers:
        _lay_out(layer)
        if isinstance(layer, WanCausalConv3d):
            layer.forward = partial(_causal_forward, layer, layer.forward)
        else:
            layer._conv_forward = partial(_forward, layer, layer._conv_forward)
    return len(layers)


def _lay_out(layer: Any) -> None:
    """Put a weight into memory as its kernels read it; its numbers and shape stay."""
    weight = layer.weight.data
    if weight.device.type != "cpu":
        return
    if weight.dtype == torch.float32:
        # Every tap in time is a 2D kernel with channels last.
        layer.weight.data = weight.permute(2, 0, 3, 4, 1).contiguous().permute(1, 4, 0, 2, 3)
    else:
        layer.weight.data = weight.contiguous(memory_format=torch.channels_last_3d)


def _plain(layer: Any) -> bool:
    return bool(
        layer.groups == 1
        and layer.dilation == (1, 1, 1)
        and layer.padding_mode == "zeros"
        and layer.padding[0] == 0
    )


def _forward(
    layer: Any, original: Any, clip: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    if clip.device.type != "cpu" or clip.dtype != torch.float32:
        return original(clip, weight, bias)
    return _conv3d_by_taps(clip.permute(0, 2, 3, 4, 1), weight, bias, layer.stride, layer.padding[1:])


def _causal_forward(
    layer: Any, original: Any, clip: torch.Tensor, past: torch.Tensor | None = None
) -> torch.Tensor:
    """As `WanCausalConv3d`, without a copy of the clip with zeros around it."""
    left, _, top, _, front, _ = layer._padding
    before = 0 if past is None or not front else past.shape[2]
    if clip.device.type != "cpu" or clip.dtype != torch.float32 or before > front:
        return original(clip, past)
    pieces = [past.permute(0, 2, 3, 4, 1)] if before and past is not None else []
    frames = clip.permute(0, 2, 3, 4, 1)
    if before < front:
        batch, _, *size = frames.shape
        pieces.insert(0, frames.new_zeros(batch, front - before, *size))
    if pieces:
        frames = torch.cat([*pieces, frames], dim=1)
    return _conv3d_by_taps(frames, layer.weight, layer.bias, layer.stride, (top, left))


def _conv3d_by_taps(
    clip: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: tuple[int, int, int],
    padding: tuple[int, int],
) -> torch.Tensor:
    """`conv3d` of `[B, T, H, W, C]` without padding in time: each tap in time is a 2D convolution.

    Returns:
        `[B, C, T, H, W]` with channels last in memory.
    """
    batch, frames, height, width, channels = clip.shape
    taps = weight.shape[2]
    length = (frames - taps) // stride[0] + 1
    # Channels last in memory: the 2D kernels then need no copies of their own.
    by_pixel = clip.contiguous()

    def part(tap: int) -> torch.Tensor:
        seen = by_pixel[:, tap : tap + (length - 1) * stride[0] + 1 : stride[0]]
        seen = seen.reshape(batch * length, height, width, channels).permute(0, 3, 1, 2)
        kernel = weight[:, :, tap].contiguous(memory_format=torch.channels_last)
        return F.conv2d(seen, kernel, bias if tap == 0 else None, stride=stride[1:], padding=padding)

    total = part(0)
    for tap in range(1, taps):
        total += part(tap)
    return total.reshape(batch, length, *total.shape[1:]).transpose(1, 2)
