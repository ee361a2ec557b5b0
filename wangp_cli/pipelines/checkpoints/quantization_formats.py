"""Dequantise the parameters of weight files: plain dtypes, GGUF blocks, scaled fp8, scaled int8."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.key_names import ACTIVATION_SCALES, WEIGHT_SCALES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wangp_cli.pipelines.checkpoints.files import TensorInfo, WeightFile
    from wangp_cli.pipelines.checkpoints.key_names import KeyNames

FLOAT8 = ("F8_E4M3", "F8_E5M2")
UNSCALED = ("F64", "F32", "F16", "BF16", *FLOAT8)
GGUF_BLOCKS = re.compile(r"(I?Q\d\w*|TQ\d_\d|MXFP4|NVFP4)")
SCALE = re.compile(rf"^(.*)\.(?:{'|'.join(WEIGHT_SCALES)})$")
COMFY_FORMATS = re.compile(r"float8_e(4m3fn|5m2)(_rowwise)?|int8_(tensorwise|rowwise)")
COMFY_KEYS = ("format", "per_row", "full_precision_matrix_mult", "orig_dtype")
"""Keys of a `comfy_quant` description that do not change what the stored numbers mean."""
COMFY_BYTES = 4096
"""Longest `comfy_quant` description."""


@dataclass(frozen=True)
class TensorLocation:
    """One tensor in a file."""

    file: WeightFile
    key: str

    @property
    def info(self) -> TensorInfo:
        """Its dtype and shape, from the header."""
        return self.file.tensor_info[self.key]

    def tensor(self) -> torch.Tensor:
        """The tensor, read from the file."""
        return self.file.tensor(self.key)


@dataclass(frozen=True)
class StoredParameter:
    """A parameter as stored: quantised values with their scale, or one half of a fused tensor.

    Args:
        values: the stored tensor.
        scale: what to multiply it by, one number or one for each row; None if it is not quantised.
        half: 0 or 1 of a fused tensor, None for the whole tensor.
    """

    values: TensorLocation
    scale: TensorLocation | None = None
    half: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter."""
        rows, *rest = self.values.info.shape or (1,)
        return self.values.info.shape if self.half is None else (rows // 2, *rest)

    def tensor(self) -> torch.Tensor:
        """The parameter, dequantised to float32, or in the file's dtype if it has no scale."""
        whole = self._whole()
        return whole if self.half is None else whole.chunk(2)[self.half]

    def _whole(self) -> torch.Tensor:
        values = self.values.tensor()
        if self.scale is None:
            return values
        scale = self.scale.tensor().float()
        if scale.ndim == 1 and scale.numel() > 1:  # One scale for each row.
            scale = scale.reshape(-1, *[1] * (values.ndim - 1))
        return values.float() * scale


@dataclass
class _SortedTensors:
    """The tensors of files by role.

    Args:
        values: stored parameters by name.
        quanto: names of those in quanto's layout.
        scales: weight scales by the name of their parameter.
        marked: a file has the key `scaled_fp8`, so every fp8 parameter needs a scale.
    """

    values: dict[str, TensorLocation] = field(default_factory=dict)
    quanto: set[str] = field(default_factory=set)
    scales: dict[str, TensorLocation] = field(default_factory=dict)
    marked: bool = False


def parameters(files: Sequence[WeightFile], names: KeyNames) -> dict[str, StoredParameter]:
    """The parameters in these files by their names in the files, without prefixes.

    Raises:
        ModelError: a key is in two files, a scale is missing or belongs to no parameter, or a dtype or
            quantisation format is not supported.
    """
    tensors = _SortedTensors()
    for file in files:
        for key in file.tensor_info:
            _sort(TensorLocation(file, key), tensors, names)
    for name, location in tensors.values.items():
        _check_format(name, location, tensors)
    if unused := sorted(set(tensors.scales) - set(tensors.values)):
        scale = tensors.scales[unused[0]]
        raise ModelError(f"{scale.file.path.name}: {scale.key} scales nothing")
    return {
        own: StoredParameter(location, tensors.scales.get(name), half)
        for name, location in tensors.values.items()
        for own, half in names.split(name)
    }


def _sort(location: TensorLocation, tensors: _SortedTensors, names: KeyNames) -> None:
    key = names.bare(location.key)
    if key == "scaled_fp8":
        tensors.marked = True
    elif key.endswith(".comfy_quant"):
        _check_comfy(location)
    elif key.endswith(tuple(f".{end}" for end in ACTIVATION_SCALES)) or names.is_constant(key):
        pass
    elif match := SCALE.match(key):
        tensors.scales[f"{match[1]}.weight"] = location
    elif key.endswith("._scale"):
        tensors.scales[key.removesuffix("._scale")] = location
    else:
        name = key.removesuffix("._data")
        if name in tensors.values:
            both = tensors.values[name].file.path.name, location.file.path.name
            raise ModelError(f"{name} is twice in the weights, in {both[0]} and {both[1]}")
        tensors.values[name] = location
        if name != key:
            tensors.quanto.add(name)


def _check_format(name: str, location: TensorLocation, tensors: _SortedTensors) -> None:
    file, info, scale = location.file.path.name, location.info, tensors.scales.get(name)
    quanto = name in tensors.quanto
    needs_scale = quanto or (tensors.marked and info.dtype in FLOAT8)
    if needs_scale and scale is None:
        raise ModelError(f"{file} has no scale for {name}", hint="get the file again, it is incomplete")
    if not (
        info.dtype in UNSCALED
        or GGUF_BLOCKS.fullmatch(info.dtype)
        or (info.dtype == "I8" and scale is not None)
        # A number is no quantised weight: a marker of the tool that wrote the file, or the alpha of a LoRA.
        or math.prod(info.shape) <= 1
    ):
        raise ModelError(f"{file}: {location.key} has dtype {info.dtype}, which is not supported")
    if scale is not None and not _broadcasts(scale.info.shape, info.shape):
        raise ModelError(f"{file}: {scale.key} is {[*scale.info.shape]} for {[*info.shape]}")


def _broadcasts(scale: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a scale has one number for each row, or broadcasts to the shape."""
    if len(scale) == 1 and scale[0] > 1:
        return scale[0] == shape[0]
    return len(scale) <= len(shape) and all(
        side in (1, whole) for side, whole in zip(reversed(scale), reversed(shape), strict=False)
    )


def _check_comfy(location: TensorLocation) -> None:
    """Refuse a layer whose `comfy_quant` tensor, JSON as bytes, describes an unsupported format."""
    if math.prod(location.info.shape) > COMFY_BYTES:
        raise ModelError(f"{location.file.path.name}: {location.key} is too long")
    text = bytes(location.tensor().to(torch.uint8).flatten().tolist())
    try:
        description = json.loads(text)
        name = str(description.get("format"))
        other = [key for key, value in description.items() if value and key not in COMFY_KEYS]
    except (ValueError, AttributeError, RecursionError):
        name, other = "unknown", []
    if other or not COMFY_FORMATS.fullmatch(name):
        layer = location.key.removesuffix(".comfy_quant")
        raise ModelError(
            f"{location.file.path.name}: {layer} is quantised as {' with '.join([name, *other])}, "
            "which is not supported",
            hint="use the fp8, bf16 or GGUF file of this model",
        )
