"""The pixel memory of MatAnyone: values of earlier frames, found by similarity of their keys."""

# D channels of a value, K channels of a key, N tokens of the memory, P pixels of a frame, C some of them

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor
from torch.nn import functional

from wangp_cli.networks.matanyone.network import FrameFeatures

LARGEST = 2**24
"""Similarities that are held at a time: 64 MiB."""


class PixelMemory:
    """Tokens of the first frame, which stay, and of the latest frames that were added.

    Args:
        frames: how many to keep, with the first.
        top_k: each pixel reads from so many tokens.
    """

    def __init__(self, frames: int, top_k: int) -> None:
        self.top_k = top_k
        self._latest: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=frames - 1)

    def restart(self, frame: FrameFeatures, value_1DHW: Tensor) -> None:
        """Forget everything but this frame, which becomes the first."""
        self._latest.clear()
        self._first = _tokens(frame, value_1DHW)
        self._concatenate()

    def add(self, frame: FrameFeatures, value_1DHW: Tensor) -> None:
        """Add a frame; the oldest but the first makes room."""
        self._latest.append(_tokens(frame, value_1DHW))
        self._concatenate()

    def read(self, frame: FrameFeatures) -> Tensor:
        """Float32 `[1, D, H, W]`: for each pixel of the frame the values of the most similar tokens, mixed.

        Similarity is the squared distance of keys, weighted by channel with the selection of the frame and
        by token with its shrinkage; weights are a softmax over the `top_k` tokens.

        Source: XMem, arXiv:2207.07115, equation 1.
        """
        key_PK, selection_PK = _by_pixel(frame.key), _by_pixel(frame.selection)
        pixels = max(LARGEST // len(self._key_NK), 1)
        read_PD = torch.cat(
            [
                self._read(key_CK, selection_CK)
                for key_CK, selection_CK in zip(key_PK.split(pixels), selection_PK.split(pixels), strict=True)
            ]
        )
        return read_PD.T.unflatten(1, frame.key.shape[2:])[None]

    def _read(self, key_CK: Tensor, selection_CK: Tensor) -> Tensor:
        with torch.autocast(key_CK.device.type, enabled=False):
            weighted_CK = key_CK * selection_CK
            distance_CN = selection_CK @ self._key_NK.T**2 - 2 * weighted_CK @ self._key_NK.T
            distance_CN += (weighted_CK * key_CK).sum(1, keepdim=True)
            similarity_CN = -distance_CN * self._shrinkage_N / self._key_NK.shape[1] ** 0.5
            best, tokens = similarity_CN.topk(min(self.top_k, len(self._key_NK)), 1)
            # Softmax subtracts the maximum: without it all weights of a distant pixel would be 0.
            return functional.embedding_bag(
                tokens, self._value_ND, per_sample_weights=best.softmax(1), mode="sum"
            )

    def _concatenate(self) -> None:
        keys, shrinkages, values = zip(self._first, *self._latest, strict=True)
        self._key_NK, self._shrinkage_N, self._value_ND = (
            torch.cat(keys),
            torch.cat(shrinkages),
            torch.cat(values),
        )


def _tokens(frame: FrameFeatures, value_1DHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return _by_pixel(frame.key), _by_pixel(frame.shrinkage)[:, 0], _by_pixel(value_1DHW).float()


def _by_pixel(map_1CHW: Tensor) -> Tensor:
    return map_1CHW[0].flatten(1).T.contiguous()
