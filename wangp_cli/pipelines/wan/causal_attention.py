"""Block-causal self-attention: blocks of latent frames do not attend to later blocks."""

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
    """A context in which a SkyReels network is block-causal by its own attention mask.

    The mask has an entry for every pair of tokens: gigabytes for a video of usual size.

    Args:
        network: a SkyReels transformer.
        frames: latent frames of a block.
    """
    before = network.config.num_frame_per_block
    network.register_to_config(num_frame_per_block=frames)
    try:
        yield
    finally:
        network.register_to_config(num_frame_per_block=before)


@contextmanager
def blockwise(network: Any, tokens: int) -> Iterator[None]:
    """A context in which a SkyReels network is block-causal without a mask, block by block.

    Args:
        network: a SkyReels transformer.
        tokens: of a block.
    """
    layers = [block.attn1 for block in network.blocks]
    previous = [layer.processor for layer in layers]
    try:
        for layer in layers:
            layer.set_processor(BlockAttention(tokens))
        yield
    finally:
        for layer, processor in zip(layers, previous, strict=True):
            layer.set_processor(processor)


class BlockAttention(SkyReelsV2AttnProcessor):  # type: ignore[misc] # diffusers has no types here
    """Self-attention of each block of tokens to itself and to all earlier blocks."""

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
        """Attention output of the layer for `[B, N, D]`, of the same shape."""
        rotation = tuple(part[0, :, 0] for part in rotary_emb)
        query, key, value = (
            tokens.unflatten(2, (attn.heads, -1))
            for tokens in (
                attn.norm_q(attn.to_q(hidden_states)),
                attn.norm_k(attn.to_k(hidden_states)),
                attn.to_v(hidden_states),
            )
        )
        query, key = (apply_rotary_emb(tokens, rotation, sequence_dim=1) for tokens in (query, key))
        starts = range(0, query.shape[1], self._tokens)
        outputs = [
            dispatch_attention_fn(
                query[:, start : start + self._tokens],
                key[:, : start + self._tokens],
                value[:, : start + self._tokens],
                backend=self._attention_backend,
            )
            for start in starts
        ]
        output = torch.cat(outputs, dim=1).flatten(2, 3).type_as(hidden_states)
        return attn.to_out[1](attn.to_out[0](output))
