"""Mattes of the objects of a clip, from their key masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from wangp_cli.errors import RequestError
from wangp_cli.matting.composite import together
from wangp_cli.matting.key_masks import refine_mask
from wangp_cli.matting.matter import Alpha, Mask, Matter
from wangp_cli.media.clip import Frames
from wangp_cli.media.mask import single_channel
from wangp_cli.media.stills import read_image


def read_key_mask(path: Path, width: int, height: int, *, dilation: int, erosion: int) -> Mask:
    """The mask of an object in an image file, refined.

    Args:
        path: white on the object, black elsewhere.
        width: of the frames, in pixels.
        height: of the frames, in pixels.
        dilation: size of the ellipse that the mask is dilated by, in pixels.
        erosion: size of the ellipse that it is eroded by then.

    Raises:
        RequestError: it has another size, or nothing usable is left of it; the message names the file.
    """
    mask: Mask = single_channel(read_image(path))[0, :, :, 0]
    if mask.shape != (height, width):
        size = f"{mask.shape[1]}x{mask.shape[0]}"
        raise RequestError("mask", f"{path.name} is {size}, but the frames are {width}x{height}")
    try:
        return refine_mask(mask, dilation=dilation, erosion=erosion)
    except RequestError as error:
        reason = error.message.removeprefix("mask: ")
        raise RequestError("mask", f"{path.name}: {reason}", hint=error.hint) from error


def follow(
    matter: Matter, clip: Callable[[], Iterable[Frames]], objects: Sequence[Mapping[int, Mask]]
) -> Iterator[tuple[Frames, Alpha]]:
    """The frames of a clip, each with the alpha of all objects together.

    Args:
        matter: follows one object at a time; they are followed side by side.
        clip: opens the frames, pieces `[t, H, W, 3]`; called once more for each object, so that only a few
            frames are in memory.
        objects: the key masks of each, by index of the frame; at least one.

    Yields:
        a frame `[1, H, W, 3]` and its alpha, float32 `[1, H, W, 1]`.

    Raises:
        RequestError: key masks do not fit the clip.
    """
    alphas = (_one_by_one(matter.mattes(clip(), key_masks)) for key_masks in objects)
    for frame, *of_objects in zip(_one_by_one(clip()), *alphas, strict=True):
        yield frame, together(of_objects)


def _one_by_one(pieces: Iterable[Frames]) -> Iterator[Frames]:
    return (piece[i : i + 1] for piece in pieces for i in range(len(piece)))
