"""The task behind `wangp generate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from wangp_cli.errors import RequestError
from wangp_cli.models import ModelSpec
from wangp_cli.notices import Notice
from wangp_cli.plan.model import Plan, Segment
from wangp_cli.plan.windows import plan_windows
from wangp_cli.tasks.camera import CameraOptions
from wangp_cli.tasks.control_pictures import GuideOptions
from wangp_cli.tasks.engines import EngineChoice
from wangp_cli.tasks.fields import MANY, MAX_FRAMES, Flag, frame_count
from wangp_cli.tasks.planned import Intermediates, OverlapOptions, SeamOptions, intermediates_folder
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.shape import Shape
from wangp_cli.tasks.shot import Shot, shot_of
from wangp_cli.tasks.task import MediaInputs

_WINDOW_FIELDS = {"window": "sliding_window_size", "overlap": "sliding_window_overlap"}
"""The fields of the arguments of `plan_windows`."""


class WindowOptions(OverlapOptions):
    """Windows of a long video: discarded frames and prompts."""

    panel: ClassVar[str] = "Size and length"
    sliding_window_discard_last_frames: Annotated[
        int,
        Field(ge=0, le=MAX_FRAMES),
        Flag("Frames at the end of each window that are discarded.", metavar="N"),
    ] = 0
    window_prompts: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        MANY,
        Flag(
            "Prompt of one window, instead of the prompt; repeatable, the last is used for all others.",
            name="window_prompt",
            metavar="TEXT",
        ),
    ] = ()


class Generate(
    MediaInputs, CameraOptions, GuideOptions, Intermediates, SeamOptions, WindowOptions, Shot, Render
):
    """Make a video from a prompt, images and videos; one frame makes an image."""

    run: ClassVar[str] = "wangp_cli.workflows.generate:run"
    panel: ClassVar[str] = "Output"
    size_inputs: ClassVar[tuple[str, ...]] = (
        "image_start",
        "video_source",
        "video_initial",
        "video_guide",
        "image_guide",
    )
    rate_inputs: ClassVar[tuple[str, ...]] = ("video_source",)
    type: Literal["generate"] = "generate"
    count: Annotated[
        int, Field(ge=1, le=1000), Flag("Results to make, with consecutive seeds.", metavar="N")
    ] = 1

    @classmethod
    def model_defaults(cls, spec: ModelSpec) -> Mapping[str, Any]:
        """Those of the model, with windows as long as the clips that it was trained on."""
        if spec.trained is None or not spec.continues:
            return spec.defaults
        return {"sliding_window_size": spec.trained.frames, **spec.defaults}

    def engines(self) -> Mapping[str, EngineChoice]:
        """Those of every render, and that of the control pictures."""
        return {**super().engines(), **self.guide_engines(self.video_guide, self.image_guide)}

    def folders_beside(self, result: Path) -> tuple[Path, ...]:
        """The folder of intermediates, where they are kept."""
        return (intermediates_folder(result),) if self.keep_intermediates else ()

    @property
    def prompts_of_runs(self) -> tuple[str, ...]:
        """The prompt, or those of the windows."""
        return self.window_prompts or (self.prompt,)

    @property
    def all_prompts(self) -> str:
        """All prompts as one text."""
        return " ".join(dict.fromkeys([self.prompt, *self.window_prompts]))

    def plan(self, lengths: Mapping[str, Sequence[int]], spec: ModelSpec, rate: Fraction) -> Plan | None:
        """The windows of a video that is longer than one window; None for a single run."""
        frames = frame_count(self.frames, rate)
        if not 0 < self.sliding_window_size < frames:
            if self.window_prompts:
                raise RequestError("window_prompts", "the video is made in one run", hint="--prompt")
            return None
        if not spec.continues:
            raise RequestError(
                "sliding_window_size",
                f"model {spec.name!r} cannot continue a video, so it makes all of it in one run",
                hint="--sliding-window-size 0",
            )
        if frames > MAX_FRAMES:
            raise RequestError("frames", f"{self.frames} at {rate} fps is {frames}, at most {MAX_FRAMES}")
        (before,) = lengths.get("video_source", [0])
        plan = plan_windows(
            frames,
            window=self.sliding_window_size,
            overlap=self.window_overlap(spec),
            discard=self.sliding_window_discard_last_frames,
            grid=spec.grid,
            fps=rate,
            before=before,
            ends=self.image_end is not None,
        )
        if (prompts := len(self.window_prompts)) > (windows := len(plan.segments)):
            raise RequestError("window_prompts", f"{prompts}, but the video has {windows} windows")
        notices = (
            replace(notice, field=_WINDOW_FIELDS.get(str(notice.field), notice.field))
            for notice in plan.notices
        )
        return plan.model_copy(update={"notices": tuple(notices)})

    def window(self, segment: Segment) -> Shot:
        """The run of the model that generates a window."""
        prompts = self.window_prompts or (self.prompt,)
        return shot_of(self, prompt=prompts[min(segment.index, len(prompts) - 1)], frames=segment.generate)

    def check_shapes(self, shapes: Mapping[str, Sequence[Shape]], *, sized: bool) -> list[Notice]:  # noqa: ARG002 - any size will do
        """Refuse control or mask of another shape than the background; note faces cropped to a square."""
        if self.guide_kind == "flow" and "image_guide" in shapes:
            raise RequestError("guide_kind", "flow, but an image does not move", hint="give --video-guide")
        for background in shapes.get("video_background", ()):
            for field in ("video_guide", "image_guide", "video_mask", "image_mask"):
                for shape in shapes.get(field, ()):
                    if not shape.like(background):
                        raise RequestError(field, f"{shape}, but the background video is {background}")
        return [
            Notice(field="video_face", text=f"{face}, of which the square in the middle is read")
            for face in shapes.get("video_face", ())
            if not face.like(Shape(1, 1))
        ]

    @property
    def all_negative_prompts(self) -> str:
        """The negative prompt."""
        return self.negative_prompt

    @classmethod
    def asks_for_one(cls, values: Mapping[str, Any]) -> bool:
        """Whether the count is 1."""
        return bool(values.get("count", 1) == 1)

    @property
    def results(self) -> int:
        """Number of result files."""
        return self.count

    def single(self, index: int) -> Self:
        """A task that makes result `index` alone."""
        return self.replace(seed=self.seed + index, count=1)

    @model_validator(mode="after")
    def _prompt_is_not_blank(self) -> Self:
        if not self.prompt.strip():
            raise ValueError('prompt: blank, say what to show, such as "a red circle"')
        return self

    @model_validator(mode="after")
    def _starts_from_noise_or_a_video(self) -> Self:
        if (self.denoising_strength < 1) != (self.video_initial is not None):
            fault = (
                "1 starts from noise, so video_initial would do nothing"
                if self.video_initial
                else f"{self.denoising_strength} needs a video to start from, give video_initial"
            )
            raise ValueError(f"denoising_strength: {fault}")
        return self
