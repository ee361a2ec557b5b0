"""Normalised attention guidance: a negative prompt inside the attention, for models run in one pass."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_wan import WanAttnProcessor

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_LENGTH = 512
"""Of networks that see pictures; the tokens before them are the picture's."""


@contextmanager
def guiding(network: Any, negative: torch.Tensor, scale: float, tau: float, alpha: float) -> Iterator[None]:
    """A context in which a Wan transformer's attention to text is guided away from a negative prompt.

    Args:
        network: a transformer.
        negative: `[1, L, D]`, the negative prompt as the network is given it.
        scale: 1 changes nothing.
        tau: how much longer the guided answer may be than the plain one.
        alpha: share of the guided answer.
    """
    processor = GuidedAttention(scale, tau, alpha)

    def embed(embedder: Any, *_: Any) -> None:
        # Inside the network's own pass: where weights wait elsewhere, they are here only then.
        processor.negative = embedder.text_embedder(negative)

    layers = [module for name, module in network.named_modules() if name.endswith("attn2")]
    kept = [layer.processor for layer in layers]
    hook = network.condition_embedder.register_forward_hook(embed)
    try:
        for layer in layers:
            layer.set_processor(processor)
        yield
    finally:
        hook.remove()
        for layer, plain in zip(layers, kept, strict=True):
            layer.set_processor(plain)


class GuidedAttention(WanAttnProcessor):  # type: ignore[misc] # diffusers has no types here
    """Cross-attention to the prompt's tokens and to the negative prompt's, mixed.

    Attributes:
        negative: `[1, L, D]`, the tokens of the negative prompt, as the network's layers see them.
    """

    negative: torch.Tensor

    def __init__(self, scale: float, tau: float, alpha: float) -> None:
        super().__init__()
        self._how = scale, tau, alpha

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        *_: Any,
    ) -> torch.Tensor:
        """What the layer answers to `[1, N, D]`."""
        assert encoder_hidden_states is not None
        text, picture = encoder_hidden_states, None
        if attn.add_k_proj is not None:
            picture, text = text[:, :-TEXT_LENGTH], text[:, -TEXT_LENGTH:]
        query = attn.norm_q(attn.to_q(hidden_states))
        positive, negative = (
            self._attend(attn, query, attn.norm_k(attn.to_k(tokens)), attn.to_v(tokens))
            for tokens in (text, self.negative)
        )
        answer = normalised(positive, negative, *self._how)
        if picture is not None:
            key = attn.norm_added_k(attn.add_k_proj(picture))
            answer = answer + self._attend(attn, query, key, attn.add_v_proj(picture))
        answer = attn.to_out[0](answer.type_as(hidden_states))
        return attn.to_out[1](answer)

    def _attend(self, attn: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        heads = (tokens.unflatten(2, (attn.heads, -1)) for tokens in (query, key, value))
        answer: torch.Tensor = dispatch_attention_fn(*heads, backend=self._attention_backend)
        return answer.flatten(2, 3).type_as(query)


def normalised(
    positive: torch.Tensor, negative: torch.Tensor, scale: float, tau: float, alpha: float
) -> torch.Tensor:
    """Answers of the attention moved away from those to a negative prompt, and kept near their length.

    Args:
        positive: `[1, N, D]`.
        negative: the same.
        scale: of the move; at 1 nothing moves.
        tau: the most by which an answer's L1 norm may grow.
        alpha: share of what was moved in the result.

    Source: Chen et al. 2025, arXiv:2505.21179, normalised attention guidance.
    """
    moved = positive * scale - negative * (scale - 1)
    before = positive.norm(p=1, dim=-1, keepdim=True)
    after = moved.norm(p=1, dim=-1, keepdim=True).clamp_min(1e-7)
    moved = moved * (tau * before / after).clamp_max(1)
    return alpha * moved + (1 - alpha) * positive
