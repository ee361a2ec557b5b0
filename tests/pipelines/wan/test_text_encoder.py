"""Prompt embeddings."""

from __future__ import annotations

import logging

import pytest
import torch

from tests.support import tiny
from wangp_cli.pipelines.wan.text_encoder import CACHED_PROMPTS, TextEncoder, clean


@pytest.fixture
def encoder() -> TextEncoder:
    return TextEncoder(tiny.text_encoder(), tiny.tokenizer(), "cpu")


def test_embeddings_are_zero_after_the_last_token(encoder: TextEncoder) -> None:
    embeddings = encoder.embed("a red circle", 12)
    assert embeddings.shape == (1, 12, 32)
    assert embeddings[0, :4].abs().sum(1).all()
    assert not embeddings[0, 4:].any()


def test_a_prompt_is_cached_by_text_and_length(encoder: TextEncoder) -> None:
    first = encoder.embed("a red circle", 12)
    assert encoder.embed(" a  red circle\n", 12) is first
    assert encoder.embed("a red circle", 13) is not first


def test_the_least_recently_used_prompt_is_dropped(encoder: TextEncoder) -> None:
    first, second = encoder.embed("a", 4), encoder.embed("b", 4)
    for number in range(CACHED_PROMPTS - 1):
        encoder.embed(f"{number}", 4)
        encoder.embed("a", 4)
    assert encoder.embed("a", 4) is first
    again = encoder.embed("b", 4)
    assert again is not second
    assert torch.equal(again, second)


def test_a_prompt_that_is_too_long_is_cut_with_a_warning(
    encoder: TextEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        encoder.embed("red " * 20, 8)
    assert "21 tokens, the model reads the first 8" in caplog.text


def test_broken_characters_and_escapes_are_repaired() -> None:
    assert clean("a &amp;amp; b\n\tcafÃ©") == "a & b café"
