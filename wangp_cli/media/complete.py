"""Files that are cut off: a decoder would give their first frames without an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from wangp_cli.errors import MediaError
from wangp_cli.media.decoding import has_video
from wangp_cli.media.opening import media_errors, open_container
from wangp_cli.media.video_index import video_index

_MOV_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid"})
_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_PACK = b"\0\0\1\xba"
_TAIL_BYTES = 1 << 18


def check_complete(path: Path) -> None:
    """Check that the container of a media file ends where it says; containers that do not say pass.

    Audio alone passes, too, but in MP4: it is read to its end.

    Raises:
        MediaError: the file is cut off; says how many frames are there.
    """
    total, wanted, head = _sizes(path)
    if wanted <= total:
        return
    frames = _frames(path)
    if frames is None and head[4:8] not in _MOV_BOXES:
        return
    there = "" if frames is None else f", with {frames} frames"
    raise MediaError(
        f"{path.name!r} is cut off: {total} of at least {wanted} bytes are there{there}",
        hint="ffmpeg -i FILE -c copy whole.mkv keeps these frames" if frames else None,
    )


def is_complete(path: Path) -> bool:
    """Whether the container of a media file ends where it says, or does not say where."""
    total, wanted, _ = _sizes(path)
    return wanted <= total


def _sizes(path: Path) -> tuple[int, int, bytes]:
    """Bytes of a file, bytes that its container says it has at least, and its first bytes."""
    with media_errors(path, "media"), path.open("rb") as file:
        total = path.stat().st_size
        head = file.read(16)
        return total, next((end(file, total) for known, end in _CONTAINERS if known(head)), 0), head


def _frames(path: Path) -> int | None:
    """Frames of a video that is cut off, 0 if it cannot be read at all; None for audio alone."""
    try:
        with open_container(path) as opened:
            if not has_video(opened):
                return None
        return len(video_index(path).times.pictures)
    except MediaError:
        return 0


def _mov_end(file: BinaryIO, total: int) -> int:
    position = 0
    while position + 8 <= total:
        file.seek(position)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size < 8 or not header[4:8].isascii():
            # Size 0 is a box up to the end of the file.
            return total
        position += size
    return position


def _riff_end(file: BinaryIO, total: int) -> int:
    """The end of the last RIFF list of an AVI: large files have several."""
    position = 0
    while position + 12 <= total:
        file.seek(position)
        header = file.read(12)
        size = int.from_bytes(header[4:8], "little")
        if header[:4] != b"RIFF" or not size:
            # A recorder that was stopped hard leaves the size 0.
            return total
        position += 8 + size + size % 2
    # The last padding byte is often left out.
    return position - (position == total + 1)


def _ebml_end(file: BinaryIO, total: int) -> int:
    """The end of the last element of a Matroska file; live recordings leave the sizes of outer ones open."""
    position = 0
    while position < total:
        file.seek(position)
        header = file.read(12)
        # The length of a number is told by the zeros it begins with.
        width = 9 - header[0].bit_length()
        name = int.from_bytes(header[:width], "big")
        if width > 4 or len(header) <= width:
            return total
        digits = 9 - header[width].bit_length()
        size = int.from_bytes(header[width : width + digits], "big") & ((1 << 7 * digits) - 1)
        position += width + digits
        if size != (1 << 7 * digits) - 1:
            position += size
        elif name not in (_SEGMENT, _CLUSTER):
            return total
    return position


def _ts_end(file: BinaryIO, total: int) -> int:
    """The end of the last packet of a transport stream, which begins with the byte 0x47."""
    size = _ts_packet(file)
    file.seek(max(0, total - 4 * size))
    tail = file.read()
    lead = size - 188
    for rest in range(size):
        starts = [len(tail) - rest - size * number + lead for number in (1, 2)]
        begun = rest <= lead or tail[len(tail) - rest + lead] == 0x47
        if begun and all(start >= 0 and tail[start] == 0x47 for start in starts):
            return total + (size - rest) % size
    return total


def _ts_packet(file: BinaryIO) -> int:
    file.seek(0)
    head = file.read(400)
    return 192 if head[4:5] == head[196:197] == b"\x47" and head[0:1] != head[188:189] else 188


def _ps_end(file: BinaryIO, total: int) -> int:
    """The end of the last packet of a program stream."""
    base = max(0, total - _TAIL_BYTES)
    file.seek(base)
    tail = file.read()
    position = tail.rfind(_PACK)
    if position < 0:
        return total
    while position < len(tail):
        code = tail[position : position + 4]
        if _PACK.startswith(code):
            # MPEG-2 has longer headers of packs than MPEG-1.
            rest = tail[position + 4 :]
            position += 12 if rest and rest[0] >> 6 == 0 else 14 + (rest[9] & 7 if len(rest) > 9 else 0)
        elif code[:3] == _PACK[:3] and code[3] != 0xB9:
            position += 6 + int.from_bytes(tail[position + 4 : position + 6], "big")
        else:
            return total
    return base + position


def _gif_end(file: BinaryIO, total: int) -> int:
    """The end of the last block of a GIF, also of one without a trailer."""
    file.seek(0)
    data = file.read()
    try:
        position = 13 + _colours(data[10])
        while position < total and data[position] in b"\x21\x2c":
            position += 2 if data[position] == 0x21 else 11 + _colours(data[position + 9])
            while length := data[position]:
                position += 1 + length
            position += 1
    except IndexError:
        return total + 1
    return position


def _png_end(file: BinaryIO, total: int) -> int:
    """The end of the last chunk of an animated PNG, which is its trailer."""
    position, name = 8, b""
    while position < total and name != b"IEND":
        file.seek(position)
        header = file.read(8)
        name = header[4:]
        position += 12 + int.from_bytes(header[:4], "big")
    return position if name == b"IEND" else max(position, total + 12)


def _colours(flags: int) -> int:
    """Bytes of a GIF's table of colours."""
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0


def _flv_end(file: BinaryIO, total: int) -> int:
    position = 13
    while position + 4 <= total:
        file.seek(position)
        position += 11 + int.from_bytes(file.read(4)[1:], "big") + 4
    # Recorders leave out the last back pointer.
    return position - 4


def _ogg_end(file: BinaryIO, total: int) -> int:
    position = 0
    while position < total:
        file.seek(position)
        header = file.read(27)
        if header[:4] != b"OggS"[: len(header)]:
            return total
        sizes = file.read(header[26]) if len(header) == 27 else b""
        position += 27 + len(sizes) + sum(sizes)
    return position


def _asf_end(file: BinaryIO, total: int) -> int:
    """The size that an ASF file states, unless it was broadcast."""
    file.seek(0)
    head = file.read(1 << 16)
    place = head.find(_ASF_PROPERTIES)
    if place < 0 or len(head) < place + 92 or head[place + 88] & 1:
        return total
    return int.from_bytes(head[place + 40 : place + 48], "little")


_CONTAINERS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO, int], int]], ...] = (
    (lambda head: head[4:8] in _MOV_BOXES, _mov_end),
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"AVI ", _riff_end),
    (lambda head: head[:4] == _EBML.to_bytes(4, "big"), _ebml_end),
    (lambda head: head[:3] == b"FLV", _flv_end),
    (lambda head: head[:4] == b"OggS", _ogg_end),
    (lambda head: head[:4] == b"\x30\x26\xb2\x75", _asf_end),
    (lambda head: head[:4] == b"GIF8", _gif_end),
    (lambda head: head[:4] == b"\x89PNG", _png_end),
    (lambda head: head[:4] == _PACK, _ps_end),
    (lambda head: 0x47 in (head[:1] + head[4:5]), _ts_end),
)
