"""The task behind `wangp edit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from wangp_cli.models import ModelSpec
from wangp_cli.plan.edit import plan_edit
from wangp_cli.plan.model import JoinPlan, broadcast
from wangp_cli.tasks.fields import MANY, MAX_FRAMES, Counts, Flag, Input, Rate, Size, Spec
from wangp_cli.tasks.planned import OverlapOptions, Planned, Sound
from wangp_cli.tasks.portions import check_portion, frames_of, prompt_of


class EditedPortions(Spec):
    """The video and the portions to regenerate."""

    panel: ClassVar[str] = "Inputs"
    video: Annotated[Path, Input(("video",)), Flag("Video to edit.")]
    portions: Annotated[
        tuple[Annotated[str, AfterValidator(check_portion)], ...],
        MANY,
        Field(min_length=1),
        Flag(
            "Portion to regenerate: frames 16-33, both included, or seconds 1s-2.5s; with a prompt of its "
            "own after a colon; repeatable.",
            name="portion",
            metavar="START-END[:PROMPT]",
        ),
    ]


class EditContext(Spec):
    """Context frames next to a portion, and the audio of new frames."""

    panel: ClassVar[str] = "Seams"
    context: Annotated[
        int,
        Field(ge=1, le=MAX_FRAMES),
        Flag("Frames next to each portion that condition the model, and are crossfaded.", metavar="N"),
    ] = 8
    sound: Annotated[
        Sound,
        Flag(
            "Audio of new frames for which the model generates none: that of the replaced frames "
            "(crossfade), or silence."
        ),
    ] = "crossfade"


class Edit(EditContext, OverlapOptions, EditedPortions, Planned):
    """Regenerate portions of a video; all other frames stay unchanged."""

    size_inputs: ClassVar[tuple[str, ...]] = ("video",)
    rate_inputs: ClassVar[tuple[str, ...]] = ("video",)
    keeps_size: ClassVar[bool] = True
    splices: ClassVar[bool] = True
    panel: ClassVar[str] = "Seams"
    type: Literal["edit"] = "edit"
    size: Annotated[Size, Flag("Size at which the model works.", metavar="WxH", default="the video's")] = (
        "832x480"
    )
    fps: Annotated[Rate, Flag("Frames per second of the file.", metavar="RATE", default="the video's")] = "16"
    gap: Annotated[
        Counts,
        Flag(
            "New frames of a portion; repeatable, one for each.", metavar="N", default="as many as there were"
        ),
    ] = ()
    keep_ends: Annotated[
        bool, Flag("Keep the first and the last frame of each portion, and crossfade none.")
    ] = False

    @classmethod
    def model_defaults(cls, spec: ModelSpec) -> Mapping[str, Any]:
        """Those of the model, with runs of the length that it was trained on."""
        if (trained := spec.trained) is None:
            return spec.defaults
        return {"sliding_window_size": trained.frames, "context": trained.context, **spec.defaults}

    @property
    def videos(self) -> tuple[Path, ...]:
        """The video whose frames the plan keeps."""
        return (self.video,)

    @property
    def span_sound(self) -> Sound:
        """The audio of new frames."""
        return self.sound

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompt of each portion: its own, else the task's."""
        shared = broadcast("prompt", self.prompt, len(self.portions), "portion")
        return tuple(prompt_of(text) or prompt for text, prompt in zip(self.portions, shared, strict=True))

    def plan(self, lengths: Mapping[str, Sequence[int]], spec: ModelSpec, rate: Fraction) -> JoinPlan:
        """The frames of the video and of the new portions."""
        self.check_parts(len(self.portions), "portion")
        gaps: Sequence[int | None] = self.gap or (None,)
        each = broadcast("gap", gaps, len(self.portions), "portion")
        portions = [
            frames_of("portions", text, rate, gap) for text, gap in zip(self.portions, each, strict=True)
        ]
        (length,) = lengths["video"]
        return plan_edit(
            length,
            portions,
            grid=spec.grid,
            fps=rate,
            context=self.context,
            keep_ends=self.keep_ends,
            window=self.sliding_window_size or None,
            overlap=self.window_overlap(spec),
        )
