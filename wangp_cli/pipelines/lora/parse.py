"""Build the change of a layer from the tensors of a LoRA, LoKr, LoHa or DoRA file."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from wangp_cli.pipelines.lora.delta import Change, Hadamard, Kronecker, LowRank

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

KINDS = {"d": "LoRA", "u": "LoRA", "w": "LoKr", "h": "LoHa"}
"""Method by the first letter of a part's name."""
_LITERAL = re.compile(r"(?:[\w.^$|-]|\\[.dw])+", re.ASCII)
_MAX_QUANTIFIERS = 2
"""Quantifiers that a pattern of layers may have; more could make matching take exponential time."""


class LoraMismatchError(Exception):
    """A key of a LoRA file does not match the network; the message says why."""


def change_of(
    tensors: Mapping[str, torch.Tensor], shape: tuple[int, int], metadata: Mapping[str, Any], name: str
) -> Change:
    """The change of a layer.

    Args:
        tensors: tensors of the layer by part, as in `keys.PARTS`.
        shape: output and input features of the layer.
        metadata: peft's configuration, for alphas.
        name: name of the layer in the network.

    Raises:
        LoraMismatchError: factors are missing, contradictory or of a wrong shape.
    """
    alpha = float(tensors["alpha"]) if "alpha" in tensors else None
    if len({KINDS[part[0]] for part in tensors if part[0] in KINDS}) > 1:
        raise LoraMismatchError("holds factors of two kinds")
    if {"down", "up"} & tensors.keys():
        delta: LowRank | Kronecker | Hadamard = _low_rank(tensors, alpha, metadata, name)
    elif any(part.startswith("w") for part in tensors):
        delta = _kronecker(tensors, alpha)
    elif any(part.startswith("h") for part in tensors):
        delta = _hadamard(tensors, alpha)
    else:
        raise LoraMismatchError("comes without factors")
    if delta.shape != shape:
        raise LoraMismatchError(
            f"makes {delta.shape[0]} x {delta.shape[1]}, the layer is {shape[0]} x {shape[1]}"
        )
    return Change(delta=delta, magnitude=_magnitude(tensors.get("magnitude"), shape))


def _low_rank(
    tensors: Mapping[str, torch.Tensor], alpha: float | None, metadata: Mapping[str, Any], name: str
) -> LowRank:
    for part, other in (("down", "up"), ("up", "down")):
        if part not in tensors:
            raise LoraMismatchError(f"{other} comes without {part}")
    down, up = tensors["down"], tensors["up"]
    if down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1]:
        raise LoraMismatchError(f"down is {shape_text(down)}, up is {shape_text(up)}")
    rank = down.shape[0]
    alpha = _alpha_in(metadata, name, rank) if alpha is None else alpha
    return LowRank(down=down, up=up, scale=1.0 if alpha is None else alpha / rank)


def _kronecker(tensors: Mapping[str, torch.Tensor], alpha: float | None) -> Kronecker:
    left, left_rank = _factor(tensors, "w1")
    right, right_rank = _factor(tensors, "w2")
    rank = right_rank or left_rank
    # Two full matrices include their scale.
    scale = alpha / rank if alpha is not None and rank else 1.0
    return Kronecker(left=left, right=right, scale=scale)


def _factor(tensors: Mapping[str, torch.Tensor], part: str) -> tuple[torch.Tensor, int]:
    """One matrix of a Kronecker product, and the rank of its two factors, 0 if it has none."""
    if part in tensors:
        matrix, rank = tensors[part], 0
    elif {f"{part}_a", f"{part}_b"} <= tensors.keys():
        first, second = tensors[f"{part}_a"], tensors[f"{part}_b"]
        if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[0]:
            raise LoraMismatchError(f"{part}_a is {shape_text(first)}, {part}_b is {shape_text(second)}")
        matrix, rank = first.float() @ second.float(), second.shape[0]
    else:
        raise LoraMismatchError(f"comes without lokr_{part}")
    if matrix.ndim != 2:
        raise LoraMismatchError(f"lokr_{part} is {shape_text(matrix)}, a matrix is expected")
    return matrix, rank


def _hadamard(tensors: Mapping[str, torch.Tensor], alpha: float | None) -> Hadamard:
    sides = []
    for side in ("1", "2"):
        up, down = (tensors.get(f"h{side}_{part}") for part in "ab")
        if up is None or down is None:
            raise LoraMismatchError(f"comes without hada_w{side}_{'a' if up is None else 'b'}")
        if up.ndim != 2 or down.ndim != 2 or up.shape[1] != down.shape[0]:
            raise LoraMismatchError(
                f"hada_w{side}_a is {shape_text(up)}, hada_w{side}_b is {shape_text(down)}"
            )
        sides.append(LowRank(down=down, up=up))
    left, right = sides
    if left.shape != right.shape:
        raise LoraMismatchError(f"its sides are {left.shape} and {right.shape}")
    return Hadamard(left=left, right=right, scale=1.0 if alpha is None else alpha / left.down.shape[0])


def _magnitude(magnitude: torch.Tensor | None, shape: tuple[int, int]) -> torch.Tensor | None:
    if magnitude is None:
        return None
    if magnitude.shape in ((shape[0],), (shape[0], 1)):
        return magnitude.float().reshape(shape[0], 1)
    if magnitude.shape == (1, shape[1]):
        return magnitude.float()
    raise LoraMismatchError(f"its magnitude is {shape_text(magnitude)}, the layer is {shape[0]} x {shape[1]}")


def shape_text(tensor: torch.Tensor) -> str:
    """The shape of a tensor for messages, such as `16 x 5120`."""
    return " x ".join(map(str, tensor.shape)) or "a number"


def _alpha_in(metadata: Mapping[str, Any], layer: str, rank: int) -> float | None:
    """The alpha of a layer in peft's configuration, with `alpha_pattern` and `use_rslora`."""
    alpha = metadata.get("lora_alpha")
    try:
        for pattern, value in (metadata.get("alpha_pattern") or {}).items():
            if _layer_pattern(pattern).fullmatch(layer):
                alpha = value
        number = None if alpha is None else float(alpha)
    except (re.error, AttributeError, TypeError, ValueError):
        raise LoraMismatchError("the metadata has an alpha that cannot be read") from None
    if number is None:
        return None
    if not math.isfinite(number):
        raise LoraMismatchError(f"the metadata has alpha {alpha}")
    return number * math.sqrt(rank) if metadata.get("use_rslora") else number


@cache
def _layer_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression for the layers that a pattern of peft selects.

    Raises:
        ValueError: it is not a simple pattern, so that matching could take exponential time.
    """
    literal, quantifiers = re.subn(r"[*+]", "", pattern)
    if quantifiers > _MAX_QUANTIFIERS or not _LITERAL.fullmatch(literal):
        raise ValueError(pattern)
    return re.compile(rf"(.*\.)?({pattern})")
