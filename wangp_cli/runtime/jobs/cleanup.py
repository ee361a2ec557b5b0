"""Files of jobs after the fact: those a broken attempt left, and those a done job must still have."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wangp_cli.files.checksum import has_checksum, remove_with_checksum, sha256_of
from wangp_cli.runtime.events.types import ACCOMPANYING
from wangp_cli.runtime.jobs.payload import unpack
from wangp_cli.runtime.request.output_paths import result_files
from wangp_cli.value_layers import merge

if TYPE_CHECKING:
    from wangp_cli.runtime.jobs.stored_job import StoredJob
    from wangp_cli.runtime.request.request import Request


def files_of(request: Request) -> list[str]:
    """Every file that a settled request will write."""
    if request.skipped:
        return []
    return [str(file) for path in request.outputs for file in result_files(request.task, path)]


def remove_leftovers(job: StoredJob) -> None:
    """Remove what an unfinished attempt made; a task that may replace files leaves it in place."""
    values = merge(unpack(job.payload)).values
    if not (values.get("overwrite") or values.get("skip_existing")):
        for path, checksums in _owned(job).items():
            remove_with_checksum(path, checksums)


def _owned(job: StoredJob) -> dict[Path, set[str]]:
    """The sha256 of all that the job wrote, by path."""
    files: Sequence[Mapping[str, str]] = job.files or []
    # A skipped task lists files that were there before it; it has no run.
    if job.files is None and job.result and "run_id" in job.result:
        files = job.result["artifacts"]
    found: dict[Path, set[str]] = {}
    for file in files:
        found.setdefault(Path(file["path"]), set()).add(file["sha256"])
    return found


def is_intact(manifest: Mapping[str, Any] | None) -> bool:
    """Whether all results of a done job are there, unchanged; sidecars and intermediates may be gone."""
    artifacts = (manifest or {}).get("artifacts") or []
    results = [artifact for artifact in artifacts if artifact.get("role") not in ACCOMPANYING]
    return bool(results) and all(_is_ours(artifact) for artifact in results)


def remove_results(job: StoredJob) -> None:
    """Remove the files of a done job that has lost some, so that it can be made again.

    If one was changed since, all are left: it is somebody's work.
    """
    owned = _owned(job)
    if not any(os.path.lexists(path) and not has_checksum(path, sums) for path, sums in owned.items()):
        for path, checksums in owned.items():
            remove_with_checksum(path, checksums)


def _is_ours(artifact: Mapping[str, Any]) -> bool:
    path = Path(artifact["path"])
    return path.is_file() and sha256_of(path) == artifact["sha256"]


def finished_after_all(jobs: Sequence[StoredJob], history: Path) -> dict[str, dict[str, Any]]:
    """Manifests of jobs whose worker was killed after their last file and before it could say so.

    The history may hold lines of other requests with the same id: every file must be one that the job wrote.
    """
    owned = {job.task_id: _owned(job) for job in jobs}
    found = {}
    for manifest in _lines_about(history, list(owned)) if owned else ():
        task_id = str(manifest.get("task_id"))
        if is_intact(manifest) and all(
            artifact["sha256"] in owned.get(task_id, {}).get(Path(artifact["path"]), ())
            for artifact in manifest["artifacts"]
        ):
            found[task_id] = manifest
    return found


def _lines_about(history: Path, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    needles = [task_id.encode() for task_id in keys]
    if not history.is_file():
        return
    with history.open("rb") as file:
        for line in file:
            if any(needle in line for needle in needles):
                try:
                    manifest = json.loads(line)
                except ValueError:
                    continue
                if isinstance(manifest, dict) and manifest.get("status") == "success":
                    yield manifest
