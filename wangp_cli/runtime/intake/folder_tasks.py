"""One task for each image or video of a folder, from one template."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.files.open_input import read_input
from wangp_cli.legacy import prompts
from wangp_cli.runtime.intake.task_line import TaskLine, digest_of

PICTURES = (
    ".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".ppm",
    ".pgm",
)  # fmt: skip
VIDEOS = (
    ".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".wmv",
    ".flv", ".ogv", ".gif", ".apng",
)  # fmt: skip
READ = (*PICTURES, *VIDEOS, ".txt")
PLACEHOLDER = "{file}"
MAX_PROMPT = 1 << 20


def each_image(
    folder: Path, template: Mapping[str, Any], roots: Sequence[Path] | None = None
) -> Iterator[TaskLine]:
    """A task for each image of a folder, in natural order.

    Args:
        folder: its subfolders and hidden files are skipped.
        template: values of every task, by field name. `{file}` in a value stands for the file's path; if no
            value has it, the file is `image_start`. A text file beside it, `NAME.txt`, is the prompt; one of
            several prompts makes a task of each.
        roots: folders that the text files must lie in, links resolved; by default the folder itself.

    Raises:
        RequestError: the folder cannot be read or has no such files.
    """
    return _each(folder, template, roots, PICTURES, "image_start")


def each_video(
    folder: Path, template: Mapping[str, Any], roots: Sequence[Path] | None = None
) -> Iterator[TaskLine]:
    """A task for each video of a folder, like `each_image`; without `{file}` the file is `video_guide`."""
    return _each(folder, template, roots, VIDEOS, "video_guide")


def _each(
    folder: Path,
    template: Mapping[str, Any],
    roots: Sequence[Path] | None,
    suffixes: tuple[str, ...],
    field: str,
) -> Iterator[TaskLine]:
    flag = "each_image" if suffixes is PICTURES else "each_video"
    try:
        names = [file for file in folder.absolute().iterdir() if not file.name.startswith(".")]
    except OSError as error:
        raise RequestError(flag, f"cannot read {folder}: {(error.strerror or 'error').lower()}") from None
    files = sorted((f for f in names if f.suffix.lower() in suffixes and f.is_file()), key=natural_order)
    if not files:
        raise RequestError(flag, f"{folder} has no files that end in {', '.join(suffixes)}")
    return _lines(files, template, field, folder.name, [folder] if roots is None else roots)


def natural_order(file: Path) -> tuple[Any, ...]:
    """Sort key of natural order: `shot 10` comes after `shot 9`."""
    parts = re.split(r"(\d+)", file.name.casefold())
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts), file.name


def _lines(
    files: list[Path], template: Mapping[str, Any], field: str, source: str, roots: Sequence[Path]
) -> Iterator[TaskLine]:
    used: set[str] = set()
    for number, file in enumerate(files, start=1):
        task_id = _task_id(file.stem, used)
        line = TaskLine(number=number, source=source, task_id=task_id)
        try:
            values = _fill_template(template, str(file))
            if values == dict(template):
                values[field] = str(file)
            texts = _read_prompts(file, roots)
        except RequestError as error:
            yield replace(line, error=error)
            continue
        for index, text in enumerate(texts or [None], start=1):
            name = _task_id(f"{task_id}-{index}", used) if len(texts) > 1 else task_id
            whole = values | ({} if text is None else {"prompt": text}) | {"task_id": name}
            yield replace(line, task_id=name, values=whole, digest=digest_of(whole))


def _fill_template(value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _fill_template(item, path) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fill_template(item, path) for item in value] if PLACEHOLDER in str(value) else value
    return (
        str(value).replace(PLACEHOLDER, path)
        if isinstance(value, str | Path) and PLACEHOLDER in str(value)
        else value
    )


def _read_prompts(file: Path, roots: Sequence[Path]) -> list[str]:
    """The prompts in the text file beside a file: one a paragraph, without comments, macros expanded."""
    text_file = file.with_suffix(".txt")
    if not os.path.lexists(text_file):
        return []
    try:
        text = read_input(text_file, MAX_PROMPT, roots).decode("utf-8-sig")
        return [prompt for prompt in prompts(text, "PG") if prompt]
    except OSError as error:
        raise RequestError("prompt", f"cannot read {text_file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RequestError("prompt", f"{text_file} is not UTF-8") from None


def _task_id(stem: str, used: set[str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100] or "file"
    name, count = plain, 1
    while name.casefold() in used:
        count += 1
        name = f"{plain}-{count}"
    used.add(name.casefold())
    return name
