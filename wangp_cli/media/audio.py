"""Sound that fits a picture: cut, resampled, mixed and joined."""

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
    """Nothing to hear, `samples` long."""
    return Audio(samples=np.zeros((samples, channels), np.float32), rate=rate)


def fit_samples(audio: Audio, samples: int) -> Audio:
    """Exactly that many samples: cut at the end, or followed by silence."""
    have = len(audio.samples)
    if have >= samples:
        return Audio(samples=audio.samples[:samples], rate=audio.rate)
    gap = np.zeros((samples - have, audio.samples.shape[1]), np.float32)
    return Audio(samples=np.concatenate([audio.samples, gap]), rate=audio.rate)


def cut(audio: Audio, fps: Fraction, *, start: int = 0, frames: int | None = None) -> Audio:
    """The sound of some frames; shorter where the sound ends first.

    Args:
        audio: sound that begins with frame 0.
        fps: frames per second.
        start: first frame.
        frames: how many; None goes to the end of the sound.
    """
    first = samples_at(start, audio.rate, fps)
    last = None if frames is None else samples_at(start + frames, audio.rate, fps)
    return Audio(samples=audio.samples[first:last], rate=audio.rate)


def fit_frames(audio: Audio, frames: int, fps: Fraction) -> Audio:
    """Exactly as long as that many frames: cut, or followed by silence."""
    return fit_samples(audio, samples_at(frames, audio.rate, fps))


def resample(audio: Audio, rate: int) -> Audio:
    """The same sound at another rate, `round(N * rate / audio.rate)` samples long."""
    if rate == audio.rate:
        return audio
    channels = audio.samples.shape[1]
    layout = channel_layout(channels)
    machine = AudioResampler(format="flt", layout=layout, rate=rate)
    parts = machine.resample(to_audio_frame(audio.samples, layout, audio.rate)) + machine.resample(None)
    # A handful of samples may give none.
    flat = np.concatenate([np.zeros(0, np.float32), *(part.to_ndarray().reshape(-1) for part in parts)])
    wanted = round(Fraction(len(audio.samples) * rate, audio.rate))
    return fit_samples(Audio(samples=flat.reshape(-1, channels).astype(np.float32), rate=rate), wanted)


def mix(audio: Audio, channels: int) -> Audio:
    """The same sound on another number of channels.

    One channel is copied to all; many become one by their mean; else channels are dropped or silent.
    """
    have = audio.samples.shape[1]
    if have == channels:
        return audio
    if have == 1:
        samples = np.repeat(audio.samples, channels, axis=1)
    elif channels == 1:
        samples = audio.samples.mean(axis=1, keepdims=True, dtype=np.float32)
    else:
        samples = np.zeros((len(audio.samples), channels), np.float32)
        samples[:, : min(have, channels)] = audio.samples[:, :channels]
    return Audio(samples=samples, rate=audio.rate)


def join(parts: Sequence[tuple[Audio | None, int]], fps: Fraction) -> Audio | None:
    """The sound of clips one after another, in step with their frames.

    Args:
        parts: sound of each clip and how many frames it takes; None is silence.
        fps: frames per second of all.

    Returns:
        Sound with the highest rate and the most channels among the parts; None when all are silent.
    """
    heard = [audio for audio, _ in parts if audio is not None]
    if not heard:
        return None
    rate = max(audio.rate for audio in heard)
    channels = max(audio.samples.shape[1] for audio in heard)
    pieces, frame = [], 0
    for audio, frames in parts:
        # Lengths come from the running count, so rounding never adds up.
        length = samples_at(frame + frames, rate, fps) - samples_at(frame, rate, fps)
        source = silence(0, channels, rate) if audio is None else mix(resample(audio, rate), channels)
        pieces.append(fit_samples(source, length).samples)
        frame += frames
    return Audio(samples=np.concatenate(pieces), rate=rate)


def channel_layout(channels: int) -> str:
    """FFmpeg's name for a number of channels.

    Raises:
        MediaError: none, or more than eight.
    """
    if channels not in _LAYOUTS:
        raise MediaError(f"audio: {channels} channels, must be 1 to 8")
    return _LAYOUTS[channels]


def to_audio_frame(samples: NDArray[np.float32], layout: str, rate: int) -> AudioFrame:
    """Samples `[N, channels]` as one frame for FFmpeg."""
    flat = np.ascontiguousarray(samples, np.float32).reshape(1, -1)
    frame = AudioFrame.from_ndarray(flat, format="flt", layout=layout)
    frame.sample_rate = rate
    return frame
