"""The files of a task of a run history, untrusted: what they are and where they are now."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wangp_cli.files.checksum import sha256_of
from wangp_cli.files.mime import FOLDER
from wangp_cli.files.safe_text import escape_control_characters
from wangp_cli.runtime.events.types import ACCOMPANYING
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.tool import Processing

Kind = Literal["video", "image", "audio", "archive", "folder", "file"]

SUFFIXES: dict[Kind, frozenset[str]] = {
    "video": frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"}),
    "image": frozenset({".png", ".jpg", ".jpeg", ".webp"}),
    "audio": frozenset({".wav", ".flac", ".mp3", ".m4a", ".ogg"}),
    "archive": frozenset({".zip", ".npz"}),
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One file of a task.

    Args:
        kind: how it can be shown; a `file` is named but not linked.
        role: what it is, as the history says it; of a file that a tool has read `input`, or the field that
            names it.
        name: the file's name.
        file: its path; None if it is missing.
        seed: as text, because JavaScript rounds large numbers.
        seconds: its duration.
        frames: their number.
    """

    kind: Kind
    role: str
    name: str
    file: Path | None
    seed: str | None = None
    seconds: float | None = None
    frames: str | None = None

    @property
    def preview(self) -> Path | None:
        """The first picture of a folder of frames."""
        if self.kind != "folder" or self.file is None:
            return None
        return min(self.file.glob("frame_*.png"), default=None)


def as_text(value: object) -> str | None:
    """A text or number of the history, without control characters; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return escape_control_characters(str(value))


def as_seconds(value: object) -> float | None:
    """A number of seconds; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
        return None
    return round(float(value), 3) if math.isfinite(value) and value >= 0 else None


def results_of(line: dict[str, Any], folder: Path, run_dir: Path) -> Iterator[Result]:
    """The files of a task that are shown; its values are not trusted.

    Args:
        line: of the run history.
        folder: that its paths are relative to.
        run_dir: where results are looked for if they are not at their recorded path.
    """
    artifacts = line.get("artifacts")
    for artifact in artifacts if isinstance(artifacts, list) else []:
        if isinstance(artifact, dict) and isinstance(artifact.get("path"), str) and _is_shown(artifact):
            path = Path(artifact["path"])
            yield Result(
                kind="folder" if artifact.get("mime") == FOLDER else _kind(path),
                role=as_text(artifact.get("role")) or "result",
                name=escape_control_characters(path.name),
                file=_find(artifact, folder, run_dir),
                seed=as_text(artifact.get("seed")),
                seconds=as_seconds(artifact.get("duration_s")),
                frames=as_text(artifact.get("frames")),
            )


def _kind(path: Path) -> Kind:
    suffix = path.suffix.lower()
    return next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), "file")


def inputs_of(request: dict[str, Any], folder: Path) -> Iterator[Result]:
    """The images and videos that a tool has read and that are still there, to be shown beside its result."""
    task = TASKS.get(str(request.get("type")))
    if task is None or not issubclass(task, Processing):
        return
    for number, field in enumerate(task.inputs()):
        values, role = request.get(field), field if number else "input"
        for name in values if isinstance(values, list) else [values]:
            path = folder / str(name)
            if (kind := _kind(path)) in ("video", "image") and _is_file(path):
                yield Result(kind=kind, role=role, name=escape_control_characters(path.name), file=path)


def _is_shown(artifact: dict[str, Any]) -> bool:
    """Whether a file is a result, rather than one that comes with a result."""
    return str(artifact.get("role")) not in ACCOMPANYING


def _find(artifact: dict[str, Any], folder: Path, run_dir: Path) -> Path | None:
    """The file in `run_dir`, if the folder was copied or moved there, else at its recorded path."""
    made = folder / str(artifact["path"])
    if artifact.get("mime") == FOLDER:
        moved = run_dir / made.relative_to(folder) if made.is_relative_to(folder) else made
        return next((path for path in (moved, made) if _is_folder(path)), None)
    if folder == run_dir or not made.is_relative_to(folder):
        return made if _is_file(made) else None
    moved = run_dir / made.relative_to(folder)
    if not _is_file(moved) or moved.stat().st_size != artifact.get("bytes"):
        return made if _is_file(made) else None
    # Two folders that share a history may hold different files of one name.
    same = not _is_file(made) or sha256_of(moved) == artifact.get("sha256")
    return moved if same else made


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False
