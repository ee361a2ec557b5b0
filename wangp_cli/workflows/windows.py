"""Windows: a video longer than its model makes in one go, each window continuing the one before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wangp_cli.media.clip import Audio, Frames
from wangp_cli.plan import KeptRange, Plan, Segment
from wangp_cli.runtime.job import Job
from wangp_cli.tasks.generate import Generate
from wangp_cli.workflows.guides import KnownFrames
from wangp_cli.workflows.inputs import prepare_window, source_of
from wangp_cli.workflows.result import ResultWriter
from wangp_cli.workflows.seams import match_segment_colours, stitch
from wangp_cli.workflows.segment_runs import Segments
from wangp_cli.workflows.soundtrack import sound_beside


def make_windows(job: Job, index: int, path: Path) -> None:
    """Make one result, announced when it is durable."""
    with Segments(job, path) as segments:
        windows = _Windows(job, index, segments)
        result = ResultWriter(job=job, index=index, path=path)
        result.write_video(windows.frames(), job.request.frames, windows.sound())


class _Windows:
    """The windows of one result."""

    def __init__(self, job: Job, index: int, segments: Segments) -> None:
        task, plan = job.request.task, job.request.plan
        assert isinstance(task, Generate)
        assert plan is not None
        self._job, self._segments = job, segments
        self._task: Generate = task.single(index)
        self._plan: Plan = plan
        self._runs = index * len(plan.segments)
        self._source = source_of(task, plan.fps)

    def frames(self) -> Iterator[Frames]:
        """All of the video, as a stream."""
        return stitch(self._plan, self._keep, self._make, sharpen=self._task.sharpen)

    def sound(self) -> Audio | None:
        """That asked for, or that of the video it continues and of the recording."""
        before = len(self._source) if self._source else 0
        overlap = before - self._plan.segments[0].generate_start
        return sound_beside(self._task, self._source, overlap, self._plan.total - before)

    def _keep(self, part: KeptRange) -> Iterator[Frames]:
        assert self._source is not None
        return self._source.frames(part.first, part.end)

    def _make(self, segment: Segment, context: Frames | None) -> Iterator[Frames]:
        inputs = prepare_window(self._task, self._job.request.spec, segment, context, self._plan)
        self._job.progress.begin(self._runs + segment.index + 1)
        shot = self._task.window(segment)
        with self._segments.take(segment, shot, inputs, self._job.loras()) as made:
            yield from match_segment_colours(
                made, segment, KnownFrames(context=context), self._task.colour_match
            )
