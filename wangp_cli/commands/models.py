"""`wangp models`: list, show and path; the other commands are in modules beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._models import Json, ModelsDir, Name, facts_of, models_context, place_of
from wangp_cli.commands._models_add import add_command
from wangp_cli.commands._models_files import convert_command, prepare_command
from wangp_cli.commands._models_list import list_command
from wangp_cli.commands._models_weights import fetch_command, remove_command, verify_command
from wangp_cli.commands._table import write_facts, write_json, write_table
from wangp_cli.files.units import format_bytes
from wangp_cli.models import ModelSpec
from wangp_cli.runtime.events.messages import write_path, write_text
from wangp_cli.runtime.weights import locate
from wangp_cli.runtime.weights.sizes import BYTES_OF_16_BITS, memory_in_turns, part_sizes

TOLD_OTHERWISE = ("traits", "status", "weights_run", "bytes", "present", "weights")
"""Facts that `show` prints in other words."""
ONLY_DIFFUSION = ("experts", "phases", "grid", "text_length")
"""Facts that networks of tools do not have."""

app = typer.Typer(help="List, show, fetch and check models.", invoke_without_command=True)


@app.callback()
def overview(context: typer.Context, json: Json = False, models_dir: ModelsDir = None) -> None:
    """List the models, or use one of the commands below."""
    if not context.invoked_subcommand:
        list_command(json=json, models_dir=models_dir)


app.command("list")(list_command)


@app.command()
def show(name: Name, json: Json = False, models_dir: ModelsDir = None) -> None:
    """Show a model: source, inputs, defaults, licence, sizes, and what was run of it."""
    with report_errors():
        local = models_context(models_dir)
        spec = local.catalogue.get(name)
        facts = facts_of(spec, local.models_dir)
        if json:
            write_json(facts)
            return
        card = facts.pop("card", None)
        for key in (*TOLD_OTHERWISE, *(() if spec.is_diffusion else ONLY_DIFFUSION)):
            del facts[key]
        lines: dict[str, str] = {
            key: _cell(facts[key])
            for key in ("source", "accepts", "requires", "means", "defaults", "aliases", "grid")
            if key in facts
        }
        lines |= {"architecture": _architecture(spec), "network": spec.network.name if spec.network else ""}
        write_facts(facts | lines | _sizes(spec, local.models_dir) | _known_run(spec, local.models_dir))
        if card:
            _write_figures(card)


def _architecture(spec: ModelSpec) -> str:
    """The architecture with what the tests say of it."""
    said = {
        "tested": "tested with random weights",
        "converted": "tested with random weights, also the layout of its files",
    }
    return f"{spec.architecture}: {said.get(spec.status, spec.status)}"


def _known_run(spec: ModelSpec, folder: Path) -> dict[str, str]:
    """Where the weights are, and what is known of a run with them."""
    place = f"{locate.expected(spec, folder).folder} ({place_of(spec, folder)})"
    if not (run := spec.weights_run):
        return {"folder": place, "weights": "never run"}
    text = (
        f"run on {run.date}, {run.device}, {run.seconds_per_step:g} seconds a step, "
        f"{format_bytes(run.memory_bytes)} of memory ({run.task})"
    )
    return {"folder": place, "weights": text}


def _sizes(spec: ModelSpec, folder: Path) -> dict[str, str]:
    """The sizes of a model for people."""
    sizes = part_sizes(spec, folder)
    parts = "; ".join(f"{part} {_count(size.weights)}" for part, size in sizes.items() if size.weights)
    whole, turns = sum(BYTES_OF_16_BITS * size.weights for size in sizes.values()), memory_in_turns(sizes)
    memory = f"{format_bytes(whole)} in 16 bits; {format_bytes(turns)} for the largest part" if turns else ""
    return {
        "parameters": parts,
        "size": format_bytes(sum(size.bytes for size in sizes.values())),
        "memory": memory,
    }


def _count(number: int) -> str:
    return f"{number / 1e9:.1f} billion" if number >= 1e8 else f"{number / 1e6:.1f} million"


def _write_figures(card: dict[str, Any]) -> None:
    """Print the measured figures of a model that ships with wangp."""
    write_text("\nmeasured:")
    rows = [
        (
            name,
            f"{figure['value']:g}",
            figure.get("bar", ""),
            figure.get("chance", ""),
            figure.get("unit", ""),
        )
        for name, figure in card["figures"].items()
    ]
    write_table(("what", "value", "bar", "chance", "unit"), rows)


@app.command()
def path(name: Name, json: Json = False, models_dir: ModelsDir = None) -> None:
    """Print the files and folder of a model's weights, also before they are fetched."""
    with report_errors():
        local = models_context(models_dir)
        spec = local.catalogue.get(name)
        weights = locate.expected(spec, local.models_dir)
        if json:
            facts = {part: [str(file) for file in files] for part, files in weights.files}
            present = locate.present(spec, local.models_dir)
            write_json({"folder": str(weights.folder), "files": facts, "present": present})
            return
        for file in [file for _, files in weights.files for file in files]:
            write_path(file)
        write_path(weights.folder)


app.command("fetch")(fetch_command)
app.command("verify")(verify_command)
app.command("remove")(remove_command)
app.command("add")(add_command)
app.command("convert")(convert_command)
app.command("prepare")(prepare_command)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(
            f"{key} {_cell(item)}" for key, item in value.items() if item not in (None, [], {}, False)
        )
    if isinstance(value, str | int | float):
        return str(value)
    return ", ".join(map(str, value))
