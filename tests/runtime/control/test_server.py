"""Steering a run: the state, the sockets, who may enter, and what a paused task becomes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.event_checks import check_stream
from wangp_cli.errors import Cancelled, ConflictError, RequestError, ResourceError
from wangp_cli.runtime.control import client, registry
from wangp_cli.runtime.control.rpc import INVALID_REQUEST, MAX_LINE, PARSE_ERROR, answer
from wangp_cli.runtime.control.server import ControlServer, may_control, peer_uid
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.events.stream import Event, Stream
from wangp_cli.runtime.events.types import RunFinished, RunStarted, TaskAccepted, TaskCompleted, TaskStarted
from wangp_cli.runtime.progress import ProgressReporter


def watched(control: Control) -> Stream:
    stream = Stream("run", [control.note])
    stream.emit(RunStarted(version="1", command="batch", host="here", pid=1, planned=3))
    return stream


def start(stream: Stream, task: str) -> None:
    stream.emit(TaskAccepted(request={}, origin={}), task=task)
    stream.emit(TaskStarted(), task=task)


def complete(stream: Stream, task: str) -> None:
    stream.emit(TaskCompleted(manifest={"task_id": task, "status": "success"}), task=task)


def ask(control: Control, method: str, **params: Any) -> dict[str, Any]:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    reply = answer(control, "run", json.dumps(request).encode()).reply
    assert reply is not None
    found: dict[str, Any] = json.loads(reply)
    return found


# The state


def test_a_pause_is_reached_when_nothing_runs_and_ends_by_resume() -> None:
    control = Control()
    stream = watched(control)
    start(stream, "a")
    control.pause("drain")
    assert control.snapshot()["state"] == "pausing"
    assert not control.may_claim()
    assert not control.must_hold("a")
    complete(stream, "a")
    assert control.snapshot()["state"] == "paused"
    control.resume()
    assert control.state == "running"
    assert control.may_claim()


def test_wishes_are_idempotent_and_count_their_changes() -> None:
    control = Control()
    before = control.rev
    for _ in range(3):
        control.pause()
    assert control.rev == before + 1
    for _ in range(3):
        control.drain()
    assert control.rev == before + 2
    for _ in range(3):
        control.abort()
    assert control.rev == before + 3
    assert (control.state, control.reason, control.exit_code) == ("aborting", "abort", 130)


def test_drain_ends_a_pause_and_the_run_but_not_the_task() -> None:
    control = Control()
    start(watched(control), "a")
    control.pause()
    control.drain()
    assert control.state == "draining"
    assert control.ending
    assert control.stop_reason("a") is None
    assert control.exit_code is None


def test_only_known_tasks_can_be_cancelled() -> None:
    control = Control()
    stream = watched(control)
    start(stream, "a")
    assert control.cancel("a")
    assert control.cancelling == ["a"]
    assert not control.cancel("b")
    control.is_queued = {"b"}.__contains__
    assert control.cancel("b")
    assert control.snapshot()["cancelling"] == ["a", "b"]
    complete(stream, "a")
    assert control.cancelling == ["b"]


def test_a_waiting_claim_wakes_at_once_by_resume_and_by_the_end() -> None:
    for wake, may in ((Control.resume, True), (Control.abort, False), (Control.drain, False)):
        control = Control()
        control.pause()
        assert not control.wait_claim(0.01)
        threading.Timer(0.05, wake, [control]).start()
        began = time.monotonic()
        assert control.wait_claim(10) is may
        assert time.monotonic() - began < 1


def test_a_signal_wakes_a_held_task() -> None:
    before = signal.getsignal(signal.SIGINT)
    control = Control()
    restore = control.install()
    try:
        control.pause()
        threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT]).start()
        control.hold("a")
        assert control.stop_reason("a") == "signal"
        assert control.exit_code == 130
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        restore()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thousand_random_commands_keep_the_state_valid() -> None:
    for seed in range(1000):
        check_random_commands(random.Random(seed))


def check_random_commands(dice: random.Random) -> None:
    control = Control()
    stream = watched(control)
    running: list[str] = []
    ended = False
    for number in range(12):
        before = control.rev
        match dice.choice(["start", "end", "status", "pause", "resume", "cancel", "drain", "abort", "nope"]):
            case "start" if control.may_claim():
                start(stream, f"t{number}")
                running.append(f"t{number}")
            case "end" if running:
                complete(stream, running.pop())
            case "pause":
                ask(control, "pause", mode=dice.choice(["now", "drain"]))
            case "cancel":
                known = dice.choice([*running, "nobody"])
                assert ("error" in ask(control, "cancel", id=known)) == (known not in running)
            case "nope":
                assert ask(control, "nope")["error"]["code"] == -32601
                assert control.rev == before
            case "status" | "resume" | "drain" | "abort" as method:
                ask(control, method)
        assert not ended or control.ending, "a run that was to end goes on"
        ended = control.ending
        assert control.rev >= before
        check_consistent(control, running)
    stream.emit(RunFinished(counts=stream.counts, exit_code=0))
    assert ask(control, "status")["result"]["state"] == "finished"


def check_consistent(control: Control, running: list[str]) -> None:
    status = ask(control, "status")["result"]
    assert status["state"] == control.state
    assert status["counts"]["running"] == len(running)
    assert control.may_claim() == (status["state"] == "running")
    assert (status["state"] in ("draining", "aborting")) <= control.ending
    assert (status["state"] == "paused") == (
        not control.stopped and control.state.startswith("paus") and not running
    )
    assert set(status["cancelling"]) <= set(running)
    assert not (control.stopped and control.must_hold("x"))


# The protocol


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", -32700),
        (b"GET / HTTP/1.1\r", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"status","method":"abort"}', -32700),
        (b"[]", -32600),
        (b'{"id":1,"method":"abort"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"abort"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"kill"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"abort","params":{"x":1}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"abort","params":[]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"pause","params":{"mode":"later"}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"pause","params":{"mode":[]}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"cancel"}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"cancel","params":{"id":"x"}}', -32001),
        (b"[" * 60_000, -32700),
    ],
)
def test_what_is_no_proper_request_changes_nothing(line: bytes, code: int) -> None:
    control = Control()
    answered = answer(control, "run", line)
    assert answered.reply is not None
    assert json.loads(answered.reply)["error"]["code"] == code
    assert answered.malformed == (code in (PARSE_ERROR, INVALID_REQUEST))
    assert (control.rev, control.state) == (0, "running")


def test_a_notification_acts_without_an_answer() -> None:
    control = Control()
    assert answer(control, "run", b'{"jsonrpc":"2.0","method":"drain"}').reply is None
    assert control.state == "draining"


# The sockets


@pytest.fixture
def folder() -> Iterator[Path]:
    # A short name: the path of a socket has 107 bytes at most.
    path = Path(f"/tmp/wangp-test-{os.getpid()}")
    yield path
    for file in path.glob("*"):
        file.unlink()
    path.rmdir()


@contextlib.contextmanager
def serving(control: Control, folder: Path, run: str = "run-1", **more: Any) -> Iterator[ControlServer]:
    server = ControlServer(control, run, [folder], **more)
    try:
        yield server
    finally:
        server.close()


def say(address: Any, data: bytes) -> bytes:
    """Send everything and read until the other side closes, or says nothing for a while."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    found = b""
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(0.4)
        one.connect(address)
        with contextlib.suppress(OSError):
            one.sendall(data)
            while piece := one.recv(65536):
                found += piece
    return found


def test_a_run_answers_on_a_private_socket_and_leaves_nothing(folder: Path) -> None:
    control = Control()
    with serving(control, folder) as server:
        path = server.record.socket
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        record = client.find("run", [folder])
        assert client.call(record, "pause", mode="now")["state"] == "paused"
        assert client.call(record, "status")["run"] == "run-1"
        with pytest.raises(RequestError, match="no task 'x'"):
            client.call(record, "cancel", id="x")
    assert list(folder.iterdir()) == []


def test_runs_are_found_by_id_beginning_folder_and_last(folder: Path, tmp_path: Path) -> None:
    with serving(Control(), folder, "abc-1") as one, serving(Control(), folder, "abd-2"):
        one.note(accepted({"output_dir": str(tmp_path / "out"), "output": None}))
        assert client.find("abc-1", [folder]).run == "abc-1"
        assert client.find("abd", [folder]).run == "abd-2"
        assert client.find("last", [folder]).run == "abd-2"
        assert client.find(str(tmp_path / "out"), [folder]).run == "abc-1"
        with pytest.raises(RequestError, match="any of 2 runs"):
            client.find("ab", [folder])
        with pytest.raises(RequestError, match="there is no run 'zz'"):
            client.find("zz", [folder])
    with pytest.raises(RequestError, match="no run is going on"):
        client.find("last", [folder])


def accepted(request: dict[str, Any]) -> Event:
    events: list[Event] = []
    Stream("r", [events.append]).emit(TaskAccepted(request=request, origin={}), task="t")
    return events[0]


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(folder: Path) -> None:
    registry.make_private(folder)
    for name in ("run-1", "run-0"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(folder / f"{name}.sock"))
    registry.Record(folder=folder, run="run-0", pid=2**22 + 1).write()
    with serving(Control(), folder):
        assert sorted(file.name for file in folder.iterdir()) == ["run-1.json", "run-1.sock"]
        with pytest.raises(ConflictError, match="another process"):
            ControlServer(Control(), "run-1", [folder])
        assert client.find("run-1", [folder]).run == "run-1"


def test_a_folder_with_too_long_a_name_or_open_to_others_is_passed_over(folder: Path, tmp_path: Path) -> None:
    long, shared = tmp_path / ("x" * 100), Path("/tmp")
    control = Control()
    server = ControlServer(control, "run-1", [long, shared, folder])
    server.close()
    assert server.record.folder == folder
    with pytest.raises(ResourceError, match="too long a name"):
        ControlServer(control, "run-1", [long])
    with pytest.raises(ResourceError, match="other users may enter"):
        ControlServer(control, "run-1", [shared])
    folder.joinpath("link").symlink_to(folder)
    assert not registry.is_private(folder / "link")


def test_only_the_user_and_root_may_enter() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        assert peer_uid(left) == os.geteuid()
    assert may_control(os.geteuid())
    assert may_control(0)
    assert not may_control(os.geteuid() + 4711)


def test_another_user_is_shown_the_door(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wangp_cli.runtime.control.server.peer_uid", lambda _: os.geteuid() + 4711)
    control = Control()
    with serving(control, folder) as server:
        assert say(str(server.record.socket), b'{"jsonrpc":"2.0","id":1,"method":"abort"}\n') == b""
    assert control.state == "running"


def test_a_line_without_end_closes_the_connection(folder: Path) -> None:
    control = Control()
    with serving(control, folder) as server:
        padding = b" " * MAX_LINE
        line = b'{"jsonrpc":"2.0","id":1,"method":"abort"}' + padding + b"\n"
        assert say(str(server.record.socket), line) == b""
        assert say(str(server.record.socket), b"x" * (3 * MAX_LINE)) == b""
    assert control.state == "running"


def hello(server: ControlServer, token: str | None = None) -> bytes:
    said = token if token is not None else server.record.token.read_text().strip()
    request = {"jsonrpc": "2.0", "id": 0, "method": "hello", "params": {"token": said}}
    return json.dumps(request).encode() + b"\n"


ABORT = b'{"jsonrpc":"2.0","id":1,"method":"abort"}\n'


def test_the_port_opens_to_the_token_alone(folder: Path) -> None:
    control = Control()
    with serving(control, folder, port=0) as server:
        address = ("127.0.0.1", server.port)
        assert stat.S_IMODE(server.record.token.stat().st_mode) == 0o600
        assert len(server.record.token.read_text().strip()) == 64
        assert say(address, ABORT) == b""
        assert say(address, hello(server, "wrong") + ABORT) == b""
        assert say(address, hello(server, "ü" * 64) + ABORT) == b""
        assert say(address, b'{"jsonrpc":"2.0","id":1,"method":"hello"}\n' + ABORT) == b""
        assert control.snapshot()["state"] == "running"
        replies = say(address, hello(server) + ABORT).splitlines()
        assert [json.loads(reply)["id"] for reply in replies] == [0, 1]
        assert control.state == "aborting"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("verb", ["POST", "GET", "OPTIONS", "PUT", "CONNECT"])
def test_a_web_page_cannot_drive_a_run(folder: Path, verb: str) -> None:
    control = Control()
    with serving(control, folder, port=0) as server:
        body = hello(server) + ABORT
        head = f"{verb} / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n".encode()
        assert say(("127.0.0.1", server.port), head + body) == b""
        # Not even by a page that knows the token and smuggles a verb behind it.
        say(("127.0.0.1", server.port), hello(server) + head + ABORT)
        # Nor on the socket, where a first line that is no request ends it.
        say(str(server.record.socket), head + ABORT)
    assert control.state == "running"


def test_a_slow_unauthenticated_connection_is_closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wangp_cli.runtime.control.server.HELLO_SECONDS", 0.2)
    with serving(Control(), folder, port=0) as server, socket.socket() as connection:
        connection.connect(("127.0.0.1", server.port))
        connection.settimeout(5)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 4:
                connection.sendall(b" ")
                time.sleep(0.05)
        assert time.monotonic() - began < 3


def test_many_unauthenticated_connections_do_not_block_the_user(folder: Path) -> None:
    with serving(Control(), folder, port=0) as server:
        connections = [socket.create_connection(("127.0.0.1", server.port or 0)) for _ in range(40)]
        assert client.call(server.record, "status")["state"] == "running"
        for connection in connections:
            connection.close()


def test_a_port_in_use_is_a_clear_error_and_leaves_nothing(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConflictError, match="control_port"):
            ControlServer(Control(), "run-1", [folder], port=taken.getsockname()[1])
    assert list(folder.iterdir()) == []


# A task under control


class Steps:
    """A task of 200 steps that computes a number from the one before."""

    def __init__(self, control: Control) -> None:
        self.lines: list[str] = []
        self.stream = Stream("run", [control.note, lambda event: self.lines.append(event.line())])
        self.progress = ProgressReporter(
            lambda data: self.stream.emit(data, task="t"), control, 1, task="t", interval=0
        )
        self.value = 1.0
        self.stream.emit(RunStarted(version="1", command="generate", host="here", pid=1))

    def run(self) -> float:
        start(self.stream, "t")
        for step in range(200):
            self.value = (self.value * 1.0001 + step) % 1.7
            self.progress("denoise", step + 1, 200)
        return self.value

    def finish(self) -> list[dict[str, Any]]:
        complete(self.stream, "t")
        self.stream.emit(RunFinished(counts=self.stream.counts, exit_code=0))
        return check_stream(self.lines)


def test_a_task_paused_between_steps_ends_as_if_it_never_was() -> None:
    control = Control()
    steps = Steps(control)
    control.pause()
    thread = threading.Thread(target=steps.run)
    thread.start()
    for _ in range(5):
        wait_for(lambda: control.state == "paused")
        assert control.snapshot()["task"] == "t"
        held = steps.value
        time.sleep(0.02)
        assert steps.value == held
        control.resume()
        control.pause()
    control.resume()
    thread.join(10)
    events = steps.finish()
    kinds = [event["type"] for event in events]
    assert kinds.count("task.paused") == kinds.count("task.resumed") >= 1
    assert steps.value == Steps(Control()).run()


@pytest.mark.parametrize(("wish", "why"), [("abort", "abort"), ("cancel", "cancel")])
def test_a_paused_task_can_be_stopped(wish: str, why: str) -> None:
    control = Control()
    steps = Steps(control)
    control.pause()
    caught: list[str | None] = []

    def work() -> None:
        try:
            steps.run()
        except Cancelled:
            caught.append(control.stop_reason("t"))

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: control.state == "paused")
    if wish == "cancel":
        assert control.cancel("t")
    else:
        control.abort()
    thread.join(5)
    assert caught == [why]
    assert json.loads(steps.lines[-1])["type"] == "task.paused"


def test_a_complete_file_is_announced_whatever_was_wished_for() -> None:
    control = Control()
    steps = Steps(control)
    control.abort()
    steps.progress("write", 9, 9)
    with pytest.raises(Cancelled):
        steps.progress("write", 8, 9)


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)
