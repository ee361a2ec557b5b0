"""Files of latents with any request."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any


def file_of(path: Path, header: Any) -> Path:
    """A safetensors file of a header alone."""
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    return path


def latents_of(folder: Path, **request: Any) -> Path:
    """A file of no latents, with a request."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"wangp": json.dumps({"type": "generate", "seed": 7} | request)}
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    return file_of(folder / "a-1.safetensors", {"__metadata__": metadata, "latents": entry})
