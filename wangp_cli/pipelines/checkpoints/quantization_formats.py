"""Quantisation formats of weight files: plain, scaled fp8, quanto int8; and how they are dequantised."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.key_names import without_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wangp_cli.pipelines.checkpoints.files import TensorInfo, WeightFile
    from wangp_cli.pipelines.checkpoints.key_names import KeyNames

FLOAT8 = ("F8_E4M3", "F8_E5M2")
PLAIN = ("F64", "F32", "F16", "BF16", *FLOAT8)
GGUF_BLOCKS = re.compile(r"(I?Q\d\w*|TQ\d_\d|MXFP4|NVFP4)")
SCALE = re.compile(r"^(.*)\.(?:scale_weight|weight_scale)$")
ACTIVATIONS = (".scale_input", ".input_scale", ".output_scale")
"""Scales of activations, for kernels that compute in few bits; dequantising weights needs none."""
FORMATS = ("float8_e4m3fn", "float8_e5m2")


@dataclass(frozen=True)
class TensorLocation:
    """One tensor in a file."""

    file: WeightFile
    key: str

    @property
    def held(self) -> TensorInfo:
        """Its dtype and shape, from the header."""
        return self.file.held[self.key]

    def tensor(self) -> torch.Tensor:
        """Its values."""
        return self.file.tensor(self.key)


@dataclass(frozen=True)
class StoredParameter:
    """A parameter in a file: its quantised values, their scale, and the half of the tensor that it is."""

    numbers: TensorLocation
    scale: TensorLocation | None = None
    half: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the parameter."""
        rows, *rest = self.numbers.held.shape or (1,)
        return self.numbers.held.shape if self.half is None else (rows // 2, *rest)

    def tensor(self) -> torch.Tensor:
        """The parameter; float32 if it was quantised, else in the file's dtype."""
        whole = self._whole()
        return whole if self.half is None else whole.chunk(2)[self.half]

    def _whole(self) -> torch.Tensor:
        numbers = self.numbers.tensor()
        if self.scale is None:
            return numbers
        scale = self.scale.tensor().float()
        if scale.ndim == 1 and scale.numel() > 1:  # One for each row.
            scale = scale.reshape(-1, *[1] * (numbers.ndim - 1))
        return numbers.float() * scale


@dataclass
class _SortedTensors:
    numbers: dict[str, TensorLocation] = field(default_factory=dict)
    quanto: set[str] = field(default_factory=set)
    scales: dict[str, TensorLocation] = field(default_factory=dict)
    marked: bool = False


def parameters(files: Sequence[WeightFile], names: KeyNames) -> dict[str, StoredParameter]:
    """The parameters in these files by the names they use, without prefixes; every key is accounted for.

    Raises:
        ModelError: a key is in two files, a scale is missing or left over, or a number format is not known.
    """
    found = _SortedTensors()
    for file in files:
        for key in file.held:
            _sort(TensorLocation(file, key), found, names)
    for name, place in found.numbers.items():
        _check_format(name, place, found)
    if lone := sorted(set(found.scales) - set(found.numbers)):
        raise ModelError(
            f"{found.scales[lone[0]].file.path.name}: {found.scales[lone[0]].key} scales nothing"
        )
    return {
        own: StoredParameter(place, found.scales.get(name), half)
        for name, place in found.numbers.items()
        for own, half in names.split(name)
    }


def _sort(place: TensorLocation, found: _SortedTensors, names: KeyNames) -> None:
    key = without_prefix(place.key)
    if key == "scaled_fp8":
        found.marked = True
    elif key.endswith(".comfy_quant"):
        _check_comfy(place)
    elif key.endswith(ACTIVATIONS) or names.is_constant(key):
        pass
    elif match := SCALE.match(key):
        found.scales[f"{match[1]}.weight"] = place
    elif key.endswith("._scale"):
        found.scales[key.removesuffix("._scale")] = place
    else:
        name = key.removesuffix("._data")
        if name in found.numbers:
            both = found.numbers[name].file.path.name, place.file.path.name
            raise ModelError(f"{name} is twice in the weights, in {both[0]} and {both[1]}")
        found.numbers[name] = place
        if name != key:
            found.quanto.add(name)


def _check_format(name: str, place: TensorLocation, found: _SortedTensors) -> None:
    where, dtype, scale = place.file.path.name, place.held.dtype, found.scales.get(name)
    needs_scale = name in found.quanto or (found.marked and dtype in FLOAT8)
    if needs_scale and scale is None:
        raise ModelError(f"{where} has no scale for {name}", hint="get the file again, it is not whole")
    known = dtype in PLAIN or GGUF_BLOCKS.fullmatch(dtype) or (name in found.quanto and dtype == "I8")
    if not known:
        raise ModelError(f"{where}: {place.key} holds {dtype} numbers, which are not read")
    if scale is not None and not _broadcasts(scale.held.shape, place.held.shape):
        raise ModelError(f"{where}: {scale.key} is {[*scale.held.shape]} for {[*place.held.shape]}")


def _broadcasts(scale: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    if len(scale) == 1 and scale[0] > 1:
        return scale[0] == shape[0]
    return len(scale) <= len(shape) and all(
        side in (1, whole) for side, whole in zip(reversed(scale), reversed(shape), strict=False)
    )


def _check_comfy(place: TensorLocation) -> None:
    text = bytes(place.tensor().to(torch.uint8).tolist())
    try:
        name = json.loads(text).get("format")
    except (ValueError, AttributeError):
        name = None
    if name not in FORMATS:
        layer = place.key.removesuffix(".comfy_quant")
        raise ModelError(
            f"{place.file.path.name}: {layer} is quantised as {name}, which is not read",
            hint="take the fp8, bf16 or GGUF file of this model",
        )
