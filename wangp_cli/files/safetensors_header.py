"""Read the header of a safetensors file, without torch."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from wangp_cli.files import strict_json
from wangp_cli.files.open_input import open_input

METADATA = "__metadata__"
"""The entry of the header that is no tensor."""
MAX_BYTES = 100 << 20
"""Largest header that the format allows."""


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header as JSON data, and the offset in bytes at which the tensors begin.

    Entries of tensors have a `dtype`, a `shape` and `data_offsets` of whole numbers; metadata are texts.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file has no valid header.
    """
    with open_input(path) as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= MAX_BYTES:
            raise ValueError(f"a header of {length} bytes")
        text = file.read(length)
        if len(text) < length:
            raise ValueError(f"a header of {length} bytes, of which {len(text)} are there")
        header = strict_json.loads(text, limit=MAX_BYTES)
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    for name, entry in header.items():
        if not (_is_metadata(entry) if name == METADATA else _is_tensor(entry)):
            raise ValueError(f"the header has a broken entry {name[:100]!r}")
    return header, 8 + length


def _is_metadata(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(value, str) for value in entry.values())


def _is_tensor(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str):
        return False
    sides, offsets = entry.get("shape"), entry.get("data_offsets")
    if not isinstance(sides, list) or not isinstance(offsets, list) or len(offsets) != 2:
        return False
    return all(type(number) is int and number >= 0 for number in (*sides, *offsets))
