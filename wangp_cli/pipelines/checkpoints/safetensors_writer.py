"""Writing safetensors files tensor by tensor, so that a network need not fit into memory to be written."""

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
"""Bytes: kernels read tensors that begin at a multiple of it as fast from a mapped file as from memory."""
SHARD_BYTES = 5_000_000_000
NAMES = {
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
Tensors = Callable[[str], torch.Tensor]


@dataclass(frozen=True)
class TensorSpec:
    """Dtype and shape of a tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * int(self.dtype.itemsize)


def total(specs: Mapping[str, TensorSpec]) -> int:
    """Bytes of all these tensors."""
    return sum(spec.size for spec in specs.values())


def write_part(
    folder: Path, stem: str, specs: Mapping[str, TensorSpec], tensor: Tensors, report: Callable[[int], None]
) -> None:
    """Write the tensors of a part into a folder, in shards as diffusers and transformers name them.

    Shards that an interrupted call left are kept if they hold what they should.

    Args:
        folder: of the part.
        stem: of the files' names.
        specs: what to write.
        tensor: gives a tensor by its name, in that spec.
        report: told how many bytes are written, after each tensor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = _shards(specs)
    count, done = len(shards), 0
    names = [
        f"{stem}.safetensors" if count == 1 else f"{stem}-{index + 1:05}-of-{count:05}.safetensors"
        for index in range(count)
    ]
    for name, shard in zip(names, shards, strict=True):
        _write(folder / name, shard, tensor, lambda size, done=done: report(done + size))  # type: ignore[misc]
        done += total(shard)
        report(done)
    if count > 1:
        of = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        index = {"metadata": {"total_size": total(specs)}, "weight_map": dict(sorted(of.items()))}
        write_atomic(folder / f"{stem}.safetensors.index.json", json.dumps(index, indent=2))


def _shards(specs: Mapping[str, TensorSpec]) -> list[dict[str, TensorSpec]]:
    shards: list[dict[str, TensorSpec]] = [{}]
    for name, spec in specs.items():
        if shards[-1] and total(shards[-1]) + spec.size > SHARD_BYTES:
            shards.append({})
        shards[-1][name] = spec
    return [dict(sorted(shard.items(), key=lambda item: -_divisor(item[1].size))) for shard in shards]


def _divisor(size: int) -> int:
    """The largest power of two that divides a size, up to the alignment; falling, it aligns what follows."""
    return min(size & -size, ALIGNMENT)


def _write(
    path: Path, specs: Mapping[str, TensorSpec], tensor: Tensors, report: Callable[[int], None]
) -> None:
    header = _header(specs)
    if _complete(path, header, total(specs)):
        return
    with open_atomic(path) as file:
        file.write(header)
        done = 0
        for name, spec in specs.items():
            value = tensor(name)
            if (value.dtype, tuple(value.shape)) != (spec.dtype, spec.shape):
                raise ValueError(f"{name} is {value.dtype} {tuple(value.shape)}, wanted {spec}")
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
        entries[name] = {"dtype": NAMES[spec.dtype], "shape": spec.shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    return struct.pack("<Q", len(text)) + text
