"""Stores of older schema versions are migrated when they are opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.support.old_stores import write_version_1
from wangp_cli.errors import ConflictError
from wangp_cli.runtime.jobs.batch_store import BatchStore
from wangp_cli.runtime.jobs.migrations import SCHEMA_VERSION
from wangp_cli.runtime.jobs.store import JobStore

ROWS: list[dict[str, Any]] = [
    {"key": "done", "state": "done", "result": '{"ok": 1}', "attempt": 1, "token": 1},
    {"key": "held", "state": "blocked", "run_at": 1e12},
    {"key": "ready", "state": "ready"},
    {"key": "killed", "state": "running", "attempt": 1, "token": 1},
]


def schema(path: Path) -> tuple[dict[str, list[tuple[Any, Any, Any, Any]]], set[str]]:
    """The columns of each table, without their defaults and order, and the indexes."""
    connection = sqlite3.connect(path)
    columns = {
        table: sorted(
            (name, kind, required, key)
            for _, name, kind, required, _, key in connection.execute(f"PRAGMA table_info({table})")
        )
        for table in ("job", "dependency", "about")
    }
    indexes = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    texts = {" ".join(sql.split()).replace("held = false", "held = 0") for (sql,) in indexes}
    connection.close()
    return columns, texts


@pytest.mark.parametrize("numbered", [True, False])
def test_a_migrated_store_has_the_schema_of_a_new_one(tmp_path: Path, numbered: bool) -> None:
    write_version_1(tmp_path / "old.sqlite", ROWS, numbered=numbered)
    JobStore.open(tmp_path / "old.sqlite").close()
    JobStore.open(tmp_path / "new.sqlite").close()
    assert schema(tmp_path / "old.sqlite") == schema(tmp_path / "new.sqlite")
    with sqlite3.connect(tmp_path / "old.sqlite") as connection:
        assert connection.execute("SELECT * FROM about").fetchall() == [("schema", SCHEMA_VERSION)]


def test_jobs_of_version_1_are_kept_and_run(tmp_path: Path) -> None:
    write_version_1(tmp_path / "a.sqlite", ROWS)
    store = JobStore.open(tmp_path / "a.sqlite")
    found = store.find(["done", "held", "ready", "killed"])
    assert {name: job.state for name, job in found.items()} == {
        "done": "done",
        "held": "ready",
        "ready": "ready",
        "killed": "running",
    }
    assert found["done"].result == {"ok": 1}
    assert found["ready"].payload == {"layers": [], "line": 1, "notices": []}
    # No lease: its worker is gone.
    assert store.requeue_expired() == ["killed"]
    order = [job.task_id for _ in range(3) if (job := store.claim())]
    assert order == ["held", "ready", "killed"]
    store.close()


def test_killed_jobs_of_version_1_are_orphans_of_a_batch(tmp_path: Path) -> None:
    write_version_1(tmp_path / "a.sqlite", ROWS)
    store = BatchStore.open(tmp_path / "a.sqlite", worker="batch.lock")
    assert [job.task_id for job in store.orphans()] == ["killed"]
    store.requeue_orphans()
    assert (store.find(["killed"])["killed"].attempt, store.counts()["running"]) == (0, 0)
    store.close()


def test_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    JobStore.open(tmp_path / "a.sqlite").close()
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("UPDATE about SET value = '99'")
    with pytest.raises(ConflictError, match="another version"):
        JobStore.open(tmp_path / "a.sqlite")
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        assert connection.execute("SELECT value FROM about").fetchall() == [(99,)]
