"""The control state of a run: pause, cancel, drain, abort and signals."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from typing import Any

from tests.support.control import complete, start
from wangp_cli.runtime.control.rpc import answer
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.events.stream import Stream
from wangp_cli.runtime.events.types import RunFinished, RunStarted


def watched(control: Control) -> Stream:
    stream = Stream("run", [control.note])
    stream.emit(RunStarted(version="1", command="batch", host="here", pid=1, planned=3))
    return stream


def ask(control: Control, method: str, **params: Any) -> dict[str, Any]:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    reply = answer(control, "run", json.dumps(request).encode()).reply
    assert reply is not None
    found: dict[str, Any] = json.loads(reply)
    return found


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
