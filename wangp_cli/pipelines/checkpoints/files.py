"""Read the headers and single tensors of weight files: safetensors, GGUF and pickles."""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from wangp_cli.errors import ModelError, first_line
from wangp_cli.files.comfyui import describe_file
from wangp_cli.files.shard_index import INDEX_ENDING, shards_of
from wangp_cli.pipelines.checkpoints import gguf_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SAFETENSORS = (".safetensors", ".sft")
GGUF = (".gguf",)
PICKLES = (".pt", ".pth", ".pkl", ".bin", ".ckpt")
WRAPPERS = ("state_dict", "model", "module", "generator_ema", "generator", "params_ema", "params")
"""Keys of a pickle under which training tools nest the state dict."""
SHARD = re.compile(r"-\d+-of-\d+\.")
"""In names of files that hold one network together."""
OTHER_PARTS = {
    "a VAE": ("first_stage_model.", "vae."),
    "a text encoder": ("cond_stage_model.", "conditioner.", "text_encoder", "text_encoders.", "text_model."),
    "an image encoder": ("clip_vision", "image_encoder.", "cond_stage_model.clip_vision."),
}
"""Beginnings of keys in all-in-one files, by the part that they are of."""


READ_ERRORS = (
    OSError,
    SafetensorError,
    LookupError,
    ValueError,
    RuntimeError,
    EOFError,
    AssertionError,
    AttributeError,
    OverflowError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
)
"""What libraries raise for damaged files; `RecursionError` is a `RuntimeError`."""


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
    if path.exists() and not path.is_file():  # Opening a pipe would wait for its writer.
        raise ModelError(f"{path} is not a file")
    if kind in PICKLES and path.exists() and not allow_pickle:
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
    raise ModelError(
        f"{path} is not a weight file of a supported format: .safetensors, .sft or .gguf"
        + (f"; it is {found}" if (found := describe_file(path)) else ""),
        hint="unpack it, and name the weight file in it" if kind == ".zip" else None,
    )


def first_not_finite(path: Path, *, allow_pickle: bool = False) -> str | None:
    """The key of the first tensor of a file that has infinite values or NaN; reads the whole file.

    Raises:
        ModelError: as for `open_weights`.
    """
    file = open_weights(path, allow_pickle=allow_pickle)
    return next((key for key in file.tensor_info if not torch.isfinite(file.tensor(key).float()).all()), None)


def open_network(paths: Sequence[Path], *, allow_pickle: bool = False) -> list[WeightFile]:
    """Open the files of one network.

    Raises:
        ModelError: a file is missing, broken, of an unsupported format, or holds other networks too.
    """
    opened = [open_weights(path, allow_pickle=allow_pickle) for path in paths]
    for file in opened:
        found = {
            part for key in file.tensor_info for part, start in OTHER_PARTS.items() if key.startswith(start)
        }
        if found:
            raise ModelError(
                f"{file.path.name} is an all-in-one file: it also holds {' and '.join(sorted(found))}",
                hint="use a file of the transformer alone, and --like MODEL for the other parts",
            )
    return opened


def weight_files(path: Path) -> list[Path]:
    """The weight files under a path: a file, an index of several, or a folder of files of one network.

    Raises:
        ModelError: an index is broken, or a folder holds no weights, or those of several networks.
    """
    if path.name.endswith(INDEX_ENDING):
        with _read_errors(path):
            return shards_of(path)
    if not path.is_dir():
        return [path]
    if (path / "model_index.json").is_file():
        raise ModelError(
            f"{path} is a model in diffusers layout, not the files of a transformer",
            hint="name its folder in a catalogue entry (docs/MODELS.md), or its folder `transformer` here",
        )
    if len(indexes := sorted(path.glob(f"*{INDEX_ENDING}"))) == 1:
        return weight_files(indexes[0])
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in (*SAFETENSORS, *GGUF))
    if not files:
        raise ModelError(f"{path} has no weight file, such as .safetensors or .gguf")
    if len(files) > 1 and not all(SHARD.search(file.name) for file in files):
        listed = ", ".join(file.name for file in files[:8])
        raise ModelError(f"{path} has several weight files, name those of one transformer: {listed}")
    return files


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """A context that turns errors of the readers into `ModelError`."""
    try:
        yield
    except FileNotFoundError:
        raise ModelError(f"{path} is missing") from None
    except READ_ERRORS as error:
        raise ModelError(f"{path} is broken: {first_line(error)}", hint="get it again") from error
    except (pickle.UnpicklingError, TypeError) as error:
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
    def __init__(self, path: Path) -> None:
        self._tensors = gguf_header.read_header(path)
        self._data = np.memmap(path, mode="r")
        super().__init__(
            path, {key: TensorInfo(tensor.type.name, tensor.shape) for key, tensor in self._tensors.items()}
        )

    def tensor(self, key: str) -> torch.Tensor:
        from gguf.quants import dequantize, quant_shape_to_byte_shape

        tensor = self._tensors[key]
        data = self._data[tensor.offset : tensor.offset + tensor.size]
        with _read_errors(self.path):
            try:
                values = dequantize(
                    data.reshape(quant_shape_to_byte_shape(tensor.stored_shape, tensor.type)), tensor.type
                )
            except NotImplementedError:
                kind = tensor.type.name
                raise ModelError(f"{self.path}: {key} is of type {kind}, which is not supported") from None
            return torch.from_numpy(values.copy()).reshape(tensor.shape)


class _Pickle(WeightFile):
    """Loaded by torch with `weights_only`, which allows tensors and plain containers but no code."""

    def __init__(self, path: Path) -> None:
        # Files of PyTorch before 1.6 are no archives, and cannot be mapped.
        data = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        for _ in WRAPPERS:
            if isinstance(data, dict) and (inner := next((key for key in WRAPPERS if key in data), None)):
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
