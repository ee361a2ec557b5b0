"""Writing frames and sound into files, checked after the last byte.

PyAV is used directly: imageio's plugin for it has no constant quality, colour tags, sound or exact rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from wangp_cli.errors import GenerationError, MediaError
from wangp_cli.media import colour
from wangp_cli.media.audio import fit_samples, layout_of, packed, resample, samples_at
from wangp_cli.media.clip import Audio, Frames
from wangp_cli.media.codecs import Codec, hush, pick, steady
from wangp_cli.media.facts import VideoFacts, probe
from wangp_cli.media.metadata import read_comment
from wangp_cli.media.stills import write_image

__all__ = ["Written", "write_image", "write_video"]

_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})
_OPUS_RATES = frozenset({8000, 12000, 16000, 24000, 48000})
_LOSSY_AUDIO_BITS = 192_000
_X265_DELAY = 2
"""Frames by which x265 sends a picture ahead of its turn. Of clips shorter than that it leaves the decode
times uninitialised, so they are counted here."""
_MOV_COMMENT = 65_535
_MILLISECONDS = frozenset({".mkv", ".webm"})


@dataclass(frozen=True, kw_only=True)
class Written:
    """A finished video file, as read back from it.

    Args:
        path: where it is.
        frames: how many.
        width: in pixels.
        height: in pixels.
        fps: exact.
        seconds: length.
        container: FFmpeg's name.
        codec: our name, a key of `codecs.CODECS`.
        pixel_format: FFmpeg's name.
        crf: the quality used; None where the codec has none.
        audio_codec: None without sound.
        bytes: size of the file.
    """

    path: Path
    frames: int
    width: int
    height: int
    fps: Fraction
    seconds: float
    container: str
    codec: str
    pixel_format: str
    crf: int | None
    audio_codec: str | None
    bytes: int


def write_video(
    path: Path,
    chunks: Iterable[Frames],
    *,
    fps: Fraction,
    codec: str | None = None,
    crf: int | None = None,
    audio: Audio | None = None,
    comment: str | None = None,
    frames: int | None = None,
) -> Written:
    """Encode frames as they come, then reopen the file and check it.

    Colour is BT.709, converted and tagged. Frames of 16 bits and float keep their precision in deep
    codecs and are rounded once for the others; one channel becomes grey.

    Args:
        path: the file to make or replace; its suffix names the container.
        chunks: `[T, H, W, C]` each, all of one H, W and C.
        fps: frames per second, exact.
        codec: a key of `codecs.CODECS`; None for the container's usual one.
        crf: constant quality; None for the codec's own.
        audio: sound from the first frame on; cut to the picture, or followed by silence.
        comment: text for the container's comment tag.
        frames: how many there must be.

    Raises:
        MediaError: the codec or container cannot hold this: size, alpha, quality, a long comment.
        GenerationError: no frames, values that are not finite, or the file differs from what was given.
        OSError: the disk is full or the folder cannot be written. The file is deleted after any error.
    """
    chosen = pick(codec, path.suffix)
    quality = chosen.quality(crf)
    _check_comment(path, comment)
    target = path.absolute()
    source = iter(chunks)
    first = _checked(next(source, None), None, 0)
    options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if _is_mov(path) else {})
    with _refusals(chosen, first):
        container = av.open(str(target), "w", container_options=options)
    try:
        if comment is not None:
            container.metadata["comment"] = comment
        with _refusals(chosen, first):
            encoder = _Encoder(container, chosen, quality, first, fps)
            sound = None if audio is None else _Sound(container, chosen, path.suffix.lower(), audio, fps)
        for chunk in _same(first, source):
            with _refusals(chosen, first):
                encoder.add(chunk)
                if sound is not None:
                    sound.reach(encoder.count)
        with _refusals(chosen, first):
            encoder.finish()
            if sound is not None:
                sound.finish()
            container.close()
        facts = _verified(target, encoder, fps, frames, comment)
    except BaseException:
        # Closing writes a trailer, which fails again on a full disk; the first error is the one to tell.
        with suppress(Exception):
            container.close()
        target.unlink(missing_ok=True)
        raise
    return Written(
        path=path, frames=facts.frames, width=facts.width, height=facts.height, fps=fps,
        seconds=facts.seconds, container=facts.container, codec=chosen.name, pixel_format=encoder.pixels,
        crf=quality, audio_codec=facts.audio_codec, bytes=facts.bytes,
    )  # fmt: skip


class _Encoder:
    """The picture's stream."""

    def __init__(self, container: Any, codec: Codec, crf: int | None, first: Frames, fps: Fraction) -> None:
        self.container, self.codec, self.fps = container, codec, fps
        self.count = self.packets = 0
        _, self.height, self.width, channels = first.shape
        self.pixels = codec.pixel_format(alpha=channels == 4, deep=first.dtype != np.uint8)
        _check_size(codec, self.pixels, self.width, self.height)
        parts = av.VideoFormat(self.pixels).components
        self.deep = max(part.bits for part in parts) > 8
        hush()
        options = dict(codec.options) | steady(codec.encoder) | ({} if crf is None else {"crf": str(crf)})
        self.stream = container.add_stream(codec.encoder, rate=fps, options=options)
        self.stream.width, self.stream.height, self.stream.pix_fmt = self.width, self.height, self.pixels
        self.stream.time_base = 1 / fps
        context = self.stream.codec_context
        context.time_base = 1 / fps
        if codec.tag and container.format.name != "matroska":
            context.codec_tag = codec.tag
        context.color_primaries = context.color_trc = colour.BT709
        context.colorspace = colour.GBR if codec.rgb else colour.BT709
        context.color_range = colour.FULL if codec.rgb else colour.LIMITED
        self.converter: colour.Converter | None = None

    def add(self, frames: Frames) -> None:
        """Encode frames after those before."""
        ready, name = colour.source_frames(frames, deep=self.deep)
        if self.converter is None:
            self.converter = colour.to_encoder(self.width, self.height, name, self.pixels)
        for pixels in ready:
            frame = self.converter.convert(av.VideoFrame.from_ndarray(pixels, format=name))
            frame.pts, frame.time_base = self.count, 1 / self.fps
            self._mux(self.stream.encode(frame))
            self.count += 1

    def finish(self) -> None:
        """Encode what the encoder still holds."""
        self._mux(self.stream.encode(None))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if self.codec.encoder == "libx265":
                packet.dts = self.packets - _X265_DELAY
            self.packets += 1
            self.container.mux(packet)


class _Sound:
    """The sound's stream, kept in step with the picture so that the container never waits for it."""

    def __init__(self, container: Any, codec: Codec, suffix: str, audio: Audio, fps: Fraction) -> None:
        encoder = codec.audio_encoder(suffix)
        rates = {"aac": _AAC_RATES, "libopus": _OPUS_RATES}.get(encoder)
        self.audio = audio if rates is None or audio.rate in rates else resample(audio, 48_000)
        self.container, self.fps, self.sent = container, fps, 0
        self.layout = layout_of(audio.samples.shape[1])
        self.stream = container.add_stream(encoder, rate=self.audio.rate, layout=self.layout)
        if encoder in {"aac", "libopus"}:
            self.stream.bit_rate = _LOSSY_AUDIO_BITS
        if encoder == "flac":
            self.stream.format = "s32"

    def reach(self, frames: int) -> None:
        """Encode the sound of the first `frames` frames that is not encoded yet."""
        end = samples_at(frames, self.audio.rate, self.fps)
        if end <= self.sent:
            return
        piece = Audio(samples=self.audio.samples[self.sent : end], rate=self.audio.rate)
        frame = packed(fit_samples(piece, end - self.sent).samples.clip(-1, 1), self.layout, self.audio.rate)
        frame.pts, frame.time_base = self.sent, Fraction(1, self.audio.rate)
        self.container.mux(self.stream.encode(frame))
        self.sent = end

    def finish(self) -> None:
        """Encode what the encoder still holds."""
        self.container.mux(self.stream.encode(None))


class _refusals:  # noqa: N801 - reads as a clause: with _refusals(...)
    """Disk errors pass as OSError; what the encoder cannot do becomes a MediaError."""

    def __init__(self, codec: Codec, first: Frames) -> None:
        self.codec, self.size = codec, f"{first.shape[2]}x{first.shape[1]}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, av.FFmpegError) and not isinstance(error, OSError):
            raise MediaError(f"codec: {self.codec.name} refuses {self.size}: {error.strerror}") from error


def _is_mov(path: Path) -> bool:
    return path.suffix.lower() in {".mp4", ".mov"}


def _check_comment(path: Path, comment: str | None) -> None:
    # QuickTime counts the bytes of a text in 16 bits; MP4 in 32.
    if (
        comment is not None
        and path.suffix.lower() == ".mov"
        and (size := len(comment.encode())) > _MOV_COMMENT
    ):
        raise MediaError(
            f"output: MOV holds a comment of 64 KB, this is {size // 1024} KB",
            hint="--metadata-mode sidecar, or write .mp4",
        )


def _check_size(codec: Codec, pixels: str, width: int, height: int) -> None:
    least_width, least_height = codec.smallest
    if width < least_width or height < least_height:
        raise MediaError(
            f"size: {width}x{height}, codec {codec.name} takes {least_width}x{least_height} or more"
        )
    step_x, step_y = codec.block(pixels)
    if width % step_x or height % step_y:
        even = f"{width - width % step_x}x{height - height % step_y}"
        suited = "prores4444" if codec.name == "prores" else "h264-444"
        raise MediaError(
            f"size: {width}x{height}, but codec {codec.name} needs even sizes such as {even}",
            hint=f"--size {even}, or --codec {suited}",
        )


def _checked(chunk: Frames | None, first: Frames | None, count: int) -> Frames:
    if chunk is None or (first is None and not len(chunk)):
        raise GenerationError("there are no frames to write")
    if chunk.ndim != 4 or chunk.shape[3] not in {1, 3, 4}:
        raise GenerationError(f"frames have shape {chunk.shape}, must be [T, H, W, 1, 3 or 4]")
    if first is not None and (chunk.shape[1:] != first.shape[1:] or chunk.dtype != first.dtype):
        raise GenerationError(
            f"frame {count} is {chunk.dtype} {chunk.shape[1:]}, the first {first.dtype} {first.shape[1:]}"
        )
    if chunk.dtype.kind == "f" and not np.isfinite(chunk).all():
        bad = int(np.flatnonzero(~np.isfinite(chunk).all(axis=(1, 2, 3)))[0])
        raise GenerationError(f"frame {count + bad} has values that are not finite")
    return chunk


def _same(first: Frames, rest: Iterator[Frames]) -> Iterator[Frames]:
    yield first
    count = len(first)
    for chunk in rest:
        yield _checked(chunk, first, count)
        count += len(chunk)


def _verified(
    path: Path, encoder: _Encoder, fps: Fraction, frames: int | None, comment: str | None
) -> VideoFacts:
    facts = probe(path)
    wanted = encoder.count if frames is None else frames
    if not facts.frames == encoder.count == wanted:
        raise GenerationError(
            f"{path.name!r} has {facts.frames} frames, {encoder.count} were given, wanted {wanted}"
        )
    if (facts.width, facts.height) != (encoder.width, encoder.height):
        raise GenerationError(
            f"{path.name!r} is {facts.width}x{facts.height}, wanted {encoder.width}x{encoder.height}"
        )
    slack = Fraction(1, 100) if path.suffix.lower() in _MILLISECONDS else Fraction(0)
    if facts.fps is None or abs(facts.fps - fps) > slack:
        raise GenerationError(f"{path.name!r} has {facts.fps} frames per second, wanted {fps}")
    if not encoder.codec.rgb and (facts.primaries, facts.transfer, facts.matrix) != ("bt709",) * 3:
        raise GenerationError(f"{path.name!r} is tagged {facts.primaries}, {facts.transfer}, {facts.matrix}")
    if comment is not None and read_comment(path) != (comment.strip(" \0\r\n\t") or None):
        raise GenerationError(f"the comment of {path.name!r} does not read back")
    return facts
