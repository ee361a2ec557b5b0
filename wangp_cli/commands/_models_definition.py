"""Make an entry of the catalogue from a model definition of WanGP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wangp_cli.catalogue import Catalogue
from wangp_cli.errors import ModelError, RequestError
from wangp_cli.files import strict_json
from wangp_cli.files.open_input import read_input
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.legacy import is_definition
from wangp_cli.legacy.definition import ModelDefinition, architecture_of, is_file_name, read_definition
from wangp_cli.models import ModelSpec

MAX_INDEX = 64 << 20
"""Most bytes of a JSON file; the index of a model in many files is large."""


@dataclass(frozen=True, kw_only=True)
class DefinedModel:
    """A model definition in terms of the catalogue.

    Args:
        base: model with the same network, whose other parts are used.
        title: name for people.
        source: of the entry.
        defaults: of the entry.
        loras: source and strength of each LoRA that is always used.
        notices: what is not used, for people.
    """

    base: ModelSpec
    title: str
    source: Mapping[str, Any]
    defaults: Mapping[str, Any]
    loras: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()


def find_definition(files: Sequence[str], like: str | None, catalogue: Catalogue) -> DefinedModel | None:
    """The model that a single file defines; None where the files are weights.

    Args:
        files: as given to `wangp models add`.
        like: model of the catalogue with the same network, instead of that of its architecture.
        catalogue: the models.

    Raises:
        RequestError: the file cannot be read, or defines no model.
        ModelError: no model of the catalogue has its architecture.
    """
    if len(files) != 1 or not files[0].lower().endswith(".json"):
        return None
    file = Path(files[0]).expanduser()
    try:
        document = strict_json.loads(read_input(file, MAX_INDEX), limit=MAX_INDEX)
    except OSError as error:
        raise RequestError("files", f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise RequestError("files", f"{file}: {error}") from None
    if isinstance(document, dict) and "weight_map" in document:
        return None
    if not isinstance(document, dict) or not is_definition(document):
        raise RequestError(
            "files",
            f"{file} defines no model",
            hint="a file of weights, or a definition of WanGP with the key model",
        )
    # A model that is not here is said to be that, whatever its settings ask for.
    names = _names_of_bases(architecture_of(document), like, catalogue)
    definition = read_definition(document)
    base = _base(definition, names, catalogue)
    return _defined(definition, base, catalogue, file.absolute().parent)


def _names_of_bases(architecture: str, like: str | None, catalogue: Catalogue) -> list[str]:
    """Models that may have the network of a definition.

    Raises:
        ModelError: there is none.
    """
    if like:
        return [catalogue.get(like).name]
    # Some definitions name the architecture of one transformer for a model of two.
    names = [name for name in (architecture, f"{architecture}_2_2") if name in catalogue.names]
    if not names:
        raise ModelError(
            f"it defines a model of architecture {quote_for_message(architecture)}, which no model here has",
            hint="--like MODEL names one with the same network",
        )
    return names


def _defined(
    definition: ModelDefinition, base: ModelSpec, catalogue: Catalogue, folder: Path
) -> DefinedModel:
    loras: tuple[tuple[str, str], ...] = ()
    defaults = {**base.defaults, **definition.defaults}
    if isinstance(definition.loras, str):
        accelerator = catalogue.get(definition.loras).defaults.get("accelerator")
        if accelerator is None:
            raise RequestError("loras", f"model {definition.loras!r} has none here", hint="name the files")
        defaults["accelerator"] = accelerator
    else:
        loras = definition.loras
    return DefinedModel(
        base=base,
        title=definition.title,
        source=_source(definition, base, catalogue, folder),
        defaults=defaults,
        loras=loras,
        notices=definition.notices,
    )


def _base(definition: ModelDefinition, names: Sequence[str], catalogue: Catalogue) -> ModelSpec:
    experts = 2 if definition.transformer_2 else 1
    known = [catalogue.get(name) for name in names]
    base = next((spec for spec in known if spec.experts == experts), None)
    if base is None and known and not is_file_name(definition.transformer):
        # Its second transformer is that of the model whose weights it has.
        base = known[0]
    if base is None or not base.network:
        count = "two transformers" if experts == 2 else "one transformer"
        raise ModelError(
            f"it defines a model of {count}, but {names[0]!r} has {known[0].experts}",
            hint="--like MODEL names one with the same network",
        )
    return base


def _source(
    definition: ModelDefinition, base: ModelSpec, catalogue: Catalogue, folder: Path
) -> dict[str, Any]:
    """The source of the entry: files of its own, or those of the models that it names."""
    other = None if is_file_name(definition.transformer) else catalogue.get(definition.transformer)
    if other and not other.source.file:
        # Whole weights of another model; with modules, the base is made of them.
        whole = base if definition.modules else other
        return whole.source.model_dump(mode="json", exclude_defaults=True)
    first = list(other.source.file) if other else [_absolute(definition.transformer, folder)]
    second = list(other.source.file_2) if other else []
    if definition.transformer_2 and is_file_name(definition.transformer_2):
        second = [_absolute(definition.transformer_2, folder)]
    elif definition.transformer_2 and not other:
        second = list(catalogue.get(definition.transformer_2).source.file_2)
    for one, two in definition.modules:
        first += _module_files(one, base, catalogue, folder)
        second += _module_files(two, base, catalogue, folder) if second else []
    source: dict[str, Any] = {"file": first, "components": _components(base, catalogue)}
    return source | ({"file_2": second} if second else {})


def _components(base: ModelSpec, catalogue: Catalogue) -> str:
    """The model whose folder has all other parts."""
    if not base.source.file:
        return base.name
    return next(spec.name for spec in catalogue.models.values() if spec.source == base.source.components)


def _module_files(name: str, base: ModelSpec, catalogue: Catalogue, folder: Path) -> list[str]:
    """The files of a module: one of its own, or those of a model with the same network.

    Raises:
        RequestError: the catalogue has no model with the module in a file.
    """
    if is_file_name(name):
        return [_absolute(name, folder)]
    for spec in catalogue.models.values():
        if spec.network == base.network == catalogue.get(name).network and len(spec.source.file) > 1:
            return list(spec.source.file[1:])
    raise RequestError("modules", f"{name!r} is not in a file of its own here", hint="name the file")


def _absolute(file: str, folder: Path) -> str:
    return file if file.startswith("hf://") else str(folder / Path(file).expanduser())
