"""`wangp presets`: list, show."""

from __future__ import annotations

from typing import Annotated

import typer

from wangp_cli.commands import _complete
from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._table import values_line, write_facts, write_json, write_table
from wangp_cli.runtime import bootstrap

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(help="List and show presets.", invoke_without_command=True)


@app.callback()
def overview(context: typer.Context, json: Json = False) -> None:
    """List the presets and accelerators, or use one of the commands below."""
    if not context.invoked_subcommand:
        list_presets(json=json)


@app.command("list")
def list_presets(json: Json = False) -> None:
    """List the presets and accelerators."""
    with report_errors():
        folders = bootstrap.user_folders()
        presets = bootstrap.presets(folders).all
        if json:
            write_json([preset.model_dump(mode="json") for preset in presets.values()])
            return
        rows = [(preset.name, preset.description, values_line(preset.values)) for preset in presets.values()]
        write_table(("preset", "what it is for", "values"), rows)
        accelerators = bootstrap.accelerators(folders).all.values()
        write_table(
            ("accelerator", "what it is", "networks"),
            [(each.name, each.description, each.made_for) for each in accelerators],
        )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the preset.", autocompletion=_complete.presets)],
    json: Json = False,
) -> None:
    """Show the values of a preset."""
    with report_errors():
        preset = bootstrap.presets(bootstrap.user_folders()).get(name)
        if json:
            write_json(preset.model_dump(mode="json"))
            return
        write_facts({"preset": preset.name, "for": preset.description, **preset.values})
