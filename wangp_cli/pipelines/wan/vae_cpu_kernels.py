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
    """Matrices of a Winograd convolution with three taps: `output @ ((taps @ kernel) * (input @ frames))`.

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
"""Algorithms by number of output frames: 4 products instead of 6 for two, 6 instead of 12 for four."""
BIAS_PRODUCT = 1
"""Index of the product that every output frame contains with factor 1, so that the bias is added to it."""
MAX_SUMMED_PIECES = 3
"""Up to so many pieces it is cheaper to sum products than to concatenate."""


def speed_up(module: Any) -> int:
    """Replace the forward functions of a video VAE's layers by faster ones for CPUs, in place.

    In float32, convolutions that give two or four frames use Winograd algorithms, others oneDNN, which torch
    uses for 2D convolutions only; norms and activations make fewer copies. Outputs differ by rounding errors
    below 1e-5. Convolutions of 16 bits get channels-last weights, which almost doubles their speed. Layers of
    other kinds are unchanged.

    Returns:
        Number of 3D convolutions that were changed.
    """
    changed = 0
    for layer in module.modules():
        if isinstance(layer, torch.nn.Conv3d) and _is_supported(layer):
            changed += 1
            _set_memory_layout(layer)
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


def _set_memory_layout(layer: Any) -> None:
    """Change the strides of a weight to those its kernel reads fastest; values and shape are unchanged."""
    weight = layer.weight.data
    if weight.device.type != "cpu":
        return
    if weight.dtype == torch.float32:
        # Every tap in time is a 2D kernel with channels last.
        layer.weight.data = weight.permute(2, 0, 3, 4, 1).contiguous().permute(1, 4, 0, 2, 3)
    else:
        layer.weight.data = weight.contiguous(memory_format=torch.channels_last_3d)


def _is_supported(layer: Any) -> bool:
    """Whether a convolution has no groups, dilation, other padding than zeros, or padding in time."""
    return bool(
        layer.groups == 1
        and layer.dilation == (1, 1, 1)
        and layer.padding_mode == "zeros"
        and layer.padding[0] == 0
    )


def _is_float32_on_cpu(clip: torch.Tensor) -> bool:
    on_cpu = clip.device.type == "cpu" and clip.dtype == torch.float32
    return on_cpu and bool(torch.backends.mkldnn.is_available())


def _forward(
    layer: Any, original: Any, clip: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    if not _is_float32_on_cpu(clip):
        return original(clip, weight, bias)
    return _conv3d([clip.permute(0, 2, 3, 4, 1)], weight, bias, layer.stride, layer.padding[1:])


def _causal_forward(
    layer: Any, original: Any, clip: torch.Tensor, past: torch.Tensor | None = None
) -> torch.Tensor:
    """`WanCausalConv3d.forward` without a zero-padded copy of the clip."""
    left, _, top, _, front, _ = layer._padding
    before = 0 if past is None or not front else past.shape[2]
    if not _is_float32_on_cpu(clip) or before > front:
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
    """A 3D convolution without padding in time.

    Args:
        pieces: `[B, T, H, W, C]` each, the clip in pieces along time.
        weight: `[C_out, C_in, T, H, W]`.
        bias: `[C_out]`.
        stride: in time, height and width.
        padding: in height and width.

    Returns:
        `[B, C, T, H, W]` with channels last in memory.
    """
    algorithm = WINOGRAD.get(sum(piece.shape[1] for piece in pieces) - TAPS + 1)
    if algorithm and weight.shape[2] == TAPS and stride[0] == 1 and len(pieces[0]) == 1:
        return _conv3d_by_winograd(pieces, weight, bias, algorithm, (stride[1:], padding))
    clip = torch.cat(pieces, dim=1).permute(0, 4, 1, 2, 3)
    return torch.mkldnn_convolution(clip, weight, bias, (0, *padding), stride, (1, 1, 1), 1)


def _conv3d_by_winograd(
    pieces: list[torch.Tensor],
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    algorithm: Winograd,
    grid: tuple[tuple[int, int], tuple[int, int]],
) -> torch.Tensor:
    """`_conv3d` by 2D convolutions with a Winograd algorithm; `grid` is their stride and padding."""
    stride, padding = grid
    _, _, *size = pieces[0].shape
    inputs = _combine(algorithm.input, [piece.flatten(0, 1).flatten(1) for piece in pieces])
    by_tap = weight.permute(2, 0, 3, 4, 1)
    taps = _combine(algorithm.taps, [by_tap.reshape(TAPS, -1)])
    products = [
        torch.mkldnn_convolution(
            frame.view(1, *size).permute(0, 3, 1, 2),
            tap.view(by_tap.shape[1:]).permute(0, 3, 1, 2),
            bias if index == BIAS_PRODUCT else None,
            padding,
            stride,
            (1, 1),
            1,
        ).permute(0, 2, 3, 1)
        for index, (frame, tap) in enumerate(zip(inputs, taps, strict=True))
    ]
    frames = _combine(algorithm.output, [product.flatten(1) for product in products])
    return frames.view(1, -1, *products[0].shape[1:]).permute(0, 4, 1, 2, 3)


def _combine(matrix: Matrix, pieces: Sequence[torch.Tensor]) -> torch.Tensor:
    """`matrix @ torch.cat(pieces)`, without concatenating few large pieces."""
    factors = pieces[0].new_tensor(matrix)
    if len(pieces) > MAX_SUMMED_PIECES:
        return factors @ torch.cat(list(pieces))
    first, *others = zip(pieces, factors.split([len(piece) for piece in pieces], dim=1), strict=True)
    total = first[1] @ first[0]
    for piece, part in others:
        total.addmm_(part, piece)
    return total


def _norm_forward(layer: Any, original: Any, clip: torch.Tensor) -> torch.Tensor:
    if not _is_float32_on_cpu(clip):
        return original(clip)
    length = torch.linalg.vector_norm(clip, dim=1, keepdim=True).clamp_min_(1e-12)
    normed = (clip * length.reciprocal_().mul_(layer.scale)).mul_(layer.gamma)
    return normed if isinstance(layer.bias, float) else normed.add_(layer.bias)
