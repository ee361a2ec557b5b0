"""Decode latents within the memory there is, and keep them until a result is written."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from wangp_cli.errors import NoSpaceError, OutOfMemoryError, RequestError
from wangp_cli.files.atomic import atomic_file
from wangp_cli.files.safetensors_header import read_header
from wangp_cli.pipelines.base import Decoded, Pipeline
from wangp_cli.runtime.error_mapping import to_wangp_error
from wangp_cli.runtime.history.manifest import versions
from wangp_cli.runtime.job import RenderJob
from wangp_cli.runtime.weights.locate import locate
from wangp_cli.runtime.workspace.latents import (
    is_same_request,
    latents_file,
    latents_request,
    request_of,
)
from wangp_cli.runtime.workspace.segments_cache import LATENTS_KEY, remove_empty
from wangp_cli.tasks.render import Render
from wangp_cli.workflows.content_hash import content_hash, file_identities

MADE_OF_KEY = "made_of"
"""Key of the hash of inputs and weights in the metadata of a file of latents."""
log = logging.getLogger(__name__)


def decode_within_memory(
    load: Callable[[], Pipeline], latents: Any, job: RenderJob, write: Callable[[Decoded], None]
) -> None:
    """Decode latents and write them; where memory runs out, again with smaller tiles.

    Args:
        load: returns the pipeline.
        latents: of the pipeline.
        job: takes the progress.
        write: takes frames in order and their audio; it must undo what it began when reading them fails.

    Raises:
        OutOfMemoryError: the smallest tiles are too large.
    """
    sides = list(load().tiles(latents))
    for side, smaller in zip(sides, [*sides[1:], None], strict=True):
        try:
            write(load().decode(latents, job.progress, side))
            return
        except Exception as error:
            known = to_wangp_error(error)
            if smaller is None or not isinstance(known, OutOfMemoryError):
                raise
        # Outside of the handler: the error refers to the tensors that filled the memory.
        log.warning("decoding ran out of memory, again with tiles of %d pixels", smaller)
    raise AssertionError("a pipeline names at least one way to decode")


def save_latents(job: RenderJob, task: Render, index: int, latents: Any) -> Path | None:
    """Save the latents of a result with its request; None where they are no tensor, or the disk is full."""
    if not isinstance(latents, torch.Tensor):
        return None
    output = job.request.outputs[index]
    file = latents_file(task, index, output.parent)
    request = latents_request(task, index) | {"output": str(output)}
    metadata = {LATENTS_KEY: json.dumps(request), MADE_OF_KEY: _made_of(job)}
    try:
        with atomic_file(file, overwrite=True) as partial:
            # `save_file` would put a new file in the place of the partial one.
            tensors = {"latents": latents.contiguous().cpu()}
            partial.write_bytes(save(tensors, metadata=metadata))
    except (NoSpaceError, OSError, SafetensorError) as error:
        # They only serve another try; the writer of the result reports a full disk itself.
        log.warning("the latents are not kept: %s", error)
        remove_empty(file.parent)
        return None
    return file


def find_latents(job: RenderJob, task: Render, index: int) -> Path | None:
    """The latents of a result that an interrupted run has made of the same request, files and weights."""
    file = latents_file(task, index, job.request.outputs[index].parent)
    with suppress(OSError, ValueError, KeyError, TypeError, RequestError):
        request = request_of(file)
        same = is_same_request(request, latents_request(task, index))
        made_of = read_header(file)[0]["__metadata__"][MADE_OF_KEY]
        if same and request["seed"] == task.seed + index and made_of == _made_of(job):
            # So that it does not grow too old while it waits for its turn.
            os.utime(file, follow_symlinks=False)
            return file
    return None


def _made_of(job: RenderJob) -> str:
    """A hash of everything besides the request that decides the latents."""
    request = job.request
    weights = file_identities(locate(request.spec, request.models_dir))
    return content_hash([versions(), request.spec, weights, job.checksums])


def load_latents(file: Path) -> torch.Tensor:
    """Read latents that `save_latents` wrote."""
    return load_file(file)["latents"].clone()
