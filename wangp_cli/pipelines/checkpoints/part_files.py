"""The files of one part of a checkpoint in diffusers layout."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import TYPE_CHECKING

from wangp_cli.errors import ModelError
from wangp_cli.files.shard_index import INDEX_ENDING
from wangp_cli.pipelines.checkpoints.foreign_code import FETCH, read_json, read_shards

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HASHED_BYTES = 64 << 20
"""`identity` takes the content of files up to this size, and path, size and time of larger ones."""
CONTENT_NAME = re.compile(r"[0-9a-f]{64}")
INTEGER_KEYS = ("position_ids", "num_batches_tracked")
"""Ends of keys of buffers of whole numbers, which transformers ignores."""


def tensor_files(folder: Path) -> list[Path]:
    """The safetensors files of a part.

    Raises:
        ModelError: there are none, or their index is broken.
    """
    if indexes := sorted(folder.glob(f"*.safetensors{INDEX_ENDING}")):
        return read_shards(indexes[0])
    if files := sorted(folder.glob("*.safetensors")):
        return files
    raise ModelError(f"{folder} has no safetensors file", hint=FETCH)


def check_any(folder: Path, names: Sequence[str]) -> None:
    """Check that a folder has one of these files.

    Raises:
        ModelError: names the first of them.
    """
    if not any((folder / name).is_file() for name in names):
        raise ModelError(f"{folder / names[0]} is missing", hint=FETCH)


def check_weights(file: Path) -> None:
    """Check the header of a weight file, whose tensors the libraries cast without a scale.

    Raises:
        ModelError: the file is missing or truncated, or a tensor is quantised.
    """
    # Imported here because only loading and checks need torch.
    from wangp_cli.pipelines.checkpoints.files import open_weights
    from wangp_cli.pipelines.checkpoints.quantization_formats import UNSCALED

    for key, info in open_weights(file).tensor_info.items():
        if info.dtype not in UNSCALED and math.prod(info.shape) > 1 and not key.endswith(INTEGER_KEYS):
            raise ModelError(
                f"{file}: {key} has dtype {info.dtype}, which is not supported in diffusers layout",
                hint="use weights in bf16, fp16 or fp32",
            )


def identity(file: Path) -> bytes:
    """Content of a small file or its checksum; path, size and time of a large one."""
    real = file.resolve()
    if CONTENT_NAME.fullmatch(real.name):
        return real.name.encode()
    if file.suffix == ".json" and (data := read_json(file)):
        # The versions and paths of the library that wrote the file do not change its meaning.
        kept = {key: data[key] for key in sorted(data) if not key.startswith(("_", "transformers_version"))}
        return json.dumps(kept, sort_keys=True).encode()
    if (facts := real.stat()).st_size <= HASHED_BYTES:
        return hashlib.sha256(real.read_bytes()).hexdigest().encode()
    return f"{real} {facts.st_size} {facts.st_mtime_ns}".encode()
