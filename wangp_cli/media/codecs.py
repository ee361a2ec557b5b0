"""The video codecs that can be written, with their containers and encoder options."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from wangp_cli.errors import MediaError, nearest


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A video codec and how FFmpeg encodes it.

    Args:
        name: value of `--codec`.
        encoder: FFmpeg's name.
        suffixes: containers, by file suffix, best first.
        pixels: pixel format of 8 bit sources.
        deep_pixels: pixel format of 16 bit and float sources; equal to `pixels` where one serves both.
        alpha_pixels: pixel formats of RGBA sources, 8 bit and deep; None without alpha channel.
        crf: default constant quality, lower is better; None where the codec has no such setting.
        crf_range: lowest and highest `crf`.
        options: FFmpeg's encoder options.
        tag: four-character code that players expect.
        smallest: least width and height in pixels.
        most_rate: most frames per second; None without such a limit.
        about: one line for help.
    """

    name: str
    encoder: str
    suffixes: tuple[str, ...]
    pixels: str
    deep_pixels: str
    alpha_pixels: tuple[str, str] | None = None
    crf: int | None = None
    crf_range: tuple[int, int] = (0, 0)
    options: tuple[tuple[str, str], ...] = ()
    tag: str | None = None
    smallest: tuple[int, int] = (2, 2)
    most_rate: int | None = None
    about: str = ""

    @property
    def rgb(self) -> bool:
        """RGB is stored without conversion to luma and chroma."""
        return self.pixels.startswith(("rgb", "bgr", "gbr"))

    def pixel_format(self, *, alpha: bool, deep: bool) -> str:
        """The pixel format for a source with or without alpha, of 8 bits or more.

        Raises:
            MediaError: the codec has no alpha channel.
        """
        if not alpha:
            return self.deep_pixels if deep else self.pixels
        if self.alpha_pixels is None:
            able = ", ".join(codec.name for codec in CODECS.values() if codec.alpha_pixels)
            raise MediaError(f"codec: {self.name} has no alpha channel", hint=f"--codec, one of {able}")
        return self.alpha_pixels[deep]

    def block(self, pixels: str) -> tuple[int, int]:
        """The multiples of which width and height must be, in pixels."""
        if "420" in pixels:
            return 2, 2
        return (2, 1) if "422" in pixels else (1, 1)

    def quality(self, crf: int | None) -> int | None:
        """The `crf` to use: the one asked for, or the default.

        Raises:
            MediaError: out of range, or the codec has none.
        """
        if crf is None:
            return self.crf
        if self.crf is None:
            raise MediaError(f"crf: {crf}, but codec {self.name} has no such setting", hint="leave out --crf")
        low, high = self.crf_range
        if not low <= crf <= high:
            raise MediaError(f"crf: {crf}, must be {low} to {high} for codec {self.name}")
        return crf

    def audio_encoder(self, suffix: str) -> str:
        """FFmpeg's audio encoder for this codec in a container: lossless for codecs of editing masters."""
        if suffix == ".webm":
            return "libopus"
        if suffix == ".mkv":
            return "flac"
        return "pcm_s24le" if self.name in {"prores", "prores4444", "dnxhr"} else "aac"


_COMMON = (".mp4", ".mov", ".mkv")
_PRORES = (("vendor", "apl0"), ("bits_per_mb", "8000"))
_TABLE = (
    Codec(
        name="h264", encoder="libx264", suffixes=_COMMON, pixels="yuv420p", deep_pixels="yuv420p",
        crf=16, crf_range=(0, 51), options=(("preset", "medium"),), about="plays everywhere",
    ),
    Codec(
        name="h264-10", encoder="libx264", suffixes=_COMMON, pixels="yuv420p10le", deep_pixels="yuv420p10le",
        crf=16, crf_range=(0, 51), options=(("preset", "medium"),), about="10 bit, smooth gradients",
    ),
    Codec(
        name="h264-444", encoder="libx264", suffixes=_COMMON, pixels="yuv444p10le", deep_pixels="yuv444p10le",
        crf=12, crf_range=(0, 51), options=(("preset", "medium"),), about="10 bit, full colour, for editing",
    ),
    # libx264rgb with qp 0: yuv444p at crf 0 loses RGB codes in the conversion.
    Codec(
        name="h264-lossless", encoder="libx264rgb", suffixes=(".mkv", ".mp4", ".mov"), pixels="rgb24",
        deep_pixels="rgb24", options=(("qp", "0"), ("preset", "medium")), about="every 8 bit RGB value exact",
    ),
    Codec(
        name="hevc", encoder="libx265", suffixes=_COMMON, pixels="yuv420p10le", deep_pixels="yuv420p10le",
        crf=18, crf_range=(0, 51), options=(("preset", "medium"), ("x265-params", "log-level=none")),
        tag="hvc1", smallest=(16, 16), about="10 bit, half the size of h264",
    ),
    Codec(
        name="av1", encoder="libsvtav1", suffixes=(".mp4", ".webm", ".mkv"), pixels="yuv420p10le",
        deep_pixels="yuv420p10le", crf=28, crf_range=(1, 63), options=(("preset", "6"),), smallest=(4, 4),
        most_rate=240, about="10 bit, smallest files",
    ),
    Codec(
        name="vp9", encoder="libvpx-vp9", suffixes=(".webm", ".mkv"), pixels="yuv420p",
        deep_pixels="yuv420p", alpha_pixels=("yuva420p", "yuva420p"), crf=24, crf_range=(0, 63),
        options=(("b", "0"), ("row-mt", "1"), ("cpu-used", "3")), about="for the web, alpha",
    ),
    Codec(
        name="prores", encoder="prores_ks", suffixes=(".mov", ".mkv"), pixels="yuv422p10le",
        deep_pixels="yuv422p10le", options=(("profile", "hq"), *_PRORES), about="ProRes 422 HQ",
    ),
    Codec(
        name="prores4444", encoder="prores_ks", suffixes=(".mov", ".mkv"), pixels="yuv444p10le",
        deep_pixels="yuv444p10le", alpha_pixels=("yuva444p10le", "yuva444p10le"),
        options=(("profile", "4444"), ("alpha_bits", "16"), *_PRORES), about="ProRes 4444, alpha",
    ),
    Codec(
        name="ffv1", encoder="ffv1", suffixes=(".mkv",), pixels="bgr0", deep_pixels="gbrp16le",
        alpha_pixels=("bgra", "gbrap16le"), options=(("level", "3"), ("slicecrc", "1"), ("g", "1")),
        about="lossless, 8 or 16 bit, alpha",
    ),
    Codec(
        name="dnxhr", encoder="dnxhd", suffixes=(".mov",), pixels="yuv422p10le",
        deep_pixels="yuv422p10le", options=(("profile", "dnxhr_hqx"),), smallest=(256, 120),
        about="DNxHR HQX, 10 bit",
    ),
)  # fmt: skip
CODECS: dict[str, Codec] = {codec.name: codec for codec in _TABLE}
MILLISECOND_CONTAINERS = frozenset({".mkv", ".webm"})
"""Containers whose time stamps are milliseconds."""
_MOST_MILLISECOND_RATE = 500
"""Most frames per second whose time stamps stay apart when they are rounded to milliseconds."""
_DEFAULTS = {".mp4": "h264", ".mov": "h264", ".mkv": "h264", ".webm": "vp9"}
_ALPHA_DEFAULTS = {".mov": "prores4444", ".mkv": "ffv1", ".webm": "vp9"}


def choose_codec(codec: str | None, suffix: str, *, alpha: bool = False) -> Codec:
    """The codec of a name, or the default one of a container.

    Args:
        codec: a name of `CODECS`; None for the container's default.
        suffix: `.mp4`, in any case.
        alpha: it must have an alpha channel; by default ProRes 4444 in `.mov`, FFV1 in `.mkv` and VP9
            in `.webm`.

    Raises:
        MediaError: the codec is unknown, cannot go into the container, or has no alpha channel.
    """
    suffix = suffix.lower()
    if codec is None:
        if suffix not in _DEFAULTS:
            raise MediaError(
                f"output: {suffix or 'no suffix'!r} is not a video we write",
                hint=f"use {', '.join(_DEFAULTS)}",
            )
        if alpha and suffix not in _ALPHA_DEFAULTS:
            raise MediaError(
                f"output: {suffix!r} has no alpha channel", hint=f"use {', '.join(_ALPHA_DEFAULTS)}"
            )
        return CODECS[(_ALPHA_DEFAULTS if alpha else _DEFAULTS)[suffix]]
    if codec not in CODECS:
        known = list(CODECS)
        raise MediaError(
            f"codec: {codec!r} is unknown", hint=nearest(codec, known) or f"one of {', '.join(known)}"
        )
    chosen = CODECS[codec]
    if suffix not in chosen.suffixes:
        raise MediaError(
            f"codec: {codec} cannot go into {suffix or 'a file without suffix'!r}",
            hint=f"name the file {' or '.join(chosen.suffixes)}",
        )
    if alpha:
        chosen.pixel_format(alpha=True, deep=False)
    return chosen


def check_rate(codec: Codec, suffix: str, rate: Fraction) -> None:
    """Check that codec and container can store so many frames per second.

    Raises:
        MediaError: they cannot; its message begins with `codec` or `output`.
    """
    if codec.most_rate is not None and rate > codec.most_rate:
        raise MediaError(
            f"codec: {codec.name} takes at most {codec.most_rate} frames per second, not {float(rate):g}",
            hint="--codec h264 or hevc",
        )
    if suffix.lower() in MILLISECOND_CONTAINERS and rate > _MOST_MILLISECOND_RATE:
        raise MediaError(
            f"output: {suffix} holds at most {_MOST_MILLISECOND_RATE} frames per second, not {float(rate):g}",
            hint="write .mp4 or .mov",
        )


@cache
def deterministic_options(encoder: str) -> dict[str, str]:
    """Options that make an encoder give the same bytes for the same frames in every run.

    x264's AVX-512 code for macroblock trees of 8 bit video is not deterministic; its AVX2 code is.
    """
    if encoder != "libx264" or "avx512f" not in _cpu_flags():
        return {}
    return {"x264-params": "asm=avx2"}


def _cpu_flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    return frozenset(next((line for line in text.splitlines() if line.startswith("flags")), "").split())


def silence_svt_av1() -> None:
    """Keep SVT-AV1 from writing to stderr; its log level is set by an environment variable only."""
    os.environ.setdefault("SVT_LOG", "1")
