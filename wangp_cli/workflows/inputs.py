"""Read input files as arrays of the exact size and length of a shot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from wangp_cli.errors import MediaError, RequestError
from wangp_cli.media.audio import cut, fit_frames
from wangp_cli.media.clip import Audio, Clip, Frames, as_float, to_rgb
from wangp_cli.media.mask import threshold
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.resize import fit, fit_mask, match_length
from wangp_cli.media.stills import read_image
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.base import Inputs
from wangp_cli.plan.model import Plan, Segment
from wangp_cli.runtime.job import RenderJob
from wangp_cli.runtime.request.camera_poses import frame_poses
from wangp_cli.runtime.request.check_inputs import AS_LONG_AS_GUIDE
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.tasks.fields import size_of
from wangp_cli.tasks.generate import Generate
from wangp_cli.workflows.control_pictures import GuidePictures
from wangp_cli.workflows.source_video import SourceVideo, frames_at

WHITE = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ShotInputs:
    """The inputs of the model, and the video that the result continues.

    Args:
        inputs: for the model.
        before: the video to continue.
        overlap: its last frames that the model is conditioned on and generates again.
    """

    inputs: Inputs
    before: SourceVideo | None = None
    overlap: int = 0


def read_inputs(
    task: Generate, spec: ModelSpec, facts: InputFacts, guide: GuidePictures | None = None
) -> ShotInputs:
    """Read and resize every input of a settled task.

    Args:
        task: settled.
        spec: of its model.
        facts: of its input files.
        guide: control pictures, in the place of the frames of the guide.

    Raises:
        RequestError: a file does not decode.
    """
    reader = _Reader(task, spec, facts, range(int(task.frames)), guide)
    before = source_video(task, facts)
    overlap = 0
    start = reader.still("image_start")
    if before is not None:
        overlap = min(len(before), task.window_overlap(spec))
        overlap = spec.grid.context(overlap)
        if overlap >= int(task.frames):
            raise RequestError("frames", f"{task.frames}, but {overlap} of them are of the video to continue")
        start = reader.end_of(before, overlap)
    return ShotInputs(inputs=reader.inputs(start, reader.still("image_end")), before=before, overlap=overlap)


def source_video(task: Generate, facts: InputFacts) -> SourceVideo | None:
    """The video that a task continues, its frames counted at the rate of the result."""
    if not (path := task.video_source):
        return None
    return SourceVideo(path=path, facts=facts.of_file(path), fps=Fraction(task.fps), size=size_of(task.size))


def read_window_inputs(
    job: RenderJob,
    segment: Segment,
    context: Frames | None,
    plan: Plan,
    guide: GuidePictures | None = None,
) -> Inputs:
    """Read and resize the inputs of one window: its part of every file, and the frames before it.

    Args:
        job: of a generation.
        segment: of its plan.
        context: `[segment.context, H, W, 3]`, the last frames of the output so far.
        plan: the windows.
        guide: control pictures of the whole video, in the place of the frames of the guide.

    Raises:
        RequestError: a file does not decode.
    """
    task, first = job.request.task, segment.generate_start - plan.segments[0].generate_start
    assert isinstance(task, Generate)
    places = range(first, first + segment.generate)
    reader = _Reader(task, job.request.spec, job.request.facts, places, guide)
    before = None if context is None else Clip(frames=context, fps=plan.fps)
    return reader.inputs(
        before or (reader.still("image_start") if segment.index == 0 else None),
        reader.still("image_end") if segment.index == len(plan.segments) - 1 else None,
    )


class _Reader:
    """Reads the files of one task at its size, each at some places of the generated frames."""

    def __init__(
        self, task: Generate, spec: ModelSpec, facts: InputFacts, places: range, guide: GuidePictures | None
    ) -> None:
        self._task, self._spec, self._facts, self._guide = task, spec, facts, guide
        self._width, self._height = size_of(task.size)
        self._first, self._frames = places.start, len(places)
        self._fps = Fraction(task.fps)

    def inputs(self, start: Clip | None, end: Clip | None) -> Inputs:
        """All inputs of the model, with frames to begin and to end with."""
        control = self._control()
        return Inputs(
            start=start,
            end=end,
            control=control,
            mask=self._mask(None if control is None else len(control)),
            face=self._face(),
            background=self._read_held("video_background"),
            references=self._references(),
            initial=self._read_held("video_initial"),
            speech=self._speech(),
            camera=frame_poses(self._task, self._frames),
        )

    def still(self, field: str) -> Clip | None:
        path = getattr(self._task, field)
        return self._clip(self._fit(_read_image(field, path))) if path else None

    def end_of(self, source: SourceVideo, count: int) -> Clip:
        """The last frames of the video to continue."""
        try:
            frames = np.concatenate(list(source.frames(len(source) - count, len(source))))
        except MediaError as error:
            raise RequestError("video_source", error.message, hint=error.hint) from None
        return Clip(frames=as_float(frames), fps=self._fps)

    def _control(self) -> Clip | None:
        """The control video; missing frames have the fill value of the model."""
        if self._guide is not None:
            first = min(self._first, len(self._guide) - 1)
            frames: Frames | None = self._guide[first : self._first + self._frames]
            if self._task.image_guide:
                frames = match_length(self._guide[:1], self._frames, "hold")
        else:
            frames = self._video_or_image("video_guide", "image_guide")
        if frames is None:
            return None
        return self._pad(self._fit(frames), "video_guide", self._spec.control_fill_value)

    def _speech(self) -> Audio | None:
        """The part of the recording for these frames, followed by silence if it ends before them."""
        if not (path := self._task.audio_guide):
            return None
        return fit_frames(cut(speech_of(path), self._fps, start=self._first), self._frames, self._fps)

    def _mask(self, control_frames: int | None) -> Clip | None:
        """The mask; white after the end of the control video."""
        frames = self._video_or_image("video_mask", "image_mask")
        if frames is None or control_frames is None:
            return None
        return self._pad(
            as_float(fit_mask(threshold(frames), self._width, self._height)), "video_mask", WHITE
        )

    def _pad(self, frames: Frames, field: str, value: float) -> Clip:
        """Frames padded with `value` after the end of their video; poses are held instead."""
        if self._spec.is_character_animation:
            return self._clip(match_length(frames, self._frames, "hold"))
        frames = frames[: self._frames_left(field)]
        missing = self._frames - len(frames)
        return self._clip(
            np.concatenate([frames, np.full((missing, *frames.shape[1:]), value, np.float32)])
            if missing > 0
            else frames
        )

    def _read_held(self, field: str) -> Clip | None:
        """A video; if it is too short, its last frame is held."""
        if not (path := getattr(self._task, field)):
            return None
        return self._clip(self._fit(match_length(self._read_part(field, path), self._frames, "hold")))

    def _face(self) -> Clip | None:
        """The centre square of the face video, at its own size."""
        if not (path := self._task.video_face):
            return None
        frames = match_length(self._read_part("video_face", path), self._frames, "hold")
        side = min(frames.shape[1:3])
        return self._clip(fit(to_rgb(as_float(frames)), side, side))

    def _references(self) -> tuple[Clip, ...]:
        """The reference images, padded with white; for character animation with black."""
        background = 0.0 if self._spec.is_character_animation else 1.0
        images = (
            to_rgb(as_float(_read_image("image_refs", path)), background) for path in self._task.image_refs
        )
        return tuple(
            self._clip(fit(image, self._width, self._height, "pad", fill=background)) for image in images
        )

    def _clip(self, frames: Frames) -> Clip:
        return Clip(frames=frames, fps=self._fps)

    def _video_or_image(self, video: str, picture: str) -> Frames | None:
        """The frames of a video for the shot, or an image repeated for all of it."""
        if path := getattr(self._task, video):
            return self._read_part(video, path)
        if path := getattr(self._task, picture):
            return match_length(_read_image(picture, path), self._frames, "hold")
        return None

    def _frames_left(self, field: str) -> int:
        """Frames of a video for the shot; an image has as many as are needed."""
        path = getattr(self._task, field)
        return max(0, len(self._numbers(field, path)) - self._first) if path else self._frames

    def _read_part(self, field: str, path: Path) -> Frames:
        """The frames of a video for the shot or fewer; its last frame if it ends before the shot."""
        numbers = self._numbers(field, path)
        first = min(self._first, len(numbers) - 1)
        try:
            return np.concatenate(list(frames_at(path, numbers[first : first + self._frames])))
        except MediaError as error:
            raise RequestError(field, error.message, hint=error.hint) from None

    def _numbers(self, field: str, path: Path) -> Sequence[int]:
        """The frames of a video for those of the result: by number, or at the times of the control video."""
        own = self._facts.length_of(path)
        if field in AS_LONG_AS_GUIDE:
            for guide in self._facts.lengths_of("video_guide"):
                if guide.fps and guide.frames != own.frames:
                    return own.indices(guide.frames, guide.fps)
        return range(own.frames)

    def _fit(self, frames: Frames) -> Frames:
        return fit(to_rgb(as_float(frames)), self._width, self._height)


def speech_of(path: Path) -> Audio:
    """A recording of speech.

    Raises:
        RequestError: the file does not decode.
    """
    try:
        return read_audio(path)
    except MediaError as error:
        raise RequestError("audio_guide", error.message, hint=error.hint) from None


def _read_image(field: str, path: Path) -> Frames:
    try:
        return read_image(path)
    except MediaError as error:
        raise RequestError(field, error.message, hint=error.hint) from None
