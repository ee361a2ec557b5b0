"""Conversion of images by their ICC profiles."""

from __future__ import annotations

import io
from contextlib import suppress

from PIL import Image, ImageCms

_GREY = frozenset({"1", "L", "LA"})


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
