"""Files of jobs after the fact: those a broken attempt left, and those a done job must still have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wangp_cli.presets import Layer, merge
from wangp_cli.runtime.artifacts import partials_of
from wangp_cli.runtime.inputs import sha256_of
from wangp_cli.runtime.outputs import files_beside

if TYPE_CHECKING:
    from wangp_cli.runtime.events import ArtifactCreated
    from wangp_cli.runtime.settle import Request
    from wangp_cli.runtime.store import StoredJob


def files_of(request: Request) -> list[str]:
    """Every file that a settled request will write."""
    if request.skipped:
        return []
    return [str(file) for path in request.outputs for file in files_beside(request.task, path)]


def files_made(artifacts: Sequence[ArtifactCreated]) -> list[str]:
    """Every file of these artifacts."""
    return [name for one in artifacts for name in (one.path, one.metadata_sidecar) if name]


def unpack(said: Mapping[str, Any]) -> list[Layer]:
    """The layers of a job."""
    return [Layer(**layer) for layer in said["layers"]]


def remove_leftovers(job: StoredJob) -> None:
    """Remove what an unfinished attempt left; a task that may replace files leaves complete ones in place."""
    said = merge(unpack(job.said)).values
    replaces = said.get("overwrite") or said.get("skip_existing")
    for path in map(Path, job.files or []):
        for file in [*partials_of(path), *([] if replaces else [path])]:
            file.unlink(missing_ok=True)


def is_intact(manifest: Mapping[str, Any] | None) -> bool:
    """Whether all files of a done job are there, unchanged."""
    artifacts = (manifest or {}).get("artifacts") or []
    return bool(artifacts) and all(_is_ours(artifact) for artifact in artifacts)


def remove_results(job: StoredJob) -> None:
    """Remove the files of a done job that has lost some, so that it can be made again.

    If one was changed since, all are left: it is somebody's work.
    """
    artifacts = (job.result or {}).get("artifacts") or []
    if any(Path(artifact["path"]).exists() and not _is_ours(artifact) for artifact in artifacts):
        return
    for artifact in artifacts:
        for name in (artifact["path"], artifact.get("metadata_sidecar")):
            if name:
                Path(name).unlink(missing_ok=True)


def _is_ours(artifact: Mapping[str, Any]) -> bool:
    path = Path(artifact["path"])
    return path.is_file() and sha256_of(path) == artifact["sha256"]


def finished_after_all(jobs: Sequence[StoredJob], history: Path) -> dict[str, dict[str, Any]]:
    """Manifests of jobs whose worker was killed after their last file and before it could say so."""
    wanted = {job.key: job for job in jobs}
    found = {}
    for manifest in _lines_about(history, list(wanted)) if wanted else ():
        job = wanted.get(str(manifest.get("task_id")))
        if job and _is_later(manifest, job) and is_intact(manifest):
            found[job.key] = manifest
    return found


def _lines_about(history: Path, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    needles = [key.encode() for key in keys]
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


def _is_later(manifest: Mapping[str, Any], job: StoredJob) -> bool:
    try:
        when = datetime.fromisoformat(str(manifest.get("timestamp"))).timestamp()
    except ValueError:
        return False
    # The history counts whole seconds.
    return when >= int(job.created_at)
