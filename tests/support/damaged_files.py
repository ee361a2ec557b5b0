"""Videos with broken frames."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av

from tests.support.ffmpeg import ffmpeg


def intra_clip(path: Path, frames: int) -> Path:
    """A video of 64x64 at 8 frames per second, each of which is decoded on its own; with audio."""
    ffmpeg(
        f"-f lavfi -i testsrc2=s=64x64:r=8 -f lavfi -i sine=d={frames / 8} -frames:v {frames} "
        "-pix_fmt yuv420p -c:v libx264 -g 1 -qp 20 -movflags +faststart",
        path,
    )
    return path


def wipe(path: Path, numbers: Iterable[int], share: float = 1) -> None:
    """Overwrite the end of some packets."""
    with av.open(str(path)) as opened:
        places = [(packet.pos, packet.size) for packet in opened.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for number in numbers:
        position, size = places[number]
        assert position is not None
        wiped = int(size * share)
        content[position + size - wiped : position + size] = bytes(wiped)
    path.write_bytes(content)
