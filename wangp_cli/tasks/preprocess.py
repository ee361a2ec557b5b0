"""The task behind `wangp preprocess`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from wangp_cli.errors import RequestError
from wangp_cli.notices import Notice, unused_notices
from wangp_cli.plan.timeline import frame_count_at_fps
from wangp_cli.tasks.control_pictures import ENGINES, READ_BY, PictureKind, PictureOptions, unread
from wangp_cli.tasks.engines import AUTO, EngineChoice, EngineName
from wangp_cli.tasks.fields import Flag, Input, Rate, Size, Spec, size_of
from wangp_cli.tasks.planned import Fit
from wangp_cli.tasks.shape import ResultShape, Shape
from wangp_cli.tasks.stages import StageShare
from wangp_cli.tasks.tool import Tool

PICTURE_STAGES = (
    StageShare("load", 5, "loading"),
    StageShare("analyse", 60, "analysing"),
    StageShare("process", 30, "drawing"),
    StageShare("write", 5, "writing"),
)
"""Kinds whose range is that of the whole clip read all of it before they draw; the others skip `analyse`."""


class PictureInput(Spec):
    """What control pictures are made of, and which."""

    panel: ClassVar[str] = "Inputs"
    kind: Annotated[
        PictureKind,
        Flag(
            "What the pictures show: edges (canny), depth, optical flow, poses of people, line drawings "
            "(scribble) or luma (gray)."
        ),
    ]
    video: Annotated[
        Path, Input(("video", "image"), until_damage=True), Flag("Video or image.", aliases=("input",))
    ]
    engine: Annotated[
        EngineName,
        Flag("Engine: auto, classic (canny and flow) or a model.", metavar="NAME", complete="models"),
    ] = AUTO


class PictureShape(Spec):
    """Size and rate of control pictures."""

    panel: ClassVar[str] = "Size and length"
    size: Annotated[Size | None, Flag("Size of the result.", metavar="WxH", default="the input's")] = None
    fps: Annotated[
        Rate | None,
        Flag("Frames per second of the result, at the same speed.", metavar="RATE", default="the video's"),
    ] = None
    fit: Annotated[Fit, Flag("How an input of another aspect ratio is fitted: crop, or pad with black.")] = (
        "crop"
    )


class Preprocess(PictureOptions, PictureShape, PictureInput, Tool):
    """Make control pictures of a video or image: edges, depth, flow, poses, lines or luma."""

    run: ClassVar[str] = "wangp_cli.workflows.preprocess:run"
    engine_uses: ClassVar[Mapping[str, EngineChoice]] = ENGINES
    stages: ClassVar[tuple[StageShare, ...]] = PICTURE_STAGES
    type: Literal["preprocess"] = "preprocess"
    name: Annotated[
        str, Flag("Template of file names: {input} {kind} {index} {date} ...", metavar="TEMPLATE")
    ] = "{input}_{kind}"

    def name_fields(self, index: int) -> dict[str, Any]:
        """What the template of the file name may hold."""
        return {"kind": self.kind} | super().name_fields(index)

    def engines(self) -> Mapping[str, EngineChoice]:
        """Those of the kind."""
        choices = {**super().engines()}
        if self.kind in ENGINES:
            choices["engine"] = ENGINES[self.kind]
        return choices

    def result_shape(self, inputs: Mapping[str, Sequence[Shape]]) -> ResultShape:
        """As many frames as the input has at the rate of the result."""
        [source] = inputs["video"]
        size = size_of(self.size) if self.size else (source.width, source.height)
        if source.fps is None:
            return ResultShape(size)
        rate = Fraction(self.fps) if self.fps else source.fps
        return ResultShape(size, frame_count_at_fps(source.frames, source.fps, rate), rate)

    def check_inputs(self, inputs: Mapping[str, Sequence[Shape]], given: frozenset[str]) -> list[Notice]:
        """Refuse flow of a single frame; notices of values that are not used."""
        [source] = inputs["video"]
        if self.kind == "flow" and source.frames < 2:
            found = "an image" if source.fps is None else "a video of one frame"
            raise RequestError("video", f"{found}, but flow is from one frame to the next")
        reasons = {field: unread(field, self.kind, self.engine) for field in READ_BY}
        reasons["engine"] = None if self.kind in ENGINES else f"{self.kind} has one method"
        reasons["fps"] = None if source.fps else "the input is an image"
        reasons["fit"] = None if self.size else "no size is given"
        return unused_notices(reasons, given)
