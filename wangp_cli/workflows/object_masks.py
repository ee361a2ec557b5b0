"""Masks of the objects that a matte is made of: read, found by a segmenter, and prepared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wangp_cli.errors import RequestError
from wangp_cli.matting.key_masks import check_key_masks, refine_mask
from wangp_cli.matting.matter import Mask
from wangp_cli.media.clip import as_uint8, to_rgb
from wangp_cli.media.mask import single_channel
from wangp_cli.media.resize import fit_mask
from wangp_cli.media.stills import read_image
from wangp_cli.runtime.job import ToolJob
from wangp_cli.tasks.matanyone import Matanyone
from wangp_cli.tasks.object_marks import numbers_of
from wangp_cli.workflows.tool_stream import stream_frames

USUAL_KERNEL = 10
"""Of MatAnyone, for both steps of its preparation."""


def object_masks(job: ToolJob, task: Matanyone) -> list[Mapping[int, Mask]]:
    """The key masks of each object by index of the used frames, at the size of the result.

    Raises:
        RequestError: a mask is empty or covers everything, has another number of colours than
            `mask_labels`, or the segmenter finds nothing.
    """
    width, height = job.request.shape.size
    if task.is_marked:
        objects: list[dict[int, Mask]] = [{0: _found(job, task)}]
    elif task.mask_labels:
        objects = _labelled(task, task.mask_labels)
    else:
        objects = [{0: _read(path)} for path in task.mask]
        objects[0] |= dict(zip(_indices(task), map(_read, task.key_masks), strict=True))
    spec = job.request.models.get("engine")
    usual = USUAL_KERNEL if spec is not None and spec.architecture == "matanyone" else 0
    dilation = usual if task.dilate_kernel is None else task.dilate_kernel
    erosion = usual if task.erode_kernel is None else task.erode_kernel
    prepared: list[Mapping[int, Mask]] = []
    for masks in objects:
        fitted = {
            at: fit_mask(mask[None, :, :, None], width, height)[0, :, :, 0] for at, mask in masks.items()
        }
        check_key_masks(fitted, width, height)
        prepared.append(
            {at: refine_mask(mask, dilation=dilation, erosion=erosion) for at, mask in fitted.items()}
        )
    return prepared


def _indices(task: Matanyone) -> list[int]:
    return [frame - task.start_frame for frame in task.key_frames]


def _read(path: Path) -> Mask:
    mask: Mask = single_channel(read_image(path))[0, :, :, 0]
    return mask


def _found(job: ToolJob, task: Matanyone) -> Mask:
    """The mask of what points, a box or words mark in the first used frame."""
    [frame] = next(iter(stream_frames(job, task.video, start=task.start_frame, count=1)))
    box = numbers_of(task.box) if task.box else None
    mask: Mask = job.network("segmenter").first_mask(
        to_rgb(frame),
        points=[numbers_of(point) for point in task.points],
        points_outside=[numbers_of(point) for point in task.points_outside],
        box=box,
        text=task.text,
    )
    return mask


def _labelled(task: Matanyone, count: int) -> list[dict[int, Mask]]:
    """The masks of each colour of the label masks, in the order of the colours' values."""
    [path] = task.mask
    labels = {0: _packed(path), **dict(zip(_indices(task), map(_packed, task.key_masks), strict=True))}
    colours = [int(colour) for colour in np.unique(labels[0]) if colour]
    if len(colours) != count:
        shown = f"{len(colours)} colours other than black" if len(colours) <= 256 else "very many colours"
        raise RequestError(
            "mask_labels", f"{count}, but {path.name!r} has {shown}", hint="label masks have no soft edges"
        )
    for key, path in zip(_indices(task), task.key_masks, strict=True):
        if set(np.unique(labels[key])) - {0, *colours}:
            text = f"{path.name!r} has colours that {task.mask[0].name!r} has not"
            raise RequestError("key_masks", text, hint="an object has one colour in all masks")
    return [
        # An object that a later mask does not show is followed from the first one alone.
        {
            at: (values == colour).astype(np.float32)
            for at, values in labels.items()
            if at == 0 or (values == colour).any()
        }
        for colour in colours
    ]


def _packed(path: Path) -> NDArray[np.int32]:
    """The colours of an image as numbers, 0 for black: int32 `[H, W]`."""
    pixels = as_uint8(to_rgb(read_image(path)))[0].astype(np.int32)
    packed: NDArray[np.int32] = pixels @ np.array([65536, 256, 1], np.int32)
    return packed
