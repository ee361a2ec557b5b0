"""Writing frames and audio into video files, which are read back and checked.

PyAV is used directly: imageio's plugin for it has no constant quality, colour tags, audio or exact rates.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np

from wangp_cli.errors import GenerationError, MediaError
from wangp_cli.media.clip import Audio, Frames
from wangp_cli.media.codecs import MILLISECOND_CONTAINERS, Codec, check_rate, choose_codec
from wangp_cli.media.encoding import AudioStreamEncoder, VideoStreamEncoder
from wangp_cli.media.facts import MediaFacts, probe
from wangp_cli.media.metadata import read_comment

_MAX_MOV_COMMENT_BYTES = 65_535


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

    Args:
        path, fps, codec, crf, audio, comment: as `VideoWriter` takes them.
        chunks: `[T, H, W, C]` each, all of one H, W and C.
        frames: expected number of frames.

    Raises:
        MediaError, GenerationError, OSError: as `VideoWriter` does.
    """
    with VideoWriter(path, fps=fps, codec=codec, crf=crf, audio=audio, comment=comment) as writer:
        for chunk in chunks:
            writer.add(chunk)
        return writer.finish(frames)


class VideoWriter:
    """Encodes frames into a video file as they are added; several writers can share one stream of frames.

    A context: if it is left before `finish` has returned, the file is deleted.

    Colour is BT.709, converted and tagged. 16 bit and float frames keep the precision that the codec has; one
    channel becomes grey. Alpha is straight: the colour of a pixel is not multiplied by its alpha.

    Args:
        path: the file to make or replace; its suffix is the container.
        fps: frames per second, exact.
        codec: a key of `codecs.CODECS`; None for the container's default, for RGBA frames one with alpha.
        crf: constant quality; None for the codec's own.
        audio: from the first frame on; cut to the frames, or padded with silence.
        comment: text for the container's comment tag.

    Raises:
        MediaError: the codec or container cannot store the size, alpha, quality or comment; of alpha and size
            when the first frames are added.
        GenerationError: no frames, values that are not finite, or the file read back differs.
        OSError: the disk is full or the folder cannot be written.
    """

    def __init__(
        self,
        path: Path,
        *,
        fps: Fraction,
        codec: str | None = None,
        crf: int | None = None,
        audio: Audio | None = None,
        comment: str | None = None,
    ) -> None:
        choose_codec(codec, path.suffix).quality(crf if codec else None)
        _check_comment(path, comment)
        self._path, self._fps, self._codec, self._crf = path.absolute(), fps, codec, crf
        self._audio, self._comment = audio, comment
        self._first: Frames | None = None
        self._container: Any = None
        self._finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._container is None or self._finished:
            return
        # Closing writes a trailer, which fails again on a full disk; the first error is to be raised.
        with suppress(Exception):
            self._container.close()
        self._path.unlink(missing_ok=True)

    def add(self, chunk: Frames) -> None:
        """Encode the next frames, `[T, H, W, C]`, all of the H, W, C and dtype of the first."""
        _check_frames(chunk, self._first, 0 if self._first is None else self._encoder.count)
        if self._first is None:
            self._open(chunk)
        with self._errors:
            self._encoder.add(chunk)
            if self._audio_encoder is not None:
                self._audio_encoder.encode_until(self._encoder.count)

    def finish(self, frames: int | None = None) -> WrittenVideo:
        """Complete the file, read it back and check it.

        Args:
            frames: expected number of frames; None for any.
        """
        if self._first is None:
            raise GenerationError("there are no frames to write")
        with self._errors:
            self._encoder.finish()
            if self._audio_encoder is not None:
                self._audio_encoder.finish()
            self._container.close()
        facts = _verified(self._path, self._encoder, self._fps, frames, self._comment)
        self._finished = True
        return WrittenVideo(width=facts.width, height=facts.height, codec=self._encoder.codec.name)

    def _open(self, first: Frames) -> None:
        chosen = choose_codec(self._codec, self._path.suffix, alpha=first.shape[3] == 4)
        quality = chosen.quality(self._crf)
        check_rate(chosen, self._path.suffix, self._fps)
        self._errors = _encoder_errors(chosen, first)
        options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if _is_mov(self._path) else {})
        with self._errors:
            self._container = av.open(str(self._path), "w", container_options=options)
            if self._comment is not None:
                self._container.metadata["comment"] = self._comment
            self._encoder = VideoStreamEncoder(self._container, chosen, quality, first, self._fps)
            self._audio_encoder = (
                None
                if self._audio is None
                else AudioStreamEncoder(
                    self._container, chosen, self._path.suffix.lower(), self._audio, self._fps
                )
            )
        # All others have its size and dtype; its pixels are not kept.
        self._first = np.empty((0, *first.shape[1:]), first.dtype)


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


def _check_frames(chunk: Frames, first: Frames | None, count: int) -> None:
    if first is None and not len(chunk):
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
    slack = Fraction(1, 100) if path.suffix.lower() in MILLISECOND_CONTAINERS else Fraction(0)
    if facts.fps is None or abs(facts.fps - fps) > slack:
        raise GenerationError(f"{path.name!r} has {facts.fps} frames per second, wanted {fps}")
    if not encoder.codec.rgb and (facts.primaries, facts.transfer, facts.matrix) != ("bt709",) * 3:
        raise GenerationError(f"{path.name!r} is tagged {facts.primaries}, {facts.transfer}, {facts.matrix}")
    if comment is not None and read_comment(path) != (comment.strip(" \0\r\n\t") or None):
        raise GenerationError(f"the comment of {path.name!r} does not read back")
    return facts
