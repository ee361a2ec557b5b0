"""Read frames of videos by their indices, at the rate and size of a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wangp_cli.media.audio import fit_frames
from wangp_cli.media.clip import Audio, Frames, to_rgb
from wangp_cli.media.facts import MediaFacts
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import stream_video
from wangp_cli.media.resize import fit
from wangp_cli.plan.timeline import frame_count_at_fps, resample_frame_indices
from wangp_cli.tasks.planned import Fit


@dataclass(frozen=True, kw_only=True)
class SourceVideo:
    """A video to continue; its frames are read on demand.

    Args:
        path: of the video.
        facts: of the video.
        fps: rate at which its frames are counted.
        size: width and height to which its frames are resized, in pixels.
    """

    path: Path
    facts: MediaFacts
    fps: Fraction
    size: tuple[int, int]

    def __len__(self) -> int:
        return frame_count_at_fps(self.facts.frames, self.facts.fps or self.fps, self.fps)

    def frames(self, first: int, end: int) -> Iterator[Frames]:
        """Frames `first` to before `end`: RGB `[t, H, W, 3]`, in pieces."""
        return clip_frames(self.path, self.facts, first, end, self.fps, self.size)

    def audio(self) -> Audio | None:
        """Its audio, as long as its frames."""
        if not self.facts.audio_codec:
            return None
        return fit_frames(read_audio(self.path), self.facts.frames, self.facts.fps or self.fps)


def clip_frames(
    path: Path,
    facts: MediaFacts,
    first: int,
    end: int,
    fps: Fraction,
    size: tuple[int, int],
    framing: Fit = "crop",
) -> Iterator[Frames]:
    """Frames `first` to before `end` of a clip, counted at `fps`: RGB `[t, H, W, 3]`, in pieces.

    Args:
        path: of the clip.
        facts: of the clip.
        first: frame.
        end: frame.
        fps: frames per second.
        size: width and height in pixels.
        framing: how a clip of another aspect ratio is fitted.
    """
    numbers = list(range(first, end))
    if facts.fps is not None and facts.fps != fps:
        numbers = resample_frame_indices(facts.frames, facts.fps, end, fps, "hold")[first:]
    for piece in frames_at(path, numbers, whole=facts.damage is None):
        yield fit(to_rgb(piece), *size, framing)


def frames_at(path: Path, numbers: Sequence[int], *, whole: bool = True) -> Iterator[Frames]:
    """Frames of a video at non-decreasing indices, in pieces.

    Args:
        path: of the video.
        numbers: indices, at least one.
        whole: refuse a file that is cut off.
    """
    position = numbers[0]
    for piece in stream_video(path, start=position, count=numbers[-1] + 1 - position, whole=whole):
        own = [number - position for number in numbers if position <= number < position + len(piece)]
        position += len(piece)
        if own:
            yield piece[own]
