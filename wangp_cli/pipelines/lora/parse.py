"""Factors of LoRA, LoKr and LoHa as the change of a layer."""

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
"""The method that factors belong to, by the first letter of a part."""
_PLAIN = re.compile(r"(?:[\w.^$|-]|\\[.dw])+", re.ASCII)
_REPEATS = 2
"""Patterns of layers: names, of which parts may be repeated so often."""


class MisfitError(Exception):
    """Why a key fits nothing."""


def change_of(
    held: Mapping[str, torch.Tensor], shape: tuple[int, int], metadata: Mapping[str, Any], name: str
) -> Change:
    """A layer's change, from the parts that a file has of it."""
    alpha = float(held["alpha"]) if "alpha" in held else None
    if len({KINDS[part[0]] for part in held if part[0] in KINDS}) > 1:
        raise MisfitError("holds factors of two kinds")
    if {"down", "up"} & held.keys():
        delta: LowRank | Kronecker | Hadamard = _low_rank(held, alpha, metadata, name)
    elif any(part.startswith("w") for part in held):
        delta = _kronecker(held, alpha)
    elif any(part.startswith("h") for part in held):
        delta = _hadamard(held, alpha)
    else:
        raise MisfitError("comes without factors")
    if delta.shape != shape:
        raise MisfitError(f"makes {delta.shape[0]} x {delta.shape[1]}, the layer is {shape[0]} x {shape[1]}")
    return Change(delta=delta, magnitude=_magnitude(held.get("magnitude"), shape))


def _low_rank(
    held: Mapping[str, torch.Tensor], alpha: float | None, metadata: Mapping[str, Any], name: str
) -> LowRank:
    for part, other in (("down", "up"), ("up", "down")):
        if part not in held:
            raise MisfitError(f"{other} comes without {part}")
    down, up = held["down"], held["up"]
    if down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1]:
        raise MisfitError(f"down is {sides_of(down)}, up is {sides_of(up)}")
    rank = down.shape[0]
    alpha = _alpha_in(metadata, name, rank) if alpha is None else alpha
    return LowRank(down=down, up=up, scale=1.0 if alpha is None else alpha / rank)


def _kronecker(held: Mapping[str, torch.Tensor], alpha: float | None) -> Kronecker:
    left, left_rank = _factor(held, "w1")
    right, right_rank = _factor(held, "w2")
    rank = right_rank or left_rank
    # Two whole matrices carry their scale themselves.
    scale = alpha / rank if alpha is not None and rank else 1.0
    return Kronecker(left=left, right=right, scale=scale)


def _factor(held: Mapping[str, torch.Tensor], part: str) -> tuple[torch.Tensor, int]:
    """One side of a Kronecker product, and its rank if it is given as two factors."""
    if part in held:
        whole, rank = held[part], 0
    elif {f"{part}_a", f"{part}_b"} <= held.keys():
        first, second = held[f"{part}_a"], held[f"{part}_b"]
        if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[0]:
            raise MisfitError(f"{part}_a is {sides_of(first)}, {part}_b is {sides_of(second)}")
        whole, rank = first.float() @ second.float(), second.shape[0]
    else:
        raise MisfitError(f"comes without lokr_{part}")
    if whole.ndim != 2:
        raise MisfitError(f"lokr_{part} is {sides_of(whole)}, two sides are wanted")
    return whole, rank


def _hadamard(held: Mapping[str, torch.Tensor], alpha: float | None) -> Hadamard:
    sides = []
    for side in ("1", "2"):
        up, down = (held.get(f"h{side}_{part}") for part in "ab")
        if up is None or down is None:
            raise MisfitError(f"comes without hada_w{side}_{'a' if up is None else 'b'}")
        if up.ndim != 2 or down.ndim != 2 or up.shape[1] != down.shape[0]:
            raise MisfitError(f"hada_w{side}_a is {sides_of(up)}, hada_w{side}_b is {sides_of(down)}")
        sides.append(LowRank(down=down, up=up))
    left, right = sides
    if left.shape != right.shape:
        raise MisfitError(f"its sides are {left.shape} and {right.shape}")
    return Hadamard(left=left, right=right, scale=1.0 if alpha is None else alpha / left.down.shape[0])


def _magnitude(held: torch.Tensor | None, shape: tuple[int, int]) -> torch.Tensor | None:
    if held is None:
        return None
    if held.shape in ((shape[0],), (shape[0], 1)):
        return held.float().reshape(shape[0], 1)
    if held.shape == (1, shape[1]):
        return held.float()
    raise MisfitError(f"its magnitude is {sides_of(held)}, the layer is {shape[0]} x {shape[1]}")


def sides_of(tensor: torch.Tensor) -> str:
    """A tensor's shape for people."""
    return " x ".join(map(str, tensor.shape)) or "a number"


def _alpha_in(metadata: Mapping[str, Any], layer: str, rank: int) -> float | None:
    """The alpha that metadata states for a layer, after peft's rules."""
    alpha = metadata.get("lora_alpha")
    try:
        for pattern, value in (metadata.get("alpha_pattern") or {}).items():
            if _layers_of(pattern).fullmatch(layer):
                alpha = value
        number = None if alpha is None else float(alpha)
    except (re.error, AttributeError, TypeError, ValueError):
        raise MisfitError("the metadata has an alpha that cannot be read") from None
    if number is None:
        return None
    if not math.isfinite(number):
        raise MisfitError(f"the metadata has alpha {alpha}")
    return number * math.sqrt(rank) if metadata.get("use_rslora") else number


@cache
def _layers_of(pattern: str) -> re.Pattern[str]:
    """The layers that a pattern means to peft. One that could take for ever to match raises ValueError."""
    plain, repeated = re.subn(r"[*+]", "", pattern)
    if repeated > _REPEATS or not _PLAIN.fullmatch(plain):
        raise ValueError(pattern)
    return re.compile(rf"(.*\.)?({pattern})")
