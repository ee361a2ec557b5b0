"""Reading video and audio files into frames and samples."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from wangp_cli.errors import MediaError
from wangp_cli.media import colour
from wangp_cli.media.audio import channel_layout, fit_samples, samples_at
from wangp_cli.media.clip import Audio, Clip, Frames
from wangp_cli.media.decoding import audio_stream, decode_frames, frame_timestamps, video_stream
from wangp_cli.media.facts import MediaFacts, probe
from wangp_cli.media.opening import (
    AUDIO_SUFFIXES,
    IMAGE_SUFFIXES,
    MAX_CLIP_BYTES,
    VIDEO_SUFFIXES,
    check_complete,
    check_file,
    check_pixels,
    media_errors,
    open_container,
)  # fmt: skip
from wangp_cli.media.stills import read_image

_MAX_AUDIO_SAMPLES = 2**31

Index = tuple[int, list[int] | None]
"""The number of frames of a file, and their sorted time stamps."""


def read_video(path: Path | str, *, start: int = 0, count: int | None = None, audio: bool = True) -> Clip:
    """A range of frames of a video, with its audio.

    Args:
        path: a file of `opening.VIDEO_SUFFIXES`.
        start: first frame.
        count: number of frames; None reads to the end.
        audio: read the audio too, cut to the frames.

    Returns:
        A clip of uint8, or of uint16 where the source has more than 8 bits; C is 4 where it has alpha.
        Frames are upright, one for each in the file, at its average rate.

    Raises:
        MediaError: the file is missing, empty, not a video, broken, cut off, too large, or too short.
    """
    facts = probe(path)
    wanted = _wanted(facts, start, count, path)
    pieces = list(stream_video(path, start=start, count=wanted))
    assert facts.fps is not None
    samples = _audio_of(path, facts.fps, start, wanted) if audio and facts.audio_codec else None
    return Clip(frames=np.concatenate(pieces), fps=facts.fps, audio=samples)


def stream_video(
    path: Path | str, *, start: int = 0, count: int | None = None, chunk: int = 16
) -> Iterator[Frames]:
    """The frames of `read_video` as a stream, in pieces of at most `chunk`.

    Raises:
        MediaError: as `read_video`; of checks before the first piece, of decoding at the broken frame.
    """
    file = check_file(path, VIDEO_SUFFIXES, "video")
    check_complete(file)
    return _pieces(file, _decoded(file, start, count, _index(file)), chunk)


def read_frames(path: Path | str, indices: list[int]) -> Frames:
    """Frames of a video by index, in the order given.

    Args:
        path: a file of `opening.VIDEO_SUFFIXES`.
        indices: from 0, at least one; they may repeat.

    Raises:
        MediaError: as `read_video`.
    """
    file = check_file(path, VIDEO_SUFFIXES, "video")
    check_complete(file)
    index = _index(file)
    frames = {at: next(_pieces(file, _decoded(file, at, 1, index), 1)) for at in sorted(set(indices))}
    return np.concatenate([frames[at] for at in indices])


def read_video_or_still(path: Path | str, *, fps: Fraction = Fraction(16)) -> Clip:
    """A video, or an image as a clip of one frame at `fps`.

    Raises:
        MediaError: as `read_video` and `read_image`.
    """
    if Path(path).suffix.lower() in IMAGE_SUFFIXES:
        return Clip(frames=read_image(path), fps=fps)
    return read_video(path)


def read_audio(path: Path | str) -> Audio:
    """The whole audio of an audio or video file.

    Raises:
        MediaError: the file is missing, empty, not audio, broken, or a video without audio.
    """
    checked = check_file(path, AUDIO_SUFFIXES | VIDEO_SUFFIXES, "audio")
    if Path(path).suffix.lower() in AUDIO_SUFFIXES - {".m4a", ".aac"}:
        with media_errors(path, "audio"), soundfile.SoundFile(str(checked)) as file:
            if file.frames * file.channels > _MAX_AUDIO_SAMPLES:
                raise MediaError(f"{str(path)!r} is too large: {file.frames} samples")
            samples = file.read(dtype="float32", always_2d=True)
            return Audio(samples=samples, rate=file.samplerate)
    check_complete(checked)
    return _decode_audio(checked, None)


def _wanted(facts: MediaFacts, start: int, count: int | None, path: Path | str) -> int:
    if facts.kind != "video":
        raise MediaError(f"{str(path)!r} is {facts.kind}, not video")
    wanted = facts.frames - start if count is None else count
    if start < 0 or wanted < 1 or start + wanted > facts.frames:
        raise MediaError(f"{str(path)!r} has {facts.frames} frames, asked for {wanted} from frame {start}")
    # 16 bit RGB takes six bytes per pixel.
    if facts.width * facts.height * 6 * wanted > MAX_CLIP_BYTES:
        raise MediaError(f"{str(path)!r} is too large: {wanted} frames of {facts.width}x{facts.height}")
    return wanted


def _pieces(path: Path, frames: Iterator[av.VideoFrame], chunk: int) -> Iterator[Frames]:
    converter: colour.Converter | None = None
    pending: list[Frames] = []
    shape: tuple[int, int, str] | None = None
    for frame in frames:
        with media_errors(path, "video"):
            current = (frame.width, frame.height, frame.format.name)
            if converter is None or shape is None:
                converter, shape = colour.from_decoder(frame), current
            if current != shape:
                raise MediaError(f"{path.name!r} changes from {shape} to {current} on the way")
            turns = round(frame.rotation / 90) % 4
            pixels = converter.convert(frame).to_ndarray()
        pending.append(np.ascontiguousarray(np.rot90(pixels, turns)))
        if len(pending) == chunk:
            yield np.stack(pending)
            pending = []
    if pending:
        yield np.stack(pending)


def _index(path: Path) -> Index:
    with open_container(path) as opened:
        stream = video_stream(opened, path)
        check_pixels(stream.width, stream.height, path)
        return frame_timestamps(opened, stream)


def _decoded(path: Path, start: int, count: int | None, index: Index) -> Iterator[av.VideoFrame]:
    total, stamps = index
    wanted = total - start if count is None else count
    if start < 0 or wanted < 1 or start + wanted > total:
        raise MediaError(f"{path.name!r} has {total} frames, asked for {wanted} from frame {start}")
    given = 0
    for frame in _from(path, start, stamps):
        yield frame
        given += 1
        if given == wanted:
            return
    raise MediaError(f"{path.name!r} is broken: {given} of {wanted} frames decode")


def _from(path: Path, start: int, stamps: list[int] | None) -> Iterator[av.VideoFrame]:
    """Decoded frames from index `start` on, sought by time stamp, or counted where there are none."""
    if start and stamps is not None:
        with open_container(path) as opened:
            stream = video_stream(opened, path)
            opened.seek(stamps[start], stream=stream, backward=True)
            frames = decode_frames(opened, stream)
            first = next(frames, None)
            # With a poor index a seek may land after the frame; then count from the start.
            if first is not None and first.pts is not None and first.pts <= stamps[start]:
                if first.pts == stamps[start]:
                    yield first
                yield from (frame for frame in frames if frame.pts is None or frame.pts >= stamps[start])
                return
    with open_container(path) as opened:
        for index, frame in enumerate(decode_frames(opened, video_stream(opened, path))):
            if index >= start:
                yield frame


def _audio_of(path: Path | str, fps: Fraction, start: int, frames: int) -> Audio:
    audio = _decode_audio(Path(path).resolve(), (start + frames) / fps)
    first = samples_at(start, audio.rate, fps)
    last = samples_at(start + frames, audio.rate, fps)
    return Audio(samples=audio.samples[first:last], rate=audio.rate)


def _decode_audio(path: Path, seconds: Fraction | None) -> Audio:
    """The first audio stream, aligned to the start of the video; at most `seconds` of it."""
    with open_container(path, "audio") as opened:
        stream = audio_stream(opened)
        if stream is None:
            raise MediaError(f"{path.name!r} has no audio")
        rate = stream.codec_context.sample_rate
        video = opened.streams.video[0] if opened.streams.video else None
        zero = Fraction(0)
        if video is not None and video.start_time is not None and video.time_base is not None:
            zero = video.start_time * video.time_base
        resampler = av.AudioResampler(
            format="flt", layout=channel_layout(stream.codec_context.channels), rate=rate
        )
        parts: list[np.ndarray[Any, Any]] = []
        length, offset = 0, None
        decoded: Iterator[Any] = opened.decode(stream)
        for frame in decoded:
            if offset is None:
                stamped = frame.pts is not None and frame.time_base is not None
                begin = frame.pts * frame.time_base if stamped else zero
                offset = round((begin - zero) * rate)
                if abs(offset) > _MAX_AUDIO_SAMPLES // 16:
                    raise MediaError(
                        f"the audio of {path.name!r} starts {offset // rate} seconds after its frames"
                    )
            for part in resampler.resample(frame):
                parts.append(part.to_ndarray().reshape(-1, stream.codec_context.channels))
                length += len(parts[-1])
            if length > _MAX_AUDIO_SAMPLES or (seconds is not None and length + offset > seconds * rate):
                break
    if not parts:
        raise MediaError(f"{path.name!r} has no audio")
    samples = np.concatenate(parts).astype(np.float32, copy=False)
    offset = offset or 0
    if offset > 0:
        gap = np.zeros((offset, samples.shape[1]), np.float32)
        samples = np.concatenate([gap, samples])
    audio = Audio(samples=samples[max(-offset, 0) :], rate=rate)
    return audio if seconds is None else fit_samples(audio, min(len(audio.samples), int(seconds * rate) + 1))
