from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A folder with the history of one failed task."""
    history = tmp_path / "night" / "manifests" / "run_history.jsonl"
    history.parent.mkdir(parents=True)
    line = {"task_id": "a", "status": "error", "error": "out of memory", "request": {"prompt": "x"}}
    history.write_text(json.dumps(line) + '\n{"torn', encoding="utf-8")
    return history.parents[1]


def test_report_prints_the_page_and_notes_what_it_skipped(run: Run, run_dir: Path) -> None:
    result = run("report", run_dir, code=0)
    assert result.stdout == f"{run_dir / 'report.html'}\n"
    assert "skipped lines of the history: 1" in result.stderr
    assert "out of memory" in (run_dir / "report.html").read_text(encoding="utf-8")


def test_report_writes_its_own_page_anew_but_no_other_file(run: Run, run_dir: Path) -> None:
    run("report", run_dir, code=0)
    run("report", run_dir, code=0)
    run("report", run_dir, "--output", run_dir / "report.html", code=5)
    (run_dir / "report.html").write_text("my own notes", encoding="utf-8")
    assert "--overwrite" in run("report", run_dir, code=5).stderr
    run("report", run_dir, "--overwrite", code=0)


def test_report_counts_as_json_from_another_history(run: Run, run_dir: Path, tmp_path: Path) -> None:
    history = (run_dir / "manifests" / "run_history.jsonl").rename(tmp_path / "other.jsonl")
    page = tmp_path / "pages" / "one.html"
    options = ("--manifest-path", history, "--output", page, "--embed", "--json")
    assert run("report", run_dir, *options, code=0).json() == {
        **{"report": str(page), "tasks": 1, "done": 0, "failed": 1, "cancelled": 0, "rejected": 0},
        **{"embedded": 0, "linked": 0, "missing": 0, "skipped_lines": 1},
    }
    assert page.is_file()


def test_report_without_a_run_is_a_wrong_request(run: Run, tmp_path: Path) -> None:
    assert "is not a folder" in run("report", tmp_path / "none", code=2).stderr
    assert "--manifest-path" in run("report", tmp_path, code=2).stderr
