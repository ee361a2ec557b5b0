"""Build the change of a layer from the tensors of a LoRA, LoKr, LoHa or DoRA file."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from wangp_cli.pipelines.lora.delta import Change, Hadamard, Kronecker, LowRank

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import torch

KINDS = {"d": "LoRA", "u": "LoRA", "w": "LoKr", "h": "LoHa"}
"""Method by the first letter of a part's name."""
_LITERAL = re.compile(r"(?:[\w.^$|-]|\\[.dw])+", re.ASCII)
_MAX_QUANTIFIERS = 2
"""Quantifiers that a pattern of layers may have; more could make matching take exponential time."""


class LoraMismatchError(Exception):
    """A key of a LoRA file does not match the network; the message says why."""


def change_of(
    tensors: Mapping[str, torch.Tensor],
    shape: tuple[int, int],
    metadata: Mapping[str, Any],
    names: Collection[str],
) -> Change:
    """The change of a layer.

    Args:
        tensors: tensors of the layer by part, as in `keys.PARTS`.
        shape: output and input features of the layer; those of a convolution are its channels, and its
            input channels times the size of its kernel.
        metadata: peft's configuration, for alphas and ranks.
        names: names of the layer that patterns of the configuration may match.

    Raises:
        LoraMismatchError: factors are missing, contradictory or of a wrong shape.
    """
    if len({KINDS[part[0]] for part in tensors if part[0] in KINDS}) > 1:
        raise LoraMismatchError("holds factors of two kinds")
    settings = _LayerSettings(tensors, metadata, names)
    if {"down", "up"} & tensors.keys():
        delta: LowRank | Kronecker | Hadamard = _low_rank(tensors, shape, settings)
    elif any(part.startswith("w") for part in tensors):
        delta = _kronecker(tensors, shape, settings)
    elif any(part.startswith("h") for part in tensors):
        delta = _hadamard(tensors, shape, settings)
    else:
        raise LoraMismatchError("comes without factors")
    magnitude = _magnitude(tensors.get("magnitude"), shape)
    bias = tensors.get("up_bias")
    if bias is not None and bias.shape != (shape[0],):
        raise LoraMismatchError(f"its bias is {shape_text(bias)}, the layer has {shape[0]} outputs")
    if bias is not None and magnitude is not None:
        raise LoraMismatchError("has a magnitude and a bias, which no tool trains together")
    return Change(delta=delta, magnitude=magnitude, bias=None if bias is None else bias.float() * delta.scale)


class _LayerSettings:
    """Alpha and rank of one layer: of its own tensor, else of peft's configuration.

    Raises:
        LoraMismatchError: alpha is not a finite number.
    """

    def __init__(
        self, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any], names: Collection[str]
    ) -> None:
        alpha = tensors.get("alpha")
        if alpha is not None and (alpha.numel() != 1 or alpha.is_complex()):
            raise LoraMismatchError(f"its alpha is {shape_text(alpha)}, one number is expected")
        self._own = None if alpha is None else float(alpha)
        self._metadata, self._names = metadata, names

    def scale(self, rank: int, key: str) -> float:
        """Alpha / rank; 1 without an alpha.

        Args:
            rank: of the factors; 0 if the matrices are whole, which only peft scales.
            key: of alpha in peft's configuration.
        """
        if self._own is not None:
            # LyCORIS scales no whole matrices.
            return self._own / rank if rank else 1.0
        alpha = self._number(key, "alpha_pattern")
        if alpha is None:
            return 1.0
        rank = rank or int(self._number("r", "rank_pattern") or 0)
        if rank < 1:
            raise LoraMismatchError("the metadata has an alpha but no rank")
        rooted = self._metadata.get("use_rslora") and key == "lora_alpha"
        return alpha / (math.sqrt(rank) if rooted else rank)

    def _number(self, key: str, patterns: str) -> float | None:
        """A number of peft's configuration, which patterns replace for some layers."""
        value = self._metadata.get(key)
        try:
            for pattern, other in (self._metadata.get(patterns) or {}).items():
                if any(map(_layer_pattern(pattern).fullmatch, self._names)):
                    value = other
            number = None if value is None else float(value)
        except (re.error, AttributeError, TypeError, ValueError, OverflowError):
            raise LoraMismatchError("the metadata has an alpha or rank that cannot be read") from None
        if number is not None and not math.isfinite(number):
            raise LoraMismatchError(f"the metadata has {key} {value}")
        return number


def _low_rank(
    tensors: Mapping[str, torch.Tensor], shape: tuple[int, int], settings: _LayerSettings
) -> LowRank:
    for part, other in (("down", "up"), ("up", "down")):
        if part not in tensors:
            raise LoraMismatchError(f"{other} comes without {part}")
    down, up = (_matrix(tensors[part]) for part in ("down", "up"))
    if down is None or up is None or down.shape[0] != up.shape[1] or not down.shape[0]:
        shapes = [shape_text(tensors[part]) for part in ("down", "up")]
        raise LoraMismatchError(f"down is {shapes[0]}, up is {shapes[1]}")
    _check_shape((up.shape[0], down.shape[1]), shape)
    return LowRank(down=down, up=up, scale=settings.scale(down.shape[0], "lora_alpha"))


def _kronecker(
    tensors: Mapping[str, torch.Tensor], shape: tuple[int, int], settings: _LayerSettings
) -> Kronecker:
    left, right = _Factor.of(tensors, "w1"), _Factor.of(tensors, "w2")
    # Checked before factors are multiplied, because small ones can make a matrix that fills the memory.
    _check_shape((left.shape[0] * right.shape[0], left.shape[1] * right.shape[1]), shape)
    scale = settings.scale(right.rank or left.rank, "alpha")
    return Kronecker(left=left.matrix(), right=right.matrix(), scale=scale)


class _Factor:
    """One matrix of a Kronecker product: whole, or as a product of two factors."""

    def __init__(self, matrices: list[torch.Tensor]) -> None:
        self._matrices = matrices
        self.shape = matrices[0].shape[0], matrices[-1].shape[1]
        self.rank = matrices[1].shape[0] if len(matrices) == 2 else 0

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor], part: str) -> _Factor:
        """The matrix `part` of these tensors.

        Raises:
            LoraMismatchError: it is missing, twice, or not a matrix.
        """
        names = [name for name in (part, f"{part}_a", f"{part}_b") if name in tensors]
        if names not in ([part], [f"{part}_a", f"{part}_b"]):
            both = f"has lokr_{' and lokr_'.join(names)}"
            raise LoraMismatchError(both if part in names else f"comes without lokr_{part}")
        matrices = [matrix for name in names if (matrix := _matrix(tensors[name])) is not None]
        shapes = " and ".join(f"lokr_{name} is {shape_text(tensors[name])}" for name in names)
        if len(matrices) != len(names) or 0 in matrices[0].shape:
            raise LoraMismatchError(f"{shapes}, a matrix is expected")
        if len(matrices) == 2 and matrices[0].shape[1] != matrices[1].shape[0]:
            raise LoraMismatchError(shapes)
        return cls(matrices)

    def matrix(self) -> torch.Tensor:
        """The whole matrix."""
        if len(self._matrices) == 1:
            return self._matrices[0]
        return self._matrices[0].float() @ self._matrices[1].float()


def _hadamard(
    tensors: Mapping[str, torch.Tensor], shape: tuple[int, int], settings: _LayerSettings
) -> Hadamard:
    sides = []
    for side in ("1", "2"):
        for part in "ab":
            if f"h{side}_{part}" not in tensors:
                raise LoraMismatchError(f"comes without hada_w{side}_{part}")
        up, down = (_matrix(tensors[f"h{side}_{part}"]) for part in "ab")
        if up is None or down is None or up.shape[1] != down.shape[0] or not down.shape[0]:
            shapes = [shape_text(tensors[f"h{side}_{part}"]) for part in "ab"]
            raise LoraMismatchError(f"hada_w{side}_a is {shapes[0]}, hada_w{side}_b is {shapes[1]}")
        sides.append(LowRank(down=down, up=up))
    left, right = sides
    if left.shape != right.shape:
        raise LoraMismatchError(f"its sides are {left.shape} and {right.shape}")
    _check_shape(left.shape, shape)
    return Hadamard(left=left, right=right, scale=settings.scale(left.down.shape[0], "alpha"))


def _matrix(tensor: torch.Tensor) -> torch.Tensor | None:
    """A factor as a matrix, without the kernel axes that those of convolutions have; None for a vector."""
    return tensor.flatten(1) if tensor.ndim >= 2 else None


def _check_shape(made: tuple[int, int], shape: tuple[int, int]) -> None:
    if made != shape:
        raise LoraMismatchError(f"makes {made[0]} x {made[1]}, the layer is {shape[0]} x {shape[1]}")


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
