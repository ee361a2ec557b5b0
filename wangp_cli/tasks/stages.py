"""The stages of a task and the share of its time that each takes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple, TypeAlias

Stage: TypeAlias = str
"""The name of a stage, such as `denoise`."""


class StageShare(NamedTuple):
    """A stage that a task declares.

    Args:
        name: in events and from workflows, such as `denoise`.
        weight: its part of the time of one result, relative to the weights of the task's other stages.
        label: what people are shown, such as `denoising`.
    """

    name: Stage
    weight: int
    label: str


TASK_STAGES = (StageShare("read", 10, "reading"), StageShare("write", 90, "writing"))
"""Of a task that reads files and writes others, and declares nothing else."""
RENDER_STAGES = (
    StageShare("load", 10, "loading"),
    StageShare("encode", 5, "encoding"),
    StageShare("denoise", 70, "denoising"),
    StageShare("decode", 10, "decoding"),
    StageShare("write", 5, "writing"),
)
"""Of a task that a diffusion model renders."""


def fractions_of(stages: Sequence[StageShare]) -> dict[Stage, tuple[float, float]]:
    """Where each stage begins and ends, as fractions of one result from 0 to 1, in the declared order."""
    ends = list(accumulate(stage.weight for stage in stages))
    begins = [0, *ends]
    return {
        stage.name: (begin / ends[-1], end / ends[-1])
        for stage, begin, end in zip(stages, begins, ends, strict=False)
    }
