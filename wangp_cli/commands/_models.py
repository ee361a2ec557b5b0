"""Options and context that the commands of `wangp models` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from wangp_cli.catalogue import Catalogue
from wangp_cli.commands import _complete
from wangp_cli.errors import NoSpaceError
from wangp_cli.models import ModelSpec
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.messages import show_note
from wangp_cli.runtime.settings import Folders, Settings
from wangp_cli.runtime.weights import locate
from wangp_cli.runtime.weights.sizes import part_sizes

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Events = Annotated[bool, typer.Option("--json", help="Write events as JSON lines.")]
ModelsDir = Annotated[
    Path | None, typer.Option("--models-dir", help="Folder of the weights.", metavar="FOLDER")
]


Name = Annotated[str, typer.Argument(help="Name of the model.", autocompletion=_complete.models)]
Names = Annotated[list[str], typer.Argument(help="Names of models.", autocompletion=_complete.models)]


@dataclass(frozen=True)
class ModelsContext:
    """The catalogue, the folder of the weights, and the settings of the user."""

    catalogue: Catalogue
    models_dir: Path
    settings: Settings
    folders: Folders


def models_context(models_dir: Path | None = None) -> ModelsContext:
    """The context of this user; `models_dir` replaces the folder of the settings."""
    settings, _, folders = bootstrap.load_settings()
    weights = bootstrap.models_dir(settings, folders, models_dir)
    return ModelsContext(bootstrap.catalogue(folders), weights.absolute(), settings, folders)


def facts_of(spec: ModelSpec, models_dir: Path) -> dict[str, Any]:
    """What `--json` tells of a model."""
    facts: dict[str, Any] = spec.model_dump(mode="json")
    facts["accepts"] = sorted(spec.accepts)
    facts["requires"] = sorted(spec.requires)
    sizes = part_sizes(spec, models_dir)
    facts["parameters"] = {part: size.weights for part, size in sizes.items() if size.weights}
    facts["bytes"] = sum(size.bytes for size in sizes.values())
    if card := locate.card(spec):
        facts["card"] = card
    return facts | {
        "weights": str(locate.expected(spec, models_dir).folder),
        "present": locate.present(spec, models_dir),
    }


def place_of(spec: ModelSpec, models_dir: Path) -> str:
    """Where a model's weights are: `here`, `to fetch`, or `unsupported`."""
    if spec.status == "unsupported":
        return "unsupported"
    return "here" if locate.present(spec, models_dir) else "to fetch"


def show_licence(spec: ModelSpec) -> None:
    """Tell what the licence of a model's weights restricts."""
    if spec.licence_note:
        show_note(f"licence of {spec.name}: {spec.licence}, {spec.licence_note}")


def unwritable(path: Path, error: OSError) -> NoSpaceError:
    """The error for a file or folder that cannot be written."""
    return NoSpaceError(
        f"{path} cannot be written: {error.strerror}", hint="name another folder, or free some space"
    )
