"""File types by the first bytes of a file, independent of its name and content type."""

from __future__ import annotations

import re
from pathlib import Path

from wangp_cli.errors import MediaError

LORA_SUFFIX = ".safetensors"
HEAD_BYTES = 64
"""Bytes of the head that are read."""
_STARTS: tuple[tuple[bytes, str], ...] = (
    (rb"\x89PNG\r\n\x1a\n", ".png"),
    (rb"\xff\xd8\xff", ".jpg"),
    (rb"RIFF....WEBP", ".webp"),
    (rb"GIF8[79]a", ".gif"),
    (rb"BM....\0\0\0\0", ".bmp"),
    (rb"II\*\0|MM\0\*", ".tif"),
    (rb"....ftyp(avif|avis)", ".avif"),
    (rb"....ftypqt  ", ".mov"),
    (rb"....ftypM4A ", ".m4a"),
    (rb"....ftyp", ".mp4"),
    (rb"\x1aE\xdf\xa3.*webm", ".webm"),
    (rb"\x1aE\xdf\xa3", ".mkv"),
    (rb"RIFF....AVI ", ".avi"),
    (rb"RIFF....WAVE", ".wav"),
    (rb"fLaC", ".flac"),
    (rb"OggS", ".ogg"),
    (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", ".mp3"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", ".aac"),
    (rb".{4}\0{4}\{", LORA_SUFFIX),
)


def suffix_from_content(path: Path) -> str:
    """The suffix of a file's type by its content: image, video, audio or safetensors.

    Raises:
        MediaError: another type, such as a web page or a playlist.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for start, suffix in _STARTS:
        if re.match(start, head, re.DOTALL):
            return suffix
    kind = "a web page" if re.match(rb"\s*(<!doctype|<html)", head, re.IGNORECASE) else "no kind that is read"
    raise MediaError(f"its content is {kind}, a picture, a video, sound or safetensors is wanted")
