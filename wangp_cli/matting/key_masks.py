"""Checks and preparation of the masks that a matting engine starts from."""

from __future__ import annotations

from collections.abc import Mapping

from wangp_cli.errors import RequestError
from wangp_cli.matting.matter import Mask
from wangp_cli.matting.morphology import dilate, erode


def check_key_masks(key_masks: Mapping[int, Mask], width: int, height: int) -> None:
    """Check that an engine can start from these masks.

    Args:
        key_masks: by index of the frame.
        width: of the frames, in pixels.
        height: of the frames, in pixels.

    Raises:
        RequestError: there is none for frame 0, or one has another size, is empty or covers everything.
    """
    if 0 not in key_masks:
        raise RequestError("mask", "there is none for the first frame")
    for index, mask in key_masks.items():
        if mask.shape != (height, width):
            size = f"{mask.shape[1]}x{mask.shape[0]}"
            raise RequestError("mask", f"{size} at frame {index}, but the frames are {width}x{height}")
        if fault := _constant(mask):
            raise RequestError(
                "mask", f"{fault} at frame {index}", hint="white on the object, black elsewhere"
            )


def refine_mask(mask: Mask, *, dilation: int, erosion: int) -> Mask:
    """The mask dilated and then eroded by ellipses, to close holes and smooth its outline.

    Args:
        mask: float32 `[H, W]` in [0, 1].
        dilation: size of the ellipse in pixels; 0 leaves this step out.
        erosion: size of the ellipse in pixels; 0 leaves this step out.

    Raises:
        RequestError: nothing of the mask is left, or it then covers everything.
    """
    refined = erode(dilate(mask, dilation), erosion)
    if (fault := _constant(refined)) and not _constant(mask):
        sizes = f"dilation by {dilation} and erosion by {erosion} pixels"
        raise RequestError("mask", f"{fault} after {sizes}", hint="smaller sizes; 0 leaves a step out")
    return refined


def _constant(mask: Mask) -> str | None:
    lowest, highest = mask.min(), mask.max()
    if highest <= 0:
        return "it is empty"
    if lowest >= 1:
        return "it covers the whole frame"
    return f"it has the same value {lowest:.2f} everywhere" if lowest == highest else None
