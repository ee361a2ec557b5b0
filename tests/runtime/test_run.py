"""One run of the real command line: its event stream, signals, full disks and readers that leave."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TERMINAL, Run, clean_environment

TASK = ("generate", "a red circle", "--model", "tiny_t2v", "--seed", "7")
LONG = (*TASK, "--steps", "500", "--size", "64x64", "--json")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, home: Path, tiny_env: dict[str, str]) -> Start:
    """Start the command line and give the process."""

    def call(*arguments: object, **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "wangp_cli", *map(str, arguments)],
            cwd=tmp_path,
            env=clean_environment(home) | tiny_env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    return call


def wait_for(process: subprocess.Popen[str], kind: str, **data: Any) -> list[dict[str, Any]]:
    """The events up to the first of a type with this data."""
    events = []
    assert process.stdout
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["type"] == kind and data.items() <= events[-1]["data"].items():
            return events
    raise AssertionError(f"no {kind}: {[event['type'] for event in events]}")


def leftovers(folder: Path) -> list[str]:
    """Partial files and results."""
    return [
        str(path) for path in folder.rglob("*") if ".partial" in path.name or path.suffix in (".mp4", ".mkv")
    ]


@pytest.mark.slow
def test_the_stream_of_a_run_is_whole_and_in_order(run: Run, tiny_env: dict[str, str]) -> None:
    result = run(*TASK, "--frames", "1", "--count", "2", "--json", env=tiny_env, code=0)
    events = result.events
    assert len(events) == len(result.stdout.splitlines())
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("run.started", "run.finished")
    assert {event["v"] for event in events} == {1}
    assert len({event["run"] for event in events}) == 1
    assert all(event["ts"].endswith("Z") for event in events)
    kinds = [event["type"] for event in events]
    assert len([kind for kind in kinds if kind in TERMINAL]) == 1
    assert kinds.index("task.accepted") < kinds.index("task.started") < kinds.index("artifact.created")
    assert kinds.count("artifact.created") == 2
    assert kinds.index("task.completed") == len(kinds) - 2
    assert len({event["task"] for event in events if event["type"].startswith(("task", "artifact"))}) == 1
    fractions = [event["data"]["fraction"] for event in events if event["type"] == "task.progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert result.only("run.finished")["counts"]["completed"] == 1


@pytest.mark.slow
def test_a_file_is_there_when_it_is_announced(start: Start, tmp_path: Path) -> None:
    process = start(*TASK, "--frames", "1", "--json")
    artifact = wait_for(process, "artifact.created")[-1]["data"]
    import hashlib

    assert hashlib.sha256(Path(artifact["path"]).read_bytes()).hexdigest() == artifact["sha256"]
    process.communicate()
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_after_the_step_and_leaves_nothing(
    start: Start, tmp_path: Path, number: int, code: int
) -> None:
    process = start(*LONG)
    events = wait_for(process, "task.progress", stage="denoise")
    process.send_signal(number)
    rest, errors = process.communicate(timeout=60)
    events += [json.loads(line) for line in rest.splitlines()]
    assert process.returncode == code
    assert [event["type"] for event in events if event["type"] in TERMINAL] == ["task.cancelled"]
    assert events[-1]["type"] == "run.finished"
    assert events[-1]["data"]["exit_code"] == code
    assert leftovers(tmp_path) == []
    assert "Traceback" not in errors


@pytest.mark.slow
def test_the_second_signal_ends_at_once(start: Start) -> None:
    process = start(*TASK, "--steps", "500", "--size", "256x256", "--frames", "81", "--json")
    wait_for(process, "task.stage", stage="denoise")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert process.returncode in (130, -signal.SIGINT)
    assert time.monotonic() - began < 5
    process.communicate()


def small_files() -> None:
    """No file of this process may grow past 20 kB, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_no_partial(start: Start, tmp_path: Path) -> None:
    words = ("--size", "128x128", "--steps", "1", "--json", "-o", "clip.mkv", "--codec", "ffv1")
    process = start(*TASK, *words, preexec_fn=small_files)
    output, errors = process.communicate(timeout=60)
    [failed] = [
        event["data"]["error"]
        for line in output.splitlines()
        if (event := json.loads(line))["type"] == "task.failed"
    ]
    assert process.returncode == 4
    assert failed["kind"] == "no_space"
    assert str(tmp_path) in failed["message"]
    assert leftovers(tmp_path) == []
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_reader_that_leaves_ends_the_run_quietly_after_the_task(start: Start, tmp_path: Path) -> None:
    process = start(*TASK, "--frames", "1", "--json", "-o", "a.png")
    assert process.stdout
    assert process.stderr
    assert "run.started" in process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=60) == 141
    assert "Traceback" not in errors
    assert (tmp_path / "a.png").exists()


@pytest.mark.parametrize("arguments", [("models",), ("presets", "--json"), ("generate", "x", "--dry-run")])
def test_any_command_survives_a_reader_that_leaves(
    start: Start, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    process = start(*arguments)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 141


@pytest.mark.parametrize("descriptors", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_descriptors_do_no_harm(home: Path, tmp_path: Path, descriptors: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m wangp_cli presets --json {descriptors}'],
        cwd=tmp_path, env=clean_environment(home), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_people_get_paths_on_stdout_and_no_prompt_draws_on_their_terminal(
    run: Run, tiny_env: dict[str, str], tmp_path: Path
) -> None:
    prompt = "\x1b[31mred\x1b[0m [bold]bold[/bad] [link=x]\n::error:: 🎈\u202e\x9b2J"
    (tmp_path / "outputs").mkdir()
    stale = tmp_path / "outputs" / f".old.{0:032x}.partial.png"
    stale.write_bytes(b"half")
    result = run(
        "generate", prompt, "--model", "tiny_t2v", "--seed", "7", "--frames", "1", "--log-level", "DEBUG",
        env=tiny_env, code=0,
    )  # fmt: skip
    [path] = result.stdout.splitlines()
    assert Path(path).exists()
    assert not [mark for mark in ("\x1b", "\x9b", "\u202e") if mark in result.stderr + result.stdout]
    assert not [line for line in result.stderr.splitlines() if line.startswith("::")]
    assert not stale.exists()


@pytest.mark.slow
def test_an_error_shows_escapes_as_text(run: Run) -> None:
    result = run("generate", "x", "--image-start", "\x1b[31m[bold]a.png", "-m", "i2v", code=2)
    assert "\x1b" not in result.stderr
    assert "[bold]a.png" in result.stderr


@pytest.mark.slow
def test_other_libraries_cannot_write_into_the_stream(
    tmp_path: Path, home: Path, tiny_env: dict[str, str]
) -> None:
    script = (
        "import os, sys\n"
        "from wangp_cli.workflows import generate\n"
        "real = generate.read_inputs\n"
        "def noisy(*words):\n"
        "    print('stray'); os.write(1, b'stray\\n'); os.system('echo stray')\n"
        "    return real(*words)\n"
        "generate.read_inputs = noisy\n"
        "sys.argv[1:] = %r\n"
        "from wangp_cli.main import main\n"
        "main()\n" % [*TASK, "--frames", "1", "--json"]
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=clean_environment(home) | tiny_env,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "stray" not in done.stdout
    assert done.stderr.count("stray") == 3
    assert all(line.startswith('{"v":1') for line in done.stdout.splitlines())
