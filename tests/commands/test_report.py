from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run, clean_environment


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
    history = run_dir / "manifests" / "run_history.jsonl"
    assert "never" in run("report", run_dir, "--overwrite", "--output", history, code=2).stderr


def test_report_counts_as_json_from_another_history(run: Run, run_dir: Path, tmp_path: Path) -> None:
    history = (run_dir / "manifests" / "run_history.jsonl").rename(tmp_path / "other.jsonl")
    page = tmp_path / "pages" / "one.html"
    options = ("--manifest-path", history, "--output", page, "--embed", "--json")
    assert run("report", run_dir, *options, code=0).json() == {
        **{"report": str(page), "tasks": 1, "done": 0, "failed": 1, "cancelled": 0, "rejected": 0},
        **{"embedded": 0, "linked": 0, "missing": 0, "skipped_lines": 1},
    }
    assert page.is_file()


def test_the_command_on_the_page_asks_for_the_very_same(run: Run, run_dir: Path, home: Path) -> None:
    prompt = '-it\'s a "red" $circle!\n\x1b[31m'
    said = [f"--prompt={prompt}", "--size", "90x90", "--frames", "3s", "--vae-tiling", "256", "--no-exact"]
    asked = run("generate", *said, "--output-dir", run_dir, "--dry-run", code=0).json()
    local = {"output", "output_dir", "task_id", "overwrite"}
    request = {key: value for key, value in asked["request"].items() if key not in local}
    line = {"task_id": "b", "status": "success", "request": request, "origin": asked["origin"]}
    with (run_dir / "manifests" / "run_history.jsonl").open("a", encoding="utf-8") as history:
        history.write("\n" + json.dumps(line) + "\n")
    run("report", run_dir, code=0)
    data = re.search(r'id="data">(.*?)</script>', (run_dir / "report.html").read_text(encoding="utf-8"), re.S)
    assert data
    command = json.loads(data[1])["tasks"][1]["command"]
    program = f'wangp() {{ {sys.executable} -m wangp_cli "$@"; }}; {command} --dry-run --output-dir {run_dir}'
    done = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, check=True, env=clean_environment(home)
    )
    assert json.loads(done.stdout)["request"] == asked["request"]


def test_report_without_a_run_is_a_wrong_request(run: Run, tmp_path: Path) -> None:
    assert "is not a folder" in run("report", tmp_path / "none", code=2).stderr
    assert "--manifest-path" in run("report", tmp_path, code=2).stderr
