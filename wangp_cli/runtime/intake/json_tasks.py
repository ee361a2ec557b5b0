"""From one JSON value to the lines it stands for: wrappers taken off, older words translated."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wangp_cli.errors import RequestError, nearest
from wangp_cli.files import strict_json
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.legacy import RENAMED, hint_for_key, translate
from wangp_cli.runtime.history.manifest import LOCAL_FIELDS
from wangp_cli.runtime.intake.json_stream import (
    MalformedError,
    list_items,
)
from wangp_cli.runtime.intake.paths import absolute, named_files
from wangp_cli.runtime.intake.task_line import TaskLine, digest_of, readable_id
from wangp_cli.tasks import TASKS, TaskTypes
from wangp_cli.tasks.task import TASK_ID

_VIRTUAL = re.compile(r"\|\s*(start_frame|end_frame|audio_track_no)\s*=")
_WRAPPED_KEYS = {"plugin_data", "settings_version", "version", "error", "failed_at"}


@dataclass(frozen=True, kw_only=True)
class LineContext:
    """Where a value stands.

    Args:
        source: the file's name.
        folder: what its paths are relative to.
        number: of the line or item, from 1.
        given: input fields that batch flags name for every line.
        tasks: the task types that a line may name.
    """

    source: str
    folder: Path
    number: int = 0
    given: Collection[str] = ()
    tasks: TaskTypes = field(default_factory=lambda: TASKS)

    def at(self, number: int) -> LineContext:
        """The same file, another line."""
        return replace(self, number=number)

    def wrong(self, error: RequestError | str, value: Any = None, digest: str = "") -> TaskLine:
        """The line that cannot be read."""
        if isinstance(error, str):
            error = RequestError(f"line {self.number}" if self.number else self.source, error)
        return TaskLine(
            number=self.number, source=self.source, error=error, task_id=readable_id(value), digest=digest
        )


def lines_of_text(
    text: str | bytes, place: LineContext, *, limit: int = strict_json.MAX_BYTES
) -> Iterator[TaskLine]:
    """The lines that one JSON text stands for; what is no JSON is one wrong line."""
    try:
        value = strict_json.loads(text, limit=limit)
    except ValueError as error:
        whole = text.strip() in (b"{", b"[", b"}", b"]", "{", "[", "}", "]")
        hint = "one task a line; JSON over several lines goes into a .json file" if whole else None
        yield place.wrong(
            RequestError(f"line {place.number}" if place.number else place.source, str(error), hint=hint)
        )
        return
    yield from lines_of(value, place)


def lines_of(value: Any, place: LineContext) -> Iterator[TaskLine]:
    """The lines that one JSON value stands for, wrong ones included; never raises for its content."""
    if (
        isinstance(value, dict)
        and isinstance(value.get("tasks"), list)
        and not value.keys() - {"tasks", *_WRAPPED_KEYS}
    ):
        for number, item in enumerate(value["tasks"], start=1):
            yield from _lines_of_one(item, place.at(place.number or number))
    else:
        yield from _lines_of_one(value, place.at(place.number or 1))


def _lines_of_one(value: Any, place: LineContext) -> Iterator[TaskLine]:
    digest = digest_of(value)
    try:
        if not isinstance(value, dict):
            raise RequestError(
                f"line {place.number}", f"an object with the keys of a task is wanted, not {_kind(value)}"
            )
        lines = _read(_unwrapped(value), place)
    except RequestError as error:
        yield place.wrong(error, value, digest)
        return
    for line in lines:
        yield replace(line, digest=digest)


def _unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """The task inside the envelopes that programs put around it."""
    if isinstance(value.get("task"), dict) and not value.keys() - {"task"} - _WRAPPED_KEYS:
        value = value["task"]
    if isinstance(value.get("settings"), dict) and not value.keys() - {"settings", "task_id", *_WRAPPED_KEYS}:
        name = {"task_id": value["task_id"]} if "task_id" in value else {}
        value = {**name, **value["settings"]}
    if isinstance(params := value.get("params"), str) and params.lstrip().startswith("{"):
        # A row of a database keeps them as a text.
        try:
            value = {**value, "params": strict_json.loads(params)}
        except ValueError as error:
            raise RequestError("params", str(error)) from None
    if isinstance(value.get("params"), dict):
        outer = {
            key: item for key, item in value.items() if key not in {"params", "id", "status", *_WRAPPED_KEYS}
        }
        name = {"task_id": _name_of(value["id"])} if "id" in value else {}
        value = {**name, **outer, **value["params"]}
    return value


def _name_of(number: Any) -> Any:
    return str(number) if isinstance(number, int) and not isinstance(number, bool) else number


def earlier_request(
    document: Mapping[str, Any], folder: Path, tasks: TaskTypes = TASKS
) -> tuple[dict[str, Any], dict[str, str]] | None:
    """Values and checksums of an earlier result of ours, with absolute paths; None if it is none.

    Args:
        document: a line of the run history, the comment inside a result, or a sidecar.
        folder: where it was found; a run history says itself what its paths are relative to.
        tasks: the task types, whose fields may hold paths.

    Raises:
        RequestError: the request inside is damaged.
    """
    body = document.get("wangp", document)
    if not isinstance(body, dict) or not isinstance(body.get("request"), dict):
        return None
    inputs = body.get("inputs", {})
    sums = body.get("checksums") or (inputs.get("checksums", {}) if isinstance(inputs, dict) else {})
    if not isinstance(sums, dict) or not all(isinstance(value, str) for value in sums.values()):
        raise RequestError("checksums", "a table of paths and sha256 is wanted")
    if isinstance(document.get("output_dir"), str) and "request" in document:
        folder = Path(document["output_dir"])
    # A file from elsewhere says what to make, not where on this machine.
    values = absolute(
        {key: value for key, value in body["request"].items() if key not in LOCAL_FIELDS}, folder, tasks
    )
    return values, {
        absolute({"video_guide": name}, folder)["video_guide"]: value for name, value in sums.items()
    }


def _read(value: dict[str, Any], place: LineContext) -> list[TaskLine]:
    if earlier := earlier_request(value, place.folder, place.tasks):
        values, checksums = earlier
        if isinstance(name := value.get("task_id"), str):
            values = {**values, "task_id": name}
        _check(values, place.tasks)
        return [_line(values, place, checksums=checksums)]
    said = translate(value, given=place.given)
    _check(said.values, place.tasks)
    values = absolute(said.values, place.folder, place.tasks)
    texts = said.prompts or (None,)
    return [
        _line(
            _numbered(values, text, index if len(texts) > 1 else 0),
            place,
            notices=said.notices,
            given_as=said.given_as,
        )
        for index, text in enumerate(texts, start=1)
    ]


def _line(values: dict[str, Any], place: LineContext, **more: Any) -> TaskLine:
    return TaskLine(
        number=place.number, source=place.source, values=values, task_id=values.get("task_id"), **more
    )


def _numbered(values: dict[str, Any], text: str | None, number: int) -> dict[str, Any]:
    """The values of one of several prompts."""
    if text is None:
        return values
    name = values.get("task_id")
    return {**values, "prompt": text, **({"task_id": f"{name}-{number}"} if name and number else {})}


def _check(values: Mapping[str, Any], tasks: TaskTypes) -> None:
    """What can be said about a line before it meets the batch's flags and a model.

    Raises:
        RequestError: no such task or key, or a name or path that cannot be one.
    """
    kind = values.get("type", "generate")
    if not isinstance(kind, str) or kind not in tasks:
        raise RequestError(
            "type", f"there is no task {_shown(kind)}", hint=nearest(str(kind), list(tasks)) or None
        )
    known = list(tasks[kind].model_fields)
    unknown = [key for key in values if key not in known]
    if unknown:
        more = f"; nor {', '.join(map(_key, unknown[1:6]))}" if unknown[1:] else ""
        hint = hint_for_key(unknown[0]) or nearest(unknown[0], known) or nearest(unknown[0], list(RENAMED))
        raise RequestError(_key(unknown[0]), f"there is no such key{more}", hint=hint or None)
    name = values.get("task_id")
    if name is not None and not (isinstance(name, str) and TASK_ID.fullmatch(name)):
        raise RequestError(
            "task_id",
            f"{_shown(name)} is not made of letters, digits, dots, dashes and underscores, at most 128",
        )
    for name, path in named_files(values, tasks):
        if _VIRTUAL.search(path):
            raise RequestError(name, f"{_shown(path)} asks for a part of a file, which is not served")
        if "\0" in path:
            raise RequestError(name, f"{_shown(path)} holds a NUL character")


def _key(key: str) -> str:
    return key if key.isprintable() and key and len(key) <= 60 else quote_for_message(key)


def _shown(value: Any) -> str:
    return quote_for_message(value) if isinstance(value, str) else quote_for_message(str(value)).strip("'")


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def line_of(text: bytes | None, place: LineContext) -> Iterator[TaskLine]:
    """The tasks of one line or item; None stands for one that was too long to be read."""
    if text is None:
        yield place.wrong(f"longer than {strict_json.MAX_BYTES} bytes")
    elif not text:
        yield place.wrong("an empty item, there is a comma too many")
    else:
        yield from lines_of_text(text, place)


def read_list(parts: Iterable[bytes], place: LineContext) -> Iterator[TaskLine]:
    """The tasks of a JSON list, item by item."""
    number = 0
    try:
        for text in list_items(parts):
            number += 1
            yield from line_of(text, place.at(number))
    except MalformedError as error:
        yield place.at(number + 1).wrong(f"not JSON: {error}")
