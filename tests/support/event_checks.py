"""Check streams of events: each line by the schema, the order by the protocol."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Any

from jsonschema import Draft202012Validator

from wangp_cli.runtime.events import schemas

TERMINAL = {"task.completed", "task.failed", "task.cancelled"}
INTERRUPTED = {130, 141, 143}


@cache
def validators() -> dict[str, Draft202012Validator]:
    """One for each type of event; unknown keys are errors."""
    schema = schemas.events_schema(strict=True)
    return {
        data.type: Draft202012Validator({"$ref": f"#/$defs/Event{data.__name__}", "$defs": schema["$defs"]})
        for data in schemas.payloads()
    }


@cache
def manifests() -> Draft202012Validator:
    """Of manifests."""
    return Draft202012Validator(schemas.manifest_schema())


def check_event(event: dict[str, Any]) -> None:
    """Check one event by the schema."""
    assert event["type"] in validators(), f"unknown type {event['type']}"
    for error in validators()[event["type"]].iter_errors(event):
        raise AssertionError(f"{event['type']}: {error.json_path}: {error.message}")
    if event["type"] == "task.completed":
        for error in manifests().iter_errors(event["data"]["manifest"]):
            raise AssertionError(f"manifest: {error.json_path}: {error.message}")


def check_stream(lines: Iterable[str], *, complete: bool = True) -> list[dict[str, Any]]:
    """Check a stream by the schema and the protocol; return its events.

    Args:
        lines: one event each.
        complete: the run came to its end; else it was killed, and the stream may end anywhere.
    """
    events = [json.loads(line) for line in lines]
    for event in events:
        check_event(event)
    _check_envelopes(events, complete=complete)
    tasks: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event.get("task") and event["type"] != "task.rejected":
            tasks.setdefault(event["task"], []).append(event)
    last = events[-1]["data"] if events else {}
    interrupted = not complete or last["reason"] is not None or last["exit_code"] in INTERRUPTED
    for task, own in tasks.items():
        _check_task(task, own, interrupted=interrupted)
    for event in events:
        if event["type"] == "task.rejected" and event["data"]["line"] is None:
            assert event["task"] not in tasks, f"{event['task']} was rejected and has other events"
    if complete and not any("dropped" in event for event in events):
        _check_counts(events)
    return events


def _check_envelopes(events: list[dict[str, Any]], *, complete: bool) -> None:
    assert events, "no events"
    assert events[0]["type"] == "run.started"
    assert events[0]["seq"] == 1
    assert len({event["run"] for event in events}) == 1
    for before, event in pairwise(events):
        assert event["seq"] == before["seq"] + 1 + event.get("dropped", 0), f"gap before {event}"
        assert event["mono"] >= before["mono"]
        assert event["id"] == f"{event['run']}.{event['seq']}"
    kinds = [event["type"] for event in events]
    assert kinds.count("run.started") == 1
    assert "run.finished" not in kinds[:-1], "something came after run.finished"
    if complete:
        assert kinds[-1] == "run.finished"


def _check_task(task: str, own: list[dict[str, Any]], *, interrupted: bool) -> None:
    kinds = [event["type"] for event in own]
    ends = [place for place, kind in enumerate(kinds) if kind in TERMINAL]
    assert len(ends) <= 1, f"{task} ended twice: {kinds}"
    assert not ends or ends[0] == len(kinds) - 1, f"{task} goes on after its end: {kinds}"
    # Done by an earlier run, or cancelled while it waited.
    if kinds == ["task.cancelled"] or (kinds == ["task.completed"] and own[0]["data"]["skipped"]):
        return
    assert kinds[0] == "task.accepted", f"{task} begins with {kinds[0]}"
    assert kinds.count("task.accepted") == 1
    assert ends or interrupted, f"{task} has no end: {kinds}"
    _check_attempts(task, own)
    if kinds[-1] == "task.completed" and not own[-1]["data"]["skipped"]:
        made = {event["data"]["path"] for event in own if event["type"] == "artifact.created"}
        said = {artifact["path"] for artifact in own[-1]["data"]["manifest"].get("artifacts", [])}
        assert said <= made, f"{task} has artifacts that were never announced: {said - made}"


def _check_attempts(task: str, own: list[dict[str, Any]]) -> None:
    attempt, started, fraction, held = own[0]["attempt"], False, 0.0, False
    for event in own:
        assert event["attempt"] == attempt, f"{task}: attempt {event['attempt']} in {attempt}"
        match event["type"]:
            case "task.started":
                assert not started, f"{task} started twice in one attempt"
                started = True
            case "task.progress":
                assert event["data"]["fraction"] >= fraction, f"{task}: its fraction falls"
                fraction = event["data"]["fraction"]
            case "task.paused":
                assert not held
                held = True
            case "task.resumed":
                assert held
                held = False
            case "task.retrying":
                assert event["data"]["next_attempt"] > attempt
                attempt, started, fraction = event["data"]["next_attempt"], False, 0.0
        if event["type"] in ("task.progress", "task.stage", "artifact.created", "task.paused"):
            assert started, f"{task}: {event['type']} before task.started"


def _check_counts(events: list[dict[str, Any]]) -> None:
    found = dict.fromkeys(("completed", "failed", "cancelled", "rejected", "skipped"), 0)
    for event in events:
        outcome = event["type"].removeprefix("task.")
        if outcome in found:
            found["skipped" if event["data"].get("skipped") else outcome] += 1
    assert events[-1]["data"]["counts"] == found
