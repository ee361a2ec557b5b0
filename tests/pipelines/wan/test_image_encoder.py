"""CLIP embeddings of images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.support import tiny
from wangp_cli.pipelines.wan.image_encoder import ImageEncoder


@pytest.fixture
def encoder(loaded: Any) -> ImageEncoder:
    found = loaded("i2v")._architecture.parts.image_encoder
    assert isinstance(found, ImageEncoder)
    return found


def test_each_image_has_its_own_embedding_in_order(encoder: ImageEncoder) -> None:
    one, other = (tiny.clip(1, seed).frames[0] for seed in (1, 2))
    both = encoder.embed([one, other])
    assert both.shape[:2] == (2, tiny.CLIP_TOKENS)
    assert torch.allclose(both[:1], encoder.embed([one]), atol=1e-5)
    assert torch.allclose(both[1:], encoder.embed([other]), atol=1e-5)
    assert not torch.allclose(both[0], both[1], atol=1e-3)


def test_float_images_are_embedded_as_their_rounded_values(encoder: ImageEncoder) -> None:
    image = tiny.clip(1, 3).frames[0]
    as_float = image.astype(np.float32) / np.float32(255)
    assert torch.equal(encoder.embed([image]), encoder.embed([as_float]))


def test_it_is_the_layer_before_the_last(encoder: ImageEncoder) -> None:
    image = tiny.clip(1, 4).frames[0]
    last = encoder.model.encoder.layers[-1]
    inputs: list[torch.Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    try:
        embedded = encoder.embed([image])
    finally:
        hook.remove()
    assert torch.equal(embedded, inputs[0])
