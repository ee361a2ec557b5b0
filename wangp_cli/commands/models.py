"""`wangp models`: list, show and path; the other commands are in modules beside this one."""

from __future__ import annotations

from typing import Any

import typer

from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._models import Json, ModelsDir, Name, models_context
from wangp_cli.commands._models_add import add_command
from wangp_cli.commands._models_files import convert_command, prepare_command
from wangp_cli.commands._models_weights import fetch_command, remove_command, verify_command
from wangp_cli.commands._table import write_facts, write_json, write_table
from wangp_cli.models import ModelSpec
from wangp_cli.runtime.events.messages import write_path, write_text
from wangp_cli.runtime.weights import locate
from wangp_cli.runtime.weights.sizes import part_sizes

WEIGHTS = ("here", "to fetch", "unsupported")
"""Where a model's weights are, in the order of the list."""

app = typer.Typer(help="List, show, fetch and check models.", invoke_without_command=True)


@app.callback()
def list_models(context: typer.Context, json: Json = False, models_dir: ModelsDir = None) -> None:
    """List the models, or use one of the commands below."""
    if context.invoked_subcommand:
        return
    with report_errors():
        local = models_context(models_dir)
        specs, folder = local.catalogue.models, local.models_dir
        if json:
            write_json([_facts(spec, folder) for spec in specs.values()])
            return
        rows = [(spec.name, _title(spec), _weights(spec, folder)) for spec in specs.values()]
        rows.sort(key=lambda row: WEIGHTS.index(row[2]))
        write_table(("model", "what it is", "weights"), rows, no_wrap="model")


@app.command()
def show(name: Name, json: Json = False, models_dir: ModelsDir = None) -> None:
    """Show a model: source, inputs, defaults, licence, sizes."""
    with report_errors():
        local = models_context(models_dir)
        spec = local.catalogue.get(name)
        facts = _facts(spec, local.models_dir)
        if json:
            write_json(facts)
            return
        card = facts.pop("card", None)
        del facts["traits"]
        lines = {
            key: _cell(facts[key])
            for key in ("source", "accepts", "requires", "means", "defaults", "aliases", "grid", "parameters")
        }
        write_facts(facts | lines | {"network": spec.network.name if spec.network else ""})
        if card:
            _write_figures(card)


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


def _facts(spec: ModelSpec, folder: Any) -> dict[str, Any]:
    facts: dict[str, Any] = spec.model_dump(mode="json")
    facts["accepts"] = sorted(spec.accepts)
    facts["requires"] = sorted(spec.requires)
    sizes = part_sizes(spec, folder)
    facts["parameters"] = {part: size.weights for part, size in sizes.items() if size.weights}
    facts["bytes"] = sum(size.bytes for size in sizes.values())
    if card := locate.card(spec):
        facts["card"] = card
    return facts | {
        "weights": str(locate.expected(spec, folder).folder),
        "present": locate.present(spec, folder),
    }


def _title(spec: ModelSpec) -> str:
    """A model's title, with its kind where that is not the usual one."""
    return spec.title if spec.kind == "video" else f"{spec.title} ({spec.kind})"


def _weights(spec: ModelSpec, folder: Any) -> str:
    here, absent, unsupported = WEIGHTS
    if spec.status == "unsupported":
        return unsupported
    return here if locate.present(spec, folder) else absent


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(
            f"{key} {_cell(item)}" for key, item in value.items() if item not in (None, [], False)
        )
    if isinstance(value, str | int | float):
        return str(value)
    return ", ".join(map(str, value))
