"""Read the header of a safetensors file, without torch."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from wangp_cli.files import strict_json

MAX_BYTES = 100 << 20
"""Largest header that the format allows."""


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header as JSON data, and the offset in bytes at which the tensors begin.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file has no valid header.
    """
    with path.open("rb") as file:
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
    return header, 8 + length
