"""Audio in step with frames: cut, pad, resample, mix and join."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from av import AudioFrame, AudioResampler
from numpy.typing import NDArray

from wangp_cli.errors import MediaError
from wangp_cli.media.clip import Audio

_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def samples_at(frame: int, rate: int, fps: Fraction) -> int:
    """Index of the first sample of a frame: `round(frame * rate / fps)`."""
    return round(Fraction(frame * rate) / fps)


def silence(samples: int, channels: int, rate: int) -> Audio:
    """Silence of `samples` samples."""
    return Audio(samples=np.zeros((samples, channels), np.float32), rate=rate)


def fit_samples(audio: Audio, samples: int) -> Audio:
    """The audio with exactly `samples` samples: cut at the end, or padded with silence."""
    available = len(audio.samples)
    if available >= samples:
        return Audio(samples=audio.samples[:samples], rate=audio.rate)
    padding = np.zeros((samples - available, audio.samples.shape[1]), np.float32)
    return Audio(samples=np.concatenate([audio.samples, padding]), rate=audio.rate)


def cut(audio: Audio, fps: Fraction, *, start: int = 0, frames: int | None = None) -> Audio:
    """The audio of some frames; shorter where the audio ends first.

    Args:
        audio: begins with frame 0.
        fps: frames per second.
        start: first frame.
        frames: number of frames; None goes to the end of the audio.
    """
    first = samples_at(start, audio.rate, fps)
    last = None if frames is None else samples_at(start + frames, audio.rate, fps)
    return Audio(samples=audio.samples[first:last], rate=audio.rate)


def fit_frames(audio: Audio, frames: int, fps: Fraction) -> Audio:
    """The audio exactly as long as `frames` frames: cut at the end, or padded with silence."""
    return fit_samples(audio, samples_at(frames, audio.rate, fps))


def resample(audio: Audio, rate: int) -> Audio:
    """The audio at another sample rate, `round(N * rate / audio.rate)` samples long."""
    if rate == audio.rate:
        return audio
    channels = audio.samples.shape[1]
    layout = channel_layout(channels)
    resampler = AudioResampler(format="flt", layout=layout, rate=rate)
    parts = resampler.resample(to_audio_frame(audio.samples, layout, audio.rate)) + resampler.resample(None)
    # Few samples may give none, so an empty array comes first.
    flat = np.concatenate([np.zeros(0, np.float32), *(part.to_ndarray().reshape(-1) for part in parts)])
    wanted = round(Fraction(len(audio.samples) * rate, audio.rate))
    return fit_samples(Audio(samples=flat.reshape(-1, channels).astype(np.float32), rate=rate), wanted)


def mix(audio: Audio, channels: int) -> Audio:
    """The audio with another number of channels.

    One channel is copied to all; several become one by their mean; else the last ones are dropped or added
    as silence.
    """
    given = audio.samples.shape[1]
    if given == channels:
        return audio
    if given == 1:
        samples = np.repeat(audio.samples, channels, axis=1)
    elif channels == 1:
        samples = audio.samples.mean(axis=1, keepdims=True, dtype=np.float32)
    else:
        samples = np.zeros((len(audio.samples), channels), np.float32)
        samples[:, : min(given, channels)] = audio.samples[:, :channels]
    return Audio(samples=samples, rate=audio.rate)


def join(parts: Sequence[tuple[Audio | None, int]], fps: Fraction) -> Audio | None:
    """The audio of clips one after another, in step with their frames.

    Args:
        parts: audio of each clip, None for silence, and the number of its frames.
        fps: frames per second of all clips.

    Returns:
        Audio with the highest sample rate and the most channels among the parts; None if no part has any.
    """
    given = [audio for audio, _ in parts if audio is not None]
    if not given:
        return None
    rate = max(audio.rate for audio in given)
    channels = max(audio.samples.shape[1] for audio in given)
    pieces, frame = [], 0
    for audio, frames in parts:
        # Lengths come from the running frame count, so rounding errors do not add up.
        length = samples_at(frame + frames, rate, fps) - samples_at(frame, rate, fps)
        source = silence(0, channels, rate) if audio is None else mix(resample(audio, rate), channels)
        pieces.append(fit_samples(source, length).samples)
        frame += frames
    return Audio(samples=np.concatenate(pieces), rate=rate)


def channel_layout(channels: int) -> str:
    """FFmpeg's channel layout for a number of channels.

    Raises:
        MediaError: 0 channels, or more than 8.
    """
    if channels not in _LAYOUTS:
        raise MediaError(f"audio: {channels} channels, must be 1 to 8")
    return _LAYOUTS[channels]


def to_audio_frame(samples: NDArray[np.float32], layout: str, rate: int) -> AudioFrame:
    """Samples `[N, channels]` as one audio frame of PyAV."""
    flat = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
    frame = AudioFrame.from_ndarray(flat, format="flt", layout=layout)
    frame.sample_rate = rate
    return frame
