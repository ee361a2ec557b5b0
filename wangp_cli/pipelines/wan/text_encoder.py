"""Prompt embeddings by UMT5, cached between calls."""

from __future__ import annotations

import html
import logging
import re
from collections import OrderedDict
from typing import Any

import ftfy
import torch

log = logging.getLogger(__name__)

CACHED_PROMPTS = 32


class TextEncoder:
    """A UMT5 encoder with its tokenizer; the embeddings of recent prompts stay on the device.

    Args:
        model: `UMT5EncoderModel` in evaluation mode.
        tokenizer: of the model.
        device: where it computes; its weights may be offloaded.
    """

    def __init__(self, model: Any, tokenizer: Any, device: str) -> None:
        self.model = model
        self._device = device
        self._tokenizer = tokenizer
        self._cache: OrderedDict[tuple[str, int], torch.Tensor] = OrderedDict()

    def embed(self, prompt: str, length: int) -> torch.Tensor:
        """Embeddings `[1, length, D]`, zero after the last token; networks attend to those zeros too."""
        key = (clean(prompt), length)
        if key not in self._cache:
            self._cache[key] = self._encode(*key)
            if len(self._cache) > CACHED_PROMPTS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]

    def _encode(self, prompt: str, length: int) -> torch.Tensor:
        tokens = self._tokenizer(
            [prompt],
            padding="max_length",
            max_length=length,
            truncation=True,
            add_special_tokens=True,
            return_attention_mask=True,
            return_tensors="pt",
        )
        self._warn_if_cut(prompt, length)
        device = self._device
        with torch.inference_mode():
            embeddings = self.model(
                tokens.input_ids.to(device), tokens.attention_mask.to(device)
            ).last_hidden_state
            used = int(tokens.attention_mask.sum())
            padding = embeddings.new_zeros(1, length - used, embeddings.shape[2])
            return torch.cat([embeddings[:, :used], padding], dim=1)

    def _warn_if_cut(self, prompt: str, length: int) -> None:
        if (tokens := len(self._tokenizer(prompt).input_ids)) > length:
            log.warning("the prompt has %d tokens, the model reads the first %d", tokens, length)


def clean(prompt: str) -> str:
    """The prompt with broken Unicode repaired, HTML escapes decoded and white space collapsed.

    Source: the prompt cleaning of the Wan 2.1 reference code.
    """
    text = html.unescape(html.unescape(ftfy.fix_text(prompt))).strip()
    return re.sub(r"\s+", " ", text).strip()
