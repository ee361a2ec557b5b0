"""Path policy of task files: inputs lie in allowed folders, outputs in the output folder."""

from __future__ import annotations

import os.path
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wangp_cli.errors import RequestError
from wangp_cli.files.open_input import is_inside
from wangp_cli.files.safe_names import name_fault
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.runtime.intake.paths import is_url, named_files, split_lora
from wangp_cli.runtime.intake.url_policy import UrlPolicy
from wangp_cli.tasks import TASKS, TaskTypes


def check_paths(
    values: Mapping[str, Any],
    roots: Sequence[Path],
    allowed: UrlPolicy | None = None,
    tasks: TaskTypes = TASKS,
) -> None:
    """Check that media and LoRA files lie inside `roots`, links resolved, or on allowed hosts.

    Args:
        values: with absolute paths, as a TaskLine has them.
        roots: the working folder, the task file's folder, the LoRA folder, those of `--allow-path`.
        allowed: the hosts of `--allow-url`.
        tasks: the task types, whose fields may hold paths.

    Raises:
        RequestError: a path leads outside of the roots, or a URL is not allowed.
    """
    if not (files := list(_files(values, tasks))):
        return
    for field, name in files:
        if is_url(name):
            # A LoRA that was fetched before is found by its URL; others are refused when they are looked up.
            if field != "loras":
                (allowed or UrlPolicy()).check(field, name)
            continue
        if "\0" in name:
            raise RequestError(field, f"{quote_for_message(name)} holds a NUL character")
        real = os.path.realpath(name)
        if not is_inside(real, roots):
            raise RequestError(
                field,
                f"{quote_for_message(name)} is outside the folders that task files may read",
                hint=f"--allow-path {os.path.dirname(real)!r} allows it",  # noqa: PTH120 - a text already
            )


def _files(values: Mapping[str, Any], tasks: TaskTypes) -> Iterator[tuple[str, str]]:
    yield from named_files(values, tasks)
    loras = values.get("loras")
    for lora in loras if isinstance(loras, list | tuple) else [loras]:
        if not isinstance(lora, str):
            continue
        name, _ = split_lora(lora)
        if os.path.isabs(name) or is_url(name):  # noqa: PTH117 - a text already
            yield "loras", name
        elif ".." in re.split(r"[/\\]", name) or name.startswith("~"):
            raise RequestError("loras", f"{quote_for_message(name)} leads out of the LoRA folder")


def confine_output(values: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The values with `output` and `output_dir` absolute and inside `root`.

    Args:
        values: of a line; both are relative to `root`, and `output` to the line's `output_dir` if it has one.
        root: the batch's output folder.

    Raises:
        RequestError: `output`, `output_dir` or `name` leads out of `root` or is no portable name.
    """
    confined = dict(values)
    root = root.absolute()
    folder = _resolve_below(root, root, "output_dir", confined.get("output_dir"))
    confined["output_dir"] = str(folder)
    if confined.get("output") is not None:
        confined["output"] = str(_resolve_below(root, folder, "output", confined["output"]))
    if confined.get("name") is not None:
        name = _text("name", confined["name"])
        if "/" in name:
            raise RequestError(
                "name", f"{quote_for_message(name)} is no plain file name", hint="output_dir names a folder"
            )
        _check_component("name", name)
        confined["name"] = name
    return confined


def _resolve_below(root: Path, folder: Path, field: str, value: Any) -> Path:
    """`value` joined to `folder`; inside `root` also after links are resolved."""
    if value is None:
        return folder
    text = _text(field, value)
    if text.startswith("/"):
        raise RequestError(
            field, f"{quote_for_message(text)} is absolute, task files name places inside the output folder"
        )
    parts = [part for part in text.split("/") if part not in ("", ".")]
    for part in parts:
        _check_component(field, part)
    path = folder.joinpath(*parts)
    if not is_inside(os.path.realpath(path), [root]):
        raise RequestError(field, f"{quote_for_message(text)} leads out of the output folder through a link")
    return path


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str | Path):
        raise RequestError(field, f"{str(value)[:40]!r} is no text")
    return unicodedata.normalize("NFC", str(value))


def _check_component(field: str, name: str) -> None:
    if fault := name_fault(name):
        raise RequestError(field, f"{quote_for_message(name)} {fault}")
