"""Task lines of one JSON value: unwrap envelopes, translate keys of older tools, check task and key names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wangp_cli.errors import RequestError, nearest
from wangp_cli.files import strict_json
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.legacy import OLD_TYPES, RENAMED, hint_for_key, translate
from wangp_cli.runtime.history.manifest import LOCAL_FIELDS
from wangp_cli.runtime.intake.json_stream import (
    MalformedError,
    list_items,
)
from wangp_cli.runtime.intake.paths import absolute, named_files
from wangp_cli.runtime.intake.task_line import TaskLine, digest_of, readable_id
from wangp_cli.tasks import TASKS, TaskTypes
from wangp_cli.tasks.flags import names_of_flags
from wangp_cli.tasks.task import TASK_ID

_VIRTUAL = re.compile(r"\|\s*(start_frame|end_frame|audio_track_no)\s*=")
_WRAPPED_KEYS = {"plugin_data", "settings_version", "version", "error", "failed_at"}


@dataclass(frozen=True, kw_only=True)
class LineContext:
    """The position of a line, and what its values are read with.

    Args:
        source: the file's name.
        folder: the folder that its paths are relative to.
        number: of the line or item, from 1.
        given: fields that flags set for every line; None if that is not known yet.
        tasks: the task types that a line may name.
        task: type of a task whose line names none.
        addresses: keep the URLs that WanGP downloaded LoRAs from, instead of their file names.
        loras_here: a bare LoRA name is a path if `folder` has such a file.
    """

    source: str
    folder: Path
    number: int = 0
    given: Collection[str] | None = ()
    tasks: TaskTypes = field(default_factory=lambda: TASKS)
    task: str = "generate"
    addresses: bool = False
    loras_here: bool = True

    @property
    def label(self) -> str:
        """The line, or the file as a whole, as the field of an error."""
        return f"line {self.number}" if self.number else self.source

    def at(self, number: int) -> LineContext:
        """The context of another line of the same file."""
        return replace(self, number=number)

    def error_line(self, error: RequestError | str, value: Any = None, digest: str = "") -> TaskLine:
        """The task line of a line that cannot be read."""
        if isinstance(error, str):
            error = RequestError(self.label, error)
        return TaskLine(
            number=self.number, source=self.source, error=error, task_id=readable_id(value), digest=digest
        )


def lines_of_text(
    text: str | bytes, context: LineContext, *, limit: int = strict_json.MAX_BYTES
) -> Iterator[TaskLine]:
    """The task lines of one JSON text; a text that is not JSON gives one line with an error."""
    try:
        value = strict_json.loads(text, limit=limit)
    except ValueError as error:
        whole = text.strip() in (b"{", b"[", b"}", b"]", "{", "[", "}", "]")
        hint = "one task a line; JSON over several lines goes into a .json file" if whole else None
        yield context.error_line(RequestError(context.label, str(error), hint=hint))
        return
    yield from lines_of(value, context)


def lines_of(value: Any, context: LineContext) -> Iterator[TaskLine]:
    """The task lines of one JSON value; errors are lines, too, and are not raised."""
    if (
        isinstance(value, dict)
        and isinstance(value.get("tasks"), list)
        and not value.keys() - {"tasks", *_WRAPPED_KEYS}
    ):
        for number, item in enumerate(value["tasks"], start=1):
            yield from _lines_of_one(item, context.at(context.number or number))
    else:
        yield from _lines_of_one(value, context.at(context.number or 1))


def _lines_of_one(value: Any, context: LineContext) -> Iterator[TaskLine]:
    digest = digest_of(value)
    try:
        if not isinstance(value, dict):
            raise RequestError(
                f"line {context.number}",
                f"an object with the keys of a task is wanted, not {_json_type(value)}",
            )
        lines = _task_lines(_unwrap(value), context)
    except RequestError as error:
        yield context.error_line(error, value, digest)
        return
    for line in lines:
        yield replace(line, digest=digest)


def _unwrap(value: dict[str, Any]) -> dict[str, Any]:
    """The task without the envelopes that other programs put around it."""
    if isinstance(value.get("task"), dict) and not value.keys() - {"task"} - _WRAPPED_KEYS:
        value = value["task"]
    if isinstance(value.get("settings"), dict) and not value.keys() - {"settings", "task_id", *_WRAPPED_KEYS}:
        name = {"task_id": value["task_id"]} if "task_id" in value else {}
        value = {**name, **value["settings"]}
    if isinstance(params := value.get("params"), str) and params.lstrip().startswith("{"):
        # Rows of a task database have params as JSON text.
        try:
            value = {**value, "params": strict_json.loads(params)}
        except ValueError as error:
            raise RequestError("params", str(error)) from None
    if isinstance(value.get("params"), dict):
        outer = {
            key: item for key, item in value.items() if key not in {"params", "id", "status", *_WRAPPED_KEYS}
        }
        name = {"task_id": _id_text(value["id"])} if "id" in value else {}
        value = {**name, **outer, **value["params"]}
    return value


def _id_text(number: Any) -> Any:
    return str(number) if isinstance(number, int) and not isinstance(number, bool) else number


def earlier_request(
    document: Mapping[str, Any], folder: Path, tasks: TaskTypes = TASKS, *, loras_here: bool = True
) -> tuple[dict[str, Any], dict[str, str]] | None:
    """Values and checksums of an earlier result of wangp, with absolute paths; None for other documents.

    Args:
        document: a line of the run history, the metadata comment of a result, or a sidecar.
        folder: where it lies; a line of the run history has the folder of its paths in it.
        tasks: the task types, whose fields may hold paths.
        loras_here: a bare LoRA name is a path if `folder` has such a file.

    Raises:
        RequestError: the request inside is damaged.
    """
    body = document.get("wangp", document)
    if not isinstance(body, dict) or not isinstance(body.get("request"), dict):
        return None
    inputs = body.get("inputs", {})
    checksums = body.get("checksums") or (inputs.get("checksums", {}) if isinstance(inputs, dict) else {})
    if not isinstance(checksums, dict) or not all(isinstance(value, str) for value in checksums.values()):
        raise RequestError("checksums", "a table of paths and sha256 is wanted")
    if isinstance(document.get("output_dir"), str) and "request" in document:
        folder = Path(document["output_dir"])
    # Output and runtime fields of another machine are left out.
    values = absolute(
        {key: value for key, value in body["request"].items() if key not in LOCAL_FIELDS},
        folder,
        tasks,
        loras_here=loras_here,
    )
    return values, {
        absolute({"video_guide": name}, folder)["video_guide"]: value for name, value in checksums.items()
    }


def _task_lines(value: dict[str, Any], context: LineContext) -> list[TaskLine]:
    if earlier := earlier_request(value, context.folder, context.tasks, loras_here=context.loras_here):
        values, checksums = earlier
        if isinstance(name := value.get("task_id"), str):
            values = {**values, "task_id": name}
        _check(values, context)
        return [_line(values, context, checksums=checksums)]
    if value.get("status") == "rejected" and isinstance(error := value.get("error"), dict):
        raise RequestError(context.label, f"was rejected in the run of this history: {error.get('message')}")
    translated = translate(
        value, given=context.given, addresses=context.addresses, tasks=context.tasks, task=context.task
    )
    _check(translated.values, context)
    values = absolute(translated.values, context.folder, context.tasks, loras_here=context.loras_here)
    texts = translated.prompts or (None,)
    return [
        _line(
            _with_prompt(values, text, index if len(texts) > 1 else 0),
            context,
            notices=translated.notices,
            given_as=translated.given_as,
        )
        for index, text in enumerate(texts, start=1)
    ]


def _line(values: dict[str, Any], context: LineContext, **more: Any) -> TaskLine:
    return TaskLine(
        number=context.number, source=context.source, values=values, task_id=values.get("task_id"), **more
    )


def _with_prompt(values: dict[str, Any], text: str | None, number: int) -> dict[str, Any]:
    """The values with one of several prompts, its task id numbered."""
    if text is None:
        return values
    name = values.get("task_id")
    return {**values, "prompt": text, **({"task_id": f"{name}-{number}"} if name and number else {})}


def _check(values: Mapping[str, Any], context: LineContext) -> None:
    """Check what needs neither the flags of the batch nor a model.

    Raises:
        RequestError: an unknown task type or key, or an invalid task id or path.
    """
    tasks = context.tasks
    kind = values.get("type", context.task)
    if not isinstance(kind, str) or kind not in tasks:
        hint = nearest(str(kind), [*tasks, *OLD_TYPES])
        raise RequestError("type", f"there is no task {_quote_value(kind)}", hint=hint or None)
    known = list(tasks[kind].model_fields)
    unknown = [key for key in values if key not in known]
    if unknown:
        more = f"; nor {', '.join(map(_quote_key, unknown[1:6]))}" if unknown[1:] else ""
        own = [*known, *names_of_flags(tasks[kind])]
        hint = hint_for_key(unknown[0]) or nearest(unknown[0], own) or nearest(unknown[0], list(RENAMED))
        raise RequestError(_quote_key(unknown[0]), f"there is no such key{more}", hint=hint or None)
    name = values.get("task_id")
    if name is not None and not (isinstance(name, str) and TASK_ID.fullmatch(name)):
        raise RequestError(
            "task_id",
            f"{_quote_value(name)} is not made of letters, digits, dots, dashes and underscores, at most 128",
        )
    for name, path in named_files(values, tasks):
        if _VIRTUAL.search(path):
            raise RequestError(name, f"{_quote_value(path)} asks for a part of a file, which is not served")
        if "\0" in path:
            raise RequestError(name, f"{_quote_value(path)} holds a NUL character")


def _quote_key(key: str) -> str:
    return key if key.isprintable() and key and len(key) <= 60 else quote_for_message(key)


def _quote_value(value: Any) -> str:
    return quote_for_message(value) if isinstance(value, str) else quote_for_message(str(value)).strip("'")


def _json_type(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def line_of(text: bytes | None, context: LineContext) -> Iterator[TaskLine]:
    """The task lines of one line or list item; `text` is None for one that is too long."""
    if text is None:
        yield context.error_line(f"longer than {strict_json.MAX_BYTES} bytes")
    elif not text:
        yield context.error_line("an empty item, there is a comma too many")
    else:
        yield from lines_of_text(text, context)


def read_list(parts: Iterable[bytes], context: LineContext) -> Iterator[TaskLine]:
    """The task lines of a JSON list, item by item."""
    number = 0
    try:
        for text in list_items(parts):
            number += 1
            yield from line_of(text, context.at(number))
    except MalformedError as error:
        yield context.at(number + 1).error_line(f"not JSON: {error}")
