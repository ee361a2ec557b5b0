"""Reading and writing images."""

from __future__ import annotations

import json
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import imageio.v3 as iio
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wangp_cli.errors import MediaError
from wangp_cli.media.clip import Frames, as_uint8, as_uint16
from wangp_cli.media.image_decoding import decode_image, open_image
from wangp_cli.media.opening import check_file
from wangp_cli.media.sniff import is_image, media_suffix

_WRITTEN = frozenset({".png", ".jpg", ".jpeg", ".webp"})
ANIMATED = frozenset({".gif", ".png", ".webp", ".avif"})
"""Image formats that may hold a video."""
_EXIF_LIMIT = 65_000
_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def read_image(path: Path | str) -> Frames:
    """An image as one frame as models see it: sRGB or BT.709, square pixels, upright.

    Returns:
        `[1, H, W, 3]`, or `[1, H, W, 4]` where it has alpha; grey and palette are expanded to RGB; uint16
        where the file has 16 bits, else uint8. Of an animation, the first frame.

    Raises:
        MediaError: the file is missing, empty, no known image, broken, cut off, or above 64 megapixels.
    """
    stored = decode_image(check_file(path, "image"))
    return stored.picture.normalise(stored.pixels)[None]


def is_still(path: Path) -> bool:
    """Whether a checked file is a picture: an image or GIF of one frame, or of pages."""
    if media_suffix(path) not in ANIMATED:
        return is_image(path)
    with suppress(MediaError), open_image(path) as image:
        return getattr(image, "n_frames", 1) == 1
    return is_image(path)


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
    content = encode_image(path.suffix, frame, comment=comment, quality=quality, bits=bits)
    file = path.open("wb")
    try:
        with file:
            file.write(content)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def encode_image(
    suffix: str, frame: Frames, *, comment: str | None = None, quality: int = 95, bits: Literal[8, 16] = 8
) -> bytes:
    """The content of an image file of the format of `suffix`; the rest is as `write_image` takes it."""
    suffix = suffix.lower()
    frame = frame[0] if frame.ndim == 4 else frame
    if suffix not in _WRITTEN:
        raise MediaError(
            f"output: {suffix!r} is not an image format that can be written", hint="use .png, .jpg or .webp"
        )
    if suffix in {".jpg", ".jpeg"} and frame.shape[2] == 4:
        raise MediaError("output: JPEG has no alpha channel", hint="use .png or .webp")
    if bits == 16 and suffix != ".png":
        raise MediaError(f"output: {suffix!r} has no 16 bits", hint="use .png")
    return _encode_png(frame, comment) if bits == 16 else _encode(suffix, frame, comment, quality)


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
