"""Writing a result: frames and audio become a durable file that holds the request that made it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from wangp_cli.finishing.stream import VideoStream
from wangp_cli.media.clip import Audio, Frames
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import WrittenVideo, write_video
from wangp_cli.runtime.history.manifest import embedded_document
from wangp_cli.runtime.job import Job, RenderJob
from wangp_cli.runtime.request.request import RenderRequest, ToolRequest
from wangp_cli.tasks.planned import visualization_path
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.task import Encoding
from wangp_cli.workflows.finishing import finish


@dataclass(frozen=True, kw_only=True)
class ResultWriter:
    """Writes one result of a task, and publishes it with the files that come with it.

    Args:
        job: the task at work.
        index: counts the results of the task from 0.
        path: of the file.
        role: of the file in events and in the run history; None for `video` or `image`.
    """

    job: Job
    index: int
    path: Path
    role: str | None = None

    @property
    def rate(self) -> Fraction:
        """Frames per second of the video, before finishing."""
        request = self.job.request
        if isinstance(request, ToolRequest):
            assert request.shape.fps is not None
            return request.shape.fps
        assert isinstance(request, RenderRequest)
        return Fraction(request.task.fps)

    def write_image(self, frames: Frames) -> None:
        """Finish the first of `[T, H, W, C]` frames and write it as an image."""
        image = self._finish(VideoStream(frames=[frames[:1]], count=1, rate=Fraction(1)))
        (frame,) = image.frames
        with self.job.new_file(self.path) as partial:
            bits: Literal[8, 16] = (
                16 if frame.dtype == np.uint16 and self.path.suffix.lower() == ".png" else 8
            )
            write_image(partial, frame, comment=self._embedded_comment(), bits=bits)
        self.job.progress("write", 1, 1)
        height, width = frame.shape[1:3]
        self._publish(role=self.role or "image", width=width, height=height, frames=1)

    def write_video(self, stream: Iterable[Frames], count: int, audio: Audio | None) -> None:
        """Finish and encode a video of `count` frames as they come, with audio of exactly the file's length.

        Raises:
            GenerationError: there are more or fewer frames.
        """
        task = self.job.request.task
        assert isinstance(task, Encoding)
        video = self._finish(VideoStream(frames=stream, count=count, rate=self.rate))
        with self.job.new_file(self.path) as partial:
            written = write_video(
                partial,
                video.frames,
                fps=video.rate,
                codec=task.codec,
                crf=task.crf,
                audio=audio,
                comment=self._embedded_comment(),
                frames=video.count,
            )
        self.job.progress("write", video.count, video.count)
        self._publish(role=self.role or "video", **_video_facts(written, video.count, video.rate))

    def write_visualization(self, stream: Iterable[Frames], count: int) -> None:
        """Write the video that shows how the result was made, beside it."""
        path = visualization_path(self.path)
        with self.job.new_file(path) as partial:
            written = write_video(partial, stream, fps=self.rate, frames=count)
        self.job.publish(path, "visualization", **_video_facts(written, count, self.rate))

    def _finish(self, video: VideoStream) -> VideoStream:
        if not isinstance(self.job, RenderJob):
            return video
        return finish(video, self.job, seed=self.job.request.task.seed + self.index)

    def _publish(self, role: str, **facts: object) -> None:
        """Publish the result, then its sidecar, which is complete before it."""
        task = self.job.request.task
        sidecar = self._write_sidecar() if task.metadata_mode == "sidecar" else None
        name = str(sidecar) if sidecar else None
        seed = {"seed": task.seed + self.index} if isinstance(task, Render) else {}
        self.job.publish(self.path, role, metadata_sidecar=name, **seed, **facts)
        if sidecar:
            self.job.publish(sidecar, "sidecar")

    def _write_sidecar(self) -> Path:
        sidecar = self.path.with_suffix(".json")
        with self.job.new_file(sidecar) as partial:
            partial.write_text(self._comment() + "\n", encoding="utf-8")
        return sidecar

    def _embedded_comment(self) -> str | None:
        return self._comment() if self.job.request.task.metadata_mode == "embed" else None

    def _comment(self) -> str:
        return embedded_document(self.job.request, self.index, self.path.parent, self.job.checksums)


def _video_facts(written: WrittenVideo, count: int, rate: Fraction) -> dict[str, object]:
    return {
        "width": written.width,
        "height": written.height,
        "frames": count,
        "fps": str(rate),
        "duration_s": round(float(count / rate), 6),
        "codec": written.codec,
    }
