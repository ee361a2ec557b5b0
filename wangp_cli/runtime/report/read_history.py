"""Read a run history, untrusted, as report entries: the last line of each task."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wangp_cli.errors import RequestError
from wangp_cli.files import strict_json
from wangp_cli.files.checksum import sha256_of
from wangp_cli.files.open_input import open_input
from wangp_cli.files.safe_text import escape_control_characters
from wangp_cli.runtime.events.types import ACCOMPANYING
from wangp_cli.runtime.report.command import command_of

Status = Literal["done", "failed", "cancelled", "rejected"]
Kind = Literal["video", "image", "audio", "file"]

STATUS: dict[str, Status] = {
    "success": "done",
    "error": "failed",
    "cancelled": "cancelled",
    "rejected": "rejected",
}
"""Status in the report by the status in the history."""
SUFFIXES: dict[Kind, frozenset[str]] = {
    "video": frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"}),
    "image": frozenset({".png", ".jpg", ".jpeg", ".webp"}),
    "audio": frozenset({".wav", ".flac", ".mp3", ".m4a", ".ogg"}),
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One file of a task.

    Args:
        kind: how it can be shown; a `file` is named but not linked.
        name: the file's name.
        file: its path; None if it is missing.
        seed: as text, because JavaScript rounds large numbers.
        seconds: its duration.
    """

    kind: Kind
    name: str
    file: Path | None
    seed: str | None
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The error of a task, its hint and its kind."""

    message: str
    hint: str | None
    kind: str | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One task of the report; its texts have no control characters."""

    task_id: str
    status: Status
    prompt: str
    negative_prompt: str
    model: str
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
    failure = _failure(line.get("error"))
    return Entry(
        task_id=escape_control_characters(name),
        status=STATUS.get(str(line.get("status")), "failed" if failure else "done"),
        prompt=_text(values.get("prompt")) or "",
        negative_prompt=_text(values.get("negative_prompt")) or "",
        model=_text(values.get("model")) or "",
        seed=_text(values.get("seed")),
        size=_text(values.get("size")),
        frames=_text(values.get("frames")),
        fps=_text(values.get("fps")),
        steps=_text(values.get("steps")),
        seconds=_seconds(line.get("seconds")),
        timestamp=_text(line.get("timestamp")) or "",
        attempts=attempts,
        failure=failure,
        notices=tuple(_notices(line)),
        results=tuple(_results(line, run_dir)),
        command=command_of(request, origin, _folder(line, run_dir)),
    )


def _mapping(line: dict[str, Any], key: str) -> dict[str, Any]:
    value = line.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return escape_control_characters(str(value))


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
        return None
    return round(float(value), 3) if math.isfinite(value) and value >= 0 else None


def _failure(error: object) -> Failure | None:
    """The error of a line, which is a text in old histories and an object in new ones."""
    if isinstance(error, dict):
        return Failure(
            message=_text(error.get("message")) or "no reason was given",
            hint=_text(error.get("hint")),
            kind=_text(error.get("kind")),
        )
    return (
        Failure(message=escape_control_characters(error), hint=None, kind=None)
        if isinstance(error, str) and error
        else None
    )


def _notices(line: dict[str, Any]) -> Iterator[str]:
    notices = line.get("notices")
    for notice in notices if isinstance(notices, list) else []:
        if text := _text(notice):
            yield text


def _folder(line: dict[str, Any], run_dir: Path) -> Path:
    """The folder that paths of the line are relative to."""
    folder = line.get("output_dir")
    return run_dir / folder if isinstance(folder, str) else run_dir


def _results(line: dict[str, Any], run_dir: Path) -> Iterator[Result]:
    artifacts = line.get("artifacts")
    for artifact in artifacts if isinstance(artifacts, list) else []:
        if isinstance(artifact, dict) and isinstance(artifact.get("path"), str) and _is_shown(artifact):
            path = Path(artifact["path"])
            suffix = path.suffix.lower()
            kind: Kind = next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), "file")
            yield Result(
                kind=kind,
                name=escape_control_characters(path.name),
                file=_find(artifact, _folder(line, run_dir), run_dir),
                seed=_text(artifact.get("seed")),
                seconds=_seconds(artifact.get("duration_s")),
            )


def _is_shown(artifact: dict[str, Any]) -> bool:
    """Whether a file is a result, rather than one that comes with a result."""
    return str(artifact.get("role")) not in ACCOMPANYING


def _find(artifact: dict[str, Any], folder: Path, run_dir: Path) -> Path | None:
    """The file in `run_dir`, if the folder was copied or moved there, else at its recorded path."""
    made = folder / str(artifact["path"])
    if folder == run_dir or not made.is_relative_to(folder):
        return made if _is_file(made) else None
    moved = run_dir / made.relative_to(folder)
    if not _is_file(moved) or moved.stat().st_size != artifact.get("bytes"):
        return made if _is_file(made) else None
    # Two folders that share a history may hold different files of one name.
    same = not _is_file(made) or sha256_of(moved) == artifact.get("sha256")
    return moved if same else made


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False
