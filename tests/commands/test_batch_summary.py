"""What people see of a batch on stderr: its state, its end, and what to do next."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.batches import ROOT, Batches
from tests.support.terminals import Terminal

OK: dict[str, Any] = {"task_id": "ok", "prompt": "a ball", "seed": 1}
SLOW = OK | {"task_id": "slow", "prompt": "sleep", "steps": 100}


def test_stderr_has_plain_lines_and_the_next_command(batches: Batches) -> None:
    path = batches.tasks(OK, OK | {"task_id": "bad", "steps": 0})
    text = batches.run(path, code=1).stderr
    assert text.startswith("0:00: starting\n")
    assert "rejected: bad: " in text
    summary = text.splitlines()[-5:]
    again = f"wangp batch {path} --output-dir {batches.out} --progress-interval 0 --resume"
    assert summary[0].startswith("1 of 2 done, 1 rejected in 0:0")
    assert summary[1:] == [
        "results: results",
        "history: results/manifests/run_history.jsonl",
        "next: wangp report results",
        f"to run what is not done: {again}",
    ]
    assert batches.run(batches.tasks(OK), "--resume", "--quiet").stderr == ""


def test_a_complete_batch_has_nothing_to_resume(batches: Batches) -> None:
    path = batches.tasks(OK, OK | {"task_id": "more"})
    assert "--resume" not in batches.run(path).stderr
    shutil.rmtree(batches.out)
    text = batches.run(path, "--limit", "1").stderr
    assert "to run what is not done: wangp batch" in text
    assert "1 of 1 done" in text


def test_a_batch_from_a_stream_resumes_from_its_store(batches: Batches) -> None:
    pipe = batches.folder / "pipe"
    os.mkfifo(pipe)
    process = batches.start(pipe)
    batches.tasks(OK, OK | {"task_id": "crash", "prompt": "crash"}, name="lines")
    pipe.write_text((batches.folder / "lines").read_text())
    assert batches.end(process, code=1).stderr.endswith("wangp batch --output-dir results --resume\n")
    assert "can be read only once" in batches.run("--watch", pipe, code=2).stderr


@pytest.mark.slow
@pytest.mark.parametrize("to_file", [False, True])
def test_a_terminal_shows_what_runs_and_no_events(to_file: bool, batches: Batches, tmp_path: Path) -> None:
    path = batches.tasks(OK, OK | {"task_id": "crash", "prompt": "crash"}, "{", SLOW)
    terminal = Terminal(80)
    with (tmp_path / "stdout").open("w") as stdout:
        process = terminal.start(
            [
                sys.executable,
                "-m",
                "tests.support.noop",
                "batch",
                str(path),
                "--output-dir",
                str(batches.out),
            ],
            cwd=ROOT,
            environment=batches.environment | {"TERM": "xterm"},
            stdout=stdout.fileno() if to_file else None,
        )
        terminal.wait_for("slow 0:0")
        now = terminal.screen()
        assert "1 of 4 done, 1 failed, 1 rejected" in now[-2]
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 130
    end = terminal.close()
    assert not any('{"v"' in line for line in end)
    assert any(line.startswith("to run what is not done: wangp batch") for line in end)
    results = [line for line in end if line.endswith("ok.png")]
    assert bool(results) == (not to_file), "paths are on stdout, where the events are not"
    times = [when for when, _ in terminal.chunks]
    assert max(after - before for before, after in itertools.pairwise(times)) < 3
