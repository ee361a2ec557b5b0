"""`wangp control` and the streams of real runs, with a model that computes nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, clean_environment
from tests.support import noop
from tests.support.event_checks import check_stream
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.control import client, registry
from wangp_cli.runtime.events.stream import Event
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.outcome import Outcome
from wangp_cli.runtime.run_options import RunOptions
from wangp_cli.value_layers import Layer

ROOT = Path(__file__).resolve().parents[2]


class Running:
    """A `generate` of 20 ms a step in a process of its own, and its stream."""

    def __init__(self, environment: dict[str, str], folder: Path, *more: str) -> None:
        self.folder = folder
        self._runtime = [Path(environment["XDG_RUNTIME_DIR"]) / "wangp"]
        command = [sys.executable, "-m", "tests.support.noop", "generate", "sleep a red circle", "-m", "noop"]
        command += ["--frames", "5", "--steps", "150", "--seed", "7", "--output-dir", str(folder), "--json"]
        self.process = subprocess.Popen(
            [*command, "--progress-interval", "0", *more],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.lines: list[str] = []

    def read_until(self, kind: str) -> dict[str, Any]:
        """The first event of a type."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.decode())
            event: dict[str, Any] = json.loads(line)
            if event["type"] == kind:
                return event
        raise AssertionError(
            f"no {kind}: {self.lines} {self.process.stderr and self.process.stderr.read()!r}"
        )

    def record(self) -> registry.Record:
        """Where it can be spoken to."""
        return client.find(str(self.folder), self._runtime)

    def end(self) -> tuple[int, list[dict[str, Any]]]:
        """Wait for its end: the exit code and all events, checked."""
        assert self.process.stdout
        assert self.process.stderr
        self.lines += [line.decode() for line in self.process.stdout]
        assert b"Traceback" not in self.process.stderr.read()
        return self.process.wait(30), check_stream(self.lines)


Start = Callable[..., Running]


@pytest.fixture
def runtime(tmp_path: Path, home: Path) -> Iterator[dict[str, str]]:
    """The environment of a user with a runtime folder, who has the no-op model."""
    # In /tmp, for a short name: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="wangp-", dir="/tmp") as folder:
        own = {"XDG_RUNTIME_DIR": folder, "PYTHONPATH": str(ROOT)}
        yield clean_environment(home) | own | noop.register(tmp_path / "config")


@pytest.fixture
def start(runtime: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Start a generate."""
    started: list[Running] = []

    def call(*more: str) -> Running:
        started.append(Running(runtime, tmp_path / f"out-{len(started)}", *more))
        return started[-1]

    yield call
    for one in started:
        one.process.kill()
        one.process.communicate()


def wait_for(run: Run, runtime: dict[str, str], folder: Path, state: str) -> dict[str, Any]:
    """Ask by the real command until a run is in a state."""
    for _ in range(50):
        status: dict[str, Any] = run("control", folder, "status", "--json", env=runtime, code=0).json()
        if status["state"] == state:
            return status
    raise AssertionError(f"{status['state']} and never {state}")


@pytest.mark.slow
def test_a_run_is_paused_asked_resumed_and_finished(run: Run, start: Start, runtime: dict[str, str]) -> None:
    one = start()
    one.read_until("task.progress")
    assert run("control", one.folder, "pause", env=runtime, code=0).stdout.strip() in ("pausing", "paused")
    status = wait_for(run, runtime, one.folder, "paused")
    assert (status["stage"], status["total"]) == ("denoise", 150)
    assert wait_for(run, runtime, one.folder, "paused")["step"] == status["step"]
    run("control", one.folder, "cancel", "nobody", env=runtime, code=2)
    run("control", one.folder, "cancel", env=runtime, code=2)
    run("control", one.folder, "drain", "x", env=runtime, code=2)
    assert run("control", status["run"][:12], "resume", env=runtime, code=0).stdout.strip() == "running"
    code, events = one.end()
    assert code == 0
    assert {"task.paused", "task.resumed", "task.completed"} <= {event["type"] for event in events}
    run("control", one.folder, env=runtime, code=2)
    assert list((Path(runtime["XDG_RUNTIME_DIR"]) / "wangp").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("wish", ["cancel", "abort"])
def test_a_run_is_stopped_at_its_next_step(
    run: Run, start: Start, runtime: dict[str, str], wish: str
) -> None:
    one = start()
    task = one.read_until("task.progress")["task"]
    run("control", one.folder, wish, *([task] if wish == "cancel" else []), env=runtime, code=0)
    code, events = one.end()
    assert code == 130
    [reason] = [event["data"]["reason"] for event in events if event["type"] == "task.cancelled"]
    assert reason == wish
    assert not list(one.folder.glob("*.mp4"))


@pytest.mark.slow
def test_drain_lets_the_task_finish(run: Run, start: Start, runtime: dict[str, str]) -> None:
    one = start()
    one.read_until("task.progress")
    assert run("control", one.folder, "drain", env=runtime, code=0).stdout.strip() == "draining"
    code, events = one.end()
    assert (code, events[-2]["type"]) == (0, "task.completed")


@pytest.mark.slow
def test_what_a_killed_run_leaves_is_swept_by_the_next(start: Start, runtime: dict[str, str]) -> None:
    one = start()
    one.read_until("task.progress")
    dead = one.record()
    one.process.send_signal(signal.SIGKILL)
    one.process.wait()
    assert dead.socket.exists()
    two = start()
    two.read_until("task.progress")
    assert two.record().run != dead.run
    assert not dead.socket.exists()
    assert not dead.file.exists()


@pytest.mark.slow
def test_a_run_without_control_has_no_socket(start: Start, runtime: dict[str, str]) -> None:
    one = start("--no-control")
    one.read_until("task.progress")
    assert json.loads(one.lines[0])["data"]["control"] is None
    assert not (Path(runtime["XDG_RUNTIME_DIR"]) / "wangp").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "code", "made"), [("stop", 141, 1), ("continue", 0, 1), ("abort", 141, 0)]
)
def test_a_reader_that_leaves_after_one_line(
    start: Start, tmp_path: Path, policy: str, code: int, made: int
) -> None:
    copy = tmp_path / "events.jsonl"
    one = start("--on-broken-pipe", policy, "--events-file", str(copy))
    one.read_until("task.started")
    assert one.process.stdout
    one.process.stdout.close()
    assert one.process.wait(60) == code
    assert one.process.stderr
    assert b"Traceback" not in one.process.stderr.read()
    events = check_stream(copy.read_text().splitlines())
    assert events[-1]["data"]["exit_code"] == code
    assert len(list(one.folder.glob("*.mp4"))) == made


@pytest.mark.slow
def test_the_copy_of_a_run_is_its_stream_and_the_form_is_chosen(
    start: Start, run: Run, runtime: dict[str, str], tmp_path: Path
) -> None:
    copy = tmp_path / "events.jsonl"
    copy.write_text('{"v":1,"type":"run.started","se')
    one = start("--events-file", str(copy))
    code, _ = one.end()
    assert code == 0
    assert [json.loads(line) for line in copy.read_text().splitlines()] == [
        json.loads(line) for line in one.lines
    ]
    two = run("generate", "x", "-m", "nope", "--json", "--event-format", "cloudevents", env=runtime, code=2)
    clouds = [json.loads(line) for line in two.stdout.splitlines()]
    assert [cloud["type"] for cloud in clouds] == [
        "io.wangp.run.started",
        "io.wangp.task.rejected",
        "io.wangp.run.finished",
    ]
    assert all(cloud["specversion"] == "1.0" for cloud in clouds)


@pytest.mark.parametrize(
    "flags",
    [
        ("--progress-interval", "-1"),
        ("--progress-interval", "nan"),
        ("--control-port", "70000"),
        ("--event-format", "xml"),
    ],
)
def test_options_out_of_range_are_refused(run: Run, flags: tuple[str, str]) -> None:
    result = run("generate", "x", "--json", *flags, code=2)
    assert flags[0] in result.stderr


def test_an_events_file_in_a_place_that_is_no_folder_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("generate", "x", "--json", "--events-file", "file/events.jsonl", code=4)
    assert "events_file" in result.stderr
    assert result.stdout == ""


def test_a_paused_task_of_a_real_model_makes_the_same_pixels(
    tiny_models: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tiny_models))
    monkeypatch.setenv("HOME", str(home))

    def make(name: str, *, pauses: bool) -> tuple[Outcome, list[str]]:
        kinds: list[str] = []

        def follow(event: Event) -> None:
            kinds.append(event.type)
            if pauses and event.type == "task.progress" and event.data["stage"] in ("denoise", "decode"):
                session.control.pause()
            if event.type == "task.paused":
                threading.Timer(0.02, session.control.resume).start()

        session = bootstrap.start([follow], RunOptions(progress_interval=0))
        said = {"prompt": "a red circle", "model": "tiny_t2v", "seed": 7, "codec": "ffv1", "steps": 4}
        said |= {"output": tmp_path / f"{name}.mkv", "metadata_mode": "none"}
        layers = [Layer(kind="command", values={"type": "generate"}), Layer(kind="flag", values=said)]
        outcome = execute(lambda: layers, session)
        session.pool.close()
        return outcome, kinds

    plain, _ = make("plain", pauses=False)
    began = time.monotonic()
    paused, kinds = make("paused", pauses=True)
    assert time.monotonic() - began > 0.02 * 4
    assert kinds.count("task.paused") == kinds.count("task.resumed") >= 5
    assert plain.error is None
    assert paused.error is None
    assert plain.artifacts[0].sha256 == paused.artifacts[0].sha256
