"""Files of runs in the user's runtime folder."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.control import serving
from wangp_cli.errors import ConflictError
from wangp_cli.runtime.control import client, registry
from wangp_cli.runtime.control.server import ControlServer
from wangp_cli.runtime.control.state import Control


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(folder: Path) -> None:
    registry.make_private(folder)
    for name in ("run-1", "run-0"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(folder / f"{name}.sock"))
    registry.Record(folder=folder, run="run-0", pid=2**22 + 1).write()
    with serving(Control(), folder):
        assert sorted(file.name for file in folder.iterdir()) == ["run-1.json", "run-1.sock"]
        with pytest.raises(ConflictError, match="another process"):
            ControlServer(Control(), "run-1", [folder])
        assert client.find("run-1", [folder]).run == "run-1"


def test_a_record_is_read_as_it_was_written_and_a_broken_one_is_not(folder: Path) -> None:
    registry.make_private(folder)
    record = registry.Record(folder=folder, run="run-1", pid=7, folders=["/out"], port=4711)
    record.write()
    assert registry.read(record.file) == record
    for text in ("{", "[]", '{"run": "run-1"}'):
        record.file.write_text(text)
        assert registry.read(record.file) is None
