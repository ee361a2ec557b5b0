"""Files that are complete or not there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
from pathlib import Path

import pytest

from wangp_cli.errors import ConflictError, NoSpaceError, RequestError
from wangp_cli.files.atomic import complete_file, remove_owned, sweep
from wangp_cli.runtime.history.log import append_line, check_history
from wangp_cli.runtime.workspace.segments_cache import keep_seed
from wangp_cli.tasks.generate import Generate


def test_a_file_takes_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    with complete_file(tmp_path / "new" / "a.txt", overwrite=False) as partial:
        partial.write_text("whole")
        assert list(partial.parent.iterdir()) == [partial]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with complete_file(tmp_path / "a.txt", overwrite=False) as partial:
            partial.write_text("half")
            raise ValueError("oops")

    with pytest.raises(ValueError, match="oops"):
        fail()
    assert list(tmp_path.iterdir()) == []


def write(path: Path, text: str, *, meanwhile: str | None = None) -> None:
    with complete_file(path, overwrite=False) as partial:
        partial.write_text(text)
        if meanwhile:
            path.write_text(meanwhile)


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ConflictError):
        write(tmp_path / "a.txt", "ours", meanwhile="theirs")
    assert (tmp_path / "a.txt").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_overwriting_replaces_the_file_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with complete_file(tmp_path / "a.txt", overwrite=True) as partial:
        partial.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("taken", [True, False])
def test_disks_without_hard_links_serve_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    if taken:
        (tmp_path / "a.txt").write_text("theirs")
        with pytest.raises(ConflictError):
            write(tmp_path / "a.txt", "ours")
    else:
        write(tmp_path / "a.txt", "ours")
    assert (tmp_path / "a.txt").read_text() == ("theirs" if taken else "ours")


def test_a_long_name_in_any_script_has_room_for_its_partial(tmp_path: Path) -> None:
    path = tmp_path / ("狐" * 83 + ".mp4")
    with complete_file(path, overwrite=False) as partial:
        partial.write_text("whole")
    assert path.exists()


def test_partials_that_nobody_writes_are_swept_and_others_kept(tmp_path: Path) -> None:
    dead = tmp_path / f".a.{0:032x}.partial.mp4"
    foreign = [tmp_path / ".b.4194999.partial.mp4", tmp_path / ".partial.txt", tmp_path / f"{0:032x}.partial"]
    for path in (dead, *foreign):
        path.write_text("half")
    link = tmp_path / f".c.{0:032x}.partial"
    link.symlink_to(foreign[0])
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([link, *foreign])


@pytest.mark.parametrize("other", ["scene1.png", "scene1.take2.png"])
def test_a_partial_that_is_written_is_not_swept(tmp_path: Path, other: str) -> None:
    with complete_file(tmp_path / "scene1.take2.png", overwrite=False) as partial:
        partial.write_text("half")
        write(tmp_path / other.replace("png", "jpg"), "whole")
        sweep(tmp_path)
        assert partial.read_text() == "half"
    assert (tmp_path / "scene1.take2.png").read_text() == "half"


def test_a_partial_that_was_exchanged_for_a_link_is_told(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")

    def exchange() -> None:
        with complete_file(tmp_path / "a.txt", overwrite=True) as partial:
            partial.unlink()
            partial.symlink_to(tmp_path / "theirs")

    with pytest.raises(ConflictError, match="replaced"):
        exchange()
    assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_names_of_partials_cannot_be_guessed(tmp_path: Path) -> None:
    with (
        complete_file(tmp_path / "a.txt", overwrite=True) as one,
        complete_file(tmp_path / "a.txt", overwrite=True) as two,
    ):
        assert one != two
        assert one.stat().st_size == two.stat().st_size == 0


def test_the_owner_is_told_before_a_file_has_its_name(tmp_path: Path) -> None:
    told = []

    def own(path: Path, sha256: str) -> None:
        told.append((path, sha256, path.exists()))

    with complete_file(tmp_path / "a.txt", overwrite=False, own=own) as partial:
        partial.write_text("whole")
    assert told == [(tmp_path / "a.txt", hashlib.sha256(b"whole").hexdigest(), False)]


@pytest.mark.parametrize("kind", ["ours", "changed", "link", "folder", "pipe"])
def test_only_what_has_our_content_is_removed(tmp_path: Path, kind: str) -> None:
    path, ours = tmp_path / "a.txt", [hashlib.sha256(b"ours").hexdigest()]
    match kind:
        case "link":
            (tmp_path / "elsewhere").write_text("ours")
            path.symlink_to(tmp_path / "elsewhere")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.write_text(kind)
    remove_owned(path, ours)
    assert os.path.lexists(path) == (kind != "ours")


def test_a_folder_that_cannot_be_made_is_told() -> None:
    with pytest.raises(NoSpaceError, match="/proc"):
        write(Path("/proc/nowhere/a.txt"), "never")


def test_a_torn_last_line_is_ended_before_the_next(tmp_path: Path) -> None:
    history = tmp_path / "deep" / "run_history.jsonl"
    append_line(history, {"b": 1, "a": "ä"})
    with history.open("a") as file:
        file.write('{"torn": ')
    append_line(history, {"c": 2})
    first, torn, last = history.read_text(encoding="utf-8").splitlines()
    assert first == '{"a": "ä", "b": 1}'
    assert torn == '{"torn": '
    assert json.loads(last) == {"c": 2}


@pytest.mark.parametrize("torn", ["", '{"torn": '])
def test_a_line_that_the_disk_cuts_is_told_and_taken_back(tmp_path: Path, torn: str) -> None:
    history = tmp_path / "run_history.jsonl"
    append_line(history, {"a": 1})
    with history.open("a") as file:
        file.write(torn)
    before = history.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 5, hard))
    try:
        with pytest.raises(NoSpaceError, match="full"):
            append_line(history, {"b": "long"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert history.read_bytes() == before
    append_line(history, {"c": 3})
    assert json.loads(history.read_text().splitlines()[-1]) == {"c": 3}


def test_a_write_that_takes_a_part_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:3]))
    append_line(tmp_path / "run_history.jsonl", {"a": "long"})
    assert (tmp_path / "run_history.jsonl").read_text() == '{"a": "long"}\n'


def test_a_begun_file_keeps_its_folder_from_being_removed_as_empty(tmp_path: Path) -> None:
    with complete_file(tmp_path / "work" / "a.txt", overwrite=True) as partial:
        with pytest.raises(OSError, match="not empty"):
            partial.parent.rmdir()
        partial.write_text("whole")
    assert (tmp_path / "work" / "a.txt").read_text() == "whole"


def test_a_seed_is_not_written_through_a_link(tmp_path: Path) -> None:
    task = Generate(model="starter", prompt="a", seed=7)
    keep_seed(task, tmp_path).close()
    [file] = tmp_path.iterdir()
    file.rename(tmp_path / "theirs")
    file.symlink_to(tmp_path / "theirs")
    with pytest.raises(ConflictError, match="is a link"):
        keep_seed(task.replace(seed=8), tmp_path)
    assert (tmp_path / "theirs").read_text() == "7"


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
    with pytest.raises(RequestError, match="something else than a run history"):
        check_history(tmp_path / "history")
