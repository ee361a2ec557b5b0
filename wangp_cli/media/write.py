"""Writing frames and audio into video files, which are read back and checked.

PyAV is used directly: imageio's plugin for it has no constant quality, colour tags, audio or exact rates.
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
from wangp_cli.media.clip import Audio, Frames
from wangp_cli.media.codecs import Codec, choose_codec
from wangp_cli.media.encoding import AudioStreamEncoder, VideoStreamEncoder
from wangp_cli.media.facts import MediaFacts, probe
from wangp_cli.media.metadata import read_comment

_MAX_MOV_COMMENT_BYTES = 65_535
_MILLISECOND_CONTAINERS = frozenset({".mkv", ".webm"})


@dataclass(frozen=True, kw_only=True)
class WrittenVideo:
    """A finished video file, as read back from it.

    Args:
        width: in pixels.
        height: in pixels.
        codec: a key of `codecs.CODECS`.
    """

    width: int
    height: int
    codec: str


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
) -> WrittenVideo:
    """Encode a stream of frames, then reopen the file and check it.

    Colour is BT.709, converted and tagged. 16 bit and float frames keep the precision that the codec has; one
    channel becomes grey.

    Args:
        path: the file to make or replace; its suffix is the container.
        chunks: `[T, H, W, C]` each, all of one H, W and C.
        fps: frames per second, exact.
        codec: a key of `codecs.CODECS`; None for the container's default.
        crf: constant quality; None for the codec's own.
        audio: from the first frame on; cut to the frames, or padded with silence.
        comment: text for the container's comment tag.
        frames: expected number of frames.

    Raises:
        MediaError: the codec or container cannot store the size, alpha, quality or comment.
        GenerationError: no frames, values that are not finite, or the file read back differs.
        OSError: the disk is full or the folder cannot be written. The file is deleted after any error.
    """
    chosen = choose_codec(codec, path.suffix)
    quality = chosen.quality(crf)
    _check_comment(path, comment)
    target = path.absolute()
    source = iter(chunks)
    first = _checked(next(source, None), None, 0)
    options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if _is_mov(path) else {})
    with _encoder_errors(chosen, first):
        container = av.open(str(target), "w", container_options=options)
    try:
        if comment is not None:
            container.metadata["comment"] = comment
        with _encoder_errors(chosen, first):
            encoder = VideoStreamEncoder(container, chosen, quality, first, fps)
            audio_encoder = (
                None
                if audio is None
                else AudioStreamEncoder(container, chosen, path.suffix.lower(), audio, fps)
            )
        for chunk in _same(first, source):
            with _encoder_errors(chosen, first):
                encoder.add(chunk)
                if audio_encoder is not None:
                    audio_encoder.encode_until(encoder.count)
        with _encoder_errors(chosen, first):
            encoder.finish()
            if audio_encoder is not None:
                audio_encoder.finish()
            container.close()
        facts = _verified(target, encoder, fps, frames, comment)
    except BaseException:
        # Closing writes a trailer, which fails again on a full disk; the first error is to be raised.
        with suppress(Exception):
            container.close()
        target.unlink(missing_ok=True)
        raise
    return WrittenVideo(width=facts.width, height=facts.height, codec=chosen.name)


class _encoder_errors:  # noqa: N801 - a context manager, used like a function
    """A context in which errors of FFmpeg become MediaErrors, except OSErrors such as a full disk."""

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
        and (size := len(comment.encode())) > _MAX_MOV_COMMENT_BYTES
    ):
        raise MediaError(
            f"output: MOV holds a comment of 64 KB, this is {size // 1024} KB",
            hint="--metadata-mode sidecar, or write .mp4",
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
    path: Path, encoder: VideoStreamEncoder, fps: Fraction, frames: int | None, comment: str | None
) -> MediaFacts:
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
    slack = Fraction(1, 100) if path.suffix.lower() in _MILLISECOND_CONTAINERS else Fraction(0)
    if facts.fps is None or abs(facts.fps - fps) > slack:
        raise GenerationError(f"{path.name!r} has {facts.fps} frames per second, wanted {fps}")
    if not encoder.codec.rgb and (facts.primaries, facts.transfer, facts.matrix) != ("bt709",) * 3:
        raise GenerationError(f"{path.name!r} is tagged {facts.primaries}, {facts.transfer}, {facts.matrix}")
    if comment is not None and read_comment(path) != (comment.strip(" \0\r\n\t") or None):
        raise GenerationError(f"the comment of {path.name!r} does not read back")
    return facts
