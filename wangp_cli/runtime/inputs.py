"""Input files of a task: there, readable, of the right kind and unchanged, before any weight is loaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from wangp_cli.errors import MediaError, RequestError
from wangp_cli.tasks.fields import Kind
from wangp_cli.tasks.task import Task

if TYPE_CHECKING:
    from wangp_cli.media.facts import VideoFacts
    from wangp_cli.plan import Plan

Facts = dict[str, list["VideoFacts"]]
"""What each input file is, by field."""


def check_inputs(task: Task, loras: Sequence[Path], checksums: Mapping[str, str]) -> Facts:
    """Look into every input file.

    Args:
        task: the task.
        loras: its LoRA files.
        checksums: sha256 that a file must have, by path.

    Raises:
        RequestError: a file is missing, unreadable, of the wrong kind or length, or has changed.
    """
    found: Facts = {}
    for field, paths in task.media().items():
        for path in paths:
            found.setdefault(field, []).append(_check_media(task, field, path))
            _check_unchanged(field, path, checksums)
    for path in loras:
        _check_unchanged("loras", path, checksums)
    guide, mask = found.get("video_guide"), found.get("video_mask")
    if guide and mask and mask[0].frames != guide[0].frames:
        raise RequestError(
            "video_mask",
            f"{mask[0].frames} frames, but the control video has {guide[0].frames}",
            hint="cut or loop the mask to its length",
        )
    return found


def silence_after(facts: Facts, plan: Plan | None, frames: int, rate: Fraction) -> list[str]:
    """A notice if a recording of speech ends before the frames that are made to it, of so many in all."""
    if not (spoken := facts.get("audio_guide")):
        return []
    made = frames - (plan.segments[0].begins if plan else 0)
    if spoken[0].seconds * rate >= made - 1:
        return []
    seconds = float(made / rate)
    return [f"audio_guide: {spoken[0].seconds:.2f} s, but {seconds:.2f} s are made, silence follows it"]


def _check_unchanged(field: str, path: Path, checksums: Mapping[str, str]) -> None:
    wanted = checksums.get(os.path.normpath(path.absolute()))
    if wanted and sha256_of(path) != wanted:
        raise RequestError(field, f"{path} is not the file this request was made with", hint="restore it")


def _check_media(task: Task, field: str, path: Path) -> VideoFacts:
    from wangp_cli.media.facts import probe

    try:
        facts = probe(path)
    except MediaError as error:
        raise RequestError(field, error.message, hint=error.hint) from None
    kinds = task.inputs()[field].kinds
    if facts.kind not in kinds and not ("audio" in kinds and facts.audio_codec):
        other = next((name for name in task.inputs() if name == field.replace(kinds[0], facts.kind)), None)
        hint = f"{other} takes it" if other else None
        wanted = " or ".join(_WORDS[kind] for kind in kinds)
        silent = " without sound" if facts.kind == "video" and "audio" in kinds else ""
        raise RequestError(field, f"{path} is {_WORDS[facts.kind]}{silent}, {wanted} is wanted", hint=hint)
    return facts


_WORDS: dict[Kind, str] = {"image": "a picture", "video": "a video", "audio": "sound"}


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
