"""What the task `extract-frame` does."""

from __future__ import annotations

from collections.abc import Iterator

from wangp_cli.media.clip import to_rgb
from wangp_cli.media.read_video import read_frames
from wangp_cli.runtime.job import Job
from wangp_cli.tasks.extract_frame import ExtractFrame
from wangp_cli.tasks.stages import Stage
from wangp_cli.workflows.result import ResultWriter


def extract_frame(job: Job) -> Iterator[Stage]:
    """The workflow of `ExtractFrame`; frames are read one by one, so that memory holds one."""
    task = job.request.task
    assert isinstance(task, ExtractFrame)
    facts = job.request.facts.of_file(task.video)
    assert facts.fps is not None
    places = zip(task.indices(facts.frames, facts.fps), job.request.outputs, strict=True)
    for number, (frame, path) in enumerate(places):
        job.progress.begin(number + 1)
        yield "read"
        picture = read_frames(task.video, [frame])
        job.progress("read", 1, 1)
        yield "write"
        if path.suffix.lower() in (".jpg", ".jpeg"):
            picture = to_rgb(picture)
        ResultWriter(job=job, index=number, path=path).write_image(picture)
