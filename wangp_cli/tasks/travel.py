"""The task behind `wangp travel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from wangp_cli.accelerators import NO_ACCELERATOR
from wangp_cli.models import Accepts, ModelSpec
from wangp_cli.notices import Notice
from wangp_cli.plan.model import Plan
from wangp_cli.plan.travel import plan_travel
from wangp_cli.plan.travel_lengths import Mode
from wangp_cli.tasks.adjustments import AdjustmentOptions
from wangp_cli.tasks.engines import EngineChoice
from wangp_cli.tasks.fields import MANY, MAX_FRAMES, Counts, Flag, FrameCount, Input, Spec, frame_count
from wangp_cli.tasks.planned import Fit, Planned, Sound
from wangp_cli.tasks.portions import frames_of
from wangp_cli.tasks.shot import MODELS
from wangp_cli.tasks.structure import StructureOptions

USUAL_OVERLAP = 8


class TravelInputs(Spec):
    """Images to travel through, a video to continue, and audio."""

    panel: ClassVar[str] = "Inputs"
    images: Annotated[
        tuple[Path, ...],
        Input(("image",)),
        MANY,
        Flag("Image to travel through; repeatable, in order.", name="image"),
    ] = ()
    video_source: Annotated[
        Path | None,
        Input(("video",), "source"),
        Flag("Video to continue; the result holds it, and the first part continues from its last frames."),
    ] = None
    fit: Annotated[
        Fit, Flag("How images and videos of another aspect ratio are fitted: crop, or pad with black.")
    ] = "crop"
    audio_source: Annotated[
        Path | None,
        Input(("audio",), "audio"),
        Flag("Audio of the result, cut to its length.", name="audio", default="that of the video"),
    ] = None


class PartLengths(Spec):
    """Frames of each part."""

    panel: ClassVar[str] = "Size and length"
    frames: Annotated[
        tuple[FrameCount, ...],
        MANY,
        Field(min_length=1),
        Flag(
            "Frames from one image to the next, or seconds as in 5s; repeatable, one for each part.",
            "-f",
            metavar="N",
            default=MODELS,
        ),
    ] = (81,)


class TravelOptions(Spec):
    """How parts continue each other."""

    panel: ClassVar[str] = "Seams"
    mode: Annotated[
        Mode | None,
        Flag(
            "Continue the motion of the previous part (chained), or begin each part with its image "
            "(independent); svi continues it with image-to-video models and their SVI LoRAs.",
            default="chained, or independent where the model takes no control video",
        ),
    ] = None
    overlap: Annotated[
        Counts,
        Flag(
            "Frames of the previous part that condition the model, and are crossfaded unless they are of the "
            "continued video; repeatable, one for each seam.",
            metavar="N",
            default=str(USUAL_OVERLAP),
        ),
    ] = ()
    loop: Annotated[bool, Flag("Travel back to the first image.")] = False
    longest: Annotated[
        int | None,
        Field(ge=2, le=MAX_FRAMES),
        Flag(
            "Generate neighbouring parts in one run of the model of at most so many frames, with their "
            "images inside.",
            metavar="N",
        ),
    ] = None
    sound: Annotated[
        Sound,
        Flag(
            "Audio of new frames after a continued video for which the model generates none: its audio "
            "reversed, or silence."
        ),
    ] = "silence"


class Travel(AdjustmentOptions, StructureOptions, TravelOptions, PartLengths, TravelInputs, Planned):
    """Travel from image to image in one continuous video."""

    size_inputs: ClassVar[tuple[str, ...]] = ("video_source", "images")
    rate_inputs: ClassVar[tuple[str, ...]] = ("video_source",)
    type: Literal["travel"] = "travel"

    @classmethod
    def model_defaults(cls, spec: ModelSpec) -> Mapping[str, Any]:
        """Those of the model, without overlap where a part fills a run of the length it was trained on."""
        return spec.defaults if spec.trained is None else {"overlap": 0, **spec.defaults}

    def engines(self) -> Mapping[str, EngineChoice]:
        """Those of every render, and that of the control pictures."""
        return {**super().engines(), **self.guide_engines(self.video_guide)}

    @property
    def videos(self) -> tuple[Path, ...]:
        """The video that is continued."""
        return (self.video_source,) if self.video_source else ()

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The images that the plan places."""
        return self.images

    @property
    def framing(self) -> Fit:
        """How images and the video of another aspect ratio are fitted."""
        return self.fit

    @property
    def span_sound(self) -> Sound:
        """The audio of new frames."""
        return self.sound

    @property
    def soundtrack(self) -> Path | None:
        """Audio file for the whole result."""
        return self.audio_source

    def abilities(self, spec: ModelSpec) -> frozenset[Accepts]:
        """Inputs that a model must accept: control and mask, or a start and perhaps an end image."""
        if self._mode(spec) == "svi":
            return frozenset({"start", "anchor"})
        if self._mode(spec) == "chained" or "control" in spec.accepts:
            return super().abilities(spec)
        ends = "end" in spec.accepts and (len(self.images) > 1 or self.loop)
        return frozenset({"start", "end"} if ends else {"start"})

    def plan(self, lengths: Mapping[str, Sequence[int]], spec: ModelSpec, rate: Fraction) -> Plan:
        """The plan: each part adds its number of frames, and ends with its image."""
        plan = plan_travel(
            len(self.images),
            [frame_count(frames, rate) for frames in self.frames],
            self.overlap or (USUAL_OVERLAP if self._mode(spec) == "chained" else 0,),
            grid=spec.grid,
            fps=rate,
            mode=self._mode(spec),
            ends=bool(spec.accepts & {"end", "control"}),
            before=sum(lengths.get("video_source", ())),
            loop=self.loop,
            longest=self.longest,
            images_end_latents=spec.trained is not None,
        )
        self.check_parts(sum(len(segment.portions) for segment in plan.segments), "part")
        kept = sum(part.frames for part in plan.kept)
        guides = self.guide_spans(plan.total, kept, lengths.get("video_guide", ()), rate)
        notices = plan.notices
        if self._mode(spec) == "svi" and not self.loras and self.accelerator in (None, NO_ACCELERATOR):
            text = "svi without a LoRA that was made for it, such as --accelerator svi"
            notices += (Notice(field="mode", text=text),)
        return plan.model_copy(update={"guides": guides, "notices": notices})

    def plan_notices(self, plan: Plan) -> list[Notice]:
        """Values of merged parts, and ranges of control videos that end after the result."""
        ends = [frames_of("guide_range", text, plan.fps).last for text in self.guide_range]
        late = [
            Notice(field="guide_range", text=f"{text!r} ends with the result, at frame {plan.total - 1}")
            for text, end in zip(self.guide_range, ends, strict=True)
            if end >= plan.total
        ]
        return [*super().plan_notices(plan), *late]

    def _mode(self, spec: ModelSpec) -> Mode:
        usual: Mode = "svi" if "anchor" in spec.requires else "independent"
        return self.mode or ("chained" if "control" in spec.accepts else usual)
