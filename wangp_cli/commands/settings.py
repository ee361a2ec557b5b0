"""`wangp settings`: show, path, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._table import write_json, write_table
from wangp_cli.legacy.wgp_config import translate_wgp_config
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime import settings as settings_files
from wangp_cli.runtime.events.messages import show_line, write_path
from wangp_cli.runtime.settings import Settings
from wangp_cli.value_layers import DEFAULT

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(help="Show and import the settings of this user.", no_args_is_help=True)


@app.command()
def show(json: Json = False) -> None:
    """Show every setting and the origin of its value."""
    with report_errors():
        settings, origin, folders = bootstrap.load_settings()
        values = settings.model_dump(mode="json") | {
            "models_dir": str(bootstrap.models_dir(settings, folders)),
            "loras_dir": str(bootstrap.loras_dir(settings, folders)),
            "work_dir": str(bootstrap.work_dir(settings, folders)),
        }
        if json:
            write_json(
                {name: {"value": values[name], "origin": str(origin.get(name, DEFAULT))} for name in values}
            )
            return
        write_table(
            ("setting", "value", "from", "what it is"),
            [
                (name, values[name], origin.get(name, DEFAULT), Settings.describe(name))
                for name in Settings.model_fields
            ],
            no_wrap=["setting"],
        )


@app.command()
def path() -> None:
    """Print the path of the settings file."""
    write_path(bootstrap.user_folders().settings)


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="The wgp_config.json of WanGP.")], json: Json = False
) -> None:
    """Import settings of WanGP; prints the keys that have no counterpart."""
    with report_errors():
        values, rest = translate_wgp_config(file)
        written = settings_files.save(bootstrap.user_folders(), values)
        if json:
            write_json({"settings": str(written), "taken": values, "left": rest})
            return
        write_table(("setting", "value"), list(values.items()))
        show_line(f"written to {written}")
        if rest:
            show_line(f"not taken over: {', '.join(rest)}")
