"""Writing a model in diffusers layout: from other layouts, or in the dtype it will run in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from wangp_cli.errors import ModelError
from wangp_cli.files.atomic import write_atomic
from wangp_cli.files.atomic_folder import atomic_folder
from wangp_cli.files.folders import check_free_space
from wangp_cli.pipelines.base import TRANSFORMERS, Weights
from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles
from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint
from wangp_cli.pipelines.checkpoints.files import open_weights
from wangp_cli.pipelines.checkpoints.network_classes import network_class
from wangp_cli.pipelines.checkpoints.safetensors_writer import Tensors, TensorSpec, total, write_part

MARKER = "rewritten.json"
COMPUTED = (*TRANSFORMERS, "text_encoder")
"""Parts in the placement's dtype; all others are in float32."""
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A part whose weights are written, not copied."""

    name: str
    stem: str
    specs: dict[str, TensorSpec]
    tensor: Tensors
    configure: Callable[[Path], None]


def rewrite(
    place: Weights,
    target: Path,
    dtype: torch.dtype,
    report: Callable[[str, int, int], None],
    *,
    of: str,
    may_replace: Callable[[Path], bool],
    everything: bool = False,
) -> None:
    """Write a model in diffusers layout; after an interruption, the same call goes on where it stopped.

    Args:
        place: the model.
        target: the folder to write; it appears when it is whole.
        dtype: of the transformers and the text encoder.
        report: told the part, and how many bytes of how many are written.
        of: tells this state of the weights from others; what was begun of another is removed.
        may_replace: asked at the end whether a folder that is at `target` may be removed.
        everything: write every part's weights anew, ready to be mapped; else those are copied that are in the
            layout already.

    Raises:
        ModelError: the weights cannot be read, or do not fit their network.
        NoSpaceError: the disk is too small.
        ConflictError: something that may not be replaced is at `target`.
    """
    checkpoint = Checkpoint(place)
    names = [name for name, kind in checkpoint.index.items() if isinstance(kind, list) and kind[:1] != [None]]
    written = [
        part for name in names if (part := _part(checkpoint, place, name, dtype, everything=everything))
    ]
    copied = [name for name in names if name not in {part.name for part in written}]
    whole = sum(total(part.specs) for part in written) + sum(_size(place.folder / name) for name in copied)
    content = json.dumps({"of": of, "dtype": str(dtype).removeprefix("torch.")})
    with atomic_folder(target, marker=MARKER, content=content, may_replace=may_replace) as partial:
        check_free_space(partial, whole - _size(partial))
        done = 0
        for part in written:
            part.configure(partial / part.name)

            def tell(size: int, name: str = part.name, done: int = done) -> None:
                report(name, done + size, whole)

            write_part(partial / part.name, part.stem, part.specs, part.tensor, tell)
            done += total(part.specs)
        for name in copied:
            shutil.copytree(place.folder / name, partial / name, dirs_exist_ok=True)
            done += _size(place.folder / name)
            report(name, done, whole)
        write_atomic(partial / "model_index.json", json.dumps(checkpoint.index, indent=2))
        if not everything:
            (partial / MARKER).unlink()


def _part(
    checkpoint: Checkpoint, place: Weights, name: str, dtype: torch.dtype, *, everything: bool
) -> _Part | None:
    """How a part is written; None if it is copied."""
    files = dict(place.files).get(name)
    if files and place.network:
        return _assembled(
            name, TransformerFiles(place.network, files, allow_pickle=place.allow_pickle), dtype
        )
    if everything and any((checkpoint.folder / name).glob("*.safetensors")):
        return _cast(checkpoint, name, dtype if name in COMPUTED else torch.float32)
    return None


def _assembled(name: str, assembly: TransformerFiles, dtype: torch.dtype) -> _Part:
    specs = {key: TensorSpec(assembly.dtype(key, dtype), shape) for key, shape in assembly.shapes().items()}
    return _Part(
        name=name,
        stem="diffusion_pytorch_model",
        specs=specs,
        tensor=lambda key: assembly.tensor(key, dtype),
        configure=assembly.empty.save_config,
    )


def _cast(checkpoint: Checkpoint, name: str, dtype: torch.dtype) -> _Part:
    """A part in diffusers layout, its weights in another dtype."""
    library, kind = checkpoint.index[name][:2]
    files = [open_weights(file) for file in checkpoint.tensor_files(name)]
    of = {key: file for file in files for key in file.held}
    kept = _kept(library, kind, dtype)
    specs = {}
    for key, file in of.items():
        held = file.held[key]
        if held.dtype not in FLOATS:
            raise ModelError(f"{file.path}: {key} holds {held.dtype} numbers, which cannot be prepared")
        specs[key] = TensorSpec(torch.float32 if kept & set(key.split(".")) else dtype, held.shape)
    return _Part(
        name=name,
        stem="model" if library == "transformers" else "diffusion_pytorch_model",
        specs=specs,
        tensor=lambda key: of[key].tensor(key).to(specs[key].dtype),
        configure=lambda folder: _copy_config(checkpoint.folder / name, folder),
    )


def _kept(library: str, kind: str, dtype: torch.dtype) -> set[str]:
    """Layers that the library keeps in float32; transformers keeps most of its own for float16 alone."""
    if library != "transformers":
        return set(network_class(kind)._keep_in_fp32_modules or ())
    found: Any = getattr(transformers, kind)
    kept = set(found._keep_in_fp32_modules_strict or ())
    return kept | set(found._keep_in_fp32_modules or ()) if dtype == torch.float16 else kept


def _copy_config(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.suffix == ".json" and not file.name.endswith(".safetensors.index.json"):
            shutil.copy2(file, folder)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
