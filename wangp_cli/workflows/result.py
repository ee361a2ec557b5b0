"""A result: frames become a durable file that says what made it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wangp_cli.files.atomic import complete_file
from wangp_cli.files.checksum import sha256_of
from wangp_cli.media.clip import Audio, Frames
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import Written, write_video
from wangp_cli.runtime.events.types import ArtifactCreated
from wangp_cli.runtime.history.manifest import embedded_document
from wangp_cli.runtime.job import Job
from wangp_cli.runtime.request.output_paths import visualization_path


@dataclass(frozen=True, kw_only=True)
class Result:
    """One file of the task."""

    job: Job
    index: int
    path: Path

    def write_picture(self, frames: Frames) -> ArtifactCreated:
        """Write a still."""
        with self._complete(self.path) as partial:
            write_image(partial, frames[:1], comment=self._embedded())
        self.job.progress("write", 1, 1)
        height, width = frames.shape[1:3]
        return self._artifact(role="image", width=width, height=height, frames=1)

    def write_video(self, stream: Iterable[Frames], count: int, audio: Audio | None) -> ArtifactCreated:
        """Write a video of `count` frames as they come.

        Raises:
            GenerationError: there are more or fewer.
        """
        task = self.job.request.task
        rate = Fraction(task.fps)
        with self._complete(self.path) as partial:
            written = write_video(
                partial,
                stream,
                fps=rate,
                codec=task.codec,
                crf=task.crf,
                audio=audio,
                comment=self._embedded(),
                frames=count,
            )
        self.job.progress("write", count, count)
        return self._artifact(role="video", **_facts(written, count, rate))

    def write_visualization(self, stream: Iterable[Frames], count: int) -> ArtifactCreated:
        """Write the picture of how the result came about, beside it."""
        task = self.job.request.task
        path, rate = visualization_path(self.path), Fraction(task.fps)
        with self._complete(path) as partial:
            written = write_video(partial, stream, fps=rate, frames=count)
        return _announced(path, role="visualization", **_facts(written, count, rate))

    @contextmanager
    def _complete(self, path: Path) -> Iterator[Path]:
        task = self.job.request.task
        replaces = task.overwrite or task.skip_existing
        with complete_file(path, overwrite=replaces, own=self.job.record_file) as partial:
            yield partial

    def _embedded(self) -> str | None:
        return self._comment() if self.job.request.task.metadata_mode == "embed" else None

    def _comment(self) -> str:
        return embedded_document(self.job.request, self.index, self.path.parent, self.job.checksums)

    def _artifact(self, **facts: object) -> ArtifactCreated:
        task = self.job.request.task
        sidecar = None
        if task.metadata_mode == "sidecar":
            sidecar = self.path.with_suffix(".json")
            with self._complete(sidecar) as partial:
                partial.write_text(self._comment() + "\n", encoding="utf-8")
        return _announced(
            self.path,
            seed=task.seed + self.index,
            metadata_sidecar=str(sidecar) if sidecar else None,
            **facts,
        )


def _facts(written: Written, count: int, rate: Fraction) -> dict[str, object]:
    return {
        "width": written.width,
        "height": written.height,
        "frames": count,
        "fps": str(rate),
        "duration_s": round(float(count / rate), 6),
        "codec": written.codec,
    }


def _announced(path: Path, **facts: object) -> ArtifactCreated:
    return ArtifactCreated.model_validate(
        {
            "path": str(path),
            "sha256": sha256_of(path),
            "bytes": path.stat().st_size,
            "container": path.suffix.removeprefix("."),
            **facts,
        }
    )
