"""Reading files into frames and sound."""

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

_MAX_SOUND_SAMPLES = 2**31

Index = tuple[int, list[int] | None]
"""How many frames a file shows, and their time stamps in order."""


def read_video(path: Path | str, *, start: int = 0, count: int | None = None, audio: bool = True) -> Clip:
    """Frames of a video, exactly those asked for, with their sound.

    Args:
        path: a file of `opening.VIDEO_SUFFIXES`.
        start: first frame.
        count: how many; None reads to the end.
        audio: read the sound too, cut to the frames.

    Returns:
        A clip of uint8, or of uint16 where the source has more than 8 bits; C is 4 where it has alpha.
        Frames are upright, one for each that the file shows, at its average rate.

    Raises:
        MediaError: missing, empty, not a video, broken, cut off, too large, or shorter than asked for.
    """
    facts = probe(path)
    wanted = _wanted(facts, start, count, path)
    pieces = list(stream_video(path, start=start, count=wanted))
    assert facts.fps is not None
    sound = _sound_of(path, facts.fps, start, wanted) if audio and facts.audio_codec else None
    return Clip(frames=np.concatenate(pieces), fps=facts.fps, audio=sound)


def stream_video(
    path: Path | str, *, start: int = 0, count: int | None = None, chunk: int = 16
) -> Iterator[Frames]:
    """The frames of `read_video` in pieces of at most `chunk`, never all at once.

    Raises:
        MediaError: as `read_video`; checks come before the first piece, decoding errors when they are met.
    """
    found = check_file(path, VIDEO_SUFFIXES, "video")
    check_complete(found)
    return _pieces(found, _decoded(found, start, count, _index(found)), chunk)


def read_frames(path: Path | str, indices: list[int]) -> Frames:
    """Single frames of a video, in the order asked for.

    Args:
        path: a file of `opening.VIDEO_SUFFIXES`.
        indices: from 0; at least one.

    Raises:
        MediaError: as `read_video`.
    """
    found = check_file(path, VIDEO_SUFFIXES, "video")
    check_complete(found)
    index = _index(found)
    frames = {at: next(_pieces(found, _decoded(found, at, 1, index), 1)) for at in sorted(set(indices))}
    return np.concatenate([frames[at] for at in indices])


def read_video_or_still(path: Path | str, *, fps: Fraction = Fraction(16)) -> Clip:
    """A video, or a still picture as a clip of one frame at `fps`.

    Raises:
        MediaError: as `read_video` and `read_image`.
    """
    if Path(path).suffix.lower() in IMAGE_SUFFIXES:
        return Clip(frames=read_image(path), fps=fps)
    return read_video(path)


def read_audio(path: Path | str) -> Audio:
    """All the sound of a sound or video file.

    Raises:
        MediaError: missing, empty, not sound, broken, or a video without sound.
    """
    found = check_file(path, AUDIO_SUFFIXES | VIDEO_SUFFIXES, "sound")
    if Path(path).suffix.lower() in AUDIO_SUFFIXES - {".m4a", ".aac"}:
        with media_errors(path, "sound"), soundfile.SoundFile(str(found)) as file:
            if file.frames * file.channels > _MAX_SOUND_SAMPLES:
                raise MediaError(f"{str(path)!r} is too large: {file.frames} samples")
            samples = file.read(dtype="float32", always_2d=True)
            return Audio(samples=samples, rate=file.samplerate)
    check_complete(found)
    return _decode_sound(found, None)


def _wanted(facts: MediaFacts, start: int, count: int | None, path: Path | str) -> int:
    if facts.kind != "video":
        raise MediaError(f"{str(path)!r} is {facts.kind}, not video")
    wanted = facts.frames - start if count is None else count
    if start < 0 or wanted < 1 or start + wanted > facts.frames:
        raise MediaError(f"{str(path)!r} has {facts.frames} frames, asked for {wanted} from frame {start}")
    # Six bytes a pixel is what 16 bit RGB takes.
    if facts.width * facts.height * 6 * wanted > MAX_CLIP_BYTES:
        raise MediaError(f"{str(path)!r} is too large: {wanted} frames of {facts.width}x{facts.height}")
    return wanted


def _pieces(path: Path, frames: Iterator[av.VideoFrame], chunk: int) -> Iterator[Frames]:
    converter: colour.Converter | None = None
    pending: list[Frames] = []
    shape: tuple[int, int, str] | None = None
    for frame in frames:
        with media_errors(path, "video"):
            seen = (frame.width, frame.height, frame.format.name)
            if converter is None or shape is None:
                converter, shape = colour.from_decoder(frame), seen
            if seen != shape:
                raise MediaError(f"{path.name!r} changes from {shape} to {seen} on the way")
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
    """Decoded frames from number `start` on, found by time stamp, or by counting where there are none."""
    if start and stamps is not None:
        with open_container(path) as opened:
            stream = video_stream(opened, path)
            opened.seek(stamps[start], stream=stream, backward=True)
            frames = decode_frames(opened, stream)
            first = next(frames, None)
            # A seek may land behind the frame where the index is poor; then count from the start.
            if first is not None and first.pts is not None and first.pts <= stamps[start]:
                if first.pts == stamps[start]:
                    yield first
                yield from (frame for frame in frames if frame.pts is None or frame.pts >= stamps[start])
                return
    with open_container(path) as opened:
        for index, frame in enumerate(decode_frames(opened, video_stream(opened, path))):
            if index >= start:
                yield frame


def _sound_of(path: Path | str, fps: Fraction, start: int, frames: int) -> Audio:
    sound = _decode_sound(Path(path).resolve(), (start + frames) / fps)
    first = samples_at(start, sound.rate, fps)
    last = samples_at(start + frames, sound.rate, fps)
    return Audio(samples=sound.samples[first:last], rate=sound.rate)


def _decode_sound(path: Path, seconds: Fraction | None) -> Audio:
    """The first sound stream, starting when the picture does."""
    with open_container(path, "sound") as opened:
        stream = audio_stream(opened)
        if stream is None:
            raise MediaError(f"{path.name!r} has no sound in it")
        rate = stream.codec_context.sample_rate
        picture = opened.streams.video[0] if opened.streams.video else None
        zero = Fraction(0)
        if picture is not None and picture.start_time is not None and picture.time_base is not None:
            zero = picture.start_time * picture.time_base
        resampler = av.AudioResampler(
            format="flt", layout=channel_layout(stream.codec_context.channels), rate=rate
        )
        parts: list[np.ndarray[Any, Any]] = []
        length, ahead = 0, None
        sounding: Iterator[Any] = opened.decode(stream)
        for frame in sounding:
            if ahead is None:
                stamped = frame.pts is not None and frame.time_base is not None
                begin = frame.pts * frame.time_base if stamped else zero
                ahead = round((begin - zero) * rate)
                if abs(ahead) > _MAX_SOUND_SAMPLES // 16:
                    raise MediaError(
                        f"the sound of {path.name!r} starts {ahead // rate} seconds after its picture"
                    )
            for part in resampler.resample(frame):
                parts.append(part.to_ndarray().reshape(-1, stream.codec_context.channels))
                length += len(parts[-1])
            if length > _MAX_SOUND_SAMPLES or (seconds is not None and length + ahead > seconds * rate):
                break
    if not parts:
        raise MediaError(f"{path.name!r} has no sound in it")
    samples = np.concatenate(parts).astype(np.float32, copy=False)
    ahead = ahead or 0
    if ahead > 0:
        gap = np.zeros((ahead, samples.shape[1]), np.float32)
        samples = np.concatenate([gap, samples])
    sound = Audio(samples=samples[max(-ahead, 0) :], rate=rate)
    return sound if seconds is None else fit_samples(sound, min(len(sound.samples), int(seconds * rate) + 1))
