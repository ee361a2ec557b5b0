"""Read the index of weights in several files: `*.safetensors.index.json` of diffusers and transformers."""

from __future__ import annotations

import re
from pathlib import Path

from wangp_cli.files import strict_json

INDEX_ENDING = ".index.json"
MAX_BYTES = 100 << 20
"""Longest index."""
HUB_BLOB = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""Names of files in the folder `blobs` of a hub cache, to which the files of its snapshots link."""


def shards_of(index: Path) -> list[Path]:
    """The files that an index names, sorted; some may not exist.

    Raises:
        OSError: the index cannot be read.
        ValueError: it is damaged, or names a file outside its folder.
    """
    data = strict_json.loads(index.read_bytes(), limit=MAX_BYTES)
    names = data.get("weight_map") if isinstance(data, dict) else None
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise ValueError("it has no weight_map with the file of each tensor")
    return [_shard(index.parent, name) for name in sorted(set(names.values()))]


def _shard(folder: Path, name: str) -> Path:
    """A file of a folder.

    Raises:
        ValueError: the name leads out of the folder, itself or by a link.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name or not name.isprintable():
        raise ValueError(f"it names {name[:100]!r}, which is no file of its folder")
    path, real = folder / name, (folder / name).resolve()
    is_blob = real.parent.name == "blobs" and HUB_BLOB.fullmatch(real.name)
    if not real.is_relative_to(folder.resolve()) and not is_blob:
        raise ValueError(f"{name} links to a file outside its folder")
    return path
