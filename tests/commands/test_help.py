"""Help pages of commands."""

from __future__ import annotations

from typer.testing import CliRunner

from wangp_cli.main import COMMANDS, app


def test_help_groups_options_by_panel_and_shows_every_line_whole() -> None:
    pages = {words: CliRunner().invoke(app, [*words, "--help"]).output for words in [(), ("generate",)]}
    assert all(line in " ".join(pages[()].split()) for line in COMMANDS.values())
    headings = [line for line in pages[("generate",)].splitlines() if line.endswith(":") and line[0] != " "]
    assert headings[:3] == ["Arguments:", "Task:", "Prompt:"]
    assert headings[-3:] == ["Command:", "Environment:", "Help:"]
