"""`wangp models`: list, show, fetch."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wangp_cli.catalogue import ModelSpec
from wangp_cli.commands._run import errors_shown
from wangp_cli.commands._table import write_facts, write_json, write_table
from wangp_cli.runtime import bootstrap, weights
from wangp_cli.runtime.console import stderr_console
from wangp_cli.tasks.shot import Shot

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
        rows = [
            (spec.name, spec.title, _defaults(spec), "here" if weights.present(spec, folder) else "to fetch")
            for spec in specs.values()
        ]
        write_table(("model", "what it is", "default shot", "weights"), rows)


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
        write_facts(
            facts | {key: _line(facts[key]) for key in ("accepts", "requires", "defaults", "aliases")}
        )


@app.command()
def fetch(name: Name) -> None:
    """Download a model's weights; started again, it goes on where it stopped."""
    with errors_shown():
        _, _, folders = bootstrap.load_settings()
        spec = bootstrap.catalogue(folders).get(name)
        bootstrap.prepare_libraries()
        console = stderr_console()
        folder = weights.fetch(
            spec,
            _catalogue()[1],
            lambda file, done, total: console.print(f"{done}/{total} {file}", markup=False),
        )
        typer.echo(folder)


def _catalogue() -> tuple[dict[str, ModelSpec], Any]:
    settings, _, folders = bootstrap.load_settings()
    return bootstrap.catalogue(folders).models, bootstrap.models_dir(settings, folders)


def _facts(spec: ModelSpec, folder: Any) -> dict[str, Any]:
    facts: dict[str, Any] = spec.model_dump(mode="json", exclude={"world"})
    facts["accepts"] = sorted(spec.accepts)
    facts["requires"] = sorted(spec.requires)
    return facts | {
        "weights": str(weights.expected_folder(spec, folder)),
        "present": weights.present(spec, folder),
    }


def _defaults(spec: ModelSpec) -> str:
    shot = Shot().model_dump() | spec.defaults
    return f"{shot['size']}, {shot['frames']} frames"


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return ", ".join(map(str, value))
