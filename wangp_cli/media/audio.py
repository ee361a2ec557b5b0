"""Audio in step with frames: cut, pad, resample and join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby

import numpy as np
from av import AudioLayout, AudioResampler

from wangp_cli.media.channels import layout_of, remix, to_audio_frame, widest
from wangp_cli.media.clip import Audio


def samples_at(frame: int, rate: int, fps: Fraction) -> int:
    """Index of the first sample of a frame: `round(frame * rate / fps)`."""
    return round(Fraction(frame * rate) / fps)


def silence(samples: int, layout: str, rate: int) -> Audio:
    """Silence of `samples` samples."""
    channels = AudioLayout(layout).nb_channels
    return Audio(samples=np.zeros((samples, channels), np.float32), rate=rate, layout=layout)


def fit_samples(audio: Audio, samples: int) -> Audio:
    """The audio with exactly `samples` samples: cut at the end, or padded with silence."""
    available = len(audio.samples)
    if available >= samples:
        return replace(audio, samples=audio.samples[:samples])
    padding = np.zeros((samples - available, audio.samples.shape[1]), np.float32)
    return replace(audio, samples=np.concatenate([audio.samples, padding]))


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
    return replace(audio, samples=audio.samples[first:last])


def fit_frames(audio: Audio, frames: int, fps: Fraction) -> Audio:
    """The audio exactly as long as `frames` frames: cut at the end, or padded with silence."""
    return fit_samples(audio, samples_at(frames, audio.rate, fps))


def resample(audio: Audio, rate: int) -> Audio:
    """The audio at another sample rate, `round(N * rate / audio.rate)` samples long."""
    if rate == audio.rate:
        return audio
    layout = layout_of(audio)
    resampler = AudioResampler(format="flt", layout=layout, rate=rate)
    parts = resampler.resample(to_audio_frame(audio.samples, layout, audio.rate)) + resampler.resample(None)
    # Few samples may give none, so an empty array comes first.
    flat = np.concatenate([np.zeros(0, np.float32), *(part.to_ndarray().reshape(-1) for part in parts)])
    wanted = round(Fraction(len(audio.samples) * rate, audio.rate))
    samples = flat.reshape(-1, audio.samples.shape[1]).astype(np.float32)
    return fit_samples(replace(audio, samples=samples, rate=rate), wanted)


def concatenate(pieces: Sequence[Audio]) -> Audio:
    """Pieces one after another, at the highest rate and in the widest layout among them.

    Args:
        pieces: at least one.
    """
    rate, layout = max(piece.rate for piece in pieces), widest(pieces)
    parts = []
    # Neighbours of one rate are resampled together, so that no seam is heard.
    for _, alike in groupby(pieces, key=lambda piece: (piece.rate, layout_of(piece))):
        first, *rest = alike
        part = replace(first, samples=np.concatenate([first.samples, *(piece.samples for piece in rest)]))
        parts.append(remix(resample(part, rate), layout).samples)
    return Audio(samples=np.concatenate(parts), rate=rate, layout=layout)


def join(parts: Sequence[tuple[Audio | None, int]], fps: Fraction) -> Audio | None:
    """The audio of clips one after another, in step with their frames.

    Args:
        parts: audio of each clip, None for silence, and the number of its frames.
        fps: frames per second of all clips.

    Returns:
        Audio with the highest sample rate and the widest layout among the parts; None if no part has any.
    """
    given = [audio for audio, _ in parts if audio is not None]
    if not given:
        return None
    rate = max(audio.rate for audio in given)
    layout = widest(given)
    pieces, frame = [], 0
    for audio, frames in parts:
        # Lengths come from the running frame count, so rounding errors do not add up.
        length = samples_at(frame + frames, rate, fps) - samples_at(frame, rate, fps)
        source = silence(0, layout, rate) if audio is None else remix(resample(audio, rate), layout)
        pieces.append(fit_samples(source, length).samples)
        frame += frames
    return Audio(samples=np.concatenate(pieces), rate=rate, layout=layout)
