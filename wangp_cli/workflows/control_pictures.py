"""Control pictures of a task's files, by the kind and the engine that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames, single_frames, to_rgb
from wangp_cli.media.resize import fit
from wangp_cli.media.stills import read_image
from wangp_cli.preprocess.kinds import PictureSettings, control_pictures
from wangp_cli.preprocess.map_spool import MapSpool
from wangp_cli.runtime.events.types import Log
from wangp_cli.runtime.job import Job, RenderJob
from wangp_cli.tasks.control_pictures import GuideOptions, PictureOptions
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.stages import Stage
from wangp_cli.workflows.source_video import frames_at


def settings_of(task: PictureOptions) -> PictureSettings:
    """How the pictures of a task look."""
    return PictureSettings(**{field: getattr(task, field) for field in PictureOptions.model_fields})


def report_consumed(job: Job, stage: Stage, pieces: Iterator[Frames], count: int) -> Iterator[Frames]:
    """The frames of a clip one by one, each reported as progress of a stage when the next is asked for.

    Args:
        job: at work.
        stage: that it declares.
        pieces: `[t, H, W, C]` each.
        count: frames of all.
    """
    for done, frame in enumerate(single_frames(pieces), start=1):
        yield frame
        job.progress(stage, done, count)


class GuidePictures:
    """The control pictures of one guide, made when the first is needed and kept on disk.

    They are made of the whole guide at once: the range of flow and depth is that of all its frames, and the
    network is not loaded again between runs of the model.

    Args:
        job: of a task with `GuideOptions`.
        name: of the guide, for people.
        count: frames of the guide that are used.
        frames: reads them: RGB `[t, H, W, 3]` each, at the size at which the model works.
    """

    def __init__(self, job: RenderJob, name: str, count: int, frames: Callable[[], Iterator[Frames]]) -> None:
        self._job, self._name, self._count, self._frames = job, name, count, frames
        self._spool: MapSpool | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, span: slice) -> NDArray[np.uint8]:
        """A range of pictures with step 1, uint8 `[t, H, W, 3]`."""
        self._spool = self._spool or self._make()
        return self._spool[span]

    def _make(self) -> MapSpool:
        job, task = self._job, self._job.request.task
        assert isinstance(task, GuideOptions)
        folder = job.session.scratch.folder()
        spool = MapSpool(folder, np.uint8)
        pieces = control_pictures(
            task.guide_kind,
            report_consumed(job, "encode", self._frames(), self._count),
            settings_of(task),
            job.engine("guide_engine"),
            folder,
        )
        for picture in pieces:
            spool.add(picture[0])
        text = f"made {len(spool)} control pictures ({task.guide_kind}) of {self._name}"
        job.emit(Log(level="info", message=text))
        return spool


def guide_of(job: RenderJob) -> GuidePictures | None:
    """The control pictures of a generation; None if it uses frames as they are, or has no guide."""
    task, plan = job.request.task, job.request.plan
    assert isinstance(task, Generate)
    size = size_of(task.size)
    if task.guide_kind == "raw":
        return None
    if path := task.video_guide:
        generated = int(task.frames)
        if plan is not None:
            first, last = plan.segments[0], plan.segments[-1]
            generated = last.generate_start + last.generate - first.generate_start
        count = min(job.request.facts.of_file(path).frames, generated)
        return GuidePictures(
            job,
            path.name,
            count,
            lambda: (fit(to_rgb(part), *size) for part in frames_at(path, range(count))),
        )
    if picture := task.image_guide:
        return GuidePictures(job, picture.name, 1, lambda: iter([fit(to_rgb(read_image(picture)), *size)]))
    return None
