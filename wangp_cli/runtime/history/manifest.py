"""What a result says about itself: the request that made it, embedded in the file and kept in the history."""

from __future__ import annotations

import hashlib
import json
import os
import platform
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

LOCAL = {
    "output", "output_dir", "overwrite", "skip_existing", "task_id", "visualize", "keep_intermediates",
}  # fmt: skip
"""Fields that say where a result goes, not what it shows."""
PACKAGES = ("torch", "diffusers", "transformers", "numpy", "av")


def portable_request(task: Task, request: Request, folder: Path) -> dict[str, Any]:
    """What `task` says without local places; paths of media and LoRA files relative to `folder`."""
    said = task.model_dump(mode="json", exclude=LOCAL, exclude_none=True)
    for field in task.inputs():
        value = said.get(field)
        if isinstance(value, list):
            said[field] = [portable_name(path, request, folder) for path in value]
        elif value:
            said[field] = portable_name(value, request, folder)
    own = [lora for lora in request.loras if lora.own]
    said["loras"] = [f"{_lora_name(lora, request, folder)}@{lora.strength}" for lora in own]
    said.pop("lora_multipliers", None)
    if of_accelerator := [str(lora.strength) for lora in request.loras if not lora.own]:
        said["lora_multipliers"] = f"{' '.join(of_accelerator)} |"
    return {key: value for key, value in said.items() if value != []}


def portable_name(path: str, request: Request, folder: Path) -> str:
    """The address that a file was fetched from, else its path as seen from `folder`."""
    return request.addresses.get(path) or os.path.relpath(path, folder)


def _lora_name(lora: LoraUse, request: Request, folder: Path) -> str:
    """A reference to the hub, which means the same everywhere, or a file: an address may hold a secret."""
    return lora.source.name if lora.source.repository else portable_name(str(lora.path), request, folder)


def input_checksums(request: Request, folder: Path) -> dict[str, str]:
    """sha256 of every media and LoRA file, as `portable_name` calls it."""
    media = [path for paths in request.task.media().values() for path in paths]
    files = [*media, *(lora.path for lora in request.loras)]
    return {portable_name(str(path), request, folder): sha256_of(path) for path in files}


def embedded_document(request: Request, index: int, folder: Path, checksums: dict[str, str]) -> str:
    """The JSON text embedded in result `index`: keys that WanGP reads, and the request for us."""
    document = {
        **request.wangp_settings(index),
        "creation_date": datetime.now(UTC).isoformat(timespec="seconds"),
        "wangp": {
            "version": __version__,
            "request": portable_request(request.task.single(index), request, folder),
            "origin": request.origin_texts,
            "checksums": checksums,
        },
    }
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def record(request: Request, ending: dict[str, Any], seconds: float) -> dict[str, Any]:
    """One line of the run history; the keys that readers of the older CLI know, and ours.

    Args:
        request: what was asked.
        ending: `run_id`, `checksums`, `status`, and `artifacts` or `error`.
        seconds: how long it took.
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
        "versions": versions(),
        **({"plan": request.plan.model_dump(mode="json")} if request.plan else {}),
        **ending,
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
    """Versions of what decides pixels."""
    found = {"wangp": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
