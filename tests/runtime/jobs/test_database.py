"""The file of a job store: opened, locked by others, damaged."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from tests.support.jobs import new
from wangp_cli.errors import ConflictError, NoSpaceError
from wangp_cli.runtime.jobs import database
from wangp_cli.runtime.jobs.store import JobStore


def test_a_file_of_another_kind_or_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at" * 20)
    with pytest.raises(ConflictError, match="not a job store"):
        JobStore.open(tmp_path / "text")
    JobStore.open(tmp_path / "other").close()
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("update about set value = '99'")
    with pytest.raises(ConflictError, match="another version"):
        JobStore.open(tmp_path / "other")
    with pytest.raises(NoSpaceError):
        JobStore.open(tmp_path / "nowhere" / "jobs.sqlite")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a store of many jobs."""
    file = tmp_path / "jobs.sqlite"
    store = JobStore.open(file)
    store.submit([new(f"t{n}") for n in range(300)])
    store.close()
    return file


def lock(path: Path, how: str, seconds: float) -> threading.Thread:
    """Another program locks the file for some seconds."""
    locked = threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(how)
        locked.set()
        time.sleep(seconds)
        connection.execute("ROLLBACK")
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(10)
    return thread


def test_a_locked_store_is_waited_for_with_a_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "TRY_SECONDS", 0.02)
    store = JobStore.open(path)
    thread = lock(path, "BEGIN IMMEDIATE", 0.3)
    began = time.monotonic()
    assert store.counts()["ready"] == 300, "reading needs no lock"
    assert next(store.in_states("ready")).task_id == "t0"
    assert store.find(["t1"])["t1"].state == "ready"
    assert store.is_queued("t2")
    assert time.monotonic() - began < 0.2
    assert store.claim() is not None
    thread.join()
    assert caplog.text.count("locked by another program") == 1
    store.close()


def test_a_store_that_is_locked_when_it_is_opened_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "TRY_SECONDS", 0.02)
    thread = lock(path, "BEGIN EXCLUSIVE", 0.2)
    JobStore.open(path).close()
    thread.join()


def test_a_store_that_stays_locked_is_a_conflict(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "TRY_SECONDS", 0.01)
    monkeypatch.setattr(database, "LOCKED_SECONDS", 0.05)
    store = JobStore.open(path)
    thread = lock(path, "BEGIN IMMEDIATE", 0.3)
    with pytest.raises(ConflictError, match="is locked by another program"):
        store.claim()
    thread.join()
    assert store.claim() is not None


def sql(*statements: str) -> object:
    """Damage by statements."""

    def damage(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)

    return damage


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:9000]),
    "cut in the header": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "garbage in the middle": lambda path: path.write_bytes(
        path.read_bytes()[:8192] + b"\xff" * 8192 + path.read_bytes()[16384:]
    ),
    "no columns": sql("ALTER TABLE job DROP COLUMN payload"),
    "no dependencies": sql("DROP TABLE dependency"),
    "another table of that name": sql("DROP TABLE job", "CREATE TABLE job (a)"),
    "no version": sql("UPDATE about SET value = 'x'"),
    "no number": sql("""UPDATE about SET value = '"x"'"""),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_store_is_refused_when_it_is_opened(damage: object, path: Path) -> None:
    assert callable(damage)
    damage(path)
    with pytest.raises(ConflictError, match="not a job store, or damaged") as caught:
        JobStore.open(path)
    assert "move it away" in str(caught.value.hint)


def test_a_job_whose_payload_is_no_json_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE job SET payload = '{' WHERE id = 1")
    store = JobStore.open(path)
    for read in (store.claim, lambda: store.find(["t0"]), lambda: list(store.in_states("ready"))):
        with pytest.raises(ConflictError, match="not a job store, or damaged"):
            read()


def test_a_store_that_cannot_be_written_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = JobStore.open(path)
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=1")
    with pytest.raises(NoSpaceError, match="cannot be written: attempt to write a readonly database"):
        store.claim()
