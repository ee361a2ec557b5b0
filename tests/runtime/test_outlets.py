"""Where the events of a run go, and the exit code if they could not be written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from wangp_cli.runtime.events.stream import Stream
from wangp_cli.runtime.events.types import Heartbeat
from wangp_cli.runtime.outlets import Outlets
from wangp_cli.runtime.run_options import RunOptions


def send(outlets: Outlets) -> None:
    """Send one event everywhere and close."""
    Stream("run", outlets.sinks).emit(Heartbeat())
    outlets.close()


def test_the_file_has_the_lines_of_stdout(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    file = tmp_path / "events.jsonl"
    outlets = Outlets(RunOptions(json_lines=True, events_file=file), writer)
    send(outlets)
    os.close(writer)
    with os.fdopen(reader) as lines:
        assert lines.read() == file.read_text()
    assert json.loads(file.read_text())["type"] == "heartbeat"
    assert outlets.exit_code(0) == 0


@pytest.mark.parametrize(("policy", "code"), [("stop", 141), ("abort", 141), ("continue", 0)])
def test_a_reader_that_left_is_in_the_exit_code(policy: str, code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    outlets = Outlets(RunOptions.model_validate({"json_lines": True, "on_broken_pipe": policy}), writer)
    send(outlets)
    os.close(writer)
    assert outlets.exit_code(0) == code


def test_a_full_disk_is_in_the_exit_code_unless_there_is_another_error() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    outlets = Outlets(RunOptions(json_lines=True), full)
    send(outlets)
    os.close(full)
    assert (outlets.exit_code(0), outlets.exit_code(2)) == (4, 2)
