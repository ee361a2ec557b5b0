"""The `wangp` command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wangp_cli import __version__
from wangp_cli.commands import loras, models, presets, settings
from wangp_cli.commands.batch import batch
from wangp_cli.commands.control import control
from wangp_cli.commands.decode import decode
from wangp_cli.commands.docs import docs
from wangp_cli.commands.doctor import doctor
from wangp_cli.commands.edit import edit
from wangp_cli.commands.generate import generate
from wangp_cli.commands.inpaint import inpaint
from wangp_cli.commands.join import join
from wangp_cli.commands.report import report
from wangp_cli.commands.schema import schema
from wangp_cli.commands.show import show
from wangp_cli.commands.travel import travel
from wangp_cli.runtime.bootstrap import private_stdout
from wangp_cli.runtime.console import show_error
from wangp_cli.tasks.legacy import GONE_FLAGS

app = typer.Typer(
    name="wangp",
    help="Make video with open diffusion models from the shell.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"wangp {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Make video with open diffusion models from the shell."""


app.command(no_args_is_help=True)(generate)
app.command(no_args_is_help=True)(travel)
app.command(no_args_is_help=True)(join)
app.command(no_args_is_help=True)(edit)
app.command(no_args_is_help=True)(inpaint)
app.command(no_args_is_help=True)(decode)
app.command(no_args_is_help=True)(batch)
app.command()(show)
app.command()(report)
app.add_typer(models.app, name="models")
app.add_typer(loras.app, name="loras")
app.add_typer(presets.app, name="presets")
app.add_typer(settings.app, name="settings")
app.command(no_args_is_help=True)(control)
app.command()(doctor)
app.command(no_args_is_help=True)(schema)
app.command()(docs)


def main() -> None:
    """Run the command line of this process."""
    stdout = private_stdout()
    _refuse_gone_flags(sys.argv[1:])
    try:
        app()
    finally:
        sys.stdout.flush()
        if stdout.reader_gone:
            raise SystemExit(141)


def _refuse_gone_flags(arguments: list[str]) -> None:
    for argument in arguments:
        if argument == "--":
            return
        name = argument.split("=")[0]
        if name in GONE_FLAGS:
            show_error(f"{name}: there is no such flag any more", f"use {GONE_FLAGS[name]}")
            raise SystemExit(2)
