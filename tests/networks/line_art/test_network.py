"""The network that draws lines."""

from __future__ import annotations

import torch

from wangp_cli.networks.line_art import LineArt

LAYERS = {
    "model0.1": (64, 3, 7, 7),
    "model1.0": (128, 64, 3, 3),
    "model1.3": (256, 128, 3, 3),
    **{f"model2.{block}.conv_block.{layer}": (256, 256, 3, 3) for block in range(3) for layer in (1, 5)},
    "model3.0": (256, 128, 3, 3),
    "model3.3": (128, 64, 3, 3),
    "model4.1": (1, 64, 7, 7),
}
"""Weights of the published file; every layer has a bias."""


def test_the_state_dict_is_that_of_the_published_file() -> None:
    with torch.device("meta"):
        found = {key: tuple(value.shape) for key, value in LineArt().state_dict().items()}
    assert {key.removesuffix(".weight"): shape for key, shape in found.items() if shape[1:]} == LAYERS
    assert {key.removesuffix(".bias") for key, shape in found.items() if not shape[1:]} == set(LAYERS)


def test_lines_have_the_size_of_the_picture_and_depend_on_it() -> None:
    torch.manual_seed(0)
    network = LineArt((4, 8, 16), blocks=1)
    pictures = torch.rand(2, 3, 24, 32)
    with torch.inference_mode():
        lines = network(pictures)
        other = network(1 - pictures)
    assert lines.shape == (2, 1, 24, 32)
    assert 0 <= lines.min() < lines.max() <= 1
    assert not torch.equal(lines, other)
    assert torch.equal(lines, network(pictures))
