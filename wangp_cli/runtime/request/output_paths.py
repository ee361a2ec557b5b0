"""Output paths of a task, decided and checked before any model runs."""

from __future__ import annotations

import errno
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from wangp_cli.errors import NoSpaceError, RequestError, nearest
from wangp_cli.files.folders import check_free_space, nearest_existing
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.media.codecs import CODECS
from wangp_cli.plan.model import Plan
from wangp_cli.runtime.request.check_codec import check_codec
from wangp_cli.runtime.request.existing_files import check_folder_free, check_free, check_sidecar
from wangp_cli.tasks.fields import Pixels, size_of
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.shape import ResultShape
from wangp_cli.tasks.task import Task
from wangp_cli.tasks.tool import Processing, Tool

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
FREE_TEXT = ("prompt", "input")
"""Template fields with free text, which is turned into a slug."""
SIDECAR_SUFFIX = ".json"
LONGEST_NAME = 200
BYTES_PER_PIXEL = 0.25
"""Upper estimate for compressed video, so that a full disk is found before hours of work."""
SEGMENT_BYTES_PER_PIXEL = 6
"""Of segments in the work folder: three channels of 16 bits."""
OTHER_DISK = "free some space, or pick another disk with --output-dir"


def plan_outputs(
    task: Render, frames: int, size: Pixels, writable: set[Path], plan: Plan | None = None
) -> list[Path]:
    """Decide the path of each result of a render, and check codec, free names and free space.

    Args:
        task: every value final.
        frames: of each result before finishing; one frame without a plan is an image.
        size: of each result before finishing.
        writable: folders known to be writable; those that are checked here are added.
        plan: of a task whose segments are kept on disk until the result is done.

    Raises:
        RequestError: the file name, its suffix, the codec or the size does not fit.
        ConflictError: a file exists, and neither `overwrite` nor `skip_existing` is set.
        NoSpaceError: the disk has too little room, or the folder cannot be written.
    """
    # A plan always makes a video, even of one frame.
    is_image = frames == 1 and plan is None
    size, written = task.finished_size(size), task.finished_frames(frames)
    suffixes = _image_suffixes(task) if is_image else _video_suffixes(task)
    paths = _result_paths(task, suffixes, writable, {"frames": frames})
    if not is_image:
        check_codec(task, size, paths[0].suffix, rate=task.finished_rate(Fraction(task.fps)))
    _check_all_free(task, paths)
    width, height = size
    results = width * height * written * task.results * BYTES_PER_PIXEL
    segment_frames = sum(part.generate for part in plan.segments) if plan else 0
    check_free_space(
        paths[0].parent,
        int(results) + math.prod(size_of(task.size)) * segment_frames * SEGMENT_BYTES_PER_PIXEL,
        field="output_dir",
        hint=OTHER_DISK,
    )
    return paths


def plan_tool_outputs(
    task: Tool, shape: ResultShape, writable: set[Path], *, partial: bool = False
) -> list[Path]:
    """Decide the path of the result of a tool; raises as `plan_outputs` does.

    Args:
        task: every value final.
        shape: of the result.
        writable: folders known to be writable; those that are checked here are added.
        partial: an input is damaged, so that the result ends there and takes a name of its own.
    """
    suffixes_of = _image_suffixes if shape.fps is None else _video_suffixes
    paths = _result_paths(task, suffixes_of(task, alpha=shape.alpha), writable, {"frames": shape.frames})
    if shape.fps is not None:
        check_codec(task, shape.size, paths[0].suffix, rate=shape.fps, alpha=shape.alpha)
    if partial:
        paths = _partial_names(paths)
    _check_all_free(task, paths)
    check_free_space(
        paths[0].parent,
        int(math.prod(shape.size) * shape.frames * BYTES_PER_PIXEL),
        field="output_dir",
        hint=OTHER_DISK,
    )
    return paths


def plan_plain_outputs(task: Task, writable: set[Path], *, partial: bool = False) -> list[Path]:
    """Decide the path of each result of another task; as `plan_tool_outputs`."""
    suffixes = Suffixes(usual=task.usual_suffix, allowed=task.suffixes, of=f"the result of {task.type}")
    paths = _result_paths(task, suffixes, writable, {})
    if partial:
        paths = _partial_names(paths)
    _check_all_free(task, paths)
    return paths


def _partial_names(paths: Sequence[Path]) -> list[Path]:
    """Names of results that end where an input is damaged: nobody takes them for those of a whole input."""
    return [path.with_stem(f"{path.stem}_partial") for path in paths]


def result_files(task: Task, result: Path) -> list[Path]:
    """The files of a result: itself, its sidecar and others that the task writes beside it."""
    sidecar = [result.with_suffix(SIDECAR_SUFFIX)] if task.metadata_mode == "sidecar" else []
    return [result, *sidecar, *task.files_beside(result)]


def output_folder(task: Task) -> Path:
    """The folder of a task's results."""
    if task.output is not None:
        return _expand_home("output", task.output).parent
    return _expand_home("output_dir", task.output_dir)


class Suffixes(NamedTuple):
    """Allowed suffixes of output files.

    Args:
        usual: suffix of files whose name is not given.
        allowed: all suffixes.
        of: kind of file, for errors.
    """

    usual: str
    allowed: tuple[str, ...]
    of: str


def _image_suffixes(task: Render | Tool, *, alpha: bool = False) -> Suffixes:
    if not alpha:
        return Suffixes(usual=f".{task.image_format}", allowed=IMAGE_SUFFIXES, of="an image")
    if task.image_format == "jpg" and task.output is None:
        raise RequestError("image_format", "JPEG has no alpha channel", hint="--image-format png or webp")
    return Suffixes(usual=f".{task.image_format}", allowed=(".png", ".webp"), of="an image with alpha")


def _video_suffixes(task: Render | Tool, *, alpha: bool = False) -> Suffixes:
    usual = CODECS[task.codec].suffixes[0] if task.codec else ".mov" if alpha else ".mp4"
    return Suffixes(usual=usual, allowed=VIDEO_SUFFIXES, of="a video")


def _result_paths(
    task: Task, suffixes: Suffixes, writable: set[Path], facts: Mapping[str, Any]
) -> list[Path]:
    """The path of each result: all different, in a writable folder."""
    paths = [_result_path(task, index, suffixes, facts) for index in range(task.results)]
    check_writable("output" if task.output else "output_dir", paths[0].parent, writable)
    if len(set(paths)) < len(paths):
        raise RequestError(
            "name", f"{task.name!r} gives several results one name", hint="add {seed} or {index}"
        )
    return paths


def _check_all_free(task: Task, paths: Sequence[Path]) -> None:
    replaces = task.overwrite or task.skip_existing
    for path in paths:
        for file in result_files(task, path):
            check_free(file, overwrite=replaces, named_by="--output" if task.output else "--name")
            if file.suffix == SIDECAR_SUFFIX and not (task.skip_existing and path.exists()):
                check_sidecar(file)
        for folder in task.folders_beside(path) if isinstance(task, Processing) else ():
            check_folder_free(folder, overwrite=replaces)


def _result_path(task: Task, index: int, suffixes: Suffixes, facts: Mapping[str, Any]) -> Path:
    if task.output is None:
        return output_folder(task) / (expand_name(task, index, facts) + suffixes.usual)
    if task.output.suffix.lower() not in suffixes.allowed:
        raise RequestError(
            "output",
            f"{str(task.output)!r} does not end as {suffixes.of} does",
            hint=f"use one of {', '.join(suffixes.allowed)}",
        )
    path = _expand_home("output", task.output)
    return path if task.results == 1 else path.with_stem(f"{path.stem}_{index + 1:03d}")


def _expand_home(field: str, path: Path) -> Path:
    try:
        expanded = path.expanduser().absolute()
        expanded.lstat()
    except RuntimeError:
        raise RequestError(field, f"{str(path)!r} starts with ~ and no user of that name is known") from None
    except ValueError:
        raise RequestError(field, f"{quote_for_message(str(path))} holds a NUL character") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise RequestError(
                field, f"{quote_for_message(str(path))} is too long, a name has at most 255 bytes"
            ) from None
    return expanded


def expand_name(task: Task, index: int, facts: Mapping[str, Any]) -> str:
    """The file name of result `index`, without suffix, from the task's template.

    Args:
        task: has the template and most values for it.
        index: of the result, from 0.
        facts: further values for the template.

    Raises:
        RequestError: the template has an unknown field or leads out of the folder.
    """
    fields: dict[str, Any] = {
        "task_id": task.task_id or "task",
        "index": f"{index + 1:03d}",
        **{name: _name_part(name, value) for name, value in task.name_fields(index).items()},
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "time": datetime.now(UTC).strftime("%H%M%S"),
        **facts,
    }

    def insert_value(match: re.Match[str]) -> str:
        if match[1] not in fields:
            hint = nearest(match[1], list(fields)) or f"known are {', '.join(fields)}"
            raise RequestError("name", f"{{{match[1]}}} is no field of file names", hint=hint)
        return str(fields[match[1]])

    name = re.sub(r"\{([^{}]*)\}", insert_value, task.name)
    name = unicodedata.normalize("NFC", name).strip().rstrip(". ")
    if not name or re.search(r'[\x00-\x1f\x7f/\\:*?"<>|]', name) or name.startswith((".", "~")):
        raise RequestError("name", f"{task.name!r} gives {name!r}, which is no plain file name")
    return _limit_length(name)


def _name_part(field: str, value: Any) -> Any:
    """A value for the template; free text as a slug."""
    return slug(value) if field in FREE_TEXT else value


def slug(text: str, length: int = 48) -> str:
    """Letters and digits of `text` in lower case, joined by dashes, cut at a word."""
    plain = unicodedata.normalize("NFKC", text).lower()
    words = re.findall(r"[^\W_]+", plain)
    out = ""
    for word in words:
        if len(out) + len(word) + 1 > length:
            break
        out = f"{out}-{word}" if out else word
    return out or "untitled"


def _limit_length(name: str) -> str:
    while len(name.encode()) > LONGEST_NAME:
        name = name[:-1]
    return name


def check_writable(field: str, folder: Path, writable: set[Path]) -> None:
    """Check that files can be created in a folder, or in its nearest parent that exists.

    Args:
        field: that names the folder or a file in it; named in errors.
        folder: to check.
        writable: folders known to be writable; this one is added.

    Raises:
        RequestError: it is a file.
        NoSpaceError: it cannot be written.
    """
    if folder in writable:
        return
    existing = nearest_existing(folder)
    if not existing.is_dir():
        raise RequestError(field, f"{existing} is a file, not a folder")
    try:
        # Creates a file because permission bits say little for root and on network disks.
        TemporaryFile(dir=existing).close()
    except OSError as error:
        if not existing.exists():
            # Another run has removed it meanwhile, as it was empty.
            check_writable(field, folder, writable)
            return
        raise NoSpaceError(
            f"{field}: {existing} cannot be written: {error.strerror}",
            hint=f"--{field.replace('_', '-')} picks another folder",
        ) from None
    writable.add(folder)
