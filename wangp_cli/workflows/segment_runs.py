"""Runs of the model that make a video together, each kept on disk until the video is done.

A segment is found again by the hash of everything that decides its pixels. An interrupted task that is
started again therefore makes only what is missing, and since its frames wait in 16 bits in either case, both
give the same video.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from pydantic import BaseModel

from wangp_cli.errors import MediaError
from wangp_cli.files.atomic import complete_file
from wangp_cli.media.clip import Frames
from wangp_cli.media.spool import Spool, write_spool
from wangp_cli.pipelines.base import Inputs, Lora, Weights
from wangp_cli.pipelines.memory.placement import choose
from wangp_cli.plan import Segment
from wangp_cli.runtime.events.types import Log
from wangp_cli.runtime.history.manifest import portable_name, versions
from wangp_cli.runtime.job import Job
from wangp_cli.runtime.weights.locate import locate
from wangp_cli.runtime.workspace.segments_cache import folder_beside, keep_seed, remove_empty
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.shot import Shot
from wangp_cli.workflows.decoding import decode_fitting


class Segments:
    """The segments of one result.

    Args:
        job: whose model makes them.
        result: file for which they are made; they wait in the work folder beside it.
    """

    def __init__(self, job: Job, result: Path) -> None:
        self._job = job
        self._folder = folder_beside(result)
        self._placement = choose(job.request.task)
        self._files: list[Path] = []
        self._scratch: list[Path] = []
        self._seed: IO[bytes] | None = None
        if job.request.origin["seed"].kind == "drawn":
            self._seed = keep_seed(job.request.task, self._folder)
            self._files.append(Path(self._seed.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Forget the segments if the result is done; else another run may use them."""
        for file in [*self._scratch, *(self._files if kind is None else [])]:
            file.unlink(missing_ok=True)
        remove_empty(self._folder)
        if self._seed is not None:
            self._seed.close()

    def scratch(self, name: str) -> Path:
        """A file of the work folder that is ours alone, and gone when we are."""
        self._scratch.append(self._folder / f"{secrets.token_hex(16)}.{name}")
        return self._scratch[-1]

    def take(self, segment: Segment, shot: Shot, inputs: Inputs, loras: Sequence[Lora]) -> Spool:
        """The frames of a segment, made unless they are there: `[segment.generate, H, W, 3]`.

        Raises:
            GenerationError: the model gives others than planned.
        """
        width, height = size_of(shot.size)
        shape = (segment.generate, height, width, 3)
        file = self._folder / f"{self._hash(shot, inputs, loras)}.npy"
        self._files.append(file)
        with suppress(OSError, MediaError):
            found = Spool(file, shape)
            os.utime(file)
            count = len(self._job.request.plan.segments) if self._job.request.plan else 1
            self._job.emit(
                Log(level="info", message=f"segment {segment.index + 1} of {count} is there already")
            )
            self._job.progress("decode", 1, 1)
            return found
        with complete_file(file, overwrite=True) as partial:
            name = f"segment {segment.index}"
            self._make(shot, inputs, loras, lambda frames: write_spool(partial, frames, shape, name))
            # Opened while nobody else can have removed it.
            return Spool(partial, shape)

    def _make(
        self, shot: Shot, inputs: Inputs, loras: Sequence[Lora], write: Callable[[Iterator[Frames]], None]
    ) -> None:
        pipeline = self._job.pipeline(self._placement, activate_loras=True, loras=loras)
        progress = self._job.progress
        conditioning = pipeline.encode(shot, inputs, progress)
        latents = pipeline.denoise(shot, conditioning, progress)
        decode_fitting(lambda: pipeline, latents, self._job, write)

    def _hash(self, shot: Shot, inputs: Inputs, loras: Sequence[Lora]) -> str:
        request = self._job.request
        # Where weights wait changes no pixel.
        device = self._placement.device.partition(":")[0]
        placement = dataclasses.replace(self._placement, device=device, profile="1", preload=0)
        folder = request.outputs[0].parent
        worn = [
            (self._job.checksums[portable_name(str(lora.path), request, folder)], lora.strength)
            for lora in loras
        ]
        weights = _identity(locate(request.spec, request.models_dir))
        return content_hash([versions(), request.spec, weights, placement, worn, shot, inputs])


def _identity(weights: Weights) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the files, which are too large to be read for this."""
    files = [*sorted(weights.folder.rglob("*")), *(file for _, several in weights.files for file in several)]
    stats = [(file, file.stat()) for file in files if file.is_file()]
    return [(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats]


def content_hash(value: Any) -> str:
    """The sha256 of a value by its content: models, dataclasses, collections, arrays and plain values."""
    digest = hashlib.sha256()
    _feed(digest.update, value)
    return digest.hexdigest()


def _feed(add: Callable[[Any], None], value: Any) -> None:
    add(f"{type(value).__name__}(".encode())
    match value:
        case np.ndarray():
            add(f"{value.dtype} {value.shape}".encode())
            add(np.ascontiguousarray(value).data)
        case BaseModel():
            _feed(add, {name: getattr(value, name) for name in type(value).model_fields})
        case Mapping():
            for name in sorted(value):
                _feed(add, (name, value[name]))
        case list() | tuple() | frozenset():
            for item in sorted(value) if isinstance(value, frozenset) else value:
                _feed(add, item)
        case None | bool() | int() | float() | str() | Fraction() | Path():
            add(repr(value).encode())
        case _ if dataclasses.is_dataclass(value):
            _feed(add, {field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
        case _:
            raise TypeError(f"no content is known of {type(value).__name__}")
    add(b")")
