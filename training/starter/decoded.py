# mypy: allow-untyped-decorators
"""A loss in pixels: errors of the denoiser in decoded crops around the cells with large errors."""

from __future__ import annotations

import random

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor
from torch.nn import functional

from training.starter.autoencoder import CONTENT_CHANNELS, POSITION_CHANNELS, decode_clip
from training.starter.data import Batch

_CELL = 8
_CROPS, _SIDE = 6, 6
"""Crops per step, and cells on a side of a crop."""
_MAX_SIGMA, _MIN_SIGMA = 0.6, 0.15
"""Clips at noise levels above the first are left out; below the second, weights do not grow further."""
_UNKNOWN_WEIGHT = 0.3
"""Weight of pixels that are not given; that of given pixels is 1."""


def decoded_error(
    vae: AutoencoderKLWan, clean: Tensor, sigma: Tensor, batch: Batch, by_cell: Tensor, rng: random.Random
) -> Tensor:
    """Mean squared error of decoded crops, drawn around cells with large errors; given pixels weigh most.

    Args:
        clean: float32 [B, content channels, T', H', W'], predicted clean latents, normalised.
        sigma: [B], the noise levels of the predictions.
        batch: the clips and the given pixels.
        by_cell: float32 [B, T', H', W'], errors by which crops are drawn.
        rng: draws the crops.

    Returns:
        A scalar.
    """
    given = (~batch.unconditional).nonzero().flatten().tolist()
    chosen = [(place, index) for place, index in enumerate(given) if sigma[index] < _MAX_SIGMA][:_CROPS]
    if not chosen:
        return clean.sum() * 0
    latents, wanted, weight = [], [], []
    for place, index in chosen:
        rows, columns = _around(by_cell[index].sum(0), rng)
        latents.append(clean[index, :, :, slice(*rows), slice(*columns)])
        area = (..., *(slice(_CELL * begin, _CELL * end) for begin, end in (rows, columns)))
        wanted.append(batch.clips[place][area])
        weight.append(
            (batch.keep[index].clamp(min=_UNKNOWN_WEIGHT) * _inner(batch.keep[index], rows, columns))[area]
        )
    deviation = torch.tensor(vae.config.latents_std)[:CONTENT_CHANNELS].view(1, -1, 1, 1, 1)
    crops = functional.pad(torch.stack(latents) * deviation, (0,) * 7 + (POSITION_CHANNELS,))
    with torch.autocast("cpu", torch.bfloat16):
        decoded = decode_clip(vae, crops.contiguous(memory_format=torch.channels_last_3d))
    errors = (decoded.float() - torch.stack(wanted)).square().mean(1) * torch.stack(weight)
    precision = 1 / sigma[[index for _, index in chosen]].clamp(min=_MIN_SIGMA)
    return (errors.mean((1, 2, 3)) * precision).mean()


def _around(scores: Tensor, rng: random.Random) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of a crop around a cell that is drawn in proportion to its score [H', W']."""
    cell = int(torch.multinomial(scores.flatten() + 1e-9, 1))
    ranges = []
    for place, count in zip(divmod(cell, scores.shape[1]), scores.shape, strict=True):
        side = min(_SIDE, count)
        begin = min(max(place - side // 2 + rng.randrange(2), 0), count - side)
        ranges.append((begin, begin + side))
    return ranges[0], ranges[1]


def _inner(keep: Tensor, *ranges: tuple[int, int]) -> Tensor:
    """1 where a crop decodes about as the whole clip does, a cell away from cuts; of the shape of `keep`."""
    inner = torch.zeros_like(keep)
    area = []
    for (begin, end), size in zip(ranges, keep.shape[1:], strict=True):
        area.append(slice(_CELL * (begin + (begin > 0)), _CELL * (end - (_CELL * end < size))))
    inner[(..., *area)] = 1
    return inner
