"""What a file holds by its first bytes, independent of its name and content type."""

from __future__ import annotations

import re
from pathlib import Path

from wangp_cli.errors import MediaError

LORA_SUFFIX = ".safetensors"
HEAD_BYTES = 4096
"""Bytes of the head that are read."""
_IMAGES: tuple[tuple[bytes, str], ...] = (
    (rb"\x89PNG\r\n\x1a\n", ".png"),
    (rb"\xff\xd8\xff", ".jpg"),
    (rb"RIFF....WEBP", ".webp"),
    (rb"BM....\0\0\0\0", ".bmp"),
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", ".tif"),
    (rb"....ftyp(avif|avis|mif1.{4,64}avif)", ".avif"),
    (rb"....ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)", ".heic"),
    (rb"P[1-7]\s", ".ppm"),
)
_VIDEOS_AND_AUDIO: tuple[tuple[bytes, str], ...] = (
    (rb"GIF8[79]a", ".gif"),
    (rb"....ftypqt  |....(moov|mdat|wide|free)", ".mov"),
    (rb"....ftypM4A ", ".m4a"),
    (rb"....ftyp3g", ".3gp"),
    (rb"....ftyp", ".mp4"),
    (rb"\x1aE\xdf\xa3.{0,60}webm", ".webm"),
    (rb"\x1aE\xdf\xa3", ".mkv"),
    (rb"RIFF....AVI ", ".avi"),
    (rb"(RIFF|RF64|RIFX)....WAVE", ".wav"),
    (rb"FORM....AIF[FC]", ".aiff"),
    (rb"caff\0\x01", ".caf"),
    (rb"fLaC", ".flac"),
    (rb"OggS", ".ogg"),
    (rb"FLV\x01", ".flv"),
    (rb"0&\xb2u\x8ef\xcf\x11", ".wmv"),
    (rb"#!AMR", ".amr"),
    (rb"riff\x2e\x91\xcf\x11", ".w64"),
    (rb"\.snd", ".au"),
    (rb"wvpk", ".wv"),
    (rb"TTA[12]", ".tta"),
    (rb"MAC ", ".ape"),
    (rb"\x0bw", ".ac3"),
    (rb"\x7f\xfe\x80\x01", ".dts"),
    (rb"YUV4MPEG2 ", ".y4m"),
    (rb".{0,64}\x06\x0e\x2b\x34\x02\x05\x01\x01", ".mxf"),
    (rb"\0\0\x01[\xb3\xba]", ".mpg"),
    (rb"G.{187}G.{187}G", ".ts"),
    (rb".{4}G.{191}G.{191}G", ".mts"),
    (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", ".mp3"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", ".aac"),
)
_XML = rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*"
_OTHER_SUFFIXES = (
    ".jpeg .jfif .apng .tiff .heif .pgm .m4v .mpeg .m2ts .m2v .vob .3g2 .ogv .asf .divx "
    ".oga .opus .mka .wma .aif .weba"
)
MEDIA_SUFFIXES = frozenset(suffix for _, suffix in _IMAGES + _VIDEOS_AND_AUDIO) | {*_OTHER_SUFFIXES.split()}
"""Suffixes that people give to the types that are read; files with others are read as well."""
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (rb"(?i)" + _XML + rb"<(!doctype\s+html|html|head|body|script|meta|title)\b", "a web page"),
    (rb"version https://git-lfs\.github\.com/", "a Git LFS pointer, without the file it stands for"),
    (rb"(?i)#EXTM3U|ffconcat\s|\[playlist\]|" + _XML + rb"<(MPD|smil|asx)\b", "a playlist of other files"),
    (rb"(?i)" + _XML + rb"(<!doctype svg[^>]*>\s*)?<svg\b", "an SVG drawing"),
    (rb"<\?xml|<[A-Za-z][\w:.-]*(\s[^<>]*)?/?>", "an XML document"),
    (rb"[\[{]\s*([\"\[{\]}\d-]|true|false|null)", "a JSON document"),
    (rb"PK(\x03\x04|\x05\x06|\x07\x08)", "a ZIP archive"),
    (rb"\x1f\x8b|BZh\d|\xfd7zXZ\0|7z\xbc\xaf'\x1c|Rar!\x1a\x07|\x28\xb5\x2f\xfd", "an archive"),
    (rb".{257}ustar", "an archive"),
    (rb"%PDF-", "a PDF document"),
    (rb"%!PS", "a PostScript document"),
    (rb"\0+\Z", "zero bytes, as an unfinished download leaves"),
)


def suffix_from_content(path: Path) -> str:
    """The suffix of a file's type by its content: image, video, audio or safetensors.

    Raises:
        MediaError: another type, such as a web page or a playlist.
    """
    known = media_suffix(path)
    if known is None and re.match(rb".{4}\0{4}\{", _head(path), re.DOTALL):
        known = LORA_SUFFIX
    if known is None:
        kind = foreign_content(path) or "no kind that is read"
        raise MediaError(f"its content is {kind}, a picture, a video, sound or safetensors is wanted")
    return known


def media_suffix(path: Path) -> str | None:
    """The suffix of an image, a video or audio by its content; None where its first bytes do not tell."""
    return _first_match(_IMAGES + _VIDEOS_AND_AUDIO, _head(path))


def is_image(path: Path) -> bool:
    """Whether a file holds a picture, whatever its name is; a GIF counts as a video."""
    return _first_match(_IMAGES, _head(path)) is not None


def foreign_content(path: Path) -> str | None:
    """What a file holds that is no media for certain, such as `a web page`; None where it may be media."""
    head = _head(path)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for content in (head, text):
        if (found := _first_match(_OTHERS, content)) is not None:
            return found
    return "text" if media_suffix(path) is None and _is_text(head) else None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _first_match(table: tuple[tuple[bytes, str], ...], head: bytes) -> str | None:
    return next((name for start, name in table if re.match(start, head, re.DOTALL)), None)


def _is_text(head: bytes) -> bool:
    """Whether the head is printable text in UTF-8 or UTF-16."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    # The last character may be cut.
    text = head.decode(encoding, "ignore")
    lost = len(head) - len(text.encode(encoding))
    return lost <= 3 and bool(text) and all(sign.isprintable() or sign in "\t\r\n\f\ufeff" for sign in text)
