"""The `wangp` command."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from wangp_cli import __version__
from wangp_cli.commands._help import PanelCommand, PlainGroup
from wangp_cli.commands._usage_errors import report_usage_errors
from wangp_cli.errors import ResourceError
from wangp_cli.runtime.events.messages import show_error, write_line
from wangp_cli.runtime.events.stderr import escape_stderr
from wangp_cli.runtime.events.stdin import keep_stdin
from wangp_cli.runtime.events.stdout import open_closed_descriptors, private_stdout

COMMANDS = {
    "generate": "Make a video from a prompt, images and videos; one frame makes an image.",
    "travel": "Travel from image to image in one continuous video.",
    "join": "Join clips with generated frames.",
    "edit": "Regenerate portions of a video; all other frames stay unchanged.",
    "inpaint": "Inpaint a range of frames or a masked region; every other pixel stays unchanged.",
    "preprocess": "Make control pictures of a video or image: edges, depth, flow, poses, lines or luma.",
    "extract-frame": "Write frames of a video as images, exactly as they are decoded.",
    "upscale": "Make a video or image larger, match its colours, add film grain; sound is kept.",
    "rife": "Make frames in between: more frames per second, slow motion, or a video from two images.",
    "matanyone": "Make the matte of an object in a video or image: its alpha, with soft edges.",
    "decode": "Decode latents that were kept when the decoding of a result failed.",
    "batch": "Run many tasks with models kept loaded; flags are defaults for all.",
    "show": "Show the facts of a file and the request it was made with.",
    "report": "Write one HTML page with every task of a run: results, requests, failures.",
    "models": "List, show, fetch and check models.",
    "loras": "List, show, check and fetch LoRAs.",
    "presets": "List and show presets.",
    "settings": "Show, change and import the settings of this user.",
    "control": "Control a running command: status, pause, resume, cancel a task, drain, abort.",
    "doctor": "Check python, torch, device, memory, disk, attention, folders, hub, engines and versions.",
    "schema": "Print a JSON Schema.",
    "docs": "Generate docs/CLI.md.",
}
"""The commands by name, each in the module of its name, with the first line of its help."""


class _LazyCommands(Mapping[str, Any]):
    """The commands by name, each imported when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


@cache
def _load(name: str) -> Any:
    attribute = name.replace("-", "_")
    module = import_module(f"wangp_cli.commands.{attribute}")
    part = typer.Typer(add_completion=False, rich_markup_mode=None)
    part.callback()(lambda: None)
    if hasattr(module, "app"):
        for command in module.app.registered_commands:
            command.cls = PanelCommand
        part.add_typer(module.app, name=name, cls=PlainGroup)
    else:
        part.command(name, cls=PanelCommand)(getattr(module, attribute))
    group = typer.main.get_command(part)
    assert isinstance(group, TyperGroup)
    return group.commands[name]


class _Commands(PlainGroup):
    """The root group: help and completion list the commands without importing them."""

    commands: Any

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.loaded = _LazyCommands()
        self.listed = {name: TyperCommand(name, help=line) for name, line in COMMANDS.items()}
        self.commands = self.loaded

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        """Parse the flags before the command."""
        with report_usage_errors():
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Parse the command's flags and run it."""
        with report_usage_errors():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help with the list of commands."""
        self.commands = self.listed
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete the name of a command."""
        self.commands = self.listed
        return super().shell_complete(ctx, incomplete)


app = typer.Typer(
    cls=_Commands,
    name="wangp",
    help="Make video with open diffusion models from the shell.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain text: rich takes longer to import and to draw a page than the rest of the command takes.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(requested: bool) -> None:
    if requested:
        write_line(f"wangp {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Make video with open diffusion models from the shell."""


def main() -> NoReturn:
    """Run the command line of this process, and end it.

    The exit code is that of the command, 141 if the reader of stdout is gone, or 4 if stdout cannot be
    written.
    """
    open_closed_descriptors()
    keep_stdin()
    escape_stderr()
    stdout = private_stdout()
    try:
        app()
        code = 0
    except KeyboardInterrupt:
        code = 130
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.stdout.flush()
    if stdout.error is not None and code == 0:
        show_error(f"cannot write to standard output: {stdout.error.strerror}")
        code = ResourceError.exit_code
    _leave(141 if stdout.reader_gone else code)


def _leave(code: int) -> NoReturn:
    """End the process after its exit functions.

    Python itself would free every module and weight first, for more than a second in which nothing happens.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.flush()
    os._exit(code)
