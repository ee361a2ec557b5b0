"""Decoding of image files: pixels as they are stored, and what their tags say of colour, shape and turn."""

from __future__ import annotations

import ctypes
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL._imaging
from PIL import Image, UnidentifiedImageError

from wangp_cli.errors import MediaError
from wangp_cli.media.clip import Frames, as_uint8
from wangp_cli.media.hdr import differs_from_bt709, is_hdr
from wangp_cli.media.icc import profile_of, to_srgb
from wangp_cli.media.image_tags import ColourTags, colour_tags, pixel_aspect_of
from wangp_cli.media.normalise import Normaliser, StoredPicture
from wangp_cli.media.opening import check_pixels, media_errors, open_container
from wangp_cli.media.orientation import Orientation
from wangp_cli.media.sniff import media_suffix

_READ = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "PPM", "GIF")
"""Formats that Pillow may open, MPO as a kind of JPEG; not EPS, which would start an interpreter."""
_ORIENTATION, _SAMPLE_FORMAT = 274, 339
"""Tags of EXIF and TIFF."""
_SIGNED = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredImage:
    """The first picture of an image file.

    Args:
        pixels: uint8 or uint16 `[H, W, 3 or 4]`, as stored.
        picture: what tags say of them.
        format: Pillow's name, lower case.
        mode: Pillow's name of the pixel format.
        notices: what was changed on decoding, a sentence each.
    """

    pixels: Frames
    picture: StoredPicture
    format: str
    mode: str
    notices: tuple[str, ...] = ()


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """A context with an open image whose header is read and size checked; errors become MediaErrors.

    Raises:
        MediaError: not an image of a known format, or too large.
    """
    _silence_libraries()
    formats = (*_READ, _heif_format(path)) if media_suffix(path) == ".heic" else _READ
    with media_errors(path, "image"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Pillow only warns between its limit and twice that.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(path, formats=formats)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise MediaError(f"{str(path)!r} is too large: {error}") from error
        except UnidentifiedImageError as error:
            raise MediaError(
                f"{str(path)!r} is a broken picture, or one of a kind that is not supported",
                hint="save it as a PNG",
            ) from error
        with image, _header_errors(path):
            check_pixels(image.width, image.height, path)
            yield image


@contextmanager
def _header_errors(path: Path) -> Iterator[None]:
    """A context for errors that Pillow raises where it takes the header of a broken file for sound."""
    try:
        yield
    except (TypeError, AttributeError, struct.error) as error:
        raise MediaError(f"{str(path)!r} is a broken picture: {error}") from error


def decode_image(path: Path) -> StoredImage:
    """The first picture of a checked file, decoded to its end.

    Raises:
        MediaError: broken, cut off, or with pixels whose range is not known.
    """
    with open_image(path) as image:
        orientation = Orientation.from_exif(image.getexif().get(_ORIENTATION, 1))
        aspect = pixel_aspect_of(image)
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        image.load()
        # Pillow turns TIFF by itself.
        turned = image.format == "TIFF" and not image.mode.startswith("I;16")
        if turned and orientation.transpose:
            aspect = 1 / aspect
        pixels, tags, profile = _pixels(path, image)
        picture = StoredPicture(
            width=pixels.shape[1],
            height=pixels.shape[0],
            aspect=aspect,
            orientation=Orientation() if turned else orientation,
            transfer=tags.transfer,
            primaries=tags.primaries,
        )
        notices = [
            *([f"its colours are converted to sRGB from the profile {profile!r}"] if profile else []),
            *([orientation.notice] if turned and orientation.notice else []),
            *([f"the first of its {pages} pages is read"] if pages > 1 else []),
        ]
        return StoredImage(
            pixels=pixels,
            picture=picture,
            format=(image.format or "").lower(),
            mode=image.mode,
            notices=tuple(notices),
        )


def _pixels(path: Path, image: Image.Image) -> tuple[Frames, ColourTags, str | None]:
    """RGB or RGBA of a loaded image, its colour tags, and the profile from which it was converted."""
    tags = colour_tags(path, image)
    converted = differs_from_bt709(*tags)
    if converted and image.format == "AVIF" and (deep := _avif_pixels(path, image)) is not None:
        return deep, tags, None
    if image.format == "HEIF" and is_hdr(tags.transfer):
        return _heif_pixels(path), tags, None
    if image.mode in {"F", "I"} or (image.format == "TIFF" and _SIGNED in _sample_formats(image)):
        return _from_numbers(path, image), tags, None
    codec = _deep_codec(path, image)
    pixels = _rgb(image) if codec is None else _decode_deep(path, codec)
    profile = profile_of(image)
    if not profile or converted:
        return pixels, tags, None
    # Pillow converts 8 bits only.
    deep = as_uint8(pixels[..., 0] if image.mode.startswith("I;16") else pixels)
    source = image if codec is None else Image.fromarray(deep)
    result = to_srgb(source, profile)
    if result is None or np.abs(_rgb(result[0]).astype(np.int16) - as_uint8(pixels)).max() <= 1:
        return pixels, tags, None
    return _rgb(result[0]), tags, result[1]


def _sample_formats(image: Any) -> tuple[int, ...]:
    formats: tuple[int, ...] = image.tag_v2.get(_SAMPLE_FORMAT, ())
    return formats


def _rgb(image: Image.Image) -> Frames:
    alpha = "A" in image.getbands() or "transparency" in image.info
    return np.asarray(image.convert("RGBA" if alpha else "RGB"))


def _from_numbers(path: Path, image: Image.Image) -> Frames:
    """Grey of floats from 0 to 1, or of the 16 bit integers of PGM.

    Raises:
        MediaError: other numbers, of which the file does not say what is white.
    """
    values = np.asarray(image)
    if image.mode == "F" and np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1:
        grey = np.rint(values * 65535).astype(np.uint16)
    elif image.mode == "I" and image.format == "PPM":
        grey = values.astype(np.uint16)
    else:
        kind = "floats" if image.mode == "F" else "integers"
        raise MediaError(
            f"{path.name!r} has {kind} from {np.nanmin(values):g} to {np.nanmax(values):g}, "
            "whose white is not known",
            hint="save it with 8 or 16 bits, or as floats from 0 to 1",
        )
    return np.repeat(grey[..., None], 3, axis=2)


def _decode_deep(path: Path, codec: str) -> Frames:
    # Pillow reads 16 bit colour PNGs as 8 bit, and 16 bit TIFFs without their photometric interpretation.
    decoder = av.CodecContext.create(codec, "r")
    frames = [*decoder.decode(av.Packet(path.read_bytes())), *decoder.decode(None)]
    alpha = any(part.is_alpha for part in frames[0].format.components)
    pixels: Frames = frames[0].to_ndarray(format="rgba64le" if alpha else "rgb48le")
    return pixels


def _avif_pixels(path: Path, image: Image.Image) -> Frames | None:
    """All bits of an AVIF, which Pillow reads as 8; None if it has alpha or consists of tiles."""
    with open_container(path, "image") as opened:
        stream: Any = opened.streams.video[0]
        frame = next(opened.decode(stream), None)
        if frame is None or (frame.width, frame.height) != image.size or "A" in image.getbands():
            return None
        return Normaliser(stream).to_rgb(frame)


def _heif_format(path: Path) -> str:
    """Pillow's name of HEIF, with its plug-in registered."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise MediaError(
            f"{str(path)!r} is a HEIC picture, which needs a plug-in",
            hint="pip install 'wangp-cli[heif]', or save it as a JPEG",
        ) from None
    register_heif_opener()
    return "HEIF"


def _heif_pixels(path: Path) -> Frames:
    """All bits of a HEIF, which its plug-in for Pillow reads as 8."""
    from pillow_heif import open_heif

    return np.asarray(open_heif(path, convert_hdr_to_8bit=False)[0])


def _deep_codec(path: Path, image: Image.Image) -> str | None:
    """FFmpeg's decoder for a picture of 16 bits, for which Pillow is no good; None for all others."""
    if image.format == "TIFF" and image.mode.startswith("I;16"):
        return "tiff"
    with path.open("rb") as file:
        head = file.read(25)
    return "png" if image.format == "PNG" and head[24:] == b"\x10" else None


@cache
def _silence_libraries() -> None:
    """Keep libtiff and Pillow's own log from writing to stderr; errors are raised as well."""
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(PIL._imaging.__file__)
        for set_handler in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)
