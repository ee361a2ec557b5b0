"""Read the headers and single tensors of weight files: safetensors, GGUF and pickles."""

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
"""Keys of a pickle under which training tools nest the state dict."""


@dataclass(frozen=True)
class TensorInfo:
    """Shape and dtype of a tensor; the dtype by its name in safetensors or GGUF, such as BF16 or Q8_0."""

    dtype: str
    shape: tuple[int, ...]


class WeightFile(ABC):
    """An open file of named tensors.

    Args:
        path: the file.
        tensor_info: dtype and shape of its tensors by key.
    """

    def __init__(self, path: Path, tensor_info: Mapping[str, TensorInfo]) -> None:
        self.path = path
        self.tensor_info = tensor_info

    @abstractmethod
    def tensor(self, key: str) -> torch.Tensor:
        """One tensor in the dtype of the file; GGUF blocks are dequantised to float32."""


def open_weights(path: Path, *, allow_pickle: bool = False) -> WeightFile:
    """Open a file and read its header.

    Raises:
        ModelError: it is missing, broken, or of an unsupported format.
    """
    kind = path.suffix.lower()
    if kind in PICKLES and not allow_pickle:
        raise ModelError(
            f"{path} is a pickle, which can contain code", hint="--allow-pickle, or a safetensors file"
        )
    with _read_errors(path):
        if kind in SAFETENSORS:
            return _Safetensors(path)
        if kind in GGUF:
            return _Gguf(path)
        if kind in PICKLES:
            return _Pickle(path)
    raise ModelError(f"{path} is not a weight file of a supported format: .safetensors, .sft or .gguf")


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """A context that turns errors of the readers into `ModelError`."""
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
        self._file = _open_safetensors(path)
        slices = {key: self._file.get_slice(key) for key in self._file.keys()}  # noqa: SIM118 - not a dict
        tensor_info = {
            key: TensorInfo(part.get_dtype(), tuple(part.get_shape())) for key, part in slices.items()
        }
        super().__init__(path, tensor_info)

    def tensor(self, key: str) -> torch.Tensor:
        tensor: torch.Tensor = self._file.get_tensor(key)
        return tensor


def _open_safetensors(path: Path) -> Any:
    return safe_open(path, framework="pt")


class _Gguf(WeightFile):
    """GGUF stores shapes in reverse order, and those with more than four axes in a metadata field."""

    def __init__(self, path: Path) -> None:
        from gguf import GGUFReader

        reader = GGUFReader(path)
        self._tensors: dict[str, Any] = {str(tensor.name): tensor for tensor in reader.tensors}
        tensor_info = {}
        for key, tensor in self._tensors.items():
            shape = reader.get_field(f"comfy.gguf.orig_shape.{key}")
            sides = shape.contents() if shape else reversed(tensor.shape.tolist())
            tensor_info[key] = TensorInfo(tensor.tensor_type.name, tuple(int(side) for side in sides))
        super().__init__(path, tensor_info)

    def tensor(self, key: str) -> torch.Tensor:
        from gguf.quants import dequantize

        tensor = self._tensors[key]
        with _read_errors(self.path):
            try:
                values = dequantize(tensor.data, tensor.tensor_type)
            except NotImplementedError:
                kind = tensor.tensor_type.name
                raise ModelError(f"{self.path}: {key} is of type {kind}, which is not supported") from None
            return torch.from_numpy(values.copy()).reshape(self.tensor_info[key].shape)


class _Pickle(WeightFile):
    """Loaded by torch with `weights_only`, which allows tensors and plain containers but no code."""

    def __init__(self, path: Path) -> None:
        data = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        while isinstance(data, dict) and (inner := next((key for key in WRAPPERS if key in data), None)):
            data = data[inner]
        if not isinstance(data, dict) or not all(isinstance(value, torch.Tensor) for value in data.values()):
            raise TypeError("it does not hold tensors by name")
        self._tensors: dict[str, torch.Tensor] = data
        tensor_info = {
            key: TensorInfo(_dtype_name(value.dtype), tuple(value.shape)) for key, value in data.items()
        }
        super().__init__(path, tensor_info)

    def tensor(self, key: str) -> torch.Tensor:
        return self._tensors[key]


def _dtype_name(dtype: torch.dtype) -> str:
    names = {torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.bfloat16: "BF16"}
    return names.get(dtype) or str(dtype).removeprefix("torch.").replace("float", "F").replace("int", "I")
