"""Reading and writing images."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import av
import imageio.v3 as iio
import numpy as np
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from wangp_cli.errors import MediaError
from wangp_cli.media.clip import Frames, as_uint8, as_uint16
from wangp_cli.media.opening import check_file, check_pixels, media_errors

_READ = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "PPM", "GIF")
"""Formats that Pillow may open, MPO as a kind of JPEG; not EPS, which would start an interpreter."""
_WRITTEN = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_EXIF_LIMIT = 65_000
_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def open_image(path: Path) -> Image.Image:
    """An open image whose header is read and size checked; the caller closes it.

    Raises:
        MediaError: not an image of a known format, or too large.
    """
    with media_errors(path, "image"), warnings.catch_warnings():
        # Pillow only warns between its limit and twice that.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(path, formats=_READ)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise MediaError(f"{str(path)!r} is too large: {error}") from error
    try:
        check_pixels(image.width, image.height, path)
    except MediaError:
        image.close()
        raise
    return image


def image_facts(path: Path) -> tuple[int, int, str, str]:
    """Width and height after rotation by EXIF, format and mode of a checked image file."""
    with open_image(path) as image, media_errors(path, "image"):
        # Pillow gives the rotated size of a TIFF, but the stored size of other formats.
        turned = image.format != "TIFF" and image.getexif().get(0x0112, 1) in {5, 6, 7, 8}
        width, height = image.size[::-1] if turned else image.size
        return width, height, (image.format or "").lower(), image.mode


def read_image(path: Path | str) -> Frames:
    """An image as one frame: rotated by its EXIF orientation, converted to sRGB by its ICC profile.

    Returns:
        `[1, H, W, 3]`, or `[1, H, W, 4]` where it has alpha; grey and palette are expanded to RGB; uint16
        where the file has 16 bits, else uint8. Of an animation, the first frame.

    Raises:
        MediaError: the file is missing, empty, no known image, broken, or above 64 megapixels.
    """
    file = check_file(path, "image")
    with open_image(file) as image, media_errors(path, "image"):
        if _is_deep_png(file):
            return _upright(_decode_deep(file, "png"), image)[None]
        if image.format == "TIFF" and image.mode.startswith("I;16"):
            return _upright(_decode_deep(file, "tiff"), image)[None]
        upright = ImageOps.exif_transpose(_to_srgb(image))
        alpha = "A" in upright.getbands() or "transparency" in upright.info
        return np.asarray(upright.convert("RGBA" if alpha else "RGB"))[None]


def write_image(
    path: Path, frame: Frames, *, comment: str | None = None, quality: int = 95, bits: Literal[8, 16] = 8
) -> None:
    """Write one image file.

    Args:
        path: `.png`, `.jpg`, `.jpeg` or `.webp`; overwritten if it exists.
        frame: `[H, W, C]` or `[1, H, W, C]`; C of 1, 3 or 4. Rounded to `bits`.
        comment: text to embed: PNG iTXt `comment`; JPEG and WebP EXIF UserComment, JSON escaped to ASCII.
        quality: 1 to 100, for JPEG and WebP; 100 makes WebP lossless.
        bits: 16 for PNG only.

    Raises:
        MediaError: another suffix, alpha in JPEG, 16 bits outside PNG, or a comment over 64 KB in JPEG.
        OSError: the disk is full, or the folder cannot be written; no file is left.
    """
    suffix = path.suffix.lower()
    frame = frame[0] if frame.ndim == 4 else frame
    if suffix not in _WRITTEN:
        raise MediaError(
            f"output: {suffix!r} is not an image format that can be written", hint="use .png, .jpg or .webp"
        )
    if suffix in {".jpg", ".jpeg"} and frame.shape[2] == 4:
        raise MediaError("output: JPEG has no alpha channel", hint="use .png or .webp")
    if bits == 16 and suffix != ".png":
        raise MediaError(f"output: {suffix!r} has no 16 bits", hint="use .png")
    content = _encode_png(frame, comment) if bits == 16 else _encode(suffix, frame, comment, quality)
    file = path.open("wb")
    try:
        with file:
            file.write(content)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def encode_user_comment(text: str) -> bytes:
    """The bytes of an EXIF UserComment: JSON as ASCII with JSON escapes, other text as UTF-16-LE.

    UTF-16 takes twice the space, and JPEG has 64 KB for all of EXIF.
    """
    if not text.isascii():
        try:
            json.loads(text)
        except ValueError:
            return b"UNICODE\0" + text.encode("utf-16-le", "replace")
        text = "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)
    return b"ASCII\0\0\0" + text.encode("ascii")


def _encode(suffix: str, frame: Frames, comment: str | None, quality: int) -> bytes:
    pixels = as_uint8(frame)
    options: dict[str, Any] = {}
    if suffix == ".png":
        if comment is not None:
            options["pnginfo"] = PngInfo()
            options["pnginfo"].add_itxt("comment", comment)
    else:
        options["quality"] = quality
        if suffix == ".webp":
            options |= {"lossless": quality == 100, "exact": True}
        else:
            options["subsampling"] = 0
        if comment is not None:
            options["exif"] = _exif(comment, limited=suffix != ".webp")
    pixels = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    written: bytes = iio.imwrite(
        "<bytes>", np.ascontiguousarray(pixels), plugin="pillow", extension=suffix, **options
    )
    return written


def _exif(comment: str, *, limited: bool) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = encode_user_comment(comment)
    block = exif.tobytes()
    if limited and len(block) > _EXIF_LIMIT:
        raise MediaError(
            f"output: JPEG holds 64 KB of metadata, this is {len(block) // 1024} KB",
            hint="--metadata-mode sidecar, or write .png",
        )
    return block


def _is_deep_png(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(25)
    return head.startswith(_PNG_MAGIC) and len(head) == 25 and head[24] == 16


def _decode_deep(path: Path, codec: str) -> Frames:
    # Pillow reads 16 bit colour PNGs as 8 bit, and rotates 16 bit TIFFs the wrong way.
    decoder = av.CodecContext.create(codec, "r")
    frames = [*decoder.decode(av.Packet(path.read_bytes())), *decoder.decode(None)]
    alpha = any(part.is_alpha for part in frames[0].format.components)
    name = "rgba64le" if alpha else "rgb48le"
    pixels: Frames = frames[0].to_ndarray(format=name)
    return pixels


def _encode_png(frame: Frames, comment: str | None) -> bytes:
    # Pillow writes 16 bits for grey only.
    deep = as_uint16(np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame).astype(">u2")
    height, width, channels = deep.shape
    rows = deep.reshape(height, -1).view(np.uint8)
    left = np.zeros_like(rows)
    left[:, channels * 2 :] = rows[:, : -channels * 2]
    filtered = np.concatenate([np.ones((height, 1), np.uint8), rows - left], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 16, 6 if channels == 4 else 2, 0, 0, 0)
    text = b"" if comment is None else _chunk(b"iTXt", b"comment\0\0\0\0\0" + comment.encode())
    data = _chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6))
    return _PNG_MAGIC + _chunk(b"IHDR", header) + text + data + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _upright(pixels: Frames, image: Image.Image) -> Frames:
    turn = image.getexif().get(0x0112, 1)
    if turn in {5, 6, 7, 8}:
        pixels = np.swapaxes(pixels, 0, 1)
    if turn in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    if turn in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in {"RGB", "RGBA", "CMYK", "L"}:
        return image
    # A broken profile is common: then values are used as they are.
    with suppress(ImageCms.PyCMSError, OSError, ValueError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode: Any = image.mode if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
        if converted is not None:
            converted.getexif().update(image.getexif())
            return converted
    return image
