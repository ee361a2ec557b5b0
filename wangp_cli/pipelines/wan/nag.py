"""Normalised attention guidance (NAG): a negative prompt in the cross-attention, without a second pass."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_wan import WanAttnProcessor

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_LENGTH = 512
"""Text tokens of networks with CLIP tokens, which come before those of the text."""


@contextmanager
def guiding(network: Any, negative: torch.Tensor, scale: float, tau: float, alpha: float) -> Iterator[None]:
    """A context in which a Wan transformer's cross-attention is guided away from a negative prompt.

    Args:
        network: a transformer.
        negative: `[1, L, D]`, the embedded negative prompt.
        scale: of the guidance; 1 changes nothing.
        tau: highest ratio of the L1 norms of the guided and the plain attention output.
        alpha: share of the guided output in the result.
    """
    processor = GuidedAttention(scale, tau, alpha)

    def embed(embedder: Any, *_: Any) -> None:
        # In a hook of the network's own pass: offloaded weights are on the device only then.
        processor.negative = embedder.text_embedder(negative)

    layers = [module for name, module in network.named_modules() if name.endswith("attn2")]
    previous = [layer.processor for layer in layers]
    hook = network.condition_embedder.register_forward_hook(embed)
    try:
        for layer in layers:
            layer.set_processor(processor)
        yield
    finally:
        hook.remove()
        for layer, before in zip(layers, previous, strict=True):
            layer.set_processor(before)


class GuidedAttention(WanAttnProcessor):  # type: ignore[misc] # diffusers has no types here
    """Cross-attention to the prompt, guided away from that to the negative prompt.

    Attributes:
        negative: `[1, L, D]`, the negative prompt after the network's text embedder; set in each pass.
    """

    negative: torch.Tensor

    def __init__(self, scale: float, tau: float, alpha: float) -> None:
        super().__init__()
        self._strengths = scale, tau, alpha

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        *_: Any,
    ) -> torch.Tensor:
        """Attention output of the layer for `[1, N, D]`, of the same shape."""
        assert encoder_hidden_states is not None
        text, image = encoder_hidden_states, None
        if attn.add_k_proj is not None:
            image, text = text[:, :-TEXT_LENGTH], text[:, -TEXT_LENGTH:]
        query = attn.norm_q(attn.to_q(hidden_states))
        positive, negative = (
            self._attend(attn, query, attn.norm_k(attn.to_k(tokens)), attn.to_v(tokens))
            for tokens in (text, self.negative)
        )
        output = normalised(positive, negative, *self._strengths)
        if image is not None:
            key = attn.norm_added_k(attn.add_k_proj(image))
            output = output + self._attend(attn, query, key, attn.add_v_proj(image))
        output = attn.to_out[0](output.type_as(hidden_states))
        return attn.to_out[1](output)

    def _attend(self, attn: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        heads = (tokens.unflatten(2, (attn.heads, -1)) for tokens in (query, key, value))
        output: torch.Tensor = dispatch_attention_fn(*heads, backend=self._attention_backend)
        return output.flatten(2, 3).type_as(query)


def normalised(
    positive: torch.Tensor, negative: torch.Tensor, scale: float, tau: float, alpha: float
) -> torch.Tensor:
    """Attention outputs moved away from those for a negative prompt, with a limit on their norm.

    Args:
        positive: `[1, N, D]`, attention output for the prompt.
        negative: `[1, N, D]`, for the negative prompt.
        scale: of the guidance; 1 changes nothing.
        tau: highest ratio of the L1 norms of the guided and the plain output.
        alpha: share of the guided output in the result.

    Source: Chen et al. 2025, arXiv:2505.21179, normalised attention guidance.
    """
    moved = positive * scale - negative * (scale - 1)
    before = positive.norm(p=1, dim=-1, keepdim=True)
    after = moved.norm(p=1, dim=-1, keepdim=True).clamp_min(1e-7)
    moved = moved * (tau * before / after).clamp_max(1)
    return alpha * moved + (1 - alpha) * positive
