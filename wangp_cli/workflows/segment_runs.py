"""Runs of the model that generate the segments of a video, each cached on disk until the video is written.

The name of a cached segment is the hash of everything that decides its pixels. An interrupted task that is
started again therefore generates only what is missing. Frames are read back from 16 bits in either case, so
that both give the same video.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from wangp_cli.errors import MediaError
from wangp_cli.files.atomic import atomic_file
from wangp_cli.media.clip import Audio
from wangp_cli.media.spool import Shape, Spool, write_spool
from wangp_cli.pipelines.base import Decoded, Inputs, Lora
from wangp_cli.pipelines.memory.placement import choose
from wangp_cli.plan.model import Segment
from wangp_cli.runtime.events.types import Log
from wangp_cli.runtime.history.manifest import portable_name, versions
from wangp_cli.runtime.job import RenderJob
from wangp_cli.runtime.weights.locate import locate
from wangp_cli.runtime.workspace.segments_cache import folder_beside, remove_empty, store_seed
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.shot import Shot
from wangp_cli.workflows.content_hash import content_hash, file_identities
from wangp_cli.workflows.decoding import decode_within_memory
from wangp_cli.workflows.segment_audio import audio_file, read_cached_audio, write_audio


class SegmentRuns:
    """The runs of the model that generate the segments of one result.

    Args:
        job: its model is used.
        result: the file; segments are cached in the work folder beside it.
        keep_audio: whether generated audio is used.

    Attributes:
        audio: generated with the segments taken so far, by their index.
    """

    def __init__(self, job: RenderJob, result: Path, *, keep_audio: bool = True) -> None:
        self.audio: dict[int, Audio] = {}
        self._keep_audio = keep_audio
        self._taken: dict[int, Path] = {}
        self._job = job
        self._folder = folder_beside(result)
        self._placement = choose(job.request.task)
        self._files: list[Path] = []
        self._scratch: list[Path] = []
        self._seed: IO[bytes] | None = None
        if job.request.origin["seed"].kind == "drawn":
            self._seed = store_seed(job.given or job.request.task, self._folder)
            self._files.append(Path(self._seed.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Remove the segments if the result is written; else another run may use them."""
        for file in [*self._scratch, *(self._files if kind is None else [])]:
            file.unlink(missing_ok=True)
        remove_empty(self._folder)
        if self._seed is not None:
            self._seed.close()

    def scratch(self, name: str) -> Path:
        """A file of the work folder that no other run uses, removed at the end."""
        self._scratch.append(self._folder / f"{secrets.token_hex(16)}.{name}")
        return self._scratch[-1]

    def take(self, segment: Segment, run: int, shot: Shot, inputs: Inputs, loras: Sequence[Lora]) -> Spool:
        """The frames of a segment, `[segment.generate, H, W, 3]`, generated unless they are cached.

        Args:
            segment: of the plan.
            run: counts the runs of the task from 1, for its progress.
            shot: what to generate.
            inputs: what the model is conditioned on.
            loras: with their strengths in this run.

        Raises:
            GenerationError: the model gives other frames than planned.
        """
        width, height = size_of(shot.size)
        shape = (segment.generate, height, width, 3)
        if segment.index in self._taken:
            with suppress(OSError, MediaError):
                return Spool(self._taken[segment.index], shape)
        self._job.progress.begin(run)
        file = self._folder / f"{self._hash(shot, inputs, loras)}.npy"
        self._files += [file, audio_file(file)]
        self._taken[segment.index] = file
        with suppress(OSError, MediaError):
            return self._cached(segment, file, shape)
        with atomic_file(file, overwrite=True) as partial:

            def write(decoded: Decoded) -> None:
                write_spool(partial, decoded.frames, shape, f"segment {segment.index}")
                # After the frames, so that it never grows too old before they do.
                write_audio(audio_file(file), decoded.audio)
                self._note_audio(segment, decoded.audio)

            self._generate(shot, inputs, loras, write)
            # Opened before another process can remove it.
            return Spool(partial, shape)

    def _cached(self, segment: Segment, file: Path, shape: Shape) -> Spool:
        """A segment of the cache; raises OSError or MediaError where it is not there whole."""
        audio = read_cached_audio(audio_file(file))
        frames = Spool(file, shape)
        for path in (file, audio_file(file)):
            with suppress(FileNotFoundError):
                os.utime(path)
        self._note_audio(segment, audio)
        count = len(self._job.request.plan.segments) if self._job.request.plan else 1
        self._job.emit(Log(level="info", message=f"segment {segment.index + 1} of {count} is there already"))
        self._job.progress("decode", 1, 1)
        return frames

    def _note_audio(self, segment: Segment, audio: Audio | None) -> None:
        if audio is not None and self._keep_audio:
            self.audio[segment.index] = audio

    def _generate(
        self, shot: Shot, inputs: Inputs, loras: Sequence[Lora], write: Callable[[Decoded], None]
    ) -> None:
        pipeline = self._job.pipeline(self._job.request.spec, self._placement, loras, activate_loras=True)
        progress = self._job.progress
        conditioning = pipeline.encode(shot, inputs, progress)
        latents = pipeline.denoise(shot, conditioning, progress)
        decode_within_memory(lambda: pipeline, latents, self._job, write)

    def _hash(self, shot: Shot, inputs: Inputs, loras: Sequence[Lora]) -> str:
        request = self._job.request
        # Where weights are offloaded to changes no pixel.
        device = self._placement.device.partition(":")[0]
        placement = dataclasses.replace(self._placement, device=device, profile="1", preload=0)
        folder = request.outputs[0].parent
        adapters = [
            (self._job.checksums[portable_name(str(lora.path), request, folder)], lora.strength)
            for lora in loras
        ]
        weights = file_identities(locate(request.spec, request.models_dir))
        return content_hash([versions(), request.spec, weights, placement, adapters, shot, inputs])
