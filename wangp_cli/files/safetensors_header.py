"""What a safetensors file says at its beginning, read without the library for its tensors."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from wangp_cli.files import strict_json

MOST_BYTES = 100 << 20
"""The format's own limit."""


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header, and how many bytes of the file stand before the tensors.

    Raises:
        OSError: the file cannot be read.
        ValueError: it begins with no header.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= MOST_BYTES:
            raise ValueError(f"a header of {length} bytes")
        header = strict_json.loads(file.read(length), limit=MOST_BYTES)
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    return header, 8 + length
