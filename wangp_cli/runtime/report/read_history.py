"""Read a run history, untrusted, as report entries: the last line of each task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wangp_cli.errors import RequestError
from wangp_cli.files import strict_json
from wangp_cli.files.open_input import open_input
from wangp_cli.files.safe_text import escape_control_characters
from wangp_cli.runtime.report.command import command_of
from wangp_cli.runtime.report.files import Result, as_seconds, as_text, inputs_of, results_of
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.tool import Processing

Status = Literal["done", "failed", "cancelled", "rejected"]

STATUS: dict[str, Status] = {
    "success": "done",
    "error": "failed",
    "cancelled": "cancelled",
    "rejected": "rejected",
}
"""Status in the report by the status in the history."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The error of a task, its hint and its kind."""

    message: str
    hint: str | None
    kind: str | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One task of the report; its texts have no control characters.

    Args:
        tool: its type and its engines, if it is no render.
    """

    task_id: str
    status: Status
    prompt: str
    negative_prompt: str
    model: str
    tool: str | None
    seed: str | None
    size: str | None
    frames: str | None
    fps: str | None
    steps: str | None
    seconds: float | None
    timestamp: str
    attempts: int
    failure: Failure | None
    notices: tuple[str, ...]
    results: tuple[Result, ...]
    inputs: tuple[Result, ...]
    command: str | None


@dataclass(frozen=True, kw_only=True)
class History:
    """The tasks of a run history.

    Args:
        entries: one for each task, in the order of their last lines.
        skipped: number of lines that are torn or no lines of a run history.
    """

    entries: list[Entry]
    skipped: int


def read_history(path: Path, run_dir: Path) -> History:
    """Read the last line of each task.

    Args:
        path: the run history.
        run_dir: where results are looked for if they are not at their recorded path.

    Raises:
        RequestError: the history cannot be read.
    """
    entries: dict[str, Entry] = {}
    skipped = 0
    try:
        with open_input(path) as file:
            for text in file:
                if not text.strip():
                    continue
                line = _parse_line(text)
                if line is None:
                    skipped += 1
                    continue
                # A rejected line whose id could not be read has its number only.
                name = line.get("task_id") or f"line {line.get('line')}"
                before = entries.pop(name, None)
                entries[name] = _entry(name, line, run_dir, before.attempts + 1 if before else 1)
    except OSError as error:
        raise RequestError(
            "run_dir", f"cannot read {path}: {error.strerror}", hint="--manifest-path names another history"
        ) from None
    return History(entries=list(entries.values()), skipped=skipped)


def _parse_line(text: bytes) -> dict[str, Any] | None:
    """Parse a line; None if it is no line of a run history."""
    try:
        line = strict_json.loads(text, file_names=True)
    except ValueError:
        return None
    if not isinstance(line, dict):
        return None
    if line.get("status") == "rejected" and isinstance(line.get("error"), dict):
        return line if isinstance(line.get("task_id"), str | None) else None
    if not isinstance(line.get("task_id"), str):
        return None
    return line if isinstance(line.get("request"), dict) or isinstance(line.get("inputs"), dict) else None


def _entry(name: str, line: dict[str, Any], run_dir: Path, attempts: int) -> Entry:
    request, inputs, origin = _mapping(line, "request"), _mapping(line, "inputs"), _mapping(line, "origin")
    values = inputs | request
    failure, folder = _failure(line.get("error")), _folder(line, run_dir)
    return Entry(
        task_id=escape_control_characters(name),
        status=STATUS.get(str(line.get("status")), "failed" if failure else "done"),
        prompt=as_text(values.get("prompt")) or "",
        negative_prompt=as_text(values.get("negative_prompt")) or "",
        model=as_text(values.get("model")) or "",
        tool=_tool(request, inputs),
        seed=as_text(values.get("seed")),
        size=as_text(values.get("size")),
        frames=as_text(values.get("frames")),
        fps=as_text(values.get("fps")),
        steps=as_text(values.get("steps")),
        seconds=as_seconds(line.get("seconds")),
        timestamp=as_text(line.get("timestamp")) or "",
        attempts=attempts,
        failure=failure,
        notices=tuple(_notices(line)),
        results=tuple(results_of(line, folder, run_dir)),
        inputs=tuple(inputs_of(request, folder)),
        command=command_of(request, origin, folder),
    )


def _tool(request: dict[str, Any], inputs: dict[str, Any]) -> str | None:
    task = TASKS.get(str(request.get("type")))
    if task is None or not issubclass(task, Processing):
        return None
    engines = filter(None, map(as_text, _mapping(inputs, "engines").values()))
    return ", ".join([str(request["type"]), *engines])


def _mapping(line: dict[str, Any], key: str) -> dict[str, Any]:
    value = line.get(key)
    return value if isinstance(value, dict) else {}


def _failure(error: object) -> Failure | None:
    """The error of a line, which is a text in old histories and an object in new ones."""
    if isinstance(error, dict):
        return Failure(
            message=as_text(error.get("message")) or "no reason was given",
            hint=as_text(error.get("hint")),
            kind=as_text(error.get("kind")),
        )
    return (
        Failure(message=escape_control_characters(error), hint=None, kind=None)
        if isinstance(error, str) and error
        else None
    )


def _notices(line: dict[str, Any]) -> Iterator[str]:
    notices = line.get("notices")
    for notice in notices if isinstance(notices, list) else []:
        if text := as_text(notice):
            yield text


def _folder(line: dict[str, Any], run_dir: Path) -> Path:
    """The folder that paths of the line are relative to."""
    folder = line.get("output_dir")
    return run_dir / folder if isinstance(folder, str) else run_dir
