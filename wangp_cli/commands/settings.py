"""`wangp settings`: show, set, unset, path, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wangp_cli.commands import _complete
from wangp_cli.commands._errors import report_errors
from wangp_cli.commands._table import write_facts, write_json, write_table
from wangp_cli.legacy.wgp_config import translate_wgp_config
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime import settings as settings_files
from wangp_cli.runtime.events.messages import show_line, write_path
from wangp_cli.runtime.settings import Settings
from wangp_cli.value_layers import DEFAULT

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(help="Show, change and import the settings of this user.", no_args_is_help=True)


@app.command()
def show(json: Json = False) -> None:
    """Show every setting and the origin of its value.

    Each may also be given by an environment variable: WANGP_ and its name, such as WANGP_DEVICE.
    """
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


Key = Annotated[
    str, typer.Argument(help="Name of the setting.", autocompletion=_complete.among(Settings.model_fields))
]


@app.command(name="set")
def set_(key: Key, value: Annotated[str, typer.Argument(help="Its new value.")], json: Json = False) -> None:
    """Set one setting."""
    with report_errors():
        settings_files.check_name(key)
        written = settings_files.save(bootstrap.user_folders(), {key: value})
        _tell_changed(key, written, json)


@app.command()
def unset(key: Key, json: Json = False) -> None:
    """Set one setting back to its default."""
    with report_errors():
        written = settings_files.remove(bootstrap.user_folders(), key)
        _tell_changed(key, written, json)


def _tell_changed(key: str, file: Path, json: bool) -> None:
    """Print the setting that holds now; a variable of the environment is above the file."""
    settings, origin, _ = bootstrap.load_settings()
    value, source = settings.model_dump(mode="json")[key], str(origin.get(key, DEFAULT))
    if json:
        write_json({"settings": str(file), key: {"value": value, "origin": source}})
        return
    write_facts({"setting": key, "value": "none" if value is None else value, "from": source})


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
