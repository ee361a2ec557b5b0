"""Tags of image files: transfer and primaries of their colours, and the shape of their pixels."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from wangp_cli.errors import MediaError
from wangp_cli.media.hdr import LINEAR, is_hdr, primaries_of
from wangp_cli.media.normalise import UNKNOWN
from wangp_cli.media.opening import open_container
from wangp_cli.media.square import SQUARE, pixel_aspect

_X_RESOLUTION, _Y_RESOLUTION = 282, 283
"""Tags of EXIF."""
_PNG_HEAD_BYTES = 8


class ColourTags(NamedTuple):
    """Codes of ITU-T H.273."""

    transfer: int = UNKNOWN
    primaries: int = UNKNOWN


def colour_tags(path: Path, image: Image.Image) -> ColourTags:
    """Transfer and primaries as codes of ITU-T H.273."""
    if image.format == "AVIF":
        with suppress(MediaError), open_container(path, "image") as opened:
            stream: Any = opened.streams.video[0]
            context = stream.codec_context
            return ColourTags(context.color_trc, context.color_primaries)
    if (profile := image.info.get("nclx_profile")) is not None:
        return ColourTags(profile["transfer_characteristics"], profile["color_primaries"])
    if (code := _icc_code_points(image.info.get("icc_profile") or b"")) is not None:
        return code
    return _png_tags(path, image) if image.format == "PNG" else ColourTags()


def _png_tags(path: Path, image: Image.Image) -> ColourTags:
    if (chunk := _png_chunk(path, b"cICP")) is not None and len(chunk) >= 2:
        return ColourTags(chunk[1], chunk[0])
    if image.info.get("icc_profile") or "srgb" in image.info:
        return ColourTags()
    # Other gammas than 1 are that of sRGB or mean it: programs disagree on how to write BT.709.
    linear = image.info.get("gamma", 0) > 0.9
    primaries = primaries_of(image.info.get("chromaticity", ()))
    return ColourTags(LINEAR if linear else UNKNOWN, primaries or UNKNOWN)


def _icc_code_points(profile: bytes) -> ColourTags | None:
    """The H.273 codes of an ICC profile of HDR, which has a tag for them."""
    count = int.from_bytes(profile[128:132], "big")
    for entry in range(132, min(132 + 12 * count, len(profile) - 11), 12):
        name, start, size = struct.unpack(">4sII", profile[entry : entry + 12])
        if name == b"cicp" and size >= 12 <= len(profile) - start and is_hdr(profile[start + 9]):
            return ColourTags(profile[start + 9], profile[start + 8])
    return None


def pixel_aspect_of(image: Image.Image) -> Fraction:
    """The aspect of pixels by the densities of the two axes."""
    info, exif = image.info, image.getexif()
    if "jfif_density" in info:
        across, down = info["jfif_density"]
    elif image.format == "JPEG":
        across, down = exif.get(_X_RESOLUTION), exif.get(_Y_RESOLUTION)
    elif image.format == "GIF":
        return SQUARE
    else:
        across, down = info.get("aspect") or info.get("dpi") or info.get("resolution") or (1, 1)
    return pixel_aspect(down, across)


def _png_chunk(path: Path, name: bytes) -> bytes | None:
    """The content of a chunk before the pixels."""
    with path.open("rb") as file:
        file.seek(_PNG_HEAD_BYTES)
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            size = int.from_bytes(head[:4], "big")
            if head[4:] == name:
                return file.read(min(size, 64))
            file.seek(size + 4, io.SEEK_CUR)
    return None
