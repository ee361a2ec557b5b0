"""Assemble a planned video: kept ranges of clips and generated segments become one file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from wangp_cli.media.clip import Audio, Frames
from wangp_cli.plan.model import KeptRange, Plan, Segment
from wangp_cli.runtime.request.request import RenderRequest
from wangp_cli.workflows.result import ResultWriter
from wangp_cli.workflows.seams import stitch
from wangp_cli.workflows.segment_runs import SegmentRuns


class PlannedParts(Protocol):
    """Supplies the parts of one plan.

    Attributes:
        plan: of the video.
        runs: of the model, which generate the segments.
        sharpen: detail given back to crossfaded frames, 0 to 1.
    """

    plan: Plan
    runs: SegmentRuns
    sharpen: float

    def kept_frames(self, part: KeptRange) -> Iterator[Frames]:
        """The frames of a kept range, `[t, H, W, C]` each, in order."""

    def segment_frames(self, segment: Segment, context: Frames | None) -> Iterator[Frames]:
        """All generated frames of a segment in the same way; `context` as in `stitch`."""

    def audio(self) -> Audio | None:
        """The audio of the whole video, with `runs.audio` where the model generated it."""


def assemble(result: ResultWriter, parts: PlannedParts) -> None:
    """Generate every segment, write the video and publish it.

    Frames are encoded as they come. A file needs its audio before its first frame, so where the model
    generates audio, all segments are generated first and read again from disk.
    """
    request = result.job.request
    assert isinstance(request, RenderRequest)
    frames = request.frames
    try:
        result.write_video(_frames_without_audio(parts), frames, parts.audio())
    except _AudioGenerated:
        for _ in _frames(parts):
            pass
        result.write_video(_frames(parts), frames, parts.audio())


class _AudioGenerated(Exception):  # noqa: N818 - no error
    """The model generates audio with its frames."""


def _frames(parts: PlannedParts) -> Iterator[Frames]:
    return stitch(parts.plan, parts.kept_frames, parts.segment_frames, sharpen=parts.sharpen)


def _frames_without_audio(parts: PlannedParts) -> Iterator[Frames]:
    for piece in _frames(parts):
        if parts.runs.audio:
            raise _AudioGenerated
        yield piece
