"""The request of a result as JSON: embedded in its file, and a record of the run history."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from wangp_cli import __version__
from wangp_cli.files.checksum import sha256_of
from wangp_cli.runtime.loras.select import LoraUse
from wangp_cli.runtime.request.request import Request
from wangp_cli.tasks.loras import LoraOptions
from wangp_cli.tasks.task import Task

LOCAL_FIELDS = {
    "output", "output_dir", "overwrite", "skip_existing", "task_id", "visualize", "keep_intermediates",
}  # fmt: skip
"""Fields about where a result is written, which do not change its pixels."""
PACKAGES = ("torch", "diffusers", "transformers", "numpy", "av")


def portable_request(task: Task, request: Request, folder: Path) -> dict[str, Any]:
    """The values of `task` without `LOCAL_FIELDS`, paths of input and LoRA files relative to `folder`."""
    values = task.model_dump(mode="json", exclude=LOCAL_FIELDS, exclude_none=True)
    for field in task.inputs():
        value = values.get(field)
        if isinstance(value, list):
            values[field] = [portable_name(path, request, folder) for path in value]
        elif value:
            values[field] = portable_name(value, request, folder)
    own = [lora for lora in request.loras if lora.own]
    values["loras"] = [f"{_lora_name(lora, request, folder)}@{lora.strength}" for lora in own]
    values.pop("lora_multipliers", None)
    if of_accelerator := [str(lora.strength) for lora in request.loras if not lora.own]:
        values["lora_multipliers"] = f"{' '.join(of_accelerator)} |"
    return {key: value for key, value in values.items() if value != []}


def portable_name(path: str, request: Request, folder: Path) -> str:
    """The URL that a file was fetched from, else its path relative to `folder`."""
    return request.addresses.get(path) or os.path.relpath(path, folder)


def _lora_name(lora: LoraUse, request: Request, folder: Path) -> str:
    """The hub reference of a LoRA, or the path of its file; never its URL, which may hold a secret."""
    return lora.source.name if lora.source.repository else portable_name(str(lora.path), request, folder)


def input_checksums(
    request: Request, folder: Path, check: Callable[[], None] | None = None
) -> dict[str, str]:
    """The sha256 of every input and LoRA file, by `portable_name`.

    Args:
        request: names the files.
        folder: of the results.
        check: called again and again while files are read; what it raises ends that.
    """
    media = [path for paths in request.task.media().values() for path in paths]
    files = [*media, *(lora.path for lora in request.loras)]
    return {portable_name(str(path), request, folder): sha256_of(path, check) for path in files}


def embedded_document(request: Request, index: int, folder: Path, checksums: dict[str, str]) -> str:
    """The JSON text to embed in result `index`: keys that WanGP reads, and our request under `wangp`."""
    document = {
        **request.wangp_settings(index),
        "creation_date": datetime.now(UTC).isoformat(timespec="seconds"),
        "wangp": {
            "version": __version__,
            "request": portable_request(request.task.single(index), request, folder),
            "origin": request.origin_texts,
            **({"unused": request.unused} if request.unused else {}),
            "checksums": checksums,
        },
    }
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def history_record(request: Request, ending: dict[str, Any], seconds: float) -> dict[str, Any]:
    """A record of the run history, with the keys of the older CLI and our own.

    Args:
        request: that ended.
        ending: `run_id`, `checksums`, `notices`, `status`, and `artifacts` or `error`.
        seconds: of work.
    """
    task, folder = request.task, request.outputs[0].parent
    ending = dict(ending)
    checksums = ending.pop("checksums")
    return {
        "task_id": task.task_id,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "output_dir": str(folder),
        "metadata_mode": task.metadata_mode,
        "adapter_payload_hashes": _adapter_hashes(task),
        "inputs": {**request.inputs(), "checksums": checksums},
        "request": portable_request(task, request, folder),
        "origin": request.origin_texts,
        **({"unused": request.unused} if request.unused else {}),
        "versions": versions(),
        **({"plan": request.plan.model_dump(mode="json")} if request.plan else {}),
        **ending,
    }


def rejection_record(
    *,
    folder: Path,
    run_id: str,
    error: Mapping[str, Any],
    task_id: str | None,
    line: int | None,
    notices: Sequence[str] = (),
) -> dict[str, Any]:
    """A record of the run history for a line that never became a task.

    Args:
        folder: the output folder of the run.
        run_id: of the run.
        error: why, as in the event.
        task_id: the line's, if it could be read.
        line: its number in the task file.
        notices: from reading it.
    """
    return {
        "task_id": task_id,
        "line": line,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "output_dir": str(folder),
        "adapter_payload_hashes": {},
        "run_id": run_id,
        "status": "rejected",
        "error": dict(error),
        "notices": list(notices),
    }


def _adapter_hashes(task: Task) -> dict[str, Any]:
    if not isinstance(task, LoraOptions) or not task.loras:
        return {}
    payload = json.dumps(
        [(name, str(strength)) for name, strength in task.strengths()],
        sort_keys=True,
        separators=(",", ":"),
    ).encode()
    return {"lora": {"sha256": hashlib.sha256(payload).hexdigest(), "source_bytes": len(payload)}}


@cache
def versions() -> dict[str, str]:
    """Versions of the packages that determine pixels."""
    installed = {"wangp": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed
