"""Weights quantised to 8 bits; activations stay in the network's dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wangp_cli.tasks.runtime import Quantization

KEPT = ("condition_embedder", "norm", "proj_out", "lora_")
"""Layers whose name has one of these parts are not quantised: they are small, and errors there show."""
LARGEST = {"int8": 127.0, "fp8": torch.finfo(torch.float8_e4m3fn).max}


def quantize(network: Any, how: Quantization) -> None:
    """Keep the weights of a network's linear layers in 8 bits, scaled row by row.

    `int8` moves a weight by at most 0.4 % of the largest of its row, `fp8` (e4m3) by at most 6 % of itself.
    Adapters that were put on before stay as they are.

    Args:
        network: a transformer or a text encoder.
        how: `none` changes nothing.
    """
    if how != "none":
        for layer in _linear_layers(network):
            _keep_in_eight_bits(layer, how)


class EightBitLinear(nn.Linear):  # type: ignore[misc] # torch is not typed here
    """A linear layer: `weight` int8 `[out, in]`, perhaps the bits of fp8 numbers, and `scale` `[out, 1]`."""

    scale: torch.Tensor
    fp8: bool

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """As `nn.Linear`, with the weight brought back for the moment."""
        return F.linear(input, self.restored(input.dtype), self.bias)

    def restored(self, dtype: torch.dtype) -> torch.Tensor:
        """The weight as numbers of `dtype`."""
        # Stored as integers in any case: text encoders cast what they compute to the dtype of a weight.
        weight = self.weight.view(torch.float8_e4m3fn) if self.fp8 else self.weight
        return weight.to(dtype) * self.scale.to(dtype)


def weight_of(layer: Any, dtype: torch.dtype) -> torch.Tensor:
    """The weight of a linear layer as numbers of `dtype`, however it is kept."""
    if isinstance(layer, EightBitLinear):
        return layer.restored(dtype)
    weight: torch.Tensor = layer.weight.to(dtype)
    return weight


def _linear_layers(network: Any) -> Iterator[nn.Linear]:
    for name, layer in network.named_modules():
        if type(layer) is nn.Linear and not any(word in name for word in KEPT):
            yield layer


def _keep_in_eight_bits(layer: Any, how: str) -> None:
    weight = layer.weight.data.float()
    scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / LARGEST[how]
    scaled = weight / scale
    bits = scaled.round().to(torch.int8) if how == "int8" else scaled.to(torch.float8_e4m3fn).view(torch.int8)
    layer.weight = nn.Parameter(bits, requires_grad=False)
    layer.register_buffer("scale", scale)
    layer.fp8 = how == "fp8"
    # Its name, hooks and bias stay as they are.
    layer.__class__ = EightBitLinear
