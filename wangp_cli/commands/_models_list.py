"""`wangp models list`: the diffusion models, then the networks of tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._models import Json, ModelsDir, facts_of, models_context, place_of
from wangp_cli.commands._table import write_json, write_table
from wangp_cli.files.units import format_bytes
from wangp_cli.models import Accepts, Kind, ModelSpec
from wangp_cli.runtime.events.messages import stdout_console, write_text
from wangp_cli.runtime.weights.sizes import memory_in_turns, part_sizes

PLACES = ("here", "to fetch", "unsupported")
"""Where weights are, in the order of the list."""
WIDE = 120
"""Columns of a terminal in which each fact of the list has a column."""
NO_MEDIA: frozenset[Accepts] = frozenset({"lora", "negative", "initial", "audio"})
"""What nearly all models accept, and is no input of its own kind."""

KINDS = get_args(Kind)

KindOption = Annotated[
    Kind | None, typer.Option("--kind", help="Only models of this kind, such as video or interpolator.")
]


def list_command(kind: KindOption = None, json: Json = False, models_dir: ModelsDir = None) -> None:
    """List the models and the networks of tools: sizes, licence, and whether the weights are here."""
    with report_errors():
        local = models_context(models_dir)
        folder = local.models_dir
        specs = [spec for spec in local.catalogue.models.values() if kind in (None, spec.kind)]
        if json:
            write_json([facts_of(spec, folder) for spec in specs])
            return
        specs.sort(key=lambda spec: PLACES.index(place_of(spec, folder)))
        if diffusion := [spec for spec in specs if spec.is_diffusion]:
            _write_diffusion(diffusion, folder)
        if tools := [spec for spec in specs if not spec.is_diffusion]:
            _write_tools(tools, folder)


def _write_diffusion(specs: list[ModelSpec], folder: Path) -> None:
    wide = stdout_console().width >= WIDE
    texts = ("what it is", "inputs", "licence")
    columns = ("model", *texts) if wide else (f"model: {', '.join(texts)}",)
    numbers = ("size", "memory", "weights")
    rows = []
    for spec in specs:
        inputs = ", ".join(sorted(spec.accepts - NO_MEDIA)) or "text alone"
        title = spec.title if spec.kind == "video" else f"{spec.title} ({spec.kind})"
        narrow = [spec.name, f"  {title}", f"  inputs: {inputs}", f"  licence: {spec.licence}"]
        sizes = part_sizes(spec, folder)
        size, memory = sum(part.bytes for part in sizes.values()), memory_in_turns(sizes)
        rows.append(
            [
                *([spec.name, title, inputs, spec.licence] if wide else [narrow]),
                *(format_bytes(count) if count else "unknown" for count in (size, memory)),
                place_of(spec, folder),
            ]
        )
    write_table((*columns, *numbers), rows, no_wrap=("model", *numbers))
    write_text("memory: of the largest part in 16 bits; `--estimate` counts a whole task")


def _write_tools(specs: list[ModelSpec], folder: Path) -> None:
    """The networks of tools, those of one kind together."""
    wide = stdout_console().width >= WIDE
    rows = []
    for spec in sorted(specs, key=lambda spec: KINDS.index(spec.kind)):
        size = sum(part.bytes for part in part_sizes(spec, folder).values())
        rows.append(
            [
                spec.name,
                spec.kind,
                *([spec.title] if wide else []),
                spec.licence,
                format_bytes(size) if size else "unknown",
                place_of(spec, folder),
            ]
        )
    columns = ("tool", "kind", *(["what it is"] if wide else []), "licence", "size", "weights")
    write_table(columns, rows, no_wrap=("tool", "size", "weights"))
