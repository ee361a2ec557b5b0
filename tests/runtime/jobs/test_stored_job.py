"""Rows of the job table as jobs."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from wangp_cli.runtime.jobs.stored_job import StoredJob, stored_job

FILE = {"path": "a.png", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("stored", "files"), [(None, None), ([], []), ([FILE], [FILE]), (["a.png", FILE], [FILE])]
)
def test_planned_names_of_old_stores_are_not_files(stored: Any, files: Any) -> None:
    values: dict[str, Any] = {field.name: field.name for field in fields(StoredJob)}
    row = SimpleNamespace(**values | {"files": stored, "result": {"a": 1}, "error": None})
    job = stored_job(row)
    assert job.files == files
    assert all(
        getattr(job, field.name) == getattr(row, field.name) for field in fields(job) if field.name != "files"
    )


@pytest.mark.parametrize("stored", [5, "x", [5], True])
def test_damaged_columns_prove_nothing(stored: Any) -> None:
    values: dict[str, Any] = {field.name: field.name for field in fields(StoredJob)}
    job = stored_job(SimpleNamespace(**values | dict.fromkeys(("files", "result", "error"), stored)))
    assert (job.files, job.result, job.error) == ([], None, None)
