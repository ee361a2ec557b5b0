"""PNG files with chunks that Pillow does not write."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path


def with_chunk(path: Path, name: bytes, content: bytes) -> Path:
    """A PNG with one more chunk after its header."""
    data = path.read_bytes()
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    path.write_bytes(data[:33] + chunk + data[33:])
    return path
