"""Comments embedded in media files, where WanGP and this program store the request."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from wangp_cli.media.image_decoding import open_image
from wangp_cli.media.opening import check_file, media_errors, open_container
from wangp_cli.media.sniff import is_image, media_suffix

_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_MAX_CHUNK_BYTES = 16 * 2**20


def read_comment(path: Path | str) -> str | None:
    """The embedded comment of a video, image or WAV file; None where there is none.

    MP4 and MOV: the comment atom. MKV and WebM: the tag COMMENT, else DESCRIPTION. PNG: the text chunk
    `comment`. JPEG and WebP: EXIF UserComment. WAV: the chunk `json`.

    Raises:
        MediaError: the file is missing, empty, of an unknown kind, or unreadable.
    """
    file = check_file(path, "media")
    if is_image(file):
        return _without_placeholder(_comment_of_image(file))
    if media_suffix(file) == ".wav":
        return _without_placeholder(_comment_of_wav(file))
    with open_container(file, "media") as opened:
        tags = {key.lower(): value for key, value in opened.metadata.items()}
    return _without_placeholder(tags.get("comment") or tags.get("description"))


def decode_user_comment(value: bytes | str) -> str:
    """The text of an EXIF UserComment, decoded by its eight byte prefix."""
    if isinstance(value, str):
        return value
    prefix, content = value[:8], value[8:]
    if prefix == b"UNICODE\0":
        # The standard does not fix the byte order; it shows in the zero bytes of Latin letters.
        big = content[0:200:2].count(0) > content[1:200:2].count(0)
        return content.decode("utf-16-be" if big else "utf-16-le", "replace")
    if prefix in {b"ASCII\0\0\0", b"\0" * 8}:
        return content.decode("utf-8", "replace")
    return value.decode("utf-8", "replace")


def _comment_of_image(path: Path) -> str | None:
    with open_image(path) as image, media_errors(path, "image"):
        texts = getattr(image, "text", None) or {}
        if "comment" in texts:
            return str(texts["comment"])
        return _comment_of_exif(image)


def _comment_of_exif(image: Image.Image) -> str | None:
    value = image.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    return decode_user_comment(value) if isinstance(value, bytes | str) else None


def _comment_of_wav(path: Path) -> str | None:
    with media_errors(path, "audio"), path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return None
        file.seek(12)
        while len(header := file.read(8)) == 8:
            size = int.from_bytes(header[4:], "little")
            if header[:4] == b"json" and size <= _MAX_CHUNK_BYTES:
                return file.read(size).decode("utf-8", "replace")
            file.seek(size + size % 2, 1)
    return None


def _without_placeholder(text: str | None) -> str | None:
    """The text, or None if it is empty or the placeholder that WanGP reserves space with."""
    text = (text or "").strip(" \0\r\n\t")
    if not text:
        return None
    if text.startswith('{"_wangp_metadata_reserved"'):
        try:
            if json.loads(text) == {"_wangp_metadata_reserved": True}:
                return None
        except ValueError:
            pass
    return text
