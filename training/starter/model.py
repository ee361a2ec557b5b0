"""The denoiser with its tokenizer and text encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.starter.networks import (
    encode_words,
    make_denoiser,
    make_text_encoder,
    make_tokenizer,
    pad_bias,
)


class Model(nn.Module):  # type: ignore[misc] # torch has no types here
    """Denoiser, text encoder and tokenizer, initialised by a seed."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.tokenizer = make_tokenizer()
        self.text_encoder = make_text_encoder(len(self.tokenizer))
        self.denoiser = make_denoiser()

    def words(self, captions: list[str], lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded captions [B, L, C], and the attention bias of their padding to `lengths` tokens."""
        hidden, counts = encode_words(self.text_encoder, self.tokenizer, captions)
        return hidden, pad_bias(counts, lengths)
