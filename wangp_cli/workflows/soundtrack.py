"""The audio of a result: that which the user gives, that of kept clips, that which the model generates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.audio import cut, fit_samples, join, resample, samples_at, silence
from wangp_cli.media.channels import remix, widest
from wangp_cli.media.clip import Audio
from wangp_cli.media.read_audio import read_audio
from wangp_cli.plan.model import KeptRange, Plan, Segment
from wangp_cli.tasks.generate import Generate
from wangp_cli.workflows.inputs import speech_of
from wangp_cli.workflows.source_video import SourceVideo

Samples = NDArray[np.float32]
"""`[N, channels]` in [-1, 1]."""
NO_AUDIO: Mapping[int, Audio] = MappingProxyType({})


def has_given_audio(task: Generate) -> bool:
    """Whether the user gives the audio of the new frames, so that generated audio is not used."""
    return task.audio_source is not None or task.audio_guide is not None


def shot_audio(
    task: Generate, before: SourceVideo | None, overlap: int, frames: int, generated: Audio | None = None
) -> Audio | None:
    """The audio of a video made in one run of the model, after that of the video it continues.

    Args:
        task: settled; `audio_source` is the audio of the whole result, `audio_guide` that of new frames.
        before: the video it continues.
        overlap: last frames of it that the model generated again: new audio begins with the first of them.
        frames: new ones after the video it continues.
        generated: audio that the model made with the frames.
    """
    if task.audio_source:
        return read_audio(task.audio_source)
    original = before.audio() if before else None
    new = speech_of(task.audio_guide) if task.audio_guide else generated
    if new is None:
        return original
    if before is None:
        return new
    fps = Fraction(task.fps)
    return join([(original, len(before)), (cut(new, fps, start=overlap), frames)], fps)


def plan_audio(
    plan: Plan,
    clips: Sequence[tuple[Audio | None, int]],
    spans: Literal["crossfade", "silence"],
    generated: Mapping[int, Audio] = NO_AUDIO,
) -> Audio | None:
    """The audio of a planned video: that of kept frames in their places, and that of generated segments.

    Where the frames of a generated segment are crossfaded with others, so is its audio.

    Args:
        plan: of the video.
        clips: audio of each clip and its frames at the plan's rate; None is silence.
        spans: audio of segments for which the model generated none: silence, or the neighbours' audio, which
            runs on into them from both sides, one fading into the other. Frames that were cut out are heard
            again; beyond the end of a clip its audio runs backwards, so that nothing clicks.
        generated: audio of segments by their index, from the first generated frame on.

    Returns:
        Audio as long as the plan's frames, with the highest rate and the widest layout of all; None where all
        is silent.
    """
    recordings = [*(audio for audio, _ in clips if audio is not None), *generated.values()]
    if not recordings:
        return None
    rate = max(audio.rate for audio in recordings)
    track = _Track(plan, rate, widest(recordings))
    sources = [track.convert(audio, samples_at(frames, rate, plan.fps)) for audio, frames in clips]
    for part in plan.parts:
        if isinstance(part, KeptRange):
            track.add_kept(part, sources[part.clip])
        elif part.index in generated:
            track.add_generated(part, generated[part.index])
        elif spans == "crossfade":
            track.add_bridge(part, sources)
    return Audio(samples=track.samples, rate=rate, layout=track.layout)


class _Track:
    """The samples of a planned video, filled part by part in the order of the output.

    Places come from frame numbers of the whole output, so rounding never adds up.
    """

    def __init__(self, plan: Plan, rate: int, layout: str) -> None:
        self._plan, self._rate, self.layout = plan, rate, layout
        self.samples: Samples = silence(self._at(plan.total), layout, rate).samples
        self._tail: tuple[int, Samples] | None = None

    def convert(self, audio: Audio | None, count: int) -> Samples:
        """Exactly `count` samples of some audio at the rate and in the layout of the track."""
        if audio is None:
            return silence(count, self.layout, self._rate).samples
        return fit_samples(remix(resample(audio, self._rate), self.layout), count).samples

    def add_kept(self, part: KeptRange, source: Samples) -> None:
        """Put the audio of a clip in the place of its kept frames, after the end of a segment faded out."""
        place = self._place(part)
        self.samples[place] = _reflect(source, self._at(part.first), place.stop - place.start)
        if self._tail is not None and self._tail[0] == place.start:
            tail = self._tail[1]
            faded = self.samples[place.start : place.start + len(tail)]
            faded[:] = _crossfade(tail, faded.copy())

    def add_generated(self, segment: Segment, audio: Audio) -> None:
        """Put the generated audio of a segment in the place of its frames, crossfaded as they are."""
        begin = self._at(segment.generate_start)
        samples = self.convert(audio, self._at(segment.generate_start + segment.generate) - begin)
        first, place = self._at(segment.start - segment.overlap), self._place(segment)
        mixed = self.samples[first : place.start]
        mixed[:] = _crossfade(mixed.copy(), samples[first - begin : place.start - begin])
        self.samples[place] = samples[place.start - begin : place.stop - begin]
        after = self._at(segment.start + segment.frames + segment.overlap_after)
        self._tail = place.stop, samples[place.stop - begin : after - begin]

    def add_bridge(self, segment: Segment, sources: Sequence[Samples]) -> None:
        """Let the audio of the kept neighbours of a segment run on into it, one fading into the other."""
        place, channels = self._place(segment), self.samples.shape[1]
        length = place.stop - place.start
        before, behind = self._plan.kept_neighbours(segment)
        left = None if before is None else _reflect(sources[before.clip], self._at(before.end), length)
        right = (
            None
            if behind is None
            else _reflect(sources[behind.clip], self._at(behind.first) - length, length)
        )
        if left is None or right is None:
            only = right if left is None else left
            self.samples[place] = np.zeros((length, channels), np.float32) if only is None else only
        else:
            self.samples[place] = _crossfade(left, right)

    def _place(self, part: KeptRange | Segment) -> slice:
        return slice(self._at(part.start), self._at(part.start + part.frames))

    def _at(self, frame: int) -> int:
        return samples_at(frame, self._rate, self._plan.fps)


def _crossfade(left: Samples, right: Samples) -> Samples:
    """From `left` to `right`, of one length, by a raised cosine."""
    length = len(left)
    weight = ((1 - np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))) / 2).astype(np.float32)
    # The difference is exactly 0 where both are the same audio, which is then kept bit for bit.
    return left + (right - left) * weight[:, None]


def _reflect(source: Samples, first: int, length: int) -> Samples:
    """Samples from `first` on, reflected at both ends of the source."""
    if not len(source):
        return np.zeros((length, source.shape[1]), np.float32)
    places = (np.arange(first, first + length)) % (2 * len(source))
    return source[np.where(places < len(source), places, 2 * len(source) - 1 - places)]
