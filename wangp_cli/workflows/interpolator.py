"""The interpolator of a task."""

from __future__ import annotations

from wangp_cli.motion.interpolate import ClassicInterpolator
from wangp_cli.motion.interpolator import Interpolator
from wangp_cli.runtime.job import Job


def interpolator_of(job: Job, field: str) -> Interpolator:
    """The interpolator that a field names, loaded: a network, or optical flow if it is no model.

    Raises:
        ModelError: as `Job.tool`.
    """
    interpolator: Interpolator = job.engine(field) or ClassicInterpolator()
    return interpolator
