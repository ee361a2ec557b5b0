"""Read the header of a GGUF file; every count and size in it is held to the bytes that are there."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_BYTES = 100 << 20
"""Longest header; that of a large model with its vocabulary has a few megabytes."""
MAX_AXES = 8
ALIGNMENT = "general.alignment"
ORIGINAL_SHAPE = "comfy.gguf.orig_shape."
"""Prefix of fields with the shape of a tensor of more than four axes, which GGUF stores as a matrix."""
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Codes of `struct` by type of value."""
STRING, ARRAY = 8, 9


@dataclass(frozen=True)
class GgufTensor:
    """One tensor of a GGUF file.

    Args:
        type: of its blocks.
        stored_shape: as rows of blocks lie in the file.
        shape: of the parameter.
        offset: of its first byte in the file.
        size: in bytes.
    """

    type: GGMLQuantizationType
    stored_shape: tuple[int, ...]
    shape: tuple[int, ...]
    offset: int
    size: int


def read_header(path: Path) -> dict[str, GgufTensor]:
    """The tensors of a GGUF file by name.

    Raises:
        OSError: the file cannot be read.
        ValueError: the header is damaged, or says more than the file holds.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header = _Cursor(file.read(min(size, MAX_BYTES)))
    if (magic := header.take(4)) != MAGIC:
        raise ValueError(f"it begins with {magic!r}, not with {MAGIC!r}")
    if (version := header.number("I")) not in VERSIONS:
        raise ValueError(f"it has version {version} of the format, {VERSIONS[0]} and {VERSIONS[1]} are read")
    tensor_count, field_count = header.number("Q"), header.number("Q")
    fields = dict(header.field() for _ in range(field_count))
    infos = [header.tensor_info() for _ in range(tensor_count)]
    [alignment] = fields.get(ALIGNMENT) or [32]
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise ValueError(f"it has an alignment of {alignment} bytes")
    start = -(-header.position // alignment) * alignment
    tensors: dict[str, GgufTensor] = {}
    for name, sides, kind, offset in infos:
        if name in tensors:
            raise ValueError(f"it holds {name!r} twice")
        tensors[name] = tensor = _tensor(name, sides, kind, start + offset, fields.get(ORIGINAL_SHAPE + name))
        if tensor.offset + tensor.size > size:
            raise ValueError(f"it has {size} bytes, {name!r} ends at {tensor.offset + tensor.size}")
    return tensors


def _tensor(
    name: str, sides: tuple[int, ...], kind: int, offset: int, original: list[int | float] | None
) -> GgufTensor:
    try:
        type_ = GGMLQuantizationType(kind)
    except ValueError:
        raise ValueError(f"{name!r} is of the unknown type {kind}") from None
    block, block_bytes = GGML_QUANT_SIZES[type_]
    stored = tuple(reversed(sides)) or (1,)
    if stored[-1] % block:
        raise ValueError(f"{name!r} has rows of {stored[-1]}, which blocks of {block} do not divide")
    shape = tuple(int(side) for side in original) if original else tuple(reversed(sides))
    if min(shape, default=1) < 0 or math.prod(shape) != math.prod(stored):
        raise ValueError(f"{name!r} is {[*stored]}, which does not make {[*shape]}")
    return GgufTensor(type_, stored, shape, offset, math.prod(stored) // block * block_bytes)


class _Cursor:
    """A position in the bytes of a header."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            ValueError: there are not so many.
        """
        if count > len(self._data) - self.position:
            raise ValueError("its header wants more bytes than there are")
        self.position += count
        return self._data[self.position - count : self.position]

    def number(self, code: str) -> int:
        """The next number, of a type of `struct`."""
        value: int = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]
        return value

    def text(self) -> str:
        """The next string."""
        return self.take(self.number("Q")).decode("utf-8")

    def field(self) -> tuple[str, list[int | float]]:
        """The key and the numbers of the next field; those of a field of strings are left out."""
        key, kind = self.text(), self.number("I")
        count = 1
        if kind == ARRAY:
            kind, count = self.number("I"), self.number("Q")
        if kind == STRING:
            for _ in range(count):
                self.take(self.number("Q"))
            return key, []
        if kind not in NUMBERS:
            raise ValueError(f"the field {key[:100]!r} is of the unknown type {kind}")
        size = struct.calcsize(f"<{NUMBERS[kind]}")
        data = self.take(count * size)
        return key, [value for (value,) in struct.iter_unpack(f"<{NUMBERS[kind]}", data)]

    def tensor_info(self) -> tuple[str, tuple[int, ...], int, int]:
        """Name, sides, type and offset of the next tensor."""
        name, axes = self.text(), self.number("I")
        if axes > MAX_AXES:
            raise ValueError(f"{name[:100]!r} has {axes} axes")
        sides = tuple(self.number("Q") for _ in range(axes))
        return name, sides, self.number("I"), self.number("Q")
