"""JSON Schemas (draft 2020-12) of events, tasks and manifests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from wangp_cli.errors import WangpError
from wangp_cli.runtime.events.types import ArtifactCreated, Data, Fault, TaskRejected
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.fields import MANY
from wangp_cli.tasks.flags import flags, names_of_flags
from wangp_cli.tasks.task import Task

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]


class Envelope(BaseModel):
    """The keys that every event has."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=False)
    v: Annotated[Literal[1], Field(description="Major version of the protocol.")]
    type: str
    seq: Annotated[Count, Field(description="Counts the events of the run from 1, without gaps.")]
    id: Annotated[str, Field(description="The run and seq: unique among all events.")]
    ts: Annotated[
        str,
        Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="Wall clock, UTC."),
    ]
    mono: Annotated[Seconds, Field(description="Seconds since the run began, by a clock that never jumps.")]
    run: Annotated[str, Field(description="The run's id.")]
    trace: Annotated[str, Field(description="W3C trace context, where TRACEPARENT is set.")] = ""
    dropped: Annotated[
        Count, Field(description="Events left out just before this one, as the reader was slow.")
    ] = 1


class ManifestArtifact(BaseModel):
    """A file in a manifest."""

    model_config = ConfigDict(extra="allow")
    path: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """One line of the run history, and `manifest` of `task.completed`."""

    model_config = ConfigDict(extra="allow")
    task_id: Annotated[str | None, Field(description="Null for a rejected line whose id could not be read.")]
    status: Annotated[
        Literal["success", "error", "cancelled", "rejected"],
        Field(description="A `rejected` line never became a task: it has an `error` and no `request`."),
    ]
    line: Annotated[
        Annotated[int, Field(ge=0)] | None,
        Field(description="Of the task file, for a rejected line; 0 or null for the file as a whole."),
    ] = None
    notices: Annotated[
        list[str], Field(description="What was changed or is not used, and other facts worth knowing.")
    ] = []
    run_id: str = ""
    timestamp: str = ""
    output_dir: str = ""
    metadata_mode: Literal["embed", "sidecar", "none"] = "embed"
    adapter_payload_hashes: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    request: Annotated[
        dict[str, Any], Field(description="Fed to `wangp batch`, it makes the same pixels.")
    ] = {}
    origin: Annotated[dict[str, str], Field(description="Where each value came from.")] = {}
    versions: dict[str, str] = {}
    plan: Annotated[
        dict[str, Any], Field(description="Frame by frame, of a task made in several runs of the model.")
    ] = {}
    artifacts: list[ManifestArtifact] = []
    error: Fault | None = None
    seconds: float = 0.0


def payloads() -> list[type[Data]]:
    """The payload classes of all event types, in the order of their documentation."""
    return list(Data.__subclasses__())


def error_kinds() -> list[str]:
    """The kinds of all errors, sorted."""

    def walk(kind: type[WangpError]) -> Iterator[str]:
        yield kind.kind
        for child in kind.__subclasses__():
            yield from walk(child)

    return sorted(set(walk(WangpError)))


def events_schema(*, strict: bool = False) -> dict[str, Any]:
    """The schema of one event; `strict` also rejects unknown keys, which a later version may add."""
    union: Any = reduce(or_, [_envelope(data) for data in payloads()])
    adapter = TypeAdapter[Any](Annotated[union, Field(discriminator="type")])
    schema = adapter.json_schema(mode="serialization")
    schema["$defs"][Fault.__name__]["properties"]["kind"]["enum"] = error_kinds()
    for name, part in schema["$defs"].items():
        if name.startswith("Event"):
            for optional in ("trace", "dropped"):
                part["properties"][optional].pop("default", None)
    _drop_titles(schema)
    return _with_head(schema if strict else _with_unknown_keys(schema), "events", "An event of wangp")


def _envelope(data: type[Data]) -> Any:
    fields: dict[str, Any] = {"type": (Literal[data.type], ...), "data": (data, ...)}
    if data is TaskRejected:
        fields["task"] = (str | None, Field(description="The task's id, if it could be read."))
    elif data.scope != "run":
        required = ... if data.scope == "task" else ""
        fields["task"] = (str, Field(default=required, description="The task's id."))
        fields["attempt"] = (Count, Field(default=... if required is ... else 1))
    return create_model(f"Event{data.__name__}", __base__=Envelope, __doc__=data.__doc__, **fields)


def task_schema(tasks: Mapping[str, type[Task]] = TASKS) -> dict[str, Any]:
    """The schema of one task of these types, as a line of a task file holds it."""
    parts: dict[str, Any] = {}
    for name, task in tasks.items():
        part = task.model_json_schema(ref_template="#/$defs/{model}")
        parts |= part.pop("$defs", {})
        parts[name] = _described(task, part)
    schema = {
        "description": "One task. The model may also come from a flag, a preset or the settings.",
        "$defs": parts,
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in tasks],
    }
    return _with_head(schema, "task", "A task of wangp")


def _described(task: type[Task], schema: dict[str, Any]) -> dict[str, Any]:
    for name, field in task.model_fields.items():
        if MANY in field.metadata:
            one = schema["properties"][name]
            # A default of a list is that of the field, whichever form a line gives.
            kept = {key: one.pop(key) for key in ("default", "title") if key in one}
            schema["properties"][name] = {"anyOf": [one["items"], one]} | kept
    for name, _, flag, _ in flags(task):
        schema["properties"][name]["description"] = flag.help
    for part in schema["properties"].values():
        part.pop("title", None)
    for name, listed in names_of_flags(task).items():
        of_field = schema["properties"][listed]
        schema["properties"][name] = of_field | {"description": f"The same as {listed}."}
    schema["required"] = ["type"]
    return schema


def manifest_schema() -> dict[str, Any]:
    """The schema of one line of the run history."""
    schema = Manifest.model_json_schema(mode="validation")
    artifact = ArtifactCreated.model_json_schema(mode="serialization")
    known = schema["$defs"][ManifestArtifact.__name__]["properties"]
    schema["$defs"][ManifestArtifact.__name__]["properties"] = artifact["properties"] | known
    _drop_titles(schema)
    return _with_head(schema, "manifest", "A line of wangp's run history")


def _with_head(schema: dict[str, Any], name: str, title: str) -> dict[str, Any]:
    head = {"$schema": DIALECT, "$id": f"urn:wangp:schema:{name}:1", "title": title}
    return head | {key: value for key, value in schema.items() if key not in head}


def _with_unknown_keys(schema: Any) -> Any:
    """Copy a schema without `additionalProperties: false`: later versions may add keys."""
    if isinstance(schema, dict):
        return {
            key: _with_unknown_keys(value)
            for key, value in schema.items()
            if not (key == "additionalProperties" and value is False)
        }
    return [_with_unknown_keys(part) for part in schema] if isinstance(schema, list) else schema


def _drop_titles(schema: dict[str, Any]) -> None:
    for part in [schema, *schema.get("$defs", {}).values()]:
        for field in part.get("properties", {}).values():
            field.pop("title", None)
