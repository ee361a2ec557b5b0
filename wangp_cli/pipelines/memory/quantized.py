"""Weight-only quantisation to 8 bits; activations keep the dtype of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wangp_cli.tasks.runtime import Quantization

UNQUANTIZED = ("condition_embedder", "norm", "proj_out", "lora_")
"""Layers with one of these in their name are not quantised: they are small and sensitive to errors."""
LARGEST_VALUE = {"int8": 127.0, "fp8": torch.finfo(torch.float8_e4m3fn).max}
"""Largest value of each format, to which the largest weight of a row is scaled."""


def quantize(network: Any, how: Quantization) -> None:
    """Quantise the weights of a network's linear layers to 8 bits, with one scale per row.

    The error of a weight is at most 0.4 % of the largest weight of its row with `int8`, and 6 % of the weight
    itself with `fp8` (e4m3). LoRA layers are not quantised.

    Args:
        network: a transformer or a text encoder.
        how: `none` changes nothing.
    """
    if how != "none":
        for layer in _linear_layers(network):
            _quantize_layer(layer, how)


class EightBitLinear(nn.Linear):  # type: ignore[misc] # torch is not typed here
    """A linear layer with quantised weights.

    Attributes:
        weight: int8 `[out, in]`; with `fp8` the bits of float8_e4m3fn values.
        scale: float32 `[out, 1]`, the factor of each row.
    """

    scale: torch.Tensor
    fp8: bool

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """`nn.Linear.forward` with the weight dequantised for the call."""
        return F.linear(input, self.dequantized(input.dtype), self.bias)

    def dequantized(self, dtype: torch.dtype) -> torch.Tensor:
        """The weight in `dtype`."""
        # fp8 is stored as int8: T5 layers of transformers cast activations to any other dtype of a weight.
        weight = self.weight.view(torch.float8_e4m3fn) if self.fp8 else self.weight
        return weight.to(dtype) * self.scale.to(dtype)


def weight_of(layer: Any, dtype: torch.dtype) -> torch.Tensor:
    """The weight of a linear layer in `dtype`, dequantised if it is an `EightBitLinear`."""
    if isinstance(layer, EightBitLinear):
        return layer.dequantized(dtype)
    weight: torch.Tensor = layer.weight.to(dtype)
    return weight


def _linear_layers(network: Any) -> Iterator[nn.Linear]:
    for name, layer in network.named_modules():
        if type(layer) is nn.Linear and not any(word in name for word in UNQUANTIZED):
            yield layer


def _quantize_layer(layer: Any, how: str) -> None:
    weight = layer.weight.data.float()
    scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / LARGEST_VALUE[how]
    scaled = weight / scale
    bits = scaled.round().to(torch.int8) if how == "int8" else scaled.to(torch.float8_e4m3fn).view(torch.int8)
    layer.weight = nn.Parameter(bits, requires_grad=False)
    layer.register_buffer("scale", scale)
    layer.fp8 = how == "fp8"
    # Changing the class keeps the layer's name, hooks and bias.
    layer.__class__ = EightBitLinear
