"""Help pages as plain text, with the options of a command grouped by panel."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


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
    """A command whose help has one section for each panel.

    Typer groups options by panel only where rich draws them, which takes longer than all else that help does.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write one definition list for each panel, then `--help`."""
        for panel, params in panels(self).items():
            with formatter.section(panel):
                formatter.write_dl([record for param in params if (record := param.get_help_record(ctx))])
        if (help_option := self.get_help_option(ctx)) and (record := help_option.get_help_record(ctx)):
            with formatter.section("Help"):
                formatter.write_dl([record])


class PlainGroup(TyperGroup):
    """A group whose help shows the first line of every command whole, wrapped where it is long."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands as a definition list."""
        commands = [command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(command.name, command.get_short_help_str(limit=200)) for command in commands]
            )
