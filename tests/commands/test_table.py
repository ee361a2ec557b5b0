"""Tables and JSON on standard output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wangp_cli.commands._table import values_line, write_facts, write_json, write_table


def test_json_is_printed_with_paths_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"path": Path("a/b"), "frames": 5})
    assert json.loads(capsys.readouterr().out) == {"path": "a/b", "frames": 5}


def test_cells_are_printed_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(("name", "frames"), [("a\x1b[31m", 5)])
    printed = capsys.readouterr().out
    assert "name" in printed
    assert "5" in printed
    assert "\x1b" not in printed


def test_empty_facts_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    write_facts({"frames": 0, "codec": "h264", "audio": None, "notes": []})
    assert capsys.readouterr().out.split() == ["frames", "0", "codec", "h264"]


def test_values_are_joined_in_a_line() -> None:
    assert values_line({"steps": 8, "size": "32x32"}) == "steps 8, size 32x32"
