"""Check the codec of a result before any model runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wangp_cli.errors import MediaError, RequestError
from wangp_cli.media.codecs import CODECS, check_rate, choose_codec

if TYPE_CHECKING:
    from fractions import Fraction

    from wangp_cli.tasks.fields import Pixels
    from wangp_cli.tasks.render import Render
    from wangp_cli.tasks.shape import ResultShape
    from wangp_cli.tasks.tool import Tool


ODD_SIZES_CODEC = "h264-444"
"""The usual codec of a tool's result whose width or height is odd."""


def takes_other_codec(task: Tool, shape: ResultShape) -> bool:
    """Whether the usual codec holds no result of this odd size, so that `ODD_SIZES_CODEC` takes its place."""
    suffix = task.output.suffix.lower() if task.output else CODECS[ODD_SIZES_CODEC].suffixes[0]
    if task.codec or shape.fps is None or shape.alpha or suffix not in CODECS[ODD_SIZES_CODEC].suffixes:
        return False
    usual = choose_codec(None, suffix)
    step_x, step_y = usual.block(usual.deep_pixels)
    return bool(shape.size[0] % step_x or shape.size[1] % step_y)


def check_codec(
    task: Render | Tool, size: Pixels, suffix: str, *, rate: Fraction, alpha: bool = False
) -> None:
    """Check that the codec of a task can hold its video.

    Args:
        task: names the codec and its quality.
        size: of the video.
        suffix: of the file.
        rate: frames per second.
        alpha: it has an alpha channel.

    Raises:
        RequestError: naming the field that does not fit.
    """
    try:
        codec = choose_codec(task.codec, suffix, alpha=alpha)
        check_rate(codec, suffix, rate)
    except MediaError as error:
        field, _, text = error.message.partition(": ")
        raise RequestError(field, text, hint=error.hint) from None
    width, height = size
    least_width, least_height = codec.smallest
    if width < least_width or height < least_height:
        least = f"{least_width}x{least_height}"
        raise RequestError("size", f"{width}x{height} is too small, codec {codec.name} takes {least} or more")
    step_x, step_y = codec.block(codec.deep_pixels)
    if width % step_x or height % step_y:
        able = "prores4444" if alpha else "h264-444"
        raise RequestError(
            "codec", f"{codec.name} takes even sizes, not {width}x{height}", hint=f"--codec {able} or ffv1"
        )
    if task.crf is not None:
        if codec.crf is None:
            raise RequestError("crf", f"codec {codec.name} has no such setting", hint="leave it out")
        low, high = codec.crf_range
        if not low <= task.crf <= high:
            raise RequestError("crf", f"{task.crf} is out of range, {codec.name} takes {low} to {high}")
