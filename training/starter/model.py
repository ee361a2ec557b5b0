"""The denoiser with what it is trained on."""

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
    """The trained parts, and the fixed ones that they need."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.tokenizer = make_tokenizer()
        self.text_encoder = make_text_encoder(len(self.tokenizer))
        self.denoiser = make_denoiser()

    def words(self, captions: list[str], lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded captions and the bias of their padding."""
        hidden, counts = encode_words(self.text_encoder, self.tokenizer, captions)
        return hidden, pad_bias(counts, lengths)
