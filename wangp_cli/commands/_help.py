"""Help pages as plain text, with the options of a command grouped by panel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup

ENVIRONMENT = ("WANGP_NAME", "A setting, such as WANGP_DEVICE; `wangp settings show` lists them.")


def panels(command: Any) -> dict[str, list[Any]]:
    """The visible parameters of a command by the name of their panel, in the order of the command line."""
    grouped: dict[str, list[Any]] = {}
    for param in command.params:
        if getattr(param, "hidden", False):
            continue
        is_argument = param.param_type_name == "argument"
        panel = "Arguments" if is_argument else param.rich_help_panel or "Options"
        grouped.setdefault(panel, []).append(param)
    return grouped


class PanelCommand(TyperCommand):
    """A command that groups its help by panel and converts only the options that are given.

    Typer groups options by panel only when rich prints the help, and importing rich is slow. For every
    option of a call, given or not, it builds a pydantic adapter.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for param in self.params:
            if param.param_type_name == "argument" and not param.metavar:
                param.metavar = str(param.name).upper()
            if not param.required and param.callback is None:
                setattr(param, "process_value", partial(_process_given, param.process_value))  # noqa: B010

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The parts of the usage line; required arguments appear in it without braces."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write one definition list for each panel, then `--help`."""
        for panel, params in panels(self).items():
            with formatter.section(panel):
                formatter.write_dl([record for param in params if (record := _record(param, ctx))])
        if "Runtime" in panels(self):
            with formatter.section("Environment"):
                formatter.write_dl([ENVIRONMENT])
        if (help_option := self.get_help_option(ctx)) and (record := help_option.get_help_record(ctx)):
            with formatter.section("Help"):
                formatter.write_dl([record])


def _record(param: Any, context: Any) -> tuple[str, str] | None:
    """A parameter and its help; an argument is named by its metavar alone, as in the usage line."""
    record: tuple[str, str] | None = param.get_help_record(context)
    return (param.metavar, record[1]) if record and param.param_type_name == "argument" else record


def _process_given(process: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """The parsed value of an option; None where it is not given."""
    return None if value is None else process(context, value)


class PlainGroup(TyperGroup):
    """A group whose help wraps the first line of every command instead of cutting it."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands as a definition list."""
        commands = [command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(command.name, command.get_short_help_str(limit=200)) for command in commands]
            )
