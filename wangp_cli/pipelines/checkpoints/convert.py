"""Convert a checkpoint to diffusers layout, or cast it to the dtype it runs in."""

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
from wangp_cli.pipelines.checkpoints.safetensors_writer import (
    GetTensor,
    TensorSpec,
    total_bytes,
    write_part,
)

MARKER = "rewritten.json"
RUN_DTYPE_PARTS = (*TRANSFORMERS, "text_encoder")
"""Parts cast to the requested dtype; all others are float32."""
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class _ConvertedPart:
    """A part whose weights are converted or cast; other parts are copied as they are.

    Args:
        name: name of the part.
        stem: file name of its weights, without suffix.
        specs: dtype and shape of its tensors by key.
        tensor: gives a tensor by its key.
        configure: writes its configuration into a folder.
    """

    name: str
    stem: str
    specs: dict[str, TensorSpec]
    tensor: GetTensor
    configure: Callable[[Path], None]


def convert(
    weights: Weights,
    target: Path,
    dtype: torch.dtype,
    report: Callable[[str, int, int], None],
    *,
    fingerprint: str,
    may_replace: Callable[[Path], bool],
    all_parts: bool = False,
) -> None:
    """Write a model in diffusers layout; a call after an interrupted one resumes it.

    Args:
        weights: the model.
        target: the folder to write; it appears atomically when it is complete.
        dtype: dtype of the transformers and the text encoder.
        report: called with the part, the bytes written and the bytes in total.
        fingerprint: identifies the state of the source files; a partial result of another state is removed.
        may_replace: called at the end with an existing `target`; whether it may be removed.
        all_parts: rewrite the weights of every part so that they can be memory-mapped; otherwise parts that
            are in diffusers layout already are copied.

    Raises:
        ModelError: the weights cannot be read, or do not match their network.
        NoSpaceError: the disk is too small.
        ConflictError: `target` exists and may not be replaced.
    """
    checkpoint = Checkpoint(weights)
    names = [name for name, kind in checkpoint.index.items() if isinstance(kind, list) and kind[:1] != [None]]
    converted = [
        part for name in names if (part := _converted(checkpoint, weights, name, dtype, all_parts=all_parts))
    ]
    copied = [name for name in names if name not in {part.name for part in converted}]
    bytes_total = sum(total_bytes(part.specs) for part in converted) + sum(
        _size(weights.folder / name) for name in copied
    )
    content = json.dumps({"of": fingerprint, "dtype": str(dtype).removeprefix("torch.")})
    with atomic_folder(target, marker=MARKER, content=content, may_replace=may_replace) as partial:
        check_free_space(partial, bytes_total - _size(partial))
        done = 0
        for part in converted:
            part.configure(partial / part.name)

            def tell(size: int, name: str = part.name, done: int = done) -> None:
                report(name, done + size, bytes_total)

            write_part(partial / part.name, part.stem, part.specs, part.tensor, tell)
            done += total_bytes(part.specs)
        for name in copied:
            shutil.copytree(weights.folder / name, partial / name, dirs_exist_ok=True)
            done += _size(weights.folder / name)
            report(name, done, bytes_total)
        write_atomic(partial / "model_index.json", json.dumps(checkpoint.index, indent=2))
        if not all_parts:
            (partial / MARKER).unlink()


def _converted(
    checkpoint: Checkpoint, weights: Weights, name: str, dtype: torch.dtype, *, all_parts: bool
) -> _ConvertedPart | None:
    """How a part is converted or cast; None if it is copied."""
    files = dict(weights.files).get(name)
    if files and weights.network:
        return _from_files(
            name, TransformerFiles(weights.network, files, allow_pickle=weights.allow_pickle), dtype
        )
    if all_parts and any((checkpoint.folder / name).glob("*.safetensors")):
        return _cast(checkpoint, name, dtype if name in RUN_DTYPE_PARTS else torch.float32)
    return None


def _from_files(name: str, files: TransformerFiles, dtype: torch.dtype) -> _ConvertedPart:
    specs = {key: TensorSpec(files.dtype(key, dtype), shape) for key, shape in files.shapes().items()}
    return _ConvertedPart(
        name=name,
        stem="diffusion_pytorch_model",
        specs=specs,
        tensor=lambda key: files.tensor(key, dtype),
        configure=files.empty.save_config,
    )


def _cast(checkpoint: Checkpoint, name: str, dtype: torch.dtype) -> _ConvertedPart:
    """A part in diffusers layout with its weights cast to `dtype`, except layers kept in float32."""
    library, kind = checkpoint.index[name][:2]
    files = [open_weights(file) for file in checkpoint.tensor_files(name)]
    file_of = {key: file for file in files for key in file.tensor_info}
    float32_layers = _float32_layers(library, kind, dtype)
    specs = {}
    for key, file in file_of.items():
        info = file.tensor_info[key]
        if info.dtype not in FLOATS:
            raise ModelError(f"{file.path}: {key} has dtype {info.dtype}, which cannot be cast")
        specs[key] = TensorSpec(torch.float32 if float32_layers & set(key.split(".")) else dtype, info.shape)
    return _ConvertedPart(
        name=name,
        stem="model" if library == "transformers" else "diffusion_pytorch_model",
        specs=specs,
        tensor=lambda key: file_of[key].tensor(key).to(specs[key].dtype),
        configure=lambda folder: _copy_config(checkpoint.folder / name, folder),
    )


def _float32_layers(library: str, kind: str, dtype: torch.dtype) -> set[str]:
    """Layers that the library keeps in float32; transformers keeps some only when the dtype is float16."""
    if library != "transformers":
        return set(network_class(kind)._keep_in_fp32_modules or ())
    class_: Any = getattr(transformers, kind)
    always = set(class_._keep_in_fp32_modules_strict or ())
    return always | set(class_._keep_in_fp32_modules or ()) if dtype == torch.float16 else always


def _copy_config(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.suffix == ".json" and not file.name.endswith(".safetensors.index.json"):
            shutil.copy2(file, folder)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
