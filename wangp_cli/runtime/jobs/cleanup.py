"""Result files of stored jobs: remove those of unfinished attempts, check those of done jobs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wangp_cli.files.checksum import has_checksum, remove_with_checksum
from wangp_cli.runtime.events.types import ACCOMPANYING
from wangp_cli.runtime.jobs.payload import unpack
from wangp_cli.runtime.request.output_paths import result_files
from wangp_cli.value_layers import merge

if TYPE_CHECKING:
    from wangp_cli.runtime.jobs.stored_job import StoredJob
    from wangp_cli.runtime.request.request import Request


def files_of(request: Request) -> list[str]:
    """Every file that a resolved request will write."""
    if request.skipped:
        return []
    return [str(file) for path in request.outputs for file in result_files(request.task, path)]


def remove_leftovers(job: StoredJob, folder: Path | None) -> None:
    """Remove the files of an unfinished attempt, except for a task that may replace or reuse files.

    Args:
        job: of the store, whose rows are not trusted.
        folder: the output folder; files elsewhere stay. None for any place.
    """
    values = merge(unpack(job.payload)).values
    if not (values.get("overwrite") or values.get("skip_existing")):
        for path, checksums in _files_of(job).items():
            remove_with_checksum(path, checksums, folder)


def _files_of(job: StoredJob) -> dict[Path, set[str]]:
    """The sha256 of every file that the job wrote, by path."""
    files: Sequence[Mapping[str, str]] = job.files or []
    # A skipped task lists files that it did not write; its manifest has no run id.
    if job.files is None and job.result and "run_id" in job.result:
        files = job.result["artifacts"]
    checksums: dict[Path, set[str]] = {}
    for file in files:
        if isinstance(path := file.get("path"), str) and isinstance(sha256 := file.get("sha256"), str):
            checksums.setdefault(Path(path), set()).add(sha256)
    return checksums


def is_intact(manifest: Mapping[str, Any] | None) -> bool:
    """Whether all results of a done job are there, unchanged; sidecars and intermediates may be gone."""
    artifacts = (manifest or {}).get("artifacts") or []
    results = [artifact for artifact in artifacts if artifact.get("role") not in ACCOMPANYING]
    return bool(results) and all(_is_unchanged(artifact) for artifact in results)


def remove_results(job: StoredJob, folder: Path | None) -> None:
    """Remove the files of a done job of which some are missing, so that it can run again.

    If one was changed since, all are kept, because the change is the user's.

    Args:
        job: of the store, whose rows are not trusted.
        folder: the output folder; files elsewhere stay. None for any place.
    """
    owned = _files_of(job)
    if not any(os.path.lexists(path) and not has_checksum(path, sums) for path, sums in owned.items()):
        for path, checksums in owned.items():
            remove_with_checksum(path, checksums, folder)


def _is_unchanged(artifact: Mapping[str, Any]) -> bool:
    return has_checksum(Path(artifact["path"]).resolve(), [artifact["sha256"]])


def find_finished_manifests(jobs: Sequence[StoredJob], history: Path) -> dict[str, dict[str, Any]]:
    """Manifests of jobs whose worker was killed between their line of the history and their end in the store.

    The history may have lines of other requests of the same id: every file must be one that the job wrote.
    """
    owned = {job.task_id: _files_of(job) for job in jobs}
    finished = {}
    for manifest in _success_records(history, list(owned)) if owned else ():
        task_id = str(manifest.get("task_id"))
        if is_intact(manifest) and all(
            artifact["sha256"] in owned.get(task_id, {}).get(Path(artifact["path"]), ())
            for artifact in manifest["artifacts"]
        ):
            finished[task_id] = manifest
    return finished


def _success_records(history: Path, task_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    patterns = [task_id.encode() for task_id in task_ids]
    if not history.is_file():
        return
    with history.open("rb") as file:
        for line in file:
            if any(pattern in line for pattern in patterns):
                try:
                    manifest = json.loads(line)
                except ValueError:
                    continue
                if isinstance(manifest, dict) and manifest.get("status") == "success":
                    yield manifest
