"""Read networks of ncnn: `.param` is a text of layers, `.bin` holds their weights in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

MAGIC = "7767517"
HALF = 0x01306B47
"""The tag of weights in float16."""


class Layer(NamedTuple):
    """A layer with weights.

    Args:
        kind: name of ncnn.
        weight: of a convolution `[out, in, height, width]`, of a PReLU `[channels]`; float32.
        bias: of a convolution.
    """

    kind: str
    weight: torch.Tensor
    bias: torch.Tensor | None = None


def read_layers(param: str, data: bytes) -> Iterator[Layer]:
    """The layers with weights, in order."""
    lines = param.splitlines()
    assert lines[0] == MAGIC
    at = 0

    def take(count: int, dtype: type) -> np.ndarray:
        nonlocal at
        values: np.ndarray = np.frombuffer(data, dtype, count, at)
        # Everything begins at a multiple of four bytes.
        at += -(-values.nbytes // 4) * 4
        return values.astype(np.float32)

    for line in lines[2:]:
        kind, _, inputs, outputs, *words = line.split()
        values = dict(word.split("=") for word in words[int(inputs) + int(outputs) :])
        if kind == "PReLU":
            yield Layer(kind, torch.from_numpy(take(int(values["0"]), np.float32)))
        elif kind == "Convolution":
            out, side, count = int(values["0"]), int(values["1"]), int(values["6"])
            (tag,) = np.frombuffer(data, np.uint32, 1, at)
            at += 4
            assert tag in (0, HALF)
            weight = take(count, np.float16 if tag == HALF else np.float32)
            bias = torch.from_numpy(take(out, np.float32))
            yield Layer(kind, torch.from_numpy(weight).reshape(out, -1, side, side), bias)
    assert at == len(data)


def compact_state(layers: list[Layer]) -> dict[str, torch.Tensor]:
    """The state dict of an SRVGGNetCompact, whose layers are numbered throughout."""
    state = {}
    for number, layer in enumerate(layers):
        state[f"body.{number}.weight"] = layer.weight
        if layer.bias is not None:
            state[f"body.{number}.bias"] = layer.bias
    return state


def rrdb_state(layers: list[Layer]) -> dict[str, torch.Tensor]:
    """The state dict of an RRDBNet of two doublings, in the layout of Real-ESRGAN."""
    blocks = (len(layers) - 6) // 15
    names = [
        "conv_first",
        *(f"body.{b}.rdb{d}.conv{c}" for b in range(blocks) for d in (1, 2, 3) for c in (1, 2, 3, 4, 5)),
        "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last",
    ]  # fmt: skip
    state: dict[str, torch.Tensor] = {}
    for name, layer in zip(names, layers, strict=True):
        assert layer.bias is not None
        state |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    return state
