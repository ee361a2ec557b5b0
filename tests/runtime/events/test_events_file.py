"""Opening a file for events."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from wangp_cli.errors import ConflictError, NoSpaceError, RequestError
from wangp_cli.runtime.events.events_file import open_events_file
from wangp_cli.runtime.events.jsonl import JsonLines
from wangp_cli.runtime.events.stream import Event, Stream
from wangp_cli.runtime.events.types import Heartbeat, TaskStarted


def test_a_file_is_appended_to_and_brought_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink()))
    path = tmp_path / "new" / "events.jsonl"
    for run in ("one", "two"):
        descriptor = open_events_file(path)
        lines = JsonLines(descriptor, durable=True)
        Stream(run, [lines]).emit(TaskStarted(), task="t")
        assert lines.close()
        os.close(descriptor)
    assert [json.loads(line)["run"] for line in path.read_text().splitlines()] == ["one", "two"]
    # The folder of the new file, and the file itself at the end of each run.
    assert synced == [tmp_path, path, path]


EVENT = '{"v":1,"type":"heartbeat","seq":1,"ts":"t","run":"r","data":{}}\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (EVENT + '{"b":', EVENT),
        (EVENT, EVENT),
        (EVENT[:20], ""),
        ("", ""),
        (EVENT + "y" * 200_000, EVENT),
    ],
)
def test_a_torn_last_line_is_removed(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(before)
    os.close(open_events_file(path))
    assert path.read_text() == after


@pytest.mark.parametrize("form", [Event.line, partial(Event.cloud_line, host="here")])
def test_a_log_of_either_form_goes_on(tmp_path: Path, form: Callable[[Event], str]) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        descriptor = open_events_file(path)
        lines = JsonLines(descriptor, form=form)
        Stream("run", [lines]).emit(Heartbeat())
        assert lines.close()
        os.close(descriptor)
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "before",
    [
        b'{"model": "starter"}',
        b'{"prompt": "a"}\n{"prompt": "b"}',
        b"\0\0\0\x20ftypisom",
        b"\n",
        b"{",
        b'{"v":1,"type":"' + b"[" * 100_000 + b"\n",
        b'{"v":1,"type":"other"}\nno event of ours',
        b'{"v":1,"type":"other"\ntorn',
        b'{"specversion":"1.0","id":"1","type":"com.other"}\ntorn',
    ],
)
@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_a_file_of_something_else_is_refused_and_kept(
    tmp_path: Path, before: bytes, link: Callable[[Path, Path], None] | None
) -> None:
    path = name = tmp_path / "file"
    path.write_bytes(before)
    if link:
        link(path, name := tmp_path / "events.jsonl")
    with pytest.raises(RequestError, match=r"events_file: .* holds something else"):
        open_events_file(name)
    assert path.read_bytes() == before


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(RequestError, match=r"events_file: .* is not a file"):
            open_events_file(path)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_file_that_the_run_uses_is_refused_by_any_name(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "in").mkdir()
    used, name = tmp_path / "in" / "tasks.jsonl", tmp_path / "events.jsonl"
    used.write_text("")
    link(used, name)
    for path, other in ((name, used), (used, name), (name, used.parent), (used, used.parent)):
        with pytest.raises(RequestError, match=r"events_file: .* which this run uses"):
            open_events_file(path, [tmp_path / "none", other])
    with pytest.raises(RequestError, match="which this run uses"):
        open_events_file(tmp_path / "in" / "new", [used.parent])
    with pytest.raises(RequestError, match="which this run uses"):
        open_events_file(tmp_path / "in" / ".." / "new", [tmp_path / "new"])
    assert not (tmp_path / "in" / "new").exists()
    os.close(open_events_file(tmp_path / "new", [used, used.parent]))


def test_a_file_that_cannot_be_written_is_a_clear_error_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NoSpaceError, match="cannot be written"):
        open_events_file(tmp_path / "file" / "events.jsonl")
    with pytest.raises(RequestError, match="is not a file"):
        open_events_file(tmp_path)
    held = open_events_file(tmp_path / "events.jsonl")
    with pytest.raises(ConflictError, match="another run"):
        open_events_file(tmp_path / "events.jsonl")
    os.close(held)
    monkeypatch.setattr("wangp_cli.runtime.events.events_file.LEAST_FREE_BYTES", 1 << 60)
    with pytest.raises(NoSpaceError, match="full"):
        open_events_file(tmp_path / "events.jsonl")
