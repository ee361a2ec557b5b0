"""Generate: a video or picture for each seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from wangp_cli.media.clip import Audio, Clip, Frames, as_float, chunks
from wangp_cli.media.read import read_audio
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video
from wangp_cli.pipelines.base import Lora, Pipeline, Stage
from wangp_cli.pipelines.placement import choose
from wangp_cli.runtime.artifacts import complete_file
from wangp_cli.runtime.events import ArtifactCreated
from wangp_cli.runtime.inputs import sha256_of
from wangp_cli.runtime.job import Job
from wangp_cli.runtime.manifest import comment
from wangp_cli.runtime.outputs import is_picture
from wangp_cli.workflows.inputs import prepare


def run(job: Job) -> Iterator[Stage]:
    """Make every result of the task, each announced when it is durable.

    Yields:
        the stage that comes next. Each asks for the model anew: another task may have used it meanwhile.
    """
    task = job.request.task
    yield "encode"
    loras = [Lora(path=path, strength=strength) for path, strength in job.request.loras]
    load = partial(job.pipeline, choose(task), loras)
    conditioning, continued = _encode(job, load)
    for index, path in enumerate(job.request.outputs):
        yield "denoise"
        job.meter.begin(index + 1)
        latents = load().denoise(task.cut(seed=task.seed + index), conditioning, job.meter)
        yield "decode"
        frames = load().decode(latents, job.meter)
        result = _Result(job=job, index=index, path=path)
        job.emit(
            result.write_picture(next(frames)) if is_picture(task) else result.write_video(frames, continued)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Continued:
    """What the new frames are joined to: a video before them, the frames they share with it, sound."""

    before: Clip | None
    overlap: int
    audio: Audio | None


def _encode(job: Job, load: Callable[[], Pipeline]) -> tuple[Any, _Continued]:
    """The model's conditioning; the inputs themselves are let go, as many tasks may wait here at once."""
    task = job.request.task
    prepared = prepare(task, job.request.spec)
    audio = read_audio(task.audio_source) if task.audio_source else None
    conditioning = load().encode(task, prepared.inputs, job.meter)
    return conditioning, _Continued(before=prepared.before, overlap=prepared.overlap, audio=audio)


@dataclass(frozen=True, kw_only=True)
class _Result:
    """One file of the task."""

    job: Job
    index: int
    path: Path

    def write_picture(self, frames: Frames) -> ArtifactCreated:
        """Write a still."""
        task = self.job.request.task
        with complete_file(self.path, overwrite=task.overwrite or task.skip_existing) as partial:
            write_image(partial, frames[:1], comment=self._embedded())
        self.job.meter("write", 1, 1)
        height, width = frames.shape[1:3]
        return self._artifact(role="image", width=width, height=height, frames=1)

    def write_video(self, frames: Iterator[Frames], continued: _Continued) -> ArtifactCreated:
        """Write a video: the continued one first, then the new frames after their overlap with it."""
        task = self.job.request.task
        before, overlap, audio = continued.before, continued.overlap, continued.audio
        count, rate = int(task.frames), Fraction(task.fps)
        stream: Iterator[Frames] = frames
        if before is not None:
            # One number format for the whole file: 8 bits survive as floats.
            stream = chain(map(as_float, chunks(before.frames)), skip(frames, overlap))
            count += len(before) - overlap
            audio = audio or before.audio
        with complete_file(self.path, overwrite=task.overwrite or task.skip_existing) as partial:
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
        self.job.meter("write", count, count)
        return self._artifact(
            role="video",
            width=written.width,
            height=written.height,
            frames=count,
            fps=str(rate),
            duration_s=round(float(count / rate), 6),
            codec=written.codec,
        )

    def _embedded(self) -> str | None:
        return self._comment() if self.job.request.task.metadata_mode == "embed" else None

    def _comment(self) -> str:
        return comment(self.job.request, self.index, self.path.parent, self.job.checksums)

    def _artifact(self, **facts: object) -> ArtifactCreated:
        task = self.job.request.task
        sidecar = None
        if task.metadata_mode == "sidecar":
            sidecar = self.path.with_suffix(".json")
            with complete_file(sidecar, overwrite=task.overwrite or task.skip_existing) as partial:
                partial.write_text(self._comment() + "\n", encoding="utf-8")
        return ArtifactCreated.model_validate(
            {
                "path": str(self.path),
                "sha256": sha256_of(self.path),
                "bytes": self.path.stat().st_size,
                "container": self.path.suffix.removeprefix("."),
                "seed": task.seed + self.index,
                "metadata_sidecar": str(sidecar) if sidecar else None,
                **facts,
            }
        )


def skip(pieces: Iterator[Frames], count: int) -> Iterator[Frames]:
    """The same frames without the first `count`."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))
