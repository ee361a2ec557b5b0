"""Clips of which a plan keeps frames."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Audio, Frames, as_float
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.resize import fit
from wangp_cli.plan.model import Plan, Segment
from wangp_cli.plan.timeline import frame_count_at_fps, stretch_frame_indices
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.planned import Planned
from wangp_cli.workflows.source_video import clip_frames


class SourceClips:
    """The clips of a planned task, their frames counted at the rate of the plan.

    Args:
        task: names the clips, how they are framed, and the size at which the model works.
        plan: says which frames are kept.
        facts: of the clips.
        size: width and height of the result in pixels.
    """

    def __init__(self, task: Planned, plan: Plan, facts: InputFacts, size: tuple[int, int]) -> None:
        self.plan, self.size = plan, size
        self.canvas = size_of(task.size)
        self._framing = task.framing
        self._files = [(path, facts.of_file(path)) for path in task.videos]

    def frames(self, clip: int, first: int, end: int) -> Iterator[Frames]:
        """Frames `first` to before `end` of a clip at the size of the result, in pieces."""
        return clip_frames(*self._files[clip], first, end, self.plan.fps, self.size, self._framing)

    def frame_count(self, clip: int) -> int:
        """Frames of a clip."""
        _, facts = self._files[clip]
        return frame_count_at_fps(facts.frames, facts.fps or self.plan.fps, self.plan.fps)

    def fit_canvas(self, frames: Frames) -> NDArray[np.float32]:
        """Frames of the result at the size at which the model works."""
        return as_float(fit(frames, *self.canvas, "stretch"))

    def has_audio(self, clip: int) -> bool:
        """Whether a clip has audio."""
        return self._files[clip][1].audio_codec is not None

    def audio(self, clip: int) -> Audio | None:
        """The audio of a clip."""
        return read_audio(self._files[clip][0]) if self.has_audio(clip) else None

    def audio_tracks(self) -> list[tuple[Audio | None, int]]:
        """The audio of each clip with its count of frames."""
        return [(self.audio(clip), self.frame_count(clip)) for clip in range(len(self._files))]

    def following(self, segment: Segment) -> Frames | None:
        """The `context_after` frames behind a segment; the first of the video if it closes a loop."""
        if not segment.context_after:
            return None
        end = segment.start + segment.frames
        part = next((part for part in self.plan.kept if part.start >= end), self.plan.kept[0])
        return np.concatenate(list(self.frames(part.clip, part.first, part.first + segment.context_after)))

    def replaced(self, segment: Segment) -> Iterator[Frames]:
        """The frames that a segment replaces, one for each new one, on the canvas of the model."""
        before, behind = self.plan.kept_neighbours(segment)
        if before and behind and before.clip == behind.clip and before.end <= behind.first:
            spans = [(before.clip, before.end, behind.first)]
        else:
            spans = [(before.clip, before.end, self.frame_count(before.clip))] if before else []
            spans += [(behind.clip, 0, behind.first)] if behind else []
        available = [(span, frame) for span in spans for frame in range(*span[1:])]
        if not available:
            return
        windows = self.plan.gap_windows(segment)
        indices = stretch_frame_indices(len(available), sum(window.frames for window in windows))
        first = segment.start - windows[0].start
        own = [available[index] for index in indices[first : first + segment.frames]]
        for (clip, *_), places in groupby(own, key=itemgetter(0)):
            frames = [frame for _, frame in places]
            pieces = [self.fit_canvas(piece) for piece in self.frames(clip, frames[0], frames[-1] + 1)]
            yield np.concatenate(pieces)[[frame - frames[0] for frame in frames]]
