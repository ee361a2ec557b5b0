"""`wangp presets`: list, show."""

from __future__ import annotations

from typing import Annotated

import typer

from wangp_cli.commands._run import errors_shown
from wangp_cli.commands._table import write_facts, write_json, write_table
from wangp_cli.runtime import bootstrap

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(help="List and show presets.", invoke_without_command=True)


@app.callback()
def list_presets(context: typer.Context, json: Json = False) -> None:
    """List the presets, or show one."""
    if context.invoked_subcommand:
        return
    with errors_shown():
        found = bootstrap.presets(bootstrap.user_folders()).all
        if json:
            write_json([preset.model_dump(mode="json") for preset in found.values()])
            return
        rows = [(preset.name, preset.description, _line(preset.values)) for preset in found.values()]
        write_table(("preset", "what it is for", "values"), rows)


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of the preset.")], json: Json = False) -> None:
    """Show the values of a preset."""
    with errors_shown():
        preset = bootstrap.presets(bootstrap.user_folders()).get(name)
        if json:
            write_json(preset.model_dump(mode="json"))
            return
        write_facts({"preset": preset.name, "for": preset.description, **preset.values})


def _line(values: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
