"""Animated WebP as a video file: FFmpeg does not decode it, Pillow does."""

from __future__ import annotations

import atexit
import tempfile
import warnings
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageSequence

from wangp_cli.errors import MediaError
from wangp_cli.media.icc import to_srgb

_TICK = Fraction(1, 1000)
_SHORTEST_MILLISECONDS = 10
_USUAL_MILLISECONDS = 100
"""Shown instead of shorter durations, as browsers do."""


def webp_as_video(path: Path, most_pixels: int, most_bytes: int) -> str:
    """The name of a lossless video of the frames of an animated WebP, kept for the files that were read last.

    Args:
        path: of the WebP.
        most_pixels: of a frame.
        most_bytes: of all decoded frames.

    Raises:
        MediaError: it is too large.
        OSError: it is broken, or the folder for temporary files is full.
    """
    status = path.stat()
    identity = (status.st_ino, status.st_size, status.st_mtime_ns)
    name: str = _converted(path, identity, most_pixels, most_bytes).name
    return name


@lru_cache(maxsize=4)
def _converted(path: Path, identity: tuple[int, int, int], most_pixels: int, most_bytes: int) -> Any:  # noqa: ARG001 - of one version of the file
    with warnings.catch_warnings(action="ignore"), _opened(path) as image:
        pixels, frames = image.width * image.height, getattr(image, "n_frames", 1)
        if pixels > most_pixels or pixels * 4 * frames > most_bytes:
            raise MediaError(f"{path.name!r} is too large: {frames} frames of {image.width}x{image.height}")
        # The file is deleted when the cache drops it.
        file = tempfile.NamedTemporaryFile(prefix="wangp-", suffix=".mov")  # noqa: SIM115
        with av.open(file.name, "w", format="mov") as container:
            _write(container, image)
    return file


# The cache lives as long as the process, which may end without freeing what it holds.
atexit.register(_converted.cache_clear)


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path, formats=("WEBP",))
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path.name!r} is too large: {error}") from error


def _write(container: Any, image: Image.Image) -> None:
    stream: Any = container.add_stream("qtrle", rate=Fraction(1000, _USUAL_MILLISECONDS))
    stream.width, stream.height = image.size
    stream.pix_fmt = "argb" if image.mode == "RGBA" else "rgb24"
    stream.time_base = stream.codec_context.time_base = _TICK
    mode, pixels = ("RGBA", "rgba") if image.mode == "RGBA" else ("RGB", "rgb24")
    begin = 0
    profile = image.info.get("icc_profile")
    for picture in ImageSequence.Iterator(image):
        converted = to_srgb(picture, profile) if profile else None
        shown = picture if converted is None else converted[0]
        frame = av.VideoFrame.from_ndarray(np.asarray(shown.convert(mode)), format=pixels)
        duration = int(picture.info.get("duration", 0))
        duration = duration if duration >= _SHORTEST_MILLISECONDS else _USUAL_MILLISECONDS
        frame.pts, frame.time_base, frame.duration = begin, _TICK, duration
        for packet in stream.encode(frame):
            packet.duration = duration
            container.mux(packet)
        begin += duration
    container.mux(stream.encode(None))
