"""Further files of a tool, written beside its result from one stream of frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from wangp_cli.media.clip import Frames
from wangp_cli.media.image_sequence import ArchiveWriter, WrittenSequence
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import VideoWriter, WrittenVideo
from wangp_cli.runtime.job import ToolJob
from wangp_cli.tasks.task import Encoding
from wangp_cli.workflows.result import video_facts


class FileBeside(NamedTuple):
    """A file beside the result.

    Args:
        path: `.zip` for an archive of PNG files; else a video, or an image where the result is one.
        role: what it is.
    """

    path: Path
    role: str


def write_beside(
    job: ToolJob, stream: Iterable[Sequence[Frames]], files: Sequence[FileBeside]
) -> Iterator[Frames]:
    """The frames of the result; on the way those of other files are written, and published at the end.

    Args:
        job: its request has the shape of the result.
        stream: pieces `[t, H, W, C]`, each as the frames of the result, then of each of the files.
        files: in that order; videos are in the container and codec of the result.

    Yields:
        the pieces of the result.
    """
    count = 0
    with ExitStack() as stack:
        writers = [_writer(job, stack, file.path) for file in files]
        for result, *others in stream:
            for writer, frames in zip(writers, others, strict=True):
                writer.add(frames)
            count += len(result)
            yield result
        facts = [_facts(writer.finish(count), count, job.request.shape.fps) for writer in writers]
    for file, known in zip(files, facts, strict=True):
        job.publish(file.path, file.role, **known)


def _writer(job: ToolJob, stack: ExitStack, path: Path) -> Writer:
    """An open writer; the file gets its name when the stack is left without an error."""
    partial = stack.enter_context(job.new_file(path))
    if path.suffix == ".zip":
        return stack.enter_context(ArchiveWriter(partial))
    task, fps = job.request.task, job.request.shape.fps
    assert isinstance(task, Encoding)
    if fps is None:
        return _ImageWriter(partial)
    return stack.enter_context(VideoWriter(partial, fps=fps, codec=task.codec, crf=task.crf))


class _ImageWriter:
    """Writes the only frame of a stream as an image."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, chunk: Frames) -> None:
        """Write `[1, H, W, C]`."""
        height, width = chunk.shape[1:3]
        self._written = WrittenSequence(width=width, height=height, frames=1)
        write_image(self._path, chunk)

    def finish(self, _frames: int) -> WrittenSequence:
        """Facts of the file."""
        return self._written


Writer = ArchiveWriter | VideoWriter | _ImageWriter


def _facts(written: WrittenVideo | WrittenSequence, count: int, fps: Fraction | None) -> dict[str, object]:
    if isinstance(written, WrittenVideo):
        assert fps is not None
        return video_facts(written, count, fps)
    return {"width": written.width, "height": written.height, "frames": count}
