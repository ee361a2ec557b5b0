"""Reading the audio of audio and video files into samples."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from wangp_cli.errors import MediaError
from wangp_cli.media.audio import channel_layout, fit_samples, samples_at
from wangp_cli.media.clip import Audio
from wangp_cli.media.decoding import audio_stream
from wangp_cli.media.opening import (
    AUDIO_SUFFIXES,
    VIDEO_SUFFIXES,
    check_complete,
    check_file,
    media_errors,
    open_container,
)

_MAX_AUDIO_SAMPLES = 2**31


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


def audio_of_frames(path: Path | str, fps: Fraction, start: int, frames: int) -> Audio:
    """The audio of some frames of a video.

    Args:
        path: of a video with audio.
        fps: frames per second of the video.
        start: first frame.
        frames: number of frames.

    Raises:
        MediaError: as `read_audio`.
    """
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
