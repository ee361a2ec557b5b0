"""Conversion of images by their ICC profiles."""

from __future__ import annotations

import io
import struct
from contextlib import suppress

from PIL import Image, ImageCms

_GREY = frozenset({"1", "L", "LA"})
_INTEROPERABILITY = 0xA005
"""Directory of EXIF."""
_ADOBE_RGB = {
    b"rXYZ": (0.60974, 0.31111, 0.01947), b"gXYZ": (0.20528, 0.62567, 0.06087),
    b"bXYZ": (0.14919, 0.06322, 0.74457), b"wtpt": (0.96420, 1.0, 0.82491),
}  # fmt: skip
"""Colorants of Adobe RGB (1998) and white, adapted to D50."""
_ADOBE_GAMMA = 563 / 256


def profile_of(image: Image.Image) -> bytes | None:
    """The ICC profile of an image: embedded, or Adobe RGB where a camera names it in EXIF only."""
    if profile := image.info.get("icc_profile"):
        return bytes(profile)
    # Source: DCF 2.0; option files, whose colours are Adobe RGB, have the index R03.
    if image.format in {"JPEG", "MPO"} and image.getexif().get_ifd(_INTEROPERABILITY).get(1) == "R03":
        return _adobe_rgb()
    return None


def _adobe_rgb() -> bytes:
    """A profile of Adobe RGB. Source: ICC.1:2001-04, display profiles of three components."""
    curve = b"curv" + struct.pack(">IIH2x", 0, 1, round(_ADOBE_GAMMA * 256))
    name = b"Adobe RGB (1998)\0"
    tags = {
        b"desc": b"desc" + struct.pack(">II", 0, len(name)) + name + bytes(78),
        **{
            tag: b"XYZ " + struct.pack(">I3i", 0, *(round(v * 65536) for v in xyz))
            for tag, xyz in _ADOBE_RGB.items()
        },
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    table, content = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        table += struct.pack(">4sII", tag, start + len(content), len(value))
        content += value + bytes(-len(value) % 4)
    d50 = struct.pack(">3i", 63190, 65536, 54061)
    head = struct.pack(">I4sI12s", start + len(content), bytes(4), 0x02400000, b"mntrRGB XYZ ") + bytes(12)
    head += b"acsp" + bytes(28) + d50
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + content


def to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str] | None:
    """An image converted by its ICC profile, and the profile's name; None if it cannot be applied."""
    # A broken profile is common: then values are used as they are.
    with suppress(ImageCms.PyCMSError, OSError, ValueError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(source).strip()[:60]
        grey = source.profile.xcolor_space.strip() == "GRAY" and image.mode in _GREY
        mode = "CMYK" if image.mode == "CMYK" else "L" if grey else "RGB"
        colours = image if image.mode == mode else image.convert("RGBA").convert(mode)
        result = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        if result is not None:
            if "A" in image.getbands() or "transparency" in image.info:
                result.putalpha(image.convert("RGBA").getchannel("A"))
            return result, name
    return None
