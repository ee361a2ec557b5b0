"""`wangp schema`, and the examples of the documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import Run
from tests.support.event_checks import check_event, manifests
from wangp_cli.legacy import translate
from wangp_cli.runtime.events import schemas
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.flags import flags

PAGE = Path(__file__).resolve().parents[2] / "docs" / "EVENTS.md"


@pytest.mark.parametrize("what", ["events", "task", "manifest"])
def test_every_schema_is_valid_and_named(run: Run, what: str) -> None:
    schema = run("schema", what, code=0).json()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:wangp:schema:{what}:1"


def test_an_unknown_schema_is_refused(run: Run) -> None:
    run("schema", "nope", code=2)


def test_the_schema_of_events_knows_every_type() -> None:
    mapping = schemas.events_schema()["discriminator"]["mapping"]
    assert set(mapping) == {data.type for data in schemas.payloads()}
    assert {"run.started", "task.retrying", "heartbeat", "run.finished"} <= set(mapping)


def test_consumers_may_meet_new_keys_but_our_tests_may_not() -> None:
    event = {
        "v": 1,
        "type": "heartbeat",
        "seq": 1,
        "id": "r.1",
        "ts": "2026-01-01T00:00:00.000Z",
        "mono": 0.0,
        "run": "r",
        "data": {},
    }
    check_event(event)
    new = event | {"later": 1}
    assert Draft202012Validator(schemas.events_schema()).is_valid(new)
    assert not Draft202012Validator(schemas.events_schema(strict=True)).is_valid(new)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"seq": 0},
        {"type": "task.nope"},
        {"data": {"fraction": 1}},
        {"ts": "yesterday"},
        {"dropped": 0},
        {"task": "t"},
    ],
)
def test_what_is_no_event_does_not_fit(change: dict[str, Any]) -> None:
    event = {"v": 1, "type": "heartbeat", "seq": 1, "id": "r.1", "ts": "2026-01-01T00:00:00.000Z"}
    event |= {"mono": 0.0, "run": "r", "data": {}}
    with pytest.raises(AssertionError):
        check_event(event | change)


def test_the_kinds_of_errors_are_a_closed_list() -> None:
    kinds = schemas.events_schema()["$defs"]["Fault"]["properties"]["kind"]["enum"]
    assert {"request", "model", "oom", "no_space", "conflict", "internal"} <= set(kinds)


def test_the_schema_of_tasks_describes_every_flag() -> None:
    schema = schemas.task_schema()
    for name, task in TASKS.items():
        for field, _, flag, _ in flags(task):
            assert schema["$defs"][name]["properties"][field]["description"] == flag.help


@pytest.mark.parametrize(
    ("task", "fits"),
    [
        ({"type": "generate", "prompt": "a cat", "model": "starter"}, True),
        ({"type": "generate", "prompt": "a cat"}, True),
        ({"prompt": "a cat"}, False),
        ({"type": "generate", "promt": "a cat"}, False),
        ({"type": "generate", "prompt": "a cat", "steps": 0}, False),
        ({"type": "nope"}, False),
        ([], False),
    ],
)
def test_the_schema_of_tasks_tells_good_from_bad(task: Any, fits: bool) -> None:
    assert Draft202012Validator(schemas.task_schema()).is_valid(task) is fits


def test_the_task_lines_of_the_documentation_are_valid() -> None:
    text = (PAGE.parent / "BATCH.md").read_text(encoding="utf-8")
    lines = [
        line for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
    ]
    assert {json.loads(line)["type"] for line in lines} >= TASKS.keys() - {"generate"}
    validator = Draft202012Validator(schemas.task_schema())
    for line in lines:
        validator.validate(json.loads(line))
        translated = translate(json.loads(line)).values
        TASKS[translated["type"]].model_validate(translated)


def examples() -> list[dict[str, Any]]:
    text = PAGE.read_text(encoding="utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


def test_the_examples_of_the_documentation_are_valid_and_complete() -> None:
    shown = [example for example in examples() if "specversion" not in example]
    for event in shown:
        check_event(event)
    assert {event["type"] for event in shown} == {data.type for data in schemas.payloads()}


def test_the_documentation_shows_the_manifest_and_the_cloud_event() -> None:
    [completed] = [one for one in examples() if one.get("type") == "task.completed"]
    manifests().validate(completed["data"]["manifest"])
    [cloud] = [one for one in examples() if "specversion" in one]
    assert cloud["type"].startswith("io.wangp.")
