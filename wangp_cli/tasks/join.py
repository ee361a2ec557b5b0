"""The task behind `wangp join`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from wangp_cli.errors import RequestError
from wangp_cli.models import ModelSpec
from wangp_cli.notices import Notice
from wangp_cli.plan.join import Bridge, plan_join
from wangp_cli.plan.model import JoinPlan, broadcast
from wangp_cli.tasks.fields import MANY, Counts, Flag, Input, Rate, Size, Spec
from wangp_cli.tasks.planned import Fit, OverlapOptions, Planned, Sound
from wangp_cli.tasks.shape import Shape

DEFAULT_GAP = 53
"""New frames of a join: with the default context they fill 69 frames, one run of most models."""


class JoinInputs(Spec):
    """Videos to join."""

    panel: ClassVar[str] = "Inputs"
    clips: Annotated[
        tuple[Path, ...], MANY, Input(("video",)), Flag("Video to join; repeatable, in order.", name="clip")
    ] = ()
    fit: Annotated[Fit | None, Flag("How clips of other sizes are fitted: crop, or pad with black.")] = None


class JoinOptions(Spec):
    """Generated frames between the clips."""

    panel: ClassVar[str] = "Seams"
    mode: Annotated[
        tuple[Literal["insert", "replace"], ...],
        MANY,
        Field(min_length=1),
        Flag(
            "Insert the new frames between the clips, or replace as many of theirs; repeatable, one for "
            "each join.",
            metavar="insert|replace",
        ),
    ] = ("insert",)
    gap: Annotated[
        Counts,
        Flag(
            "New frames of a join; repeatable, one for each.",
            metavar="N",
            default=f"{DEFAULT_GAP}, or what one run of the model has room for",
        ),
    ] = (DEFAULT_GAP,)
    context: Annotated[
        Counts,
        Flag(
            "Frames of each clip that condition the model, and are crossfaded; repeatable, one for each "
            "join.",
            metavar="N",
        ),
    ] = (8,)
    bridging: Annotated[
        bool, Flag("Also condition frames inside a gap on the last frame before it and the first after it.")
    ] = False
    loop: Annotated[bool, Flag("One more join, from the last clip back to the first.")] = False
    sound: Annotated[
        Sound,
        Flag(
            "Audio of new frames for which the model generates none: a crossfade of both neighbours, or "
            "silence."
        ),
    ] = "crossfade"


class Join(JoinOptions, OverlapOptions, JoinInputs, Planned):
    """Join clips with generated frames."""

    size_inputs: ClassVar[tuple[str, ...]] = ("clips",)
    rate_inputs: ClassVar[tuple[str, ...]] = ("clips",)
    keeps_size: ClassVar[bool] = True
    type: Literal["join"] = "join"
    size: Annotated[Size, Flag("Width and height in pixels.", metavar="WxH", default="the first clip's")] = (
        "832x480"
    )
    fps: Annotated[
        Rate,
        Flag("Frames per second of the file; clips are fitted.", metavar="RATE", default="the first clip's"),
    ] = "16"

    @classmethod
    def model_defaults(cls, spec: ModelSpec) -> Mapping[str, Any]:
        """Those of the model, with a gap and context that fill one run of the length it was trained on."""
        if (trained := spec.trained) is None:
            return spec.defaults
        gap = max(1, min(DEFAULT_GAP, trained.frames - 2 * trained.context))
        windows = {"sliding_window_size": trained.frames, "context": trained.context, "gap": gap}
        return {**windows, **spec.defaults}

    @property
    def videos(self) -> tuple[Path, ...]:
        """The clips whose frames the plan keeps."""
        return self.clips

    @property
    def framing(self) -> Fit:
        """How clips of another aspect ratio are fitted."""
        return self.fit or "crop"

    @property
    def span_sound(self) -> Sound:
        """The audio of generated frames."""
        return self.sound

    def check_shapes(self, shapes: Mapping[str, Sequence[Shape]], *, sized: bool) -> list[Notice]:
        """Require `fit` for clips of other sizes than the first; note changed sizes and rates."""
        clips = shapes.get("clips", [])
        notices: list[Notice] = []
        for index, clip in enumerate(clips[1:], 1):
            first, same = clips[0], clip[:2] == clips[0][:2]
            if self.fit is None and not same and not (sized and clip.like(first)):
                raise RequestError(
                    "clips",
                    f"clip {index} is {clip}, the first is {first}",
                    hint="say how to fit them: --fit crop or --fit pad",
                )
            if not same:
                how = "scaled" if clip.like(first) else {"crop": "cropped", "pad": "padded"}[self.framing]
                text = f"clip {index}, {clip}, is {how} to the size of the result"
                notices.append(Notice(field="clips", text=text))
            if clip.fps != first.fps:
                text = f"clip {index}, {clip.fps} fps, keeps its speed at the rate of the result"
                notices.append(Notice(field="clips", text=text))
        return notices

    def plan(self, lengths: Mapping[str, Sequence[int]], spec: ModelSpec, rate: Fraction) -> JoinPlan:
        """The frames of all clips and joins."""
        joins = max(len(self.clips) - (not self.loop), 1)
        gaps = broadcast("gap", self.gap, joins, "join")
        contexts = broadcast("context", self.context, joins, "join")
        modes = broadcast("mode", self.mode, joins, "join")
        self.check_parts(joins, "join")
        bridges = [
            Bridge(gap=gap, context=context, replace=mode == "replace", bridging=self.bridging)
            for gap, context, mode in zip(gaps, contexts, modes, strict=True)
        ]
        return plan_join(
            lengths.get("clips", ()),
            bridges,
            grid=spec.grid,
            fps=rate,
            loop=self.loop,
            window=self.sliding_window_size or None,
            overlap=self.window_overlap(spec),
        )
