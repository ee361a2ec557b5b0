"""Weights in 8 bits."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.support import tiny
from tests.support.wan import call, load, networks, run
from wangp_cli.pipelines.memory.meter import weight_bytes
from wangp_cli.pipelines.memory.quantized import EightBitLinear, quantize


@pytest.mark.parametrize(("how", "error"), [("int8", 0.02), ("fp8", 0.1)])
def test_eight_bits_change_little(how: Any, error: float) -> None:
    for plain, small in zip(networks(), networks(), strict=True):
        quantize(small, how)
        assert weight_bytes(small) < 0.75 * weight_bytes(plain)
        expected, found = call(plain), call(small)
        assert 0 < (found - expected).norm() < error * expected.norm()


def test_int8_is_within_half_a_step_of_each_weight() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Sequential(torch.nn.Linear(64, 32))
    weight = layer[0].weight.detach().clone()
    quantize(layer, "int8")
    assert isinstance(layer[0], EightBitLinear)
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((layer[0].dequantized(torch.float32) - weight).abs() <= step * 0.501).all()


def test_fp8_is_within_a_sixteenth_of_each_large_weight() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Sequential(torch.nn.Linear(64, 32))
    weight = layer[0].weight.detach().clone()
    quantize(layer, "fp8")
    large = weight.abs() > 0.01 * weight.abs().amax(dim=1, keepdim=True)
    error = (layer[0].dequantized(torch.float32) - weight).abs() / weight.abs()
    assert error[large].max() <= 1 / 16


def test_a_row_of_zeros_stays_zero() -> None:
    layer = torch.nn.Sequential(torch.nn.Linear(4, 2))
    layer[0].weight.data.zero_()
    quantize(layer, "int8")
    assert not layer[0].dequantized(torch.float32).any()


@pytest.mark.parametrize("field", ["transformer_quantization", "text_encoder_quantization"])
@pytest.mark.parametrize("profile", ["1", "4"])
def test_a_quantised_part_is_used(checkpoint: Any, loaded: Any, field: str, profile: str) -> None:
    plain = run(loaded("vace", exact=False), tiny.shot())
    found = run(load(checkpoint("vace"), "vace", profile=profile, **{field: "int8"}), tiny.shot())
    assert 0 < abs(found - plain).max() < 0.1
