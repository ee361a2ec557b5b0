"""Input files of a task: there, readable, of the right kind and unchanged, before any weight is loaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from wangp_cli.errors import MediaError, RequestError
from wangp_cli.tasks.generate import Generate


def check_inputs(task: Generate, loras: Sequence[Path], checksums: Mapping[str, str]) -> None:
    """Look into every input file.

    Args:
        task: the task.
        loras: its LoRA files.
        checksums: sha256 that a file must have, by path.

    Raises:
        RequestError: a file is missing, unreadable, of the wrong kind or length, or has changed.
    """
    frames = {}
    for field, paths in task.media().items():
        for path in paths:
            frames[field] = _check_media(field, path)
            _check_unchanged(field, path, checksums)
    for path in loras:
        _check_unchanged("loras", path, checksums)
    guide, mask = frames.get("video_guide"), frames.get("video_mask")
    if guide and mask and mask != guide:
        raise RequestError(
            "video_mask",
            f"{mask} frames, but the control video has {guide}",
            hint="cut or loop the mask to its length",
        )


def _check_unchanged(field: str, path: Path, checksums: Mapping[str, str]) -> None:
    wanted = checksums.get(os.path.normpath(path.absolute()))
    if wanted and sha256_of(path) != wanted:
        raise RequestError(field, f"{path} is not the file this request was made with", hint="restore it")


def _check_media(field: str, path: Path) -> int:
    from wangp_cli.media.facts import probe

    try:
        facts = probe(path)
    except MediaError as error:
        raise RequestError(field, error.message, hint=error.hint) from None
    wanted = field.split("_", maxsplit=1)[0]
    if facts.kind != wanted and not (wanted == "audio" and facts.audio_codec):
        other = next((n for n in Generate.model_fields if n == field.replace(wanted, facts.kind)), None)
        hint = f"{other} takes it" if other else None
        raise RequestError(field, f"{path} is {_WORDS[facts.kind]}, {_WORDS[wanted]} is wanted", hint=hint)
    return facts.frames


_WORDS = {"image": "a picture", "video": "a video", "audio": "sound"}


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
