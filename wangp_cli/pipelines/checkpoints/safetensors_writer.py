"""Writing safetensors files tensor by tensor, so that a network need not fit into memory to be written."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

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
class Form:
    """Number format and shape of a tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * int(self.dtype.itemsize)


def total(forms: Mapping[str, Form]) -> int:
    """Bytes of all these tensors."""
    return sum(form.size for form in forms.values())


def write_part(
    folder: Path, stem: str, forms: Mapping[str, Form], tensor: Tensors, report: Callable[[int], None]
) -> None:
    """Write the tensors of a part into a folder, in shards as diffusers and transformers name them.

    Shards that an interrupted call left are kept if they hold what they should.

    Args:
        folder: of the part.
        stem: of the files' names.
        forms: what to write.
        tensor: gives a tensor by its name, in that form.
        report: told how many bytes are written, after each tensor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = _shards(forms)
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
        index = {"metadata": {"total_size": total(forms)}, "weight_map": dict(sorted(of.items()))}
        (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")


def _shards(forms: Mapping[str, Form]) -> list[dict[str, Form]]:
    shards: list[dict[str, Form]] = [{}]
    for name, form in forms.items():
        if shards[-1] and total(shards[-1]) + form.size > SHARD_BYTES:
            shards.append({})
        shards[-1][name] = form
    return [dict(sorted(shard.items(), key=lambda item: -_divisor(item[1].size))) for shard in shards]


def _divisor(size: int) -> int:
    """The largest power of two that divides a size, up to the alignment; falling, it aligns what follows."""
    return min(size & -size, ALIGNMENT)


def _write(path: Path, forms: Mapping[str, Form], tensor: Tensors, report: Callable[[int], None]) -> None:
    header = _header(forms)
    if _complete(path, header, total(forms)):
        return
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(header)
        done = 0
        for name, form in forms.items():
            value = tensor(name)
            if (value.dtype, tuple(value.shape)) != (form.dtype, form.shape):
                raise ValueError(f"{name} is {value.dtype} {tuple(value.shape)}, wanted {form}")
            file.write(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
            done += form.size
            report(done)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _complete(path: Path, header: bytes, size: int) -> bool:
    if not path.is_file() or path.stat().st_size != len(header) + size:
        return False
    with path.open("rb") as file:
        return file.read(len(header)) == header


def _header(forms: Mapping[str, Form]) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, form in forms.items():
        end = start + form.size
        entries[name] = {"dtype": NAMES[form.dtype], "shape": form.shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    return struct.pack("<Q", len(text)) + text
