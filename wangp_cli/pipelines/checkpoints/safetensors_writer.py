"""Write safetensors files tensor by tensor, so that a network larger than memory can be written."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from wangp_cli.files.atomic import open_atomic, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

ALIGNMENT = 64
"""Bytes; tensors whose offset is a multiple of it are as fast in a memory-mapped file as in memory."""
SHARD_BYTES = 5_000_000_000
DTYPE_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
GetTensor = Callable[[str], torch.Tensor]


@dataclass(frozen=True)
class TensorSpec:
    """Dtype and shape of a tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * int(self.dtype.itemsize)


def total_bytes(specs: Mapping[str, TensorSpec]) -> int:
    """Size of all these tensors in bytes."""
    return sum(spec.size for spec in specs.values())


def write_part(
    folder: Path, stem: str, specs: Mapping[str, TensorSpec], tensor: GetTensor, report: Callable[[int], None]
) -> None:
    """Write the tensors of a part into a folder, in shards with the file names of diffusers and transformers.

    Complete shards of an interrupted call are kept.

    Args:
        folder: folder of the part.
        stem: file name without shard number and suffix.
        specs: dtype and shape of the tensors by name.
        tensor: gives a tensor by its name; it must match its spec.
        report: called with the bytes written so far, after each tensor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = _shards(specs)
    count, done = len(shards), 0
    names = [
        f"{stem}.safetensors" if count == 1 else f"{stem}-{index + 1:05}-of-{count:05}.safetensors"
        for index in range(count)
    ]
    for name, shard in zip(names, shards, strict=True):
        write_file(folder / name, shard, tensor, lambda size, done=done: report(done + size), resume=True)  # type: ignore[misc]
        done += total_bytes(shard)
        report(done)
    if count > 1:
        weight_map = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        index = {
            "metadata": {"total_size": total_bytes(specs)},
            "weight_map": dict(sorted(weight_map.items())),
        }
        write_atomic(folder / f"{stem}.safetensors.index.json", json.dumps(index, indent=2))


def _shards(specs: Mapping[str, TensorSpec]) -> list[dict[str, TensorSpec]]:
    """Split tensors into files of at most `SHARD_BYTES`."""
    shards: list[dict[str, TensorSpec]] = [{}]
    for name, spec in specs.items():
        if shards[-1] and total_bytes(shards[-1]) + spec.size > SHARD_BYTES:
            shards.append({})
        shards[-1][name] = spec
    return shards


def _alignment_of(size: int) -> int:
    """The largest power of two, up to `ALIGNMENT`, that divides a size.

    Tensors in falling order of it all begin at a multiple of their own alignment.
    """
    return min(size & -size, ALIGNMENT)


def write_file(
    path: Path,
    specs: Mapping[str, TensorSpec],
    tensor: GetTensor,
    report: Callable[[int], None],
    *,
    resume: bool = False,
) -> None:
    """Write tensors into one file, sorted so that offsets are aligned.

    Args:
        path: the file.
        specs: dtype and shape of the tensors by name.
        tensor: gives a tensor by its name; it must match its spec.
        report: called with the bytes written so far, after each tensor.
        resume: keep a complete file of the same keys, dtypes and shapes.
    """
    specs = dict(sorted(specs.items(), key=lambda item: -_alignment_of(item[1].size)))
    header = _header(specs)
    if resume and _complete(path, header, total_bytes(specs)):
        return
    with open_atomic(path) as file:
        file.write(header)
        done = 0
        for name, spec in specs.items():
            value = tensor(name)
            if (value.dtype, tuple(value.shape)) != (spec.dtype, spec.shape):
                raise ValueError(f"{name} is {value.dtype} {tuple(value.shape)}, expected {spec}")
            file.write(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
            done += spec.size
            report(done)


def _complete(path: Path, header: bytes, size: int) -> bool:
    if not path.is_file() or path.stat().st_size != len(header) + size:
        return False
    with path.open("rb") as file:
        return file.read(len(header)) == header


def _header(specs: Mapping[str, TensorSpec]) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, spec in specs.items():
        end = start + spec.size
        entries[name] = {"dtype": DTYPE_NAMES[spec.dtype], "shape": spec.shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    return struct.pack("<Q", len(text)) + text
