"""The `rife` task: the frames between those of a video, or between two images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from wangp_cli.errors import RequestError
from wangp_cli.notices import Notice, unused_notices
from wangp_cli.tasks.engines import AUTO, EngineChoice, EngineName
from wangp_cli.tasks.fields import Flag, FrameCount, Input, Rate, Size, Spec, frame_count, size_of
from wangp_cli.tasks.finishing import INTERPOLATORS, MOST_FRAMES
from wangp_cli.tasks.shape import ResultShape, Shape
from wangp_cli.tasks.tool import Tool

IMAGES_RATE = Fraction(16)
"""Frames per second of a video made of two images."""
FOR_IMAGES = ("size",)
FOR_VIDEOS = ("keep_fps", "hold_cuts", "duplicates")
"""Fields that only two images, or only a video, make use of."""
SCALES = (0.125, 0.25, 0.5, 1, 2, 4)


def _scale(value: float | None) -> float | None:
    if value not in (None, *SCALES):
        raise ValueError(f"{value:g} is not one of {', '.join(map(str, SCALES))}")
    return value


class InterpolationOptions(Spec):
    """How frames in between are made."""

    panel: ClassVar[str] = "Task"
    engine: Annotated[
        EngineName, Flag("Engine: auto, classic or a model, such as rife-4.26.", metavar="NAME")
    ] = AUTO
    factor: Annotated[
        int | None,
        Field(ge=1, le=MOST_FRAMES),
        Flag("How many times as many frames, 1 to 64.", "-x", metavar="N", default="2"),
    ] = None
    fps: Annotated[
        Rate | None,
        Flag(
            "Frames per second of the result, such as 60 or 24000/1001, instead of a factor; 16 of images.",
            metavar="RATE",
        ),
    ] = None
    frames: Annotated[
        FrameCount | None,
        Flag("Frames from the first to the last of two images, or seconds such as 2s.", metavar="COUNT"),
    ] = None
    keep_fps: Annotated[
        bool, Flag("Slow motion: keep the frame rate of the video, which then lasts longer, without sound.")
    ] = False
    scale: Annotated[
        float | None,
        AfterValidator(_scale),
        Flag(
            "Size at which motion is estimated, relative to the frames: 0.5 is faster, for large motion.",
            metavar="X",
            default="the engine's own",
        ),
    ] = None
    hold_cuts: Annotated[
        bool,
        Flag("Repeat the last frame of a scene up to the cut.", default="on", negative="morph-cuts"),
    ] = True
    duplicates: Annotated[
        Literal["keep", "replace"],
        Flag("What is done with frames that repeat the one before: keep them, or replace them by motion."),
    ] = "keep"


class RifeInputs(Spec):
    """What frames in between are made of."""

    panel: ClassVar[str] = "Inputs"
    video: Annotated[
        Path | None, Input(("video",), until_damage=True), Flag("Video to make frames in between of.")
    ] = None
    image_start: Annotated[Path | None, Input(("image",)), Flag("First image, instead of a video.")] = None
    image_end: Annotated[Path | None, Input(("image",)), Flag("Last image.")] = None
    size: Annotated[
        Size | None,
        Flag(
            "Size to which two images are cropped and resized.", metavar="WxH", default="that of the images"
        ),
    ] = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        images = {"image_start": self.image_start, "image_end": self.image_end}
        given = [name for name, path in images.items() if path]
        if self.video and given:
            raise ValueError(f"{given[0]}: not together with video, give one of them")
        if not self.video and len(given) < 2:
            missing = "video" if not given else next(name for name in images if name not in given)
            wanted = "a video, or image_start and image_end" if not given else "both images"
            raise ValueError(f"{missing}: missing, give {wanted}")
        return self


class Rife(RifeInputs, InterpolationOptions, Tool):
    """Make frames in between: more frames per second, slow motion, or a video from two images."""

    run: ClassVar[str] = "wangp_cli.workflows.rife:interpolate"
    engine_uses: ClassVar[Mapping[str, EngineChoice]] = {"interpolation": INTERPOLATORS}
    type: Literal["rife"] = "rife"

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if self.video:
            if self.factor and self.fps:
                raise ValueError("fps: not together with factor, give one of them")
            if self.keep_fps and self.fps:
                raise ValueError("keep_fps: not together with fps, give a factor")
            if self.frames is not None:
                raise ValueError("frames: only between two images; of a video give factor or fps")
        elif self.factor and self.frames is not None:
            raise ValueError("frames: not together with factor, give one of them")
        return self

    def engines(self) -> Mapping[str, EngineChoice]:
        """A network of RIFE, or optical flow without weights."""
        return {"engine": INTERPOLATORS}

    def rate(self, source: Fraction | None) -> Fraction:
        """Frames per second of the result.

        Args:
            source: of the video; None for two images.
        """
        if self.fps:
            return Fraction(self.fps)
        if source is None:
            return IMAGES_RATE
        return source if self.keep_fps else source * (self.factor or 2)

    def step(self, source: Fraction | None) -> Fraction:
        """From one frame of the result to the next, in frames of the source; exact.

        Args:
            source: frames per second of the video; None for two images.
        """
        if source is not None and self.fps:
            return source / Fraction(self.fps)
        if source is None and self.frames is not None:
            return Fraction(1, max(frame_count(self.frames, self.rate(None)) - 1, 1))
        return Fraction(1, self.factor or 2)

    def result_shape(self, inputs: Mapping[str, Sequence[Shape]]) -> ResultShape:
        """The size of the source, and as many frames as there are steps from its first to its last frame."""
        source = _source(inputs)
        size = size_of(self.size) if self.size and source.fps is None else (source.width, source.height)
        frames = floor((source.frames - 1) / self.step(source.fps)) + 1
        return ResultShape(size, frames, self.rate(source.fps), source.alpha)

    def check_inputs(self, inputs: Mapping[str, Sequence[Shape]], given: frozenset[str]) -> list[Notice]:
        """Check that two images have one size; notices of values that are not used, or have a side effect."""
        source = _source(inputs)
        unused = FOR_VIDEOS if source.fps is None else FOR_IMAGES
        whose = "videos" if source.fps is None else "two images"
        notices = unused_notices(dict.fromkeys(unused, f"it is for {whose}"), given)
        if source.fps is None:
            self._check_images(inputs)
        elif self.keep_fps:
            text = f"lasts {self.factor or 2} times as long, without sound"
            notices.append(Notice(field="keep_fps", text=text))
        if self.factor == 1:
            notices.append(Notice(field="factor", text="1 makes no frames in between"))
        return notices

    def _check_images(self, inputs: Mapping[str, Sequence[Shape]]) -> None:
        [start], [end] = inputs["image_start"], inputs["image_end"]
        if not self.size and (start.width, start.height) != (end.width, end.height):
            raise RequestError(
                "image_end",
                f"is {end}, but the first image is {start}",
                hint=f"--size {start} fits both into one size",
            )
        if self.frames is not None and (frames := frame_count(self.frames, self.rate(None))) < 2:
            raise RequestError("frames", f"{frames}, must be 2 or more: the first and the last image")


def _source(inputs: Mapping[str, Sequence[Shape]]) -> Shape:
    """The video, or two images as a video of two frames without a rate; it has alpha if both have."""
    if "video" in inputs:
        return inputs["video"][0]
    [start], [end] = inputs["image_start"], inputs["image_end"]
    return start._replace(frames=2, alpha=start.alpha and end.alpha)
