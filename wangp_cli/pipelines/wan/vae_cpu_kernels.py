"""Faster 3D convolutions and norms on a CPU, in float32."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d, WanRMS_norm

if TYPE_CHECKING:
    from collections.abc import Sequence


Matrix = tuple[tuple[float, ...], ...]


class Winograd(NamedTuple):
    """A convolution with three taps in time by fewer products: `output @ (products of input and taps)`.

    Source: Lavin and Gray 2016, arXiv:1509.09308, F(2, 3) and F(4, 3).
    """

    input: Matrix
    taps: Matrix
    output: Matrix


TAPS = 3
WINOGRAD = MappingProxyType(
    {
        2: Winograd(
            input=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
            taps=((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
            output=((1, 1, 1, 0), (0, 1, -1, -1)),
        ),
        4: Winograd(
            input=(
                (4, 0, -5, 0, 1, 0),
                (0, -4, -4, 1, 1, 0),
                (0, 4, -4, -1, 1, 0),
                (0, -2, -1, 2, 1, 0),
                (0, 2, -1, -2, 1, 0),
                (0, 4, 0, -5, 0, 1),
            ),
            taps=(
                (1 / 4, 0, 0),
                (-1 / 6, -1 / 6, -1 / 6),
                (-1 / 6, 1 / 6, -1 / 6),
                (1 / 24, 1 / 12, 1 / 6),
                (1 / 24, -1 / 12, 1 / 6),
                (0, 0, 1),
            ),
            output=((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
        ),
    }
)
"""By how many frames come out: 4 products instead of 6, 6 instead of 12."""
UNIT = 1
"""The product that is in every frame once: a bias may be added there."""
FEW = 3
"""Pieces that are cheaper to add up than to copy."""


def speed_up(module: Any) -> int:
    """Let the layers of a video VAE compute faster on a CPU.

    In float32, groups of two and four frames are convolved with fewer products, other clips by oneDNN, which
    torch uses for two dimensions only; norms and activations write less. The output moves by rounding errors
    (below 1e-5). Convolutions of 16 bits become almost twice as fast with channels last in memory. Other
    layers stay as they are.

    Returns:
        How many 3D convolutions were changed.
    """
    changed = 0
    for layer in module.modules():
        if isinstance(layer, torch.nn.Conv3d) and _plain(layer):
            changed += 1
            _lay_out(layer)
            if isinstance(layer, WanCausalConv3d):
                layer.forward = partial(_causal_forward, layer, layer.forward)
            else:
                layer._conv_forward = partial(_forward, layer, layer._conv_forward)
        elif isinstance(layer, torch.nn.Conv2d) and layer.weight.device.type == "cpu":
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
        elif isinstance(layer, WanRMS_norm) and layer.channel_first:
            layer.forward = partial(_norm_forward, layer, layer.forward)
        elif isinstance(layer, torch.nn.SiLU):
            layer.inplace = True
    return changed


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


def _served(clip: torch.Tensor) -> bool:
    on_cpu = clip.device.type == "cpu" and clip.dtype == torch.float32
    return on_cpu and bool(torch.backends.mkldnn.is_available())


def _forward(
    layer: Any, original: Any, clip: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    if not _served(clip):
        return original(clip, weight, bias)
    return _conv3d([clip.permute(0, 2, 3, 4, 1)], weight, bias, layer.stride, layer.padding[1:])


def _causal_forward(
    layer: Any, original: Any, clip: torch.Tensor, past: torch.Tensor | None = None
) -> torch.Tensor:
    """As `WanCausalConv3d`, without a copy of the clip with zeros around it."""
    left, _, top, _, front, _ = layer._padding
    before = 0 if past is None or not front else past.shape[2]
    if not _served(clip) or before > front:
        return original(clip, past)
    pieces = [clip.permute(0, 2, 3, 4, 1)]
    if before and past is not None:
        pieces.insert(0, past.permute(0, 2, 3, 4, 1))
    if before < front:
        batch, _, *size = pieces[0].shape
        pieces.insert(0, clip.new_zeros(batch, front - before, *size))
    return _conv3d(pieces, layer.weight, layer.bias, layer.stride, (top, left))


def _conv3d(
    pieces: list[torch.Tensor],
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: tuple[int, int, int],
    padding: tuple[int, int],
) -> torch.Tensor:
    """`conv3d` without padding in time of a clip in pieces of `[B, T, H, W, C]`.

    Returns:
        `[B, C, T, H, W]` with channels last in memory.
    """
    algorithm = WINOGRAD.get(sum(piece.shape[1] for piece in pieces) - TAPS + 1)
    if algorithm and weight.shape[2] == TAPS and stride[0] == 1 and len(pieces[0]) == 1:
        return _conv3d_by_products(pieces, weight, bias, algorithm, (stride[1:], padding))
    clip = torch.cat(pieces, dim=1).permute(0, 4, 1, 2, 3)
    return torch.mkldnn_convolution(clip, weight, bias, (0, *padding), stride, (1, 1, 1), 1)


def _conv3d_by_products(
    pieces: list[torch.Tensor],
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    algorithm: Winograd,
    grid: tuple[tuple[int, int], tuple[int, int]],
) -> torch.Tensor:
    """`_conv3d` with the 2D convolutions of an algorithm; `grid` is their stride and padding."""
    stride, padding = grid
    _, _, *size = pieces[0].shape
    mixed = _mixed(algorithm.input, [piece.flatten(0, 1).flatten(1) for piece in pieces])
    by_tap = weight.permute(2, 0, 3, 4, 1)
    taps = _mixed(algorithm.taps, [by_tap.reshape(TAPS, -1)])
    products = [
        torch.mkldnn_convolution(
            frame.view(1, *size).permute(0, 3, 1, 2),
            tap.view(by_tap.shape[1:]).permute(0, 3, 1, 2),
            bias if index == UNIT else None,
            padding,
            stride,
            (1, 1),
            1,
        ).permute(0, 2, 3, 1)
        for index, (frame, tap) in enumerate(zip(mixed, taps, strict=True))
    ]
    frames = _mixed(algorithm.output, [product.flatten(1) for product in products])
    return frames.view(1, -1, *products[0].shape[1:]).permute(0, 4, 1, 2, 3)


def _mixed(matrix: Matrix, pieces: Sequence[torch.Tensor]) -> torch.Tensor:
    """`matrix @ torch.cat(pieces)`, without a copy of few large pieces."""
    factors = pieces[0].new_tensor(matrix)
    if len(pieces) > FEW:
        return factors @ torch.cat(list(pieces))
    first, *others = zip(pieces, factors.split([len(piece) for piece in pieces], dim=1), strict=True)
    mixed = first[1] @ first[0]
    for piece, part in others:
        mixed.addmm_(part, piece)
    return mixed


def _norm_forward(layer: Any, original: Any, clip: torch.Tensor) -> torch.Tensor:
    if not _served(clip):
        return original(clip)
    length = torch.linalg.vector_norm(clip, dim=1, keepdim=True).clamp_min_(1e-12)
    normed = (clip * length.reciprocal_().mul_(layer.scale)).mul_(layer.gamma)
    return normed if isinstance(layer.bias, float) else normed.add_(layer.bias)
