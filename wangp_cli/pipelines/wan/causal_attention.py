"""Attention in which blocks of latent frames see none of those after them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.transformer_skyreels_v2 import SkyReelsV2AttnProcessor

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def masked(network: Any, frames: int) -> Iterator[None]:
    """A context in which a SkyReels network hides later blocks of so many latent frames by a mask of its own.

    The mask has a place for every pair of tokens: gigabytes for a video of usual size.
    """
    before = network.config.num_frame_per_block
    network.register_to_config(num_frame_per_block=frames)
    try:
        yield
    finally:
        network.register_to_config(num_frame_per_block=before)


@contextmanager
def blockwise(network: Any, tokens: int) -> Iterator[None]:
    """A context in which blocks of so many tokens attend one by one: as `masked`, without a mask."""
    layers = [block.attn1 for block in network.blocks]
    kept = [layer.processor for layer in layers]
    try:
        for layer in layers:
            layer.set_processor(BlockAttention(tokens))
        yield
    finally:
        for layer, plain in zip(layers, kept, strict=True):
            layer.set_processor(plain)


class BlockAttention(SkyReelsV2AttnProcessor):  # type: ignore[misc] # diffusers has no types here
    """Self-attention of each block of tokens to itself and to all before it."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self._tokens = tokens

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        _encoder_hidden_states: None,
        _attention_mask: None,
        rotary_emb: tuple[torch.Tensor, torch.Tensor],
    ) -> torch.Tensor:
        """What the layer answers to `[B, N, D]`."""
        turns = tuple(turn[0, :, 0] for turn in rotary_emb)
        query, key, value = (
            tokens.unflatten(2, (attn.heads, -1))
            for tokens in (
                attn.norm_q(attn.to_q(hidden_states)),
                attn.norm_k(attn.to_k(hidden_states)),
                attn.to_v(hidden_states),
            )
        )
        query, key = (apply_rotary_emb(tokens, turns, sequence_dim=1) for tokens in (query, key))
        starts = range(0, query.shape[1], self._tokens)
        answers = [
            dispatch_attention_fn(
                query[:, start : start + self._tokens],
                key[:, : start + self._tokens],
                value[:, : start + self._tokens],
                backend=self._attention_backend,
            )
            for start in starts
        ]
        answer = torch.cat(answers, dim=1).flatten(2, 3).type_as(hidden_states)
        return attn.to_out[1](attn.to_out[0](answer))
