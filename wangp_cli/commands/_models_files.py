"""`wangp models convert` and `prepare`: write weights in diffusers layout, or in the dtype they run in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wangp_cli.commands import _complete
from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._models import Json, ModelsContext, ModelsDir, Name, models_context, unwritable
from wangp_cli.commands._models_add import AllowPickle, Like, Overwrite, absolute, base_model
from wangp_cli.commands._models_networks import convert_network, find_network
from wangp_cli.commands._table import write_json
from wangp_cli.commands._transfer import show_transfer
from wangp_cli.errors import ConflictError, ModelError, RequestError
from wangp_cli.models import ModelSpec
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.messages import write_path
from wangp_cli.runtime.weights import locate, prepared

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Weights

Dtype = Literal["bfloat16", "float16", "float32"]
AsDtype = Annotated[Dtype, typer.Option("--dtype", help="Dtype of the transformers and the text encoder.")]


def convert_command(
    model: Annotated[
        str,
        typer.Argument(
            help="Name of a model in files, a file, or a folder of files.", autocompletion=_complete.models
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(help="Folder to write; of the network of a tool, the .safetensors file.")
    ],
    like: Like = None,
    dtype: Annotated[
        Dtype | None,
        typer.Option(
            "--dtype",
            help="Dtype of the transformers and the text encoder, bfloat16 by default; of the network of a "
            "tool, that of its file by default.",
        ),
    ] = None,
    allow_pickle: AllowPickle = False,
    overwrite: Overwrite = False,
    json: Json = False,
    models_dir: ModelsDir = None,
) -> None:
    """Convert a model in files to a folder in diffusers layout, or the network of a tool to safetensors."""
    with report_errors():
        local = models_context(models_dir)
        folder = folder.expanduser()
        if tool := _tool_or_file(local, model, like, allow_pickle=allow_pickle):
            convert_network(tool, folder, dtype, local.models_dir, overwrite=overwrite)
            _print_written(folder, json=json)
            return
        if folder.exists() and not overwrite:
            raise ConflictError(f"folder: {folder} exists", hint="--overwrite replaces it")
        if folder.exists() and not _is_model_folder(folder):
            raise ConflictError(
                f"folder: {folder} is not a model in diffusers layout", hint="name another folder"
            )
        spec = _model_or_file(local, model, like, allow_pickle=allow_pickle)
        if not spec.source.file:
            raise RequestError("model", f"{spec.name!r} is in diffusers layout already")
        weights = locate.locate(spec, local.models_dir)
        _check_outside(folder, weights)
        replace = _is_model_folder if overwrite else _is_empty
        _convert(weights, folder.absolute(), dtype or "bfloat16", may_replace=replace, all_parts=False)
        _print_written(folder, json=json)


def _tool_or_file(
    local: ModelsContext, model: str, like: str | None, *, allow_pickle: bool
) -> ModelSpec | None:
    """The tool of a name, or that of the file of that path; None if it is none."""
    if model in local.catalogue.names or not Path(model).expanduser().exists():
        spec = local.catalogue.get(model)
        return None if spec.is_diffusion else spec
    return find_network(local, [model], like, allow_pickle=allow_pickle)


def _check_outside(folder: Path, weights: Weights) -> None:
    """Check that a folder which is to be replaced holds none of the weights that are read."""
    read = [weights.folder, *(file for _, files in weights.files for file in files)]
    for path in read:
        if path.resolve().is_relative_to(folder.resolve()):
            raise ConflictError(
                f"folder: {folder} holds {path.name}, which is read", hint="name another folder"
            )


def _is_model_folder(folder: Path) -> bool:
    """Whether a folder holds a model in diffusers layout, or nothing."""
    return (folder / "model_index.json").is_file() or _is_empty(folder)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _model_or_file(local: ModelsContext, model: str, like: str | None, *, allow_pickle: bool) -> ModelSpec:
    """The model of a name, or a model made from the file, or the files of the folder, of that path."""
    if model in local.catalogue.names or not Path(model).exists():
        return local.catalogue.get(model)
    base = base_model(local, [model], [], like, allow_pickle=allow_pickle)
    parts = base.source.components or base.source
    source = {"file": absolute([model]), "components": parts, "allow_pickle": allow_pickle}
    return base.model_copy(update={"source": type(base.source).model_validate(source)})


def prepare_command(
    name: Name,
    dtype: AsDtype = "bfloat16",
    overwrite: Overwrite = False,
    json: Json = False,
    models_dir: ModelsDir = None,
) -> None:
    """Write a model in the dtype it runs in, so that all workers of a machine memory-map one copy."""
    with report_errors():
        local = models_context(models_dir)
        spec = local.catalogue.get(name)
        if not spec.is_diffusion:
            raise _not_diffusion(spec)
        if missing := locate.missing_file(spec, local.models_dir):
            raise ModelError(
                f"weights of {spec.name!r} are not on this machine: {missing} is missing",
                hint=f"wangp models fetch {spec.name}",
            )
        weights = locate.expected(spec, local.models_dir)
        folder = prepared.folder_of(spec, local.models_dir, dtype)
        if overwrite or not prepared.find(spec, local.models_dir, dtype, weights):
            _convert(weights, folder, dtype, may_replace=prepared.is_prepared, all_parts=True)
        _print_written(folder, json=json)


def _not_diffusion(spec: ModelSpec) -> RequestError:
    return RequestError("model", f"{spec.name!r} is of kind {spec.kind}, only diffusion models are prepared")


def _print_written(path: Path, *, json: bool) -> None:
    """Print the folder or file that was written."""
    folder = path if path.is_dir() else None
    files = folder.rglob("*") if folder else [path]
    if json:
        size = sum(file.stat().st_size for file in files if file.is_file())
        write_json({"folder" if folder else "file": str(path.absolute()), "bytes": size})
    else:
        write_path(path)


def _convert(
    weights: Weights, folder: Path, dtype: Dtype, *, may_replace: Callable[[Path], bool], all_parts: bool
) -> None:
    bootstrap.prepare_libraries()
    import torch

    from wangp_cli.pipelines.checkpoints.convert import convert

    try:
        with show_transfer(f"write {folder.name}", "the same command") as transfer:
            convert(
                weights,
                folder,
                getattr(torch, dtype),
                transfer.update,
                fingerprint=prepared.fingerprint(weights),
                may_replace=may_replace,
                all_parts=all_parts,
            )
    except OSError as error:
        raise unwritable(folder, error) from None
