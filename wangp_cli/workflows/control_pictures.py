"""Control pictures of a task's files, by the kind and the engine that it names."""

from __future__ import annotations

from typing import Any

from wangp_cli.preprocess.kinds import PictureSettings
from wangp_cli.runtime.job import Job
from wangp_cli.tasks.control_pictures import PictureOptions


def settings_of(task: PictureOptions) -> PictureSettings:
    """How the pictures of a task look."""
    return PictureSettings(**{field: getattr(task, field) for field in PictureOptions.model_fields})


def network_of(job: Job, field: str) -> Any:
    """The network of the engine that a field names, loaded; None for the method without weights."""
    return job.tool(field) if field in job.request.models else None
