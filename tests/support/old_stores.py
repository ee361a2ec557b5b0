"""Job stores as earlier releases wrote them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

VERSION_1 = """
CREATE TABLE job (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key" VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    affinity VARCHAR,
    state VARCHAR NOT NULL CHECK (state in ('blocked', 'ready', 'running', 'done', 'dead', 'cancelled')),
    run_at FLOAT NOT NULL,
    attempt INTEGER NOT NULL,
    token INTEGER NOT NULL,
    said JSON NOT NULL,
    files JSON,
    result JSON,
    error JSON,
    created_at FLOAT NOT NULL,
    finished_at FLOAT,
    UNIQUE ("key")
);
CREATE INDEX job_ready_affinity ON job (affinity, id) WHERE state = 'ready';
CREATE INDEX job_ready ON job (id) WHERE state = 'ready';
CREATE TABLE about (name VARCHAR NOT NULL, value JSON, PRIMARY KEY (name));
"""
COLUMNS = (
    "key, digest, affinity, state, run_at, attempt, token, said, files, result, error, created_at"
    ", finished_at"
)


def write_version_1(path: Path, rows: Sequence[dict[str, Any]], *, numbered: bool = True) -> None:
    """A store of schema version 1; not `numbered` if it was interrupted before its number was written."""
    default: dict[str, Any] = {
        "digest": "d",
        "affinity": "m",
        "run_at": 0.0,
        "attempt": 0,
        "token": 0,
        "said": json.dumps({"layers": [], "line": 1, "notices": []}),
        "files": "[]",
        "result": None,
        "error": None,
        "created_at": 1.0,
        "finished_at": None,
    }
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(VERSION_1)
        if numbered:
            connection.execute("INSERT INTO about VALUES ('schema', '1')")
        for row in rows:
            values = [(default | row)[name] for name in COLUMNS.split(", ")]
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO job ({COLUMNS}) VALUES ({marks})", values)
    connection.close()


def downgrade_to_version_1(path: Path, changes: dict[str, dict[str, Any]]) -> None:
    """Rewrite a store of this release as one of version 1, with changed columns of some tasks."""
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("SELECT * FROM job ORDER BY id")]
    connection.close()
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    old = [row | {"key": row["task_id"], "said": row["payload"]} for row in rows]
    write_version_1(path, [row | changes.get(row["key"], {}) for row in old])
