"""Networks of tools in files: recognise them for `wangp models add`, and convert them to safetensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wangp_cli.commands._models import ModelsContext, unwritable
from wangp_cli.commands._transfer import show_transfer
from wangp_cli.errors import ConflictError, RequestError
from wangp_cli.models import ModelSpec, Source
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.weights import locate

if TYPE_CHECKING:
    from wangp_cli.tasks.runtime import Dtype

COPIED_KEYS = ("kind", "architecture", "description", "parameters", "licence", "licence_note")
"""Keys of a catalogue entry that a tool of the user copies from the one that it works as."""


def find_network(
    local: ModelsContext, files: Sequence[str], like: str | None, *, allow_pickle: bool
) -> ModelSpec | None:
    """The network of a tool that is in files, with those as its source; None if it is not one of a tool.

    Args:
        local: with the catalogue.
        files: a file of the network, here or on the hub; or its folder in the layout of transformers.
        like: the model of the catalogue that it works as; None to recognise a file by its keys.
        allow_pickle: also read pickles, with `weights_only`.

    Raises:
        ModelError: a file on this machine is broken, or not of that network.
        RequestError: a tool has several files.
    """
    base = local.catalogue.get(like) if like else _recognised(local, files, allow_pickle=allow_pickle)
    if base is None or base.is_diffusion:
        return None
    if len(files) != 1:
        raise RequestError("files", f"{len(files)} files, but the network of a tool is one file or folder")
    if not base.source.file and not files[0].startswith("hf://") and Path(files[0]).expanduser().is_file():
        raise RequestError("files", f"{base.name!r} is a folder of several files, name that of {files[0]}")
    found = base.model_copy(update={"source": _source(files[0], base, allow_pickle=allow_pickle)})
    if not files[0].startswith("hf://"):
        check_loads(found, local.models_dir)
    return found


def check_loads(spec: ModelSpec, models_dir: Path) -> None:
    """Load a tool's network once, to find out whether its files are whole and of that network.

    Raises:
        ModelError: they are not.
    """
    bootstrap.prepare_libraries()
    from wangp_cli.pipelines.registry import NETWORKS, network_loader

    network_loader(spec.architecture, NETWORKS)(spec, locate.expected(spec, models_dir), "cpu", "float32")


def network_entry(tool: ModelSpec, name: str) -> dict[str, Any]:
    """The catalogue entry of a tool's network in files."""
    entry = tool.model_dump(mode="json", include=set(COPIED_KEYS), exclude_defaults=True)
    source = tool.source.model_dump(mode="json", exclude_defaults=True)
    return {"title": name, **entry, "source": source}


def convert_network(
    spec: ModelSpec, target: Path, dtype: Dtype | None, models_dir: Path, *, overwrite: bool
) -> None:
    """Write the network of a tool as one safetensors file.

    Args:
        spec: a tool whose network is one file.
        target: the file to write.
        dtype: of its floating-point tensors; None for those of the file.
        models_dir: folder of all weights.
        overwrite: replace an existing file.

    Raises:
        ConflictError: the file exists.
        ModelError: the weights are missing, broken or of another network.
        RequestError: the target is no safetensors file, or the network is not in one file.
    """
    if target.suffix != ".safetensors":
        raise RequestError("folder", f"{target} has not the suffix .safetensors, a tool becomes one file")
    if not spec.source.file:
        raise RequestError("model", f"{spec.name!r} is a folder in the layout of its library, which is read")
    weights = locate.locate(spec, models_dir)
    check_loads(spec, models_dir)
    [file] = [file for _, files in weights.files for file in files]
    if target.exists() and (not overwrite or target.samefile(file)):
        hint = "name another file" if overwrite else "--overwrite replaces it"
        raise ConflictError(f"folder: {target} exists", hint=hint)
    import torch

    from wangp_cli.pipelines.checkpoints.convert_file import convert_file
    from wangp_cli.pipelines.checkpoints.files import open_weights

    opened = open_weights(file, allow_pickle=weights.allow_pickle)
    try:
        with show_transfer(f"write {target.name}", "the same command") as transfer:
            convert_file(opened, target, getattr(torch, dtype) if dtype else None, transfer.update)
    except OSError as error:
        raise unwritable(target, error) from None


def _recognised(local: ModelsContext, files: Sequence[str], *, allow_pickle: bool) -> ModelSpec | None:
    """The tool of the catalogue whose network a file on this machine may hold, by its keys and size."""
    if len(files) != 1 or not Path(files[0]).expanduser().is_file():
        return None
    from wangp_cli.pipelines.auxiliary.known_networks import architecture_of, parameter_count
    from wangp_cli.pipelines.checkpoints.files import GGUF, PICKLES, SAFETENSORS, open_weights

    path = Path(files[0]).expanduser()
    if path.suffix.lower() not in (*SAFETENSORS, *PICKLES, *GGUF):
        return None
    bootstrap.prepare_libraries()
    shapes = {
        key: info.shape for key, info in open_weights(path, allow_pickle=allow_pickle).tensor_info.items()
    }
    architecture, count = architecture_of(shapes), parameter_count(shapes)
    tools = (spec for spec in local.catalogue.models.values() if not spec.is_diffusion)
    fitting = [spec for spec in tools if spec.architecture == architecture]
    return min(fitting, key=lambda spec: abs((spec.parameters or 0) - count), default=None)


def _source(file: str, base: ModelSpec, *, allow_pickle: bool) -> Source:
    """The source of a tool in this file or folder; further parts stay where the base model has them."""
    if file.startswith("hf://"):
        place: dict[str, Any] = {"file": file}
    else:
        path = Path(file).expanduser().absolute()
        place = {"folder": path} if path.is_dir() else {"file": str(path)}
    return Source.model_validate({**place, "modules": base.source.modules, "allow_pickle": allow_pickle})
