"""The run history: one JSON line per result."""

from __future__ import annotations

import json
import os
import resource
import shutil
import tempfile
from pathlib import Path

import pytest

from wangp_cli.errors import NoSpaceError, RequestError
from wangp_cli.runtime.history.log import append_lines, check_history


def test_a_torn_last_line_is_ended_before_the_next(tmp_path: Path) -> None:
    history = tmp_path / "deep" / "run_history.jsonl"
    append_lines(history, [{"b": 1, "a": "ä"}])
    with history.open("a") as file:
        file.write('{"torn": ')
    append_lines(history, [{"c": 2}])
    first, torn, last = history.read_text(encoding="utf-8").splitlines()
    assert first == '{"a": "ä", "b": 1}'
    assert torn == '{"torn": '
    assert json.loads(last) == {"c": 2}


@pytest.mark.parametrize("torn", ["", '{"torn": '])
def test_a_line_that_the_disk_cuts_is_told_and_taken_back(tmp_path: Path, torn: str) -> None:
    history = tmp_path / "run_history.jsonl"
    append_lines(history, [{"a": 1}])
    with history.open("a") as file:
        file.write(torn)
    before = history.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 5, hard))
    try:
        with pytest.raises(NoSpaceError, match="full"):
            append_lines(history, [{"b": "long"}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert history.read_bytes() == before
    append_lines(history, [{"c": 3}])
    assert json.loads(history.read_text().splitlines()[-1]) == {"c": 3}


def test_a_write_that_takes_a_part_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:3]))
    append_lines(tmp_path / "run_history.jsonl", [{"a": "long"}])
    assert (tmp_path / "run_history.jsonl").read_text() == '{"a": "long"}\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"adapter_payload_hashes": {}, "art',
        '{"inputs": {}, "task_id": "of the older command line"}\n{"torn',
    ],
)
def test_a_run_history_can_go_on(tmp_path: Path, text: str) -> None:
    (tmp_path / "history").write_text(text)
    check_history(tmp_path / "history")
    check_history(tmp_path / "none")


@pytest.mark.parametrize(
    "text", ["\n", '{"prompt": "a"}', '{"task_id": "a", "prompt": "b"}\n', "[" * 100_000]
)
def test_what_is_no_run_history_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "history").write_text(text)
    with pytest.raises(RequestError, match="something other than a run history"):
        check_history(tmp_path / "history")


def test_the_name_of_a_new_history_reaches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, fsync = [], os.fsync

    def note(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink())
        fsync(file)

    monkeypatch.setattr(os, "fsync", note)
    history = tmp_path / "manifests" / "run_history.jsonl"
    append_lines(history, [{"a": 1}])
    assert set(synced) == {tmp_path, history.parent, history}
    synced.clear()
    append_lines(history, [{"b": 2}])
    assert synced == [history]


def test_a_history_that_cannot_be_written_is_found_before_the_work() -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    history = folder / "history"
    history.write_text('{"task_id": "a", "status": "success"}\n')
    history.chmod(0o444)
    # Root may write everything.
    if is_root := os.geteuid() == 0:
        os.seteuid(65534)
    try:
        for use in (check_history, lambda path: append_lines(path, [{"a": 1}])):
            with pytest.raises(NoSpaceError, match=r"manifest_path: .*history cannot be written") as caught:
                use(history)
            assert "--manifest-path" in str(caught.value.hint)
    finally:
        if is_root:
            os.seteuid(0)
        shutil.rmtree(folder)
