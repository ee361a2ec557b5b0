"""Finding a run that is going on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.control import serving
from wangp_cli.errors import RequestError
from wangp_cli.runtime.control import client
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.events.stream import Event, Stream
from wangp_cli.runtime.events.types import TaskAccepted


def test_runs_are_found_by_id_beginning_folder_and_last(folder: Path, tmp_path: Path) -> None:
    with serving(Control(), folder, "abc-1") as one, serving(Control(), folder, "abd-2"):
        one.note(accepted({"output_dir": str(tmp_path / "out"), "output": None}))
        assert client.find("abc-1", [folder]).run == "abc-1"
        assert client.find("abd", [folder]).run == "abd-2"
        assert client.find("last", [folder]).run == "abd-2"
        assert client.find(str(tmp_path / "out"), [folder]).run == "abc-1"
        with pytest.raises(RequestError, match="any of 2 runs"):
            client.find("ab", [folder])
        with pytest.raises(RequestError, match="there is no run 'zz'"):
            client.find("zz", [folder])
    with pytest.raises(RequestError, match="no run is going on"):
        client.find("last", [folder])


def accepted(request: dict[str, Any]) -> Event:
    events: list[Event] = []
    Stream("r", [events.append]).emit(TaskAccepted(request=request, origin={}), task="t")
    return events[0]
