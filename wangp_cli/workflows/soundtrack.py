"""The sound of a result."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.audio import cut, fit_frames, join, mix, resample, samples_at
from wangp_cli.media.clip import Audio
from wangp_cli.media.read import read_audio
from wangp_cli.plan import KeptRange, Plan
from wangp_cli.tasks.generate import Generate
from wangp_cli.workflows.inputs import speech_of
from wangp_cli.workflows.source_video import SourceVideo

Samples = NDArray[np.float32]


def sound_beside(task: Generate, before: SourceVideo | None, overlap: int, frames: int) -> Audio | None:
    """The sound of a generated video: the one asked for; else that of the video it continues, then speech.

    Args:
        task: settled.
        before: the video it continues.
        overlap: last frames of it that the model drew again, so that speech begins there.
        frames: that follow it.
    """
    if task.audio_source:
        return read_audio(task.audio_source)
    sound = before.sound() if before else None
    if not task.audio_guide:
        return sound
    speech, fps = speech_of(task.audio_guide), Fraction(task.fps)
    if before is None:
        return speech
    return join([(sound, len(before)), (cut(speech, fps, start=overlap), frames)], fps)


def sound_of(
    plan: Plan, clips: Sequence[tuple[Audio | None, int]], spans: Literal["crossfade", "silence"]
) -> Audio | None:
    """The sound of kept frames where they are, and something for the generated ones between them.

    Args:
        plan: of the video.
        clips: sound of each clip and its frames at the plan's rate; None is silence.
        spans: of generated frames: silence, or the neighbours' sound, which runs on into them from both
            sides, one fading into the other. Frames that were cut out are heard again; beyond the end of a
            clip its sound runs backwards, so that nothing clicks.

    Returns:
        Sound as long as the plan's frames, with the highest rate and the most channels among the clips;
        None when all are silent.
    """
    heard = [audio for audio, _ in clips if audio is not None]
    if not heard:
        return None
    rate = max(audio.rate for audio in heard)
    channels = max(audio.samples.shape[1] for audio in heard)
    sources = []
    for audio, frames in clips:
        silent = Audio(samples=np.zeros((0, channels), np.float32), rate=rate)
        ready = silent if audio is None else mix(resample(audio, rate), channels)
        sources.append(fit_frames(ready, frames, plan.fps).samples)
    pieces = []
    for part in plan.parts:
        # Lengths come from the running count, so rounding never adds up.
        first = samples_at(part.start, rate, plan.fps)
        length = samples_at(part.start + part.frames, rate, plan.fps) - first
        if isinstance(part, KeptRange):
            begin = samples_at(part.first, rate, plan.fps)
            pieces.append(_taken(sources[part.clip], begin, length))
        elif spans == "silence":
            pieces.append(np.zeros((length, channels), np.float32))
        else:
            before, behind = plan.kept_neighbours(part)
            pieces.append(_between(sources, before, behind, length, rate, plan.fps))
    return Audio(samples=np.concatenate(pieces), rate=rate)


def _between(
    sources: Sequence[Samples],
    before: KeptRange | None,
    behind: KeptRange | None,
    length: int,
    rate: int,
    fps: Fraction,
) -> Samples:
    left = None if before is None else _taken(sources[before.clip], samples_at(before.end, rate, fps), length)
    right = (
        None
        if behind is None
        else _taken(sources[behind.clip], samples_at(behind.first, rate, fps) - length, length)
    )
    if left is None or right is None:
        only = right if left is None else left
        return np.zeros((length, sources[0].shape[1]), np.float32) if only is None else only
    weight = ((1 - np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))) / 2).astype(np.float32)
    # The difference is exactly 0 where both are the same sound, which is then kept bit for bit.
    return left + (right - left) * weight[:, None]


def _taken(source: Samples, first: int, length: int) -> Samples:
    """Samples from `first` on, reflected at both ends of the source."""
    if not len(source):
        return np.zeros((length, source.shape[1]), np.float32)
    places = (np.arange(first, first + length)) % (2 * len(source))
    return source[np.where(places < len(source), places, 2 * len(source) - 1 - places)]
