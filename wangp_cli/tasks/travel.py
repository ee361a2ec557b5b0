"""The task behind `wangp travel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wangp_cli.catalogue import Accepts, Grid, ModelSpec
from wangp_cli.plan import Plan, plan_travel
from wangp_cli.plan.model import spread
from wangp_cli.tasks.fields import Flag, FrameCount, Input, Spec, frame_count
from wangp_cli.tasks.planned import MANY, Counts, Fit, Planned
from wangp_cli.tasks.shot import MODELS

USUAL_OVERLAP = 8


class Anchors(Spec):
    """Pictures to travel through."""

    panel: ClassVar[str] = "Inputs"
    images: Annotated[
        tuple[Path, ...], Input(("image",)), Flag("Picture to pass; repeatable, in order.", name="image")
    ] = ()
    fit: Annotated[Fit, Flag("How a picture of another shape is fitted: crop it, or pad it with black.")] = (
        "crop"
    )
    audio_source: Annotated[
        Path | None,
        Input(("audio",), "audio"),
        Flag("Sound for the result, cut to its length.", name="audio"),
    ] = None


class Legs(Spec):
    """How long each part is."""

    panel: ClassVar[str] = "Size and length"
    frames: Annotated[
        tuple[FrameCount, ...],
        MANY,
        Field(min_length=1),
        Flag(
            "Frames from one picture to the next, or seconds as in 5s; repeatable, one for each part.",
            "-f",
            metavar="N",
            default=MODELS,
        ),
    ] = (81,)


class Route(Spec):
    """How the parts hang together."""

    panel: ClassVar[str] = "Seams"
    mode: Annotated[
        Literal["chained", "independent"],
        Flag("Continue the motion of the part before, or begin each with its picture, as i2v models do."),
    ] = "chained"
    overlap: Annotated[
        Counts,
        Flag(
            "Frames of the part before that are shown to the model, and crossfaded; repeatable, one for each "
            "seam.",
            metavar="N",
            default=str(USUAL_OVERLAP),
        ),
    ] = ()
    loop: Annotated[bool, Flag("Travel back to the first picture.")] = False


class Travel(Route, Legs, Anchors, Planned):
    """Travel from picture to picture in one continuous video."""

    shaped_by: ClassVar[tuple[str, ...]] = ("images",)
    type: Literal["travel"] = "travel"

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The pictures that the plan places."""
        return self.images

    @property
    def framing(self) -> Fit:
        """How pictures of another shape are fitted."""
        return self.fit

    @property
    def soundtrack(self) -> Path | None:
        """The sound of the whole result."""
        return self.audio_source

    def abilities(self, spec: ModelSpec) -> frozenset[Accepts]:
        """Models that follow no control video can travel from a first picture to a last one."""
        if self.mode == "chained" or "control" in spec.accepts:
            return super().abilities(spec)
        return frozenset({"start", "end"} if len(self.images) > 1 or self.loop else {"start"})

    def plan(self, lengths: Mapping[str, Sequence[int]], grid: Grid, rate: Fraction) -> Plan:  # noqa: ARG002 - pictures have none
        """Each part adds as many frames as it was given, and ends with its picture."""
        plan = plan_travel(
            len(self.images),
            [frame_count(frames, rate) for frames in self.frames],
            self.overlap or (USUAL_OVERLAP,),
            grid=grid,
            fps=rate,
            mode=self.mode,
            loop=self.loop,
        )
        spread("prompt", self.prompt, len(plan.segments), "part")
        if self.overlap:
            return plan
        # Nobody asked for an overlap, so nobody needs to hear that it became another.
        notices = tuple(notice for notice in plan.notices if not notice.startswith("overlap: "))
        return plan.model_copy(update={"notices": notices})
