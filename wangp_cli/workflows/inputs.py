"""Input files as arrays of the shot's exact size and length."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from wangp_cli.catalogue import ModelSpec
from wangp_cli.errors import MediaError, RequestError
from wangp_cli.media.audio import cut, fit_frames
from wangp_cli.media.clip import Audio, Clip, Frames, as_float
from wangp_cli.media.facts import probe
from wangp_cli.media.mask import threshold
from wangp_cli.media.read import read_audio, read_video
from wangp_cli.media.resize import fit, fit_mask, match_length
from wangp_cli.media.stills import read_image
from wangp_cli.pipelines.base import Inputs
from wangp_cli.plan import Plan, Segment
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.generate import Generate
from wangp_cli.workflows.footage import Source

GREY = 0.5
"""The value VACE reads as unknown, together with a white mask."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """What the model is given, and what the result is joined to.

    Args:
        inputs: for the model.
        before: the video to continue.
        overlap: how many of its last frames the model was given and draws again.
    """

    inputs: Inputs
    before: Source | None = None
    overlap: int = 0


def prepare(task: Generate, spec: ModelSpec) -> Prepared:
    """Read and fit every input of a settled task.

    Raises:
        RequestError: a file does not decode.
    """
    reader = _Reader(task, 0, int(task.frames))
    before = source_of(task)
    overlap = 0
    start = reader.still("image_start")
    if before is not None:
        overlap = min(len(before), spec.looks_back)
        overlap = (overlap - 1) // spec.grid.step * spec.grid.step + 1
        if overlap >= int(task.frames):
            raise RequestError("frames", f"{task.frames}, but {overlap} of them are of the video to continue")
        start = reader.end_of(before, overlap)
    control = reader.control()
    return Prepared(
        inputs=Inputs(
            start=start,
            end=reader.still("image_end"),
            control=control,
            mask=reader.mask(None if control is None else len(control)),
            references=reader.references(),
            initial=reader.initial(),
            speech=reader.speech(),
        ),
        before=before,
        overlap=overlap,
    )


def source_of(task: Generate, fps: Fraction | None = None) -> Source | None:
    """The video that a task continues, its frames counted at `fps`, or as they are."""
    if not (path := task.video_source):
        return None
    facts = probe(path)
    return Source(path=path, facts=facts, fps=fps or facts.fps or Fraction(task.fps), size=size_of(task.size))


def prepare_window(task: Generate, segment: Segment, context: Frames | None, plan: Plan) -> Inputs:
    """Read and fit what one window shows: its own part of every input, and the frames before it.

    Args:
        task: settled.
        segment: of its plan.
        context: `[segment.context, H, W, 3]`, the last frames of the output so far.
        plan: the windows.

    Raises:
        RequestError: a file does not decode.
    """
    reader = _Reader(task, segment.begins - plan.segments[0].begins, segment.generate)
    control = reader.control()
    before = None if context is None else Clip(frames=context, fps=plan.fps)
    return Inputs(
        start=before or (reader.still("image_start") if segment.index == 0 else None),
        end=reader.still("image_end") if segment.index == len(plan.segments) - 1 else None,
        control=control,
        mask=reader.mask(None if control is None else len(control)),
        references=reader.references(),
        initial=reader.initial(),
        speech=reader.speech(),
    )


class _Reader:
    """Reads the files of one task at its size: `frames` of them from frame `first` on."""

    def __init__(self, task: Generate, first: int, frames: int) -> None:
        self._task = task
        self._width, self._height = size_of(task.size)
        self._first, self._frames = first, frames
        self._fps = Fraction(task.fps)

    def still(self, field: str) -> Clip | None:
        path = getattr(self._task, field)
        return self.picture(field, path) if path else None

    def picture(self, field: str, path: Path) -> Clip:
        frames = _read(field, path)
        return Clip(frames=fit(_rgb(frames), self._width, self._height), fps=self._fps)

    def references(self) -> tuple[Clip, ...]:
        """The reference pictures, whole, on white."""
        pictures = (_rgb(_read("image_refs", path), behind=1) for path in self._task.image_refs)
        fitted = (fit(picture, self._width, self._height, "pad", fill=1) for picture in pictures)
        return tuple(Clip(frames=frames, fps=self._fps) for frames in fitted)

    def end_of(self, source: Source, count: int) -> Clip:
        """The last frames of the video to continue."""
        try:
            frames = np.concatenate(list(source.frames(len(source) - count, len(source))))
        except MediaError as error:
            raise RequestError("video_source", error.message, hint=error.hint) from None
        return Clip(frames=as_float(frames), fps=self._fps)

    def control(self) -> Clip | None:
        """The control video; frames it lacks are grey, which the model paints freely."""
        if (found := self._moving("video_guide", "image_guide")) is None:
            return None
        frames = self._fit(found)[: self._left("video_guide")]
        missing = self._frames - len(frames)
        if missing > 0:
            grey = np.full((missing, *frames.shape[1:]), GREY, np.float32)
            frames = np.concatenate([frames, grey])
        return Clip(frames=frames, fps=self._fps)

    def initial(self) -> Clip | None:
        """The video to start from; where it is shorter, its last frame stands still."""
        if not (path := self._task.video_initial):
            return None
        frames = self._part("video_initial", path)
        return Clip(frames=self._fit(match_length(frames, self._frames, "hold")), fps=self._fps)

    def speech(self) -> Audio | None:
        """The recording of these frames; silence follows where it ends."""
        if not (path := self._task.audio_guide):
            return None
        return fit_frames(cut(speech_of(path), self._fps, start=self._first), self._frames, self._fps)

    def mask(self, control_frames: int | None) -> Clip | None:
        """The mask; white where the control video has ended."""
        found = self._moving("video_mask", "image_mask")
        if found is None or control_frames is None:
            return None
        frames = fit_mask(threshold(found), self._width, self._height)[: self._left("video_mask")]
        missing = self._frames - len(frames)
        if missing > 0:
            white = np.ones((missing, *frames.shape[1:]), np.float32)
            frames = np.concatenate([as_float(frames), white])
        return Clip(frames=as_float(frames), fps=self._fps)

    def _moving(self, video: str, picture: str) -> Frames | None:
        """The frames of a video, cut to the shot, or of a picture held for all of it."""
        if path := getattr(self._task, video):
            return self._part(video, path)
        if path := getattr(self._task, picture):
            return match_length(_read(picture, path), self._frames, "hold")
        return None

    def _left(self, field: str) -> int:
        """How many frames of a video belong to the shot; any number of a picture's."""
        path = getattr(self._task, field)
        return max(0, probe(path).frames - self._first) if path else self._frames

    def _part(self, field: str, path: Path) -> Frames:
        """The frames of a video, as many as the shot has or fewer; its last one behind its end."""
        try:
            length = probe(path).frames
            first = min(self._first, length - 1)
            count = min(self._frames, length - first)
            return read_video(path, start=first, count=count, audio=False).frames
        except MediaError as error:
            raise RequestError(field, error.message, hint=error.hint) from None

    def _fit(self, frames: Frames) -> Frames:
        return fit(_rgb(frames), self._width, self._height)


def speech_of(path: Path) -> Audio:
    """A recording of speech.

    Raises:
        RequestError: the file does not decode.
    """
    try:
        return read_audio(path)
    except MediaError as error:
        raise RequestError("audio_guide", error.message, hint=error.hint) from None


def _read(field: str, path: Path) -> Frames:
    try:
        return read_image(path)
    except MediaError as error:
        raise RequestError(field, error.message, hint=error.hint) from None


def _rgb(frames: Frames, behind: float = 0) -> Frames:
    """Float RGB; grey is spread over three channels, what is transparent shows black or what is behind."""
    pixels = as_float(frames)
    if pixels.shape[-1] == 1:
        return np.repeat(pixels, 3, axis=-1)
    if pixels.shape[-1] == 3:
        return pixels
    alpha = pixels[..., 3:]
    return pixels[..., :3] * alpha + np.float32(behind) * (1 - alpha)
