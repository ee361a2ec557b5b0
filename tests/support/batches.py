"""Run batches of the no-op model in forked processes that have torch imported."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, TypeAlias

from tests.conftest import Result, clean_environment
from tests.support import noop
from tests.support.event_checks import check_stream
from wangp_cli.runtime.control import client

ROOT = Path(__file__).resolve().parents[2]
PRELOAD = [
    "tests.support.noop",
    "wangp_cli.main",
    "wangp_cli.commands._batch",
    "wangp_cli.commands.batch",
    "wangp_cli.runtime.run",
    "wangp_cli.workflows.generate",
    "wangp_cli.runtime.jobs.batch",
]


_Place: TypeAlias = tuple[Path, dict[str, str], bool]


def context() -> ForkServerContext:
    """A fork server that has imported torch once."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOAD)
    return found


def _child(batches: _Place, arguments: list[str], limit: int | None) -> None:
    folder, environment, real = batches
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if not real:
        noop.use()
    from wangp_cli.main import main

    sys.argv = ["wangp", *arguments]
    main()


class Batches:
    """A folder to run batches in.

    Args:
        folder: empty; results go to `results` in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.real = False
        """Use the real models instead of the no-op model."""
        self.out = folder / "results"
        self._started: list[ForkServerProcess] = []
        # A socket's path must be short, and no task may read here.
        self._home = tempfile.TemporaryDirectory(prefix="wangp-")
        home = Path(self._home.name)
        self.environment = clean_environment(home) | noop.register(folder / "config")
        self.environment["XDG_RUNTIME_DIR"] = str(home)

    def tasks(self, *lines: dict[str, Any] | str, name: str = "tasks.jsonl") -> Path:
        """A file of these lines; tasks have the no-op model unless they name one."""
        path = self.folder / name
        texts = [line if isinstance(line, str) else json.dumps({"model": "noop"} | line) for line in lines]
        path.write_text("".join(f"{text}\n" for text in texts))
        return path

    def start(self, *arguments: object, limit: int | None = None) -> ForkServerProcess:
        """Begin a batch; `limit` is the size no file may pass."""
        words = ["batch", *map(str, arguments), "--output-dir", str(self.out), "--progress-interval", "0"]
        process = context().Process(
            target=_child, args=((self.folder, self.environment, self.real), words, limit), daemon=True
        )
        for name in ("out", "err"):
            (self.folder / name).write_text("")
        process.start()
        self._started.append(process)
        return process

    def piped(self, *arguments: object) -> subprocess.Popen[bytes]:
        """A batch in a process with pipes of its own."""
        words = ["batch", *map(str, arguments), "--output-dir", str(self.out)]
        command = [sys.executable, "-m", "tests.support.noop", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdin=pipe, stdout=pipe, stderr=pipe)

    def close(self) -> None:
        """Kill running processes."""
        for process in self._started:
            process.kill()
            process.join()
        self._home.cleanup()

    def beside(self, folder: Path) -> Batches:
        """Another that writes to the same folder of results."""
        other = Batches(folder)
        other.out = self.out
        return other

    def run(self, *arguments: object, code: int | None = 0, limit: int | None = None) -> Result:
        """A batch to its end; its stream is checked."""
        process = self.start(*arguments, limit=limit)
        return self.end(process, code=code)

    def run_killed(self, path: Path) -> Result:
        """A batch that is killed after three tasks, resumed to its end."""
        process = self.start(path)
        self.wait_for("task.completed", 3)
        process.kill()
        process.join()
        return self.run(path, "--resume")

    def end(self, process: ForkServerProcess, *, code: int | None = 0) -> Result:
        """Wait for a batch and read its output."""
        process.join(60)
        assert process.exitcode is not None, "it does not end"
        result = self.result(process.exitcode)
        assert code in (None, process.exitcode), f"exit {process.exitcode}: {result.stdout[-2000:]}"
        return result

    def result(self, exit_code: int) -> Result:
        """Events of the last batch; a torn last line of a killed one is dropped."""
        text, errors = (self.folder / "out").read_text(), (self.folder / "err").read_text()
        lines = [line for line in text.splitlines(keepends=True) if line.startswith('{"v":')]
        if exit_code < 0 and lines and not lines[-1].endswith("\n"):
            lines.pop()
        assert "Traceback" not in errors, errors
        assert "Fatal" not in errors, errors
        if lines:
            check_stream(lines, complete=exit_code >= 0)
        return Result(exit_code, text, errors, [json.loads(line) for line in lines])

    def wait_for(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The events so far, once there are `count` of a kind."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            text = (self.folder / "out").read_text()
            events = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("}\n")]
            if sum(event["type"] == kind for event in events) >= count:
                return events
            time.sleep(0.02)
        raise AssertionError(f"no {kind}")

    def control(self, method: str, **params: str) -> dict[str, Any]:
        """Send a control request to the running batch."""
        folders = [Path(self.environment["XDG_RUNTIME_DIR"]) / "wangp"]
        return client.call(client.find(str(self.out), folders), method, **params)

    def files(self) -> list[str]:
        """All files of the output folder, hidden ones included, except those of the batch itself."""
        return sorted(
            str(path.relative_to(self.out))
            for path in self.out.rglob("*")
            if path.is_file() and path.relative_to(self.out).parts[0] not in (".wangp", "manifests")
        )

    def history(self, *, killed: int = 0) -> list[dict[str, Any]]:
        """The run history; each of `killed` processes may have left a torn line."""
        text = (self.out / "manifests" / "run_history.jsonl").read_text()
        lines = [line for line in text.splitlines() if line]
        complete = [line for line in lines if _is_json(line)]
        assert len(lines) - len(complete) <= killed, "lines of the history are torn"
        return [json.loads(line) for line in complete]


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def ends(result: Result) -> dict[str, str]:
    """The outcome of each task; skipped ones are `skipped`."""
    found = {}
    for event in result.events:
        kind = event["type"].removeprefix("task.")
        if kind in ("completed", "failed", "cancelled", "rejected"):
            found[str(event["task"])] = "skipped" if event["data"].get("skipped") else kind
    return found
