"""Files of weights: their headers, and single tensors from them."""

from __future__ import annotations

import pickle
import struct
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from wangp_cli.errors import ModelError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SAFETENSORS = (".safetensors", ".sft")
GGUF = (".gguf",)
PICKLES = (".pt", ".pth", ".bin", ".ckpt")
WRAPPERS = ("state_dict", "model", "module", "generator_ema", "generator")
"""Keys under which training tools keep the weights of a pickle, instead of at its top."""


@dataclass(frozen=True)
class TensorInfo:
    """Dtype (as safetensors and GGUF name it, such as BF16 or Q8_0) and shape of one tensor."""

    dtype: str
    shape: tuple[int, ...]


class WeightFile(ABC):
    """An open file of named tensors."""

    def __init__(self, path: Path, held: Mapping[str, TensorInfo]) -> None:
        self.path = path
        self.held = held

    @abstractmethod
    def tensor(self, key: str) -> torch.Tensor:
        """One tensor in its own dtype; blocks of GGUF come as float32."""


def open_weights(path: Path, *, allow_pickle: bool = False) -> WeightFile:
    """Open a file and read its header.

    Raises:
        ModelError: it is missing, broken, or of a kind that is not read.
    """
    kind = path.suffix.lower()
    if kind in PICKLES and not allow_pickle:
        raise ModelError(
            f"{path} is a pickle, which can hide programs", hint="--allow-pickle, or a safetensors file"
        )
    with _broken(path):
        if kind in SAFETENSORS:
            return _Safetensors(path)
        if kind in GGUF:
            return _Gguf(path)
        if kind in PICKLES:
            return _Pickle(path)
    raise ModelError(f"{path} is no file of weights that is read: .safetensors, .sft or .gguf")


@contextmanager
def _broken(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ModelError(f"{path} is missing") from None
    except (OSError, SafetensorError, ValueError, KeyError, IndexError, RuntimeError, EOFError) as error:
        raise ModelError(f"{path} is broken: {first_line(error)}", hint="get it again") from error
    except (pickle.UnpicklingError, struct.error, TypeError) as error:
        raise ModelError(f"{path} cannot be read: {first_line(error)}") from error


class _Safetensors(WeightFile):
    def __init__(self, path: Path) -> None:
        self._file = _opened(path)
        slices = {key: self._file.get_slice(key) for key in self._file.keys()}  # noqa: SIM118 - not a dict
        held = {key: TensorInfo(part.get_dtype(), tuple(part.get_shape())) for key, part in slices.items()}
        super().__init__(path, held)

    def tensor(self, key: str) -> torch.Tensor:
        found: torch.Tensor = self._file.get_tensor(key)
        return found


def _opened(path: Path) -> Any:
    return safe_open(path, framework="pt")


class _Gguf(WeightFile):
    """Shapes are written the other way round; those with too many axes are kept beside the tensors."""

    def __init__(self, path: Path) -> None:
        from gguf import GGUFReader

        reader = GGUFReader(path)
        self._tensors: dict[str, Any] = {str(tensor.name): tensor for tensor in reader.tensors}
        held = {}
        for key, tensor in self._tensors.items():
            shape = reader.get_field(f"comfy.gguf.orig_shape.{key}")
            sides = shape.contents() if shape else reversed(tensor.shape.tolist())
            held[key] = TensorInfo(tensor.tensor_type.name, tuple(int(side) for side in sides))
        super().__init__(path, held)

    def tensor(self, key: str) -> torch.Tensor:
        from gguf.quants import dequantize

        tensor = self._tensors[key]
        with _broken(self.path):
            try:
                values = dequantize(tensor.data, tensor.tensor_type)
            except NotImplementedError:
                kind = tensor.tensor_type.name
                raise ModelError(f"{self.path}: {key} is of type {kind}, which is not read") from None
            return torch.from_numpy(values.copy()).reshape(self.held[key].shape)


class _Pickle(WeightFile):
    """Read by torch with `weights_only`: tensors and plain containers, no code."""

    def __init__(self, path: Path) -> None:
        data = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        while isinstance(data, dict) and (inner := next((key for key in WRAPPERS if key in data), None)):
            data = data[inner]
        if not isinstance(data, dict) or not all(isinstance(value, torch.Tensor) for value in data.values()):
            raise TypeError("it does not hold tensors by name")
        self._tensors: dict[str, torch.Tensor] = data
        held = {key: TensorInfo(_name(value.dtype), tuple(value.shape)) for key, value in data.items()}
        super().__init__(path, held)

    def tensor(self, key: str) -> torch.Tensor:
        return self._tensors[key]


def _name(dtype: torch.dtype) -> str:
    names = {torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.bfloat16: "BF16"}
    return names.get(dtype) or str(dtype).removeprefix("torch.").replace("float", "F").replace("int", "I")
