"""The task behind `wangp inpaint`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from wangp_cli.errors import RequestError
from wangp_cli.models import ModelSpec
from wangp_cli.notices import Notice
from wangp_cli.plan.inpaint import plan_inpaint
from wangp_cli.plan.model import JoinPlan
from wangp_cli.tasks.fields import MANY, MAX_FRAMES, Flag, FrameCount, Input, Rate, Size, Spec, frame_count
from wangp_cli.tasks.planned import Planned
from wangp_cli.tasks.portions import check_plain_portion, frames_of
from wangp_cli.tasks.shape import Shape
from wangp_cli.tasks.shot import MODELS


class InpaintRegion(Spec):
    """The video, and the frames and pixels to inpaint."""

    panel: ClassVar[str] = "Inputs"
    video: Annotated[Path, Input(("video",)), Flag("Video to inpaint.")]
    portion: Annotated[
        Annotated[str, AfterValidator(check_plain_portion)] | None,
        Flag(
            "Frames to inpaint: 16-33, both included, or seconds 1s-2.5s.",
            metavar="START-END",
            default="all frames, if there is a mask",
        ),
    ] = None
    image_mask: Annotated[
        Path | None,
        Input(("image",), "mask"),
        Flag("Mask image for all frames; white is inpainted."),
    ] = None
    video_mask: Annotated[
        Path | None,
        Input(("video",), "mask"),
        Flag("Mask video, as long as the video or the portion; white is inpainted."),
    ] = None
    mask_expand: Annotated[
        int,
        Field(ge=-1000, le=1000),
        Flag("Grow the mask by so many pixels of the video; below 0 shrinks it.", metavar="N"),
    ] = 0
    mask_feather: Annotated[
        int,
        Field(ge=0, le=1000),
        Flag("Pixels inside the mask's edge over which new pixels fade into old ones.", metavar="N"),
    ] = 0


class RunLength(Spec):
    """Frames of each run of the model."""

    panel: ClassVar[str] = "Size and length"
    frames: Annotated[
        FrameCount,
        Flag(
            "Frames of one run of the model; a longer portion takes several runs.",
            "-f",
            metavar="N",
            default=MODELS,
        ),
    ] = 81


class InpaintContext(Spec):
    """Context frames, overlap of runs, and the audio of the portion."""

    panel: ClassVar[str] = "Seams"
    context: Annotated[
        int,
        Field(ge=1, le=MAX_FRAMES),
        Flag("Frames next to the portion that condition the model; they are not changed.", metavar="N"),
    ] = 8
    overlap: Annotated[
        int,
        Field(ge=1, le=MAX_FRAMES),
        Flag("Frames that one run of the model shares with the next, crossfaded.", metavar="N"),
    ] = 5
    sound: Annotated[
        Literal["keep", "silence"],
        Flag(
            "Audio of the portion: keep that of the video, or replace it by what the model generates, else "
            "by silence."
        ),
    ] = "keep"


class Inpaint(InpaintContext, RunLength, InpaintRegion, Planned):
    """Inpaint a range of frames or a masked region; every other pixel stays unchanged."""

    run: ClassVar[str] = "wangp_cli.workflows.inpaint:run"
    size_inputs: ClassVar[tuple[str, ...]] = ("video",)
    rate_inputs: ClassVar[tuple[str, ...]] = ("video",)
    keeps_size: ClassVar[bool] = True
    splices: ClassVar[bool] = True
    type: Literal["inpaint"] = "inpaint"
    prompt: Annotated[
        tuple[str, ...],
        MANY,
        Field(min_length=1),
        Flag("Prompt: what to show; repeatable, one for each run of the model.", "-p", metavar="TEXT"),
    ]
    size: Annotated[Size, Flag("Size at which the model works.", metavar="WxH", default="the video's")] = (
        "832x480"
    )
    fps: Annotated[Rate, Flag("Frames per second of the file.", metavar="RATE", default="the video's")] = "16"

    @classmethod
    def model_defaults(cls, spec: ModelSpec) -> Mapping[str, Any]:
        """Those of the model, with context for runs of the length that it was trained on."""
        if (trained := spec.trained) is None:
            return spec.defaults
        return {"frames": trained.frames, "context": trained.context, **spec.defaults}

    @property
    def videos(self) -> tuple[Path, ...]:
        """The video whose frames the plan keeps."""
        return (self.video,)

    @property
    def mask(self) -> Path | None:
        """The mask file, if there is one."""
        return self.image_mask or self.video_mask

    def check_shapes(self, shapes: Mapping[str, Sequence[Shape]], *, sized: bool) -> list[Notice]:  # noqa: ARG002 - masks follow the video
        """Refuse a mask of another aspect ratio than the video."""
        (video,) = shapes["video"]
        for field in ("image_mask", "video_mask"):
            for mask in shapes.get(field, ()):
                if not mask.like(video):
                    raise RequestError(field, f"{mask} has another shape than the video, {video}")
        return []

    def range_of(self, length: int, rate: Fraction) -> range:
        """The frames to inpaint, in a video of `length` frames at `rate`."""
        if self.portion is None:
            return range(length)
        portion = frames_of("portion", self.portion, rate)
        return range(portion.first, portion.last + 1)

    def plan(self, lengths: Mapping[str, Sequence[int]], spec: ModelSpec, rate: Fraction) -> JoinPlan:
        """The frames of the video, those of the portion in windows."""
        (length,) = lengths["video"]
        new = self.range_of(length, rate)
        plan = plan_inpaint(
            length,
            new.start,
            new.stop,
            grid=spec.grid,
            fps=rate,
            context=self.context,
            longest=frame_count(self.frames, rate),
            overlap=self.overlap,
        )
        if self.mask is None and not plan.kept:
            raise RequestError(
                "portion", f"covers all {length} frames, so no frames are left as context", hint="give a mask"
            )
        self.check_parts(len(plan.segments), "run of the model")
        return plan

    @model_validator(mode="after")
    def _has_a_region(self) -> Self:
        if self.image_mask and self.video_mask:
            raise ValueError("image_mask: not together with video_mask, give one of them")
        if self.portion is None and self.mask is None:
            raise ValueError("portion: neither it nor a mask is given, say what to inpaint")
        if self.mask and self.sharpen:
            raise ValueError("sharpen: not together with a mask, outside of which pixels stay as they are")
        return self
