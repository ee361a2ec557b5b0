"""The base class of tasks that make one video or image of input files, without a diffusion model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from wangp_cli.notices import Notice
from wangp_cli.tasks.runtime import Compute
from wangp_cli.tasks.shape import ResultShape, Shape
from wangp_cli.tasks.stages import StageShare
from wangp_cli.tasks.task import Encoding, Task

TOOL_STAGES = (
    StageShare("load", 5, "loading"),
    StageShare("process", 90, "processing"),
    StageShare("write", 5, "writing"),
)
"""Frames are read, processed and encoded as a stream, so that `process` takes nearly all of the time."""


class Processing(Task):
    """A task that makes files of input files, without a diffusion model."""

    @property
    def reads_to_end(self) -> bool:
        """Whether a damaged input lacks frames that are wanted; not if the task ends at an earlier frame."""
        return True

    def check_inputs(self, inputs: Mapping[str, Sequence[Shape]], given: frozenset[str]) -> list[Notice]:  # noqa: ARG002 - for subclasses
        """Check that input files fit the task; notices of what is changed, or of values that are not used.

        Args:
            inputs: shapes of each input file, by field.
            given: fields whose values the user chose for this task.

        Raises:
            RequestError: names the field of those that do not fit.
        """
        return []

    def unread_by(self, architectures: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002 - for subclasses
        """Why fields are not read by the engines that were chosen.

        Args:
            architectures: of the networks that are engines, by the field that names them.
        """
        return {}


class Tool(Compute, Encoding, Processing):
    """A task that makes one video or image of input files; settling it fixes the shape of the result."""

    stages: ClassVar[tuple[StageShare, ...]] = TOOL_STAGES

    @abstractmethod
    def result_shape(self, inputs: Mapping[str, Sequence[Shape]]) -> ResultShape:
        """The shape of the result.

        Args:
            inputs: shapes of each input file, by field.

        Raises:
            RequestError: the values do not fit the files; names the field.
        """
