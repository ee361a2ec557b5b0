"""`wangp models`: list, show, fetch."""

from __future__ import annotations

from typing import Annotated, Any, NoReturn

import typer

from wangp_cli.catalogue import ModelSpec
from wangp_cli.commands._run import errors_shown, leave, open_run
from wangp_cli.commands._table import write_facts, write_json, write_table
from wangp_cli.runtime import bootstrap, weights
from wangp_cli.runtime.console import stderr_console
from wangp_cli.runtime.events import DownloadProgress

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="Name of the model.")]

app = typer.Typer(help="List, show and fetch models.", invoke_without_command=True)


@app.callback()
def list_models(context: typer.Context, json: Json = False) -> None:
    """List the models, or use one of the commands below."""
    if context.invoked_subcommand:
        return
    with errors_shown():
        specs, folder = _catalogue()
        if json:
            write_json([_facts(spec, folder) for spec in specs.values()])
            return
        rows = [(spec.name, spec.title, _weights(spec, folder)) for spec in specs.values()]
        write_table(("model", "what it is", "weights"), rows, whole="model")


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show what a model is, accepts and needs."""
    with errors_shown():
        _, _, folders = bootstrap.load_settings()
        spec = bootstrap.catalogue(folders).get(name)
        facts = _facts(spec, _catalogue()[1])
        if json:
            write_json(facts)
            return
        found = facts.pop("card", None)
        lines = {
            key: _line(facts[key]) for key in ("source", "accepts", "requires", "defaults", "aliases", "grid")
        }
        write_facts(facts | lines | {"network": spec.network.name if spec.network else ""})
        if found:
            _write_figures(found)


def _write_figures(card: dict[str, Any]) -> None:
    """What was measured of a model that ships with us."""
    typer.echo("\nmeasured:")
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
def fetch(
    name: Name, json: Annotated[bool, typer.Option("--json", help="Write events as JSON lines.")] = False
) -> None:
    """Download a model's weights; started again, it goes on where it stopped."""
    with errors_shown():
        _, _, folders = bootstrap.load_settings()
        spec = bootstrap.catalogue(folders).get(name)
        bootstrap.prepare_libraries()
        if json:
            _fetch_with_events(spec)
        console = stderr_console()
        folder = weights.fetch(
            spec,
            _catalogue()[1],
            lambda file, done, total: console.print(f"{done}/{total} {file}", markup=False),
        )
        typer.echo(folder)


def _fetch_with_events(spec: ModelSpec) -> NoReturn:
    with open_run("models fetch", {"json": True, "control": False}) as run:
        run.begin()
        emit = run.session.stream.emit
        weights.fetch(
            spec,
            _catalogue()[1],
            lambda file, done, total: emit(DownloadProgress(file=file, done=done, total=total)),
        )
    leave(run)


def _catalogue() -> tuple[dict[str, ModelSpec], Any]:
    settings, _, folders = bootstrap.load_settings()
    return bootstrap.catalogue(folders).models, bootstrap.models_dir(settings, folders)


def _facts(spec: ModelSpec, folder: Any) -> dict[str, Any]:
    facts: dict[str, Any] = spec.model_dump(mode="json")
    facts["accepts"] = sorted(spec.accepts)
    facts["requires"] = sorted(spec.requires)
    facts["parameters"] = spec.network.parameters if spec.network else None
    if found := weights.card(spec):
        facts["card"] = found
    return facts | {
        "weights": str(weights.expected(spec, folder).folder),
        "present": weights.present(spec, folder),
    }


def _weights(spec: ModelSpec, folder: Any) -> str:
    if spec.status == "unsupported":
        return spec.status
    return "here" if weights.present(spec, folder) else "to fetch"


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {_line(item)}" for key, item in value.items() if item not in (None, []))
    if isinstance(value, str | int | float):
        return str(value)
    return ", ".join(map(str, value))
