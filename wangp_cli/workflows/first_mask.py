"""The first mask of a matte, from what the user marked in a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wangp_cli.tasks.first_mask import FirstMask, numbers

if TYPE_CHECKING:
    from wangp_cli.runtime.job import Job


def make_first_mask(job: Job, marks: FirstMask, frame: NDArray[Any]) -> NDArray[np.float32]:
    """The mask of the object that a task marks.

    Args:
        job: has the model in the role `segmenter`.
        marks: the task.
        frame: `[H, W, 3]`, any dtype of `Frames`, at the size that the coordinates are in.

    Returns:
        float32 `[H, W]`, of zeros and ones.

    Raises:
        RequestError: a point lies outside the frame, or the model finds no such object.
        ModelError: weights are missing or broken.
    """
    mask: NDArray[np.float32] = job.tool("segmenter").first_mask(
        frame,
        points=[numbers(point) for point in marks.points],
        points_outside=[numbers(point) for point in marks.points_outside],
        box=numbers(marks.box) if marks.box else None,
        text=marks.text,
    )
    return mask
