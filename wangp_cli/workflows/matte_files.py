"""The files that `matanyone` writes beside its result: mattes, and RGBA frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from wangp_cli.media.clip import Frames
from wangp_cli.media.codecs import choose_codec
from wangp_cli.media.image_sequence import ArchiveWriter, FolderWriter, is_sequence
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import VideoWriter
from wangp_cli.runtime.job import ToolJob
from wangp_cli.tasks.matanyone import Matanyone, archive_path, folder_path


class FrameFile(Protocol):
    """A file, or a folder of files, that frames are added to."""

    def add(self, chunk: Frames, /) -> None:
        """Write the next frames, `[T, H, W, C]`."""
        ...

    def finish(self, frames: int | None = None, /) -> object:
        """Complete it, and check the number of its frames."""
        ...


@contextmanager
def matte_file(job: ToolJob, path: Path) -> Iterator[FrameFile]:
    """A file for the matte, a grey video or image; it is published when the context ends.

    Args:
        job: of the task `matanyone`.
        path: of the file; its suffix is that of the main result.
    """
    task, shape = job.request.task, job.request.shape
    width, height = shape.size
    if shape.fps is None:
        with job.new_file(path) as partial:
            yield _ImageFile(partial)
        job.publish(path, "mask_alpha", width=width, height=height, frames=1)
        return
    # Where the main result has alpha its codec takes sizes that the container's usual one may not.
    codec = choose_codec(task.codec, path.suffix, alpha=shape.alpha).name
    with (
        job.new_file(path) as partial,
        VideoWriter(partial, fps=shape.fps, codec=codec, crf=task.crf) as writer,
    ):
        yield writer
    seconds = round(float(shape.frames / shape.fps), 6)
    facts = {"fps": str(shape.fps), "duration_s": seconds, "codec": codec}
    job.publish(path, "mask_alpha", width=width, height=height, frames=shape.frames, **facts)


@contextmanager
def rgba_files(job: ToolJob, result: Path) -> Iterator[FrameFile | None]:
    """An archive or a folder for RGBA frames beside a result, published when the context ends; None for none.

    Args:
        job: of the task `matanyone`.
        result: path of the main result.
    """
    task, shape = job.request.task, job.request.shape
    assert isinstance(task, Matanyone)
    facts = {"width": shape.size[0], "height": shape.size[1], "frames": shape.frames}
    if task.frame_archive == "none":
        yield None
    elif task.frame_archive == "zip":
        with job.new_file(path := archive_path(result)) as partial, ArchiveWriter(partial) as archive:
            yield archive
        job.publish(path, "rgba_archive", **facts)
    else:
        with job.new_folder(path := folder_path(result), may_replace=is_sequence) as folder:
            yield FolderWriter(folder)
        job.publish(path, "rgba_archive", **facts)


class _ImageFile:
    """A file for one frame."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, chunk: Frames, /) -> None:
        write_image(self._path, chunk)

    def finish(self, frames: int | None = None, /) -> None:
        """Nothing is left to do."""
