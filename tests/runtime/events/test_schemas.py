"""JSON schemas of tasks and events."""

from __future__ import annotations

from tests.support.task_types import TASK_TYPES
from wangp_cli.runtime.events import schemas


def test_the_schema_of_tasks_has_those_of_a_session() -> None:
    schema = schemas.task_schema(TASK_TYPES)
    properties = schema["$defs"]["extract-frame"]["properties"]
    assert properties["video"]["description"] == "Video to take frames of."
    assert "steps" not in properties
    assert {"$ref": "#/$defs/extract-frame"} in schema["oneOf"]
