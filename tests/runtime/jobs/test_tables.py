"""Opening the file of a job store."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from wangp_cli.errors import ConflictError, NoSpaceError
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
