"""Files that are complete or not there."""

from __future__ import annotations

import ast
import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest

from wangp_cli.errors import ConflictError, NoSpaceError
from wangp_cli.files import atomic
from wangp_cli.files.atomic import atomic_file, open_atomic, rename_durably, set_aside, sweep, write_atomic


def test_a_file_takes_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "new" / "a.txt", overwrite=False) as partial:
        partial.write_text("whole")
        assert list(partial.parent.iterdir()) == [partial]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_file(tmp_path / "a.txt", overwrite=False) as partial:
            partial.write_text("half")
            raise ValueError("oops")

    with pytest.raises(ValueError, match="oops"):
        fail()
    assert list(tmp_path.iterdir()) == []


def write(path: Path, text: str, *, meanwhile: str | None = None) -> None:
    with atomic_file(path, overwrite=False) as partial:
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
    with atomic_file(tmp_path / "a.txt", overwrite=True) as partial:
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
    with atomic_file(path, overwrite=False) as partial:
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
    with atomic_file(tmp_path / "scene1.take2.png", overwrite=False) as partial:
        partial.write_text("half")
        write(tmp_path / other.replace("png", "jpg"), "whole")
        sweep(tmp_path)
        assert partial.read_text() == "half"
    assert (tmp_path / "scene1.take2.png").read_text() == "half"


def test_a_partial_that_was_exchanged_for_a_link_is_told(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")

    def exchange() -> None:
        with atomic_file(tmp_path / "a.txt", overwrite=True) as partial:
            partial.unlink()
            partial.symlink_to(tmp_path / "theirs")

    with pytest.raises(ConflictError, match="replaced"):
        exchange()
    assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_names_of_partials_cannot_be_guessed(tmp_path: Path) -> None:
    with (
        atomic_file(tmp_path / "a.txt", overwrite=True) as one,
        atomic_file(tmp_path / "a.txt", overwrite=True) as two,
    ):
        assert one != two
        assert one.stat().st_size == two.stat().st_size == 0


def test_the_owner_is_told_before_a_file_has_its_name(tmp_path: Path) -> None:
    told = []

    def own(path: Path, sha256: str) -> None:
        told.append((path, sha256, path.exists()))

    with atomic_file(tmp_path / "a.txt", overwrite=False, before_rename=own) as partial:
        partial.write_text("whole")
    assert told == [(tmp_path / "a.txt", hashlib.sha256(b"whole").hexdigest(), False)]


def test_a_folder_that_cannot_be_made_is_told() -> None:
    with pytest.raises(NoSpaceError, match="/proc"):
        write(Path("/proc/nowhere/a.txt"), "never")


def test_a_begun_file_keeps_its_folder_from_being_removed_as_empty(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "work" / "a.txt", overwrite=True) as partial:
        with pytest.raises(OSError, match="not empty"):
            partial.parent.rmdir()
        partial.write_text("whole")
    assert (tmp_path / "work" / "a.txt").read_text() == "whole"


def test_a_small_file_replaces_another_and_keeps_to_its_mode(tmp_path: Path) -> None:
    write_atomic(tmp_path / "new" / "a.json", "1", mode=0o600)
    write_atomic(tmp_path / "new" / "a.json", b"2", mode=0o600)
    assert (tmp_path / "new" / "a.json").read_text() == "2"
    assert stat.S_IMODE((tmp_path / "new" / "a.json").stat().st_mode) == 0o600
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_small_file_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    (tmp_path / f".a.{0:032x}.partial").write_text("half")
    write_atomic(tmp_path / "a.json", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "a").symlink_to(tmp_path / "theirs")
    write_atomic(tmp_path / "a", "ours")
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert not (tmp_path / "a").is_symlink()


def test_an_error_of_the_disk_names_the_file_not_its_partial(tmp_path: Path) -> None:
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(OSError, match="folder") as told:
        write_atomic(tmp_path / "folder", "1")
    assert told.value.filename == str(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_failed_stream_leaves_the_old_file(tmp_path: Path) -> None:
    def fail() -> None:
        with open_atomic(tmp_path / "a") as file:
            file.write(b"half")
            raise ValueError("oops")

    (tmp_path / "a").write_text("old")
    with pytest.raises(ValueError, match="oops"):
        fail()
    assert (tmp_path / "a").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that are fsynced from now on, in order."""
    paths, fsync = [], os.fsync

    def note(file: int) -> None:
        paths.append(str(Path(f"/proc/self/fd/{file}").readlink()))
        fsync(file)

    monkeypatch.setattr(os, "fsync", note)
    return paths


def test_content_and_names_reach_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = synced(monkeypatch)
    write_atomic(tmp_path / "new" / "a", "1")
    assert paths[0] == str(tmp_path)
    assert paths[1].endswith(".partial")
    assert paths[2] == str(tmp_path / "new")
    paths.clear()
    (tmp_path / "part").write_text("whole")
    rename_durably(tmp_path / "part", tmp_path / "new" / "a")
    assert paths == [str(tmp_path / "part"), str(tmp_path / "new")]
    assert (tmp_path / "new" / "a").read_text() == "whole"


def test_a_link_is_not_renamed_as_if_it_were_the_file(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "part").symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="symbolic"):
        rename_durably(tmp_path / "part", tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_file_set_aside_replaces_none_that_was_before(tmp_path: Path) -> None:
    for text in ("one", "two", "three"):
        (tmp_path / "a.json").write_text(text)
        set_aside(tmp_path / "a.json", ".broken")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"a.json.broken": "one", "a.json.broken.2": "two", "a.json.broken.3": "three"}


def calls_that_write(module: ast.Module) -> set[str]:
    """Calls by which a module gives a file its content or its name."""
    return {
        ast.unparse(call)
        for call in ast.walk(module)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and (
            call.func.attr in ("write_text", "write_bytes", "rename", "link", "renames")
            # `str.replace` takes two arguments, `Path.replace` one.
            or (call.func.attr == "replace" and len(call.args) == 1 and not call.keywords)
            or ast.unparse(call.func) == "os.replace"
        )
    }


def test_no_other_module_gives_files_their_names() -> None:
    package = Path(atomic.__file__).parents[1]
    found = {
        f"{path.relative_to(package)}: {call}"
        for path in package.rglob("*.py")
        for call in calls_that_write(ast.parse(path.read_text(encoding="utf-8")))
        # Partial files that `atomic_file` gives.
        if path.parent.name != "files" and not call.startswith(("partial.write_", "new.write_"))
    }
    # A scratch folder has a random name and is renamed within.
    assert found == {"runtime/workspace/scratch.py: unlocked.rename(self._path / LOCK)"}


def test_an_exclusive_rename_that_fails_leaves_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "not here")

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(os, "replace", refused)
    monkeypatch.setattr(atomic, "_rename_exclusively", lambda *_: False)
    with pytest.raises(NoSpaceError):
        write(tmp_path / "a.txt", "ours")
    assert list(tmp_path.iterdir()) == []


def test_nobody_leads_a_result_out_of_its_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    outside.mkdir()
    with atomic_file(inside / "deep" / "a.txt", overwrite=False, inside=inside) as partial:
        (inside / "deep").rename(inside / "gone")
        (inside / "deep").symlink_to(outside)
        partial.write_text("whole")
    assert (inside / "gone" / "a.txt").read_text() == "whole"
    with (
        pytest.raises(ConflictError, match="leads out"),
        atomic_file(inside / "deep" / "b" / "a.txt", overwrite=False, inside=inside),
    ):
        pass
    assert list(outside.iterdir()) == []
