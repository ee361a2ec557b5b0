"""Media files made by ffmpeg from lossless masters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.clips import moving
from tests.support.ffmpeg import ffmpeg

FRAMES, WIDTH, HEIGHT, RATE = 12, 96, 64, 24
X264 = "-c:v libx264 -preset ultrafast -crf 4"
X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:crf=4"
VP8 = "-c:v libvpx -deadline realtime -cpu-used 8 -crf 4 -b:v 2M"
VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 8 -b:v 0"
AV1 = "-c:v libaom-av1 -cpu-used 8 -crf 10 -usage realtime"
MPEG2 = "-c:v mpeg2video -qscale:v 2"
MPEG4 = "-c:v mpeg4 -qscale:v 2"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One file of the corpus.

    Args:
        name: of the file.
        options: of ffmpeg for its output; a constant rate and `-pix_fmt yuv420p` are given before them.
        source: stem of the master from which it is made, see `write_masters`.
        cut: share of the bytes that are left.
        copied: options of a second run that copies the streams of the first, or None.
        reference: filters by which ffmpeg's decoder gives the same pictures.
        tolerance: levels of 255 by which pixels may differ.
    """

    name: str
    options: str
    source: str = "plain"
    cut: float = 1
    copied: str | None = None
    reference: str = ""
    tolerance: float = 2.5

    def write(self, masters: Path, folder: Path) -> Path:
        """Write the file into a folder."""
        path = folder / self.name
        first = path if self.copied is None else folder / f"first{path.suffix}"
        ffmpeg("-i", masters / f"{self.source}.mkv", "-vsync cfr -pix_fmt yuv420p", self.options, first)
        if self.copied is not None:
            before, _, after = self.copied.partition("INPUT")
            ffmpeg(before, "-i", first, "-c copy", after, path)
        if self.cut < 1:
            content = path.read_bytes()
            path.write_bytes(content[: int(len(content) * self.cut)])
        return path


def write_masters(folder: Path) -> None:
    """Write the lossless files of which the corpus is made: 12 frames of 96x64 and a stereo tone.

    They are `plain`, `deep` with 16 bits, `clear` with alpha, `large` with 720x576, `odd` with 97x63, and
    `long` of four seconds. `flash` is two seconds of black with a white frame and a beep after the first.
    """
    forms = (
        ("plain", 3, FRAMES, WIDTH, HEIGHT),
        ("deep", 3, FRAMES, WIDTH, HEIGHT),
        ("clear", 4, FRAMES, WIDTH, HEIGHT),
        ("odd", 3, FRAMES, 97, 63),
        ("large", 3, FRAMES, 720, 576),
        ("long", 3, 8 * FRAMES, WIDTH, HEIGHT),
    )
    for name, channels, frames, width, height in forms:
        kind = np.uint16 if name == "deep" else np.uint8
        pixels = moving(frames, width, height, channels, kind)
        stored = {"deep": "rgb48le", "clear": "rgba"}.get(name, "rgb24")
        kept = {"deep": "gbrp16le", "clear": "gbrap"}.get(name, "gbrp")
        given = f"-f rawvideo -pix_fmt {stored} -s {width}x{height} -r {RATE} -i -"
        tone = f"-f lavfi -i aevalsrc='0.3*sin(2764*t)|0.2*sin(4147*t)':s=48000:d={frames / RATE}"
        ffmpeg(
            given,
            tone,
            f"-c:v ffv1 -pix_fmt {kept} -c:a pcm_s16le",
            folder / f"{name}.mkv",
            stdin=pixels.tobytes(),
        )
    white = f"color=black:s=64x64:r={RATE}:d=2,drawbox=color=white:t=fill:enable='eq(n,{RATE})'"
    beep = r"aevalsrc='0.8*sin(2000*PI*t)*between(t\,1\,1.02)':s=48000:d=2"
    ffmpeg(f"-f lavfi -i {white} -f lavfi -i {beep} -c:v ffv1 -c:a pcm_s16le", folder / "flash.mkv")


def cases(names: str, options: str, **more: Any) -> list[Case]:
    """A case for each file name, with the same options."""
    return [Case(name=name, options=options, **more) for name in names.split()]
