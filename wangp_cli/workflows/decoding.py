"""Decode latents within the memory there is, and keep them until a result is written."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from wangp_cli.errors import NoSpaceError, OutOfMemoryError
from wangp_cli.files.atomic import atomic_file
from wangp_cli.pipelines.base import Decoded, Pipeline
from wangp_cli.runtime.error_mapping import to_wangp_error
from wangp_cli.runtime.job import RenderJob
from wangp_cli.runtime.latents import latents_file
from wangp_cli.runtime.workspace.segments_cache import LATENTS_KEY, remove_empty
from wangp_cli.tasks.render import Render

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
    file = latents_file(job, index)
    request = task.single(index).model_dump(mode="json") | {"output": str(job.request.outputs[index])}
    for field, files in task.media().items():
        paths = [str(path.absolute()) for path in files]
        request[field] = paths if isinstance(request[field], list) else paths[0]
    try:
        with atomic_file(file, overwrite=True) as partial:
            # `save_file` would put a new file in the place of the partial one.
            tensors = {"latents": latents.contiguous().cpu()}
            partial.write_bytes(save(tensors, metadata={LATENTS_KEY: json.dumps(request)}))
    except (NoSpaceError, OSError, SafetensorError) as error:
        # They only serve another try; the writer of the result reports a full disk itself.
        log.warning("the latents are not kept: %s", error)
        remove_empty(file.parent)
        return None
    return file


def load_latents(file: Path) -> torch.Tensor:
    """Read latents that `save_latents` wrote."""
    return load_file(file)["latents"].clone()
