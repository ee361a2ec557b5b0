"""`wangp models add`: register a model in single files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from wangp_cli.catalogue import read_yaml
from wangp_cli.commands import _complete
from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._models import Json, ModelsContext, models_context, show_licence, unwritable
from wangp_cli.commands._models_definition import DefinedModel, find_definition
from wangp_cli.commands._models_networks import find_network, network_entry
from wangp_cli.commands._table import write_json
from wangp_cli.errors import ConflictError, ModelError, RequestError
from wangp_cli.files.atomic import write_atomic
from wangp_cli.models import ModelSpec
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.messages import show_note, write_line

AllowPickle = Annotated[
    bool, typer.Option("--allow-pickle", help="Read .pt, .pth, .pkl, .bin and .ckpt too.")
]
Like = Annotated[
    str | None,
    typer.Option(
        "--like",
        help="Model of the catalogue with the same network; its text encoder, VAE and tokenizer are used.",
        metavar="MODEL",
        autocompletion=_complete.models,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing entry or folder.")]
COPIED_KEYS = (
    "architecture",
    "experts",
    "accepts",
    "requires",
    "most_references",
    "means",
    "grid",
    "defaults",
    "text_length",
)
"""Keys of a catalogue entry that a new model copies from its base model."""


def add_command(
    name: Annotated[str, typer.Argument(help="Name for the new model.")],
    files: Annotated[
        list[str],
        typer.Argument(
            help="Files of the transformer, such as a base and a VACE module; or hf://owner/name/path; or a "
            "model definition of WanGP (JSON); or the file of a tool's network, such as flownet.pkl."
        ),
    ],
    second: Annotated[
        list[str] | None,
        typer.Option(
            "--second", help="File of the second transformer, of low noise; repeatable.", metavar="FILE"
        ),
    ] = None,
    like: Like = None,
    allow_pickle: AllowPickle = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Add a model in files to your catalogue, after a check of their keys and shapes."""
    with report_errors():
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,63}", name):
            raise RequestError("name", f"{name!r} has other characters than letters, digits, dot, - and _")
        local = models_context()
        entry_file = local.folders.config / "models" / f"{name}.yaml"
        is_sole_model = entry_file.is_file() and _models_of(entry_file) == [name]
        if name in local.catalogue.models and not (overwrite and is_sole_model):
            hint = "--overwrite replaces it" if is_sole_model else "take another name"
            raise ConflictError(f"name: there is a model {name!r} already", hint=hint)
        if os.path.lexists(entry_file) and not is_sole_model:
            raise ConflictError(f"name: {entry_file} holds other models", hint="take another name")
        if tool := find_network(local, files, like, allow_pickle=allow_pickle):
            _add_tool(tool, name, entry_file, second or [], json=json)
            return
        added = _added(local, name, files, second or [], like, allow_pickle=allow_pickle)
        if added.loras:
            _write_accelerator(local, name, added.loras)
        _write_yaml(entry_file, {"family": added.base.family, "models": {name: _entry(added, name)}})
        if json:
            notices = {"notices": list(added.notices)} if added.notices else {}
            write_json({"model": name, "like": added.base.name, "entry": str(entry_file), **notices})
            return
        for notice in added.notices:
            show_note(notice)
        write_line(f"{name} works as {added.base.name}; its entry is {entry_file}")


def _add_tool(tool: ModelSpec, name: str, entry_file: Path, second: list[str], *, json: bool) -> None:
    """Write the entry of a tool's network."""
    if second:
        raise RequestError("second", f"{tool.name!r} is of kind {tool.kind}, which has one network")
    _write_yaml(entry_file, {"models": {name: network_entry(tool, name)}})
    if json:
        write_json({"model": name, "like": tool.name, "entry": str(entry_file)})
        return
    show_licence(tool)
    write_line(f"{name} works as {tool.name}; its entry is {entry_file}")


def _added(
    local: ModelsContext,
    name: str,
    files: list[str],
    second: list[str],
    like: str | None,
    *,
    allow_pickle: bool,
) -> DefinedModel:
    """The model that files are, or that a definition describes; local files are checked."""
    pickles = {"allow_pickle": True} if allow_pickle else {}
    if defined := find_definition(files, like, local.catalogue):
        own = defined.source.get("file", ())
        if own and not any(file.startswith("hf://") for file in own):
            seconds = defined.source.get("file_2", ())
            base_model(local, own, seconds, defined.base.name, allow_pickle=allow_pickle)
        return replace(defined, source={**defined.source, **pickles})
    base = base_model(local, files, second, like, allow_pickle=allow_pickle)
    source: dict[str, Any] = {"file": absolute(files), "components": base.name, **pickles}
    source |= {"file_2": absolute(second)} if second else {}
    return DefinedModel(base=base, title=name, source=source, defaults=base.defaults)


def _entry(added: DefinedModel, name: str) -> dict[str, Any]:
    """The catalogue entry of a model: what it has of its own, the rest of the model it works as."""
    base = added.base
    assert base.network
    entry = base.model_dump(mode="json", include=set(COPIED_KEYS), exclude_defaults=True)
    entry |= {"title": added.title, "network": base.network.name, "status": "converted"}
    entry |= {"source": dict(added.source), "defaults": dict(added.defaults)}
    if added.loras:
        entry["defaults"]["accelerator"] = name
    return entry | {key: sorted(entry[key]) for key in ("accepts", "requires") if key in entry}


def _write_accelerator(local: ModelsContext, name: str, loras: Sequence[tuple[str, str]]) -> None:
    """Write the LoRAs that a model always uses as an accelerator of its name.

    Raises:
        ConflictError: an accelerator that ships has this name.
    """
    if name in bootstrap.accelerators(local.folders).all and name not in local.catalogue.models:
        raise ConflictError(f"name: there is an accelerator {name!r} already", hint="take another name")
    variant = {
        "models": [name],
        "loras": [{"file": file, "strength": strength} for file, strength in loras],
        "source": "the model definition",
    }
    document = {"title": name, "description": f"LoRAs of the model {name}.", "variants": [variant]}
    _write_yaml(local.folders.config / "accelerators" / f"{name}.yaml", document)


def _models_of(entry: Path) -> list[str]:
    data = read_yaml(entry)
    models = data.get("models") if isinstance(data, dict) else None
    return list(models) if isinstance(models, dict) else []


def _write_yaml(file: Path, document: Mapping[str, Any]) -> None:
    try:
        write_atomic(file, yaml.safe_dump(document, sort_keys=False))
    except OSError as error:
        raise unwritable(file, error) from None


def absolute(files: Sequence[str]) -> list[str]:
    """The files of a source: those on the hub as they are, others by their absolute path.

    Raises:
        ModelError: a folder or an index of several files has none, or is broken.
    """
    found = []
    for file in files:
        if file.startswith("hf://"):
            found.append(file)
        else:
            from wangp_cli.pipelines.checkpoints.files import weight_files

            found += map(str, weight_files(Path(file).expanduser().absolute()))
    return found


def base_model(
    local: ModelsContext, files: Sequence[str], second: Sequence[str], like: str | None, *, allow_pickle: bool
) -> ModelSpec:
    """The catalogue model whose network the files hold: `like`, or the only one that they fit."""
    transformers = [[Path(file) for file in absolute(part)] for part in (files, second) if part]
    remote = any(file.startswith("hf://") for file in (*files, *second))
    base = local.catalogue.get(like) if like else None
    if base and not base.network:
        raise RequestError("like", f"{base.name!r} names no network, so files cannot be checked against it")
    if remote:
        if not base:
            raise RequestError(
                "like", "files on the hub are not recognised before they are fetched", hint="--like MODEL"
            )
        return base
    from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles
    from wangp_cli.pipelines.checkpoints.recognise import recognise

    bootstrap.prepare_libraries()
    if base and base.network:
        for part in transformers:
            TransformerFiles(base.network, part, allow_pickle=allow_pickle)
        return base
    networks = {spec.network.name: spec.network for spec in local.catalogue.models.values() if spec.network}
    matches = [recognise(part, networks.values(), allow_pickle=allow_pickle) for part in transformers]
    names = {network.name for network in matches[0]}.intersection(
        *({network.name for network in part} for part in matches[1:])
    )
    return _single_match(local, names, experts=len(transformers))


def _single_match(local: ModelsContext, names: set[str], *, experts: int) -> ModelSpec:
    supported = [
        spec
        for spec in local.catalogue.models.values()
        if spec.network and spec.network.name in names and spec.status != "unsupported"
    ]
    fitting = [spec for spec in supported if spec.experts == experts and not spec.source.parts]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        networks = ", ".join(sorted(names)) or "two different networks"
        raise ModelError(f"no supported model has the network of the files: {networks}")
    names_that_fit = ", ".join(spec.name for spec in fitting)
    raise RequestError(
        "like", f"the files fit several models: {names_that_fit}", hint=f"--like {fitting[0].name}"
    )
