"""The base class of tasks whose frames are planned before the model runs: travel, join, edit, inpaint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from wangp_cli.errors import RequestError
from wangp_cli.models import Accepts, ModelSpec
from wangp_cli.notices import Notice
from wangp_cli.plan.model import Plan, Segment, broadcast, value_of_unit
from wangp_cli.tasks.fields import FINITE, MANY, MAX_FRAMES, Flag, Spec
from wangp_cli.tasks.lora_strength import Strength
from wangp_cli.tasks.loras import read_multipliers
from wangp_cli.tasks.parts import (
    PartLoraOptions,
    PartNoise,
    PartOverrides,
    PartPhases,
    check_multipliers,
    sampling_of,
)
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.shot import Sampling, Shot, shot_of

Fit = Literal["crop", "pad"]
Sound = Literal["crossfade", "silence"]
UNPROMPTED = "smooth transition"
"""The prompt of a generated part where none is given."""


class Prompts(Spec):
    """Prompts of the generated parts."""

    panel: ClassVar[str] = "Prompt"
    prompt: Annotated[
        tuple[str, ...],
        MANY,
        Field(min_length=1),
        Flag("Prompt: what to show; repeatable, one for each generated part.", "-p", metavar="TEXT"),
    ] = (UNPROMPTED,)
    text_before: Annotated[str, Flag("Text before every prompt.", metavar="TEXT")] = ""
    text_after: Annotated[str, Flag("Text after every prompt.", metavar="TEXT")] = ""
    negative_prompt: Annotated[
        tuple[str, ...],
        MANY,
        Field(min_length=1),
        Flag(
            "Negative prompt: what to avoid; needs a guidance scale above 1; repeatable, one for each "
            "generated part.",
            "-n",
            metavar="TEXT",
        ),
    ] = ("",)


class SeamOptions(Spec):
    """Seams between generated and given frames."""

    panel: ClassVar[str] = "Seams"
    colour_match: Annotated[
        float,
        FINITE,
        Field(ge=0, le=1),
        Flag(
            "Colour match of generated frames to given ones (in CIE L*a*b*), 0 to 1; 0 is off.",
            aliases=("color_match",),
            metavar="X",
        ),
    ] = 1.0
    sharpen: Annotated[
        float, FINITE, Field(ge=0, le=1), Flag("Sharpening of crossfaded frames, 0 to 1.", metavar="X")
    ] = 0.0


class OverlapOptions(Spec):
    """Sliding windows for videos that are longer than one run of the model."""

    panel: ClassVar[str] = "Size and length"
    sliding_window_size: Annotated[
        int,
        Field(ge=0, le=MAX_FRAMES),
        Flag(
            "Frames of a sliding window, for longer videos; 0 generates all frames in one run.",
            metavar="N",
            default="the model's, or 0",
        ),
    ] = 0
    sliding_window_overlap: Annotated[
        Annotated[int, Field(ge=1, le=MAX_FRAMES)] | None,
        Flag(
            "Frames that a window shares with the next one.",
            metavar="N",
            default="5 for VACE, 17 for SkyReels, 1 for image to video",
        ),
    ] = None

    def window_overlap(self, spec: ModelSpec) -> int:
        """Frames that windows share: those given, else the model's context frames."""
        return self.sliding_window_overlap or spec.context_frames


def visualization_path(result: Path) -> Path:
    """The video that shows how a result was made, beside it."""
    return result.with_name(f"{result.stem}_visualization.mp4")


def intermediates_folder(result: Path) -> Path:
    """The folder of the intermediates of a result."""
    return result.with_name(f"{result.stem}_intermediates")


class Intermediates(Spec):
    """What the model was conditioned on, as files."""

    panel: ClassVar[str] = "Output"
    keep_intermediates: Annotated[
        bool,
        Flag("Keep segments, guides and masks as lossless files in the folder RESULT_intermediates."),
    ] = False


class DebugOutputs(Intermediates):
    """Files that show how the result was made."""

    panel: ClassVar[str] = "Output"
    visualize: Annotated[
        bool,
        Flag("Also write RESULT_visualization.mp4: guide and result side by side, over a timeline."),
    ] = False


class Planned(PartLoraOptions, PartPhases, PartNoise, SeamOptions, DebugOutputs, Render, Prompts):
    """A task whose result is assembled from several runs of the model, by a plan."""

    run: ClassVar[str] = "wangp_cli.workflows.planned:run"

    def files_beside(self, result: Path) -> tuple[Path, ...]:
        """The video that shows how a result was made, where it is wanted."""
        return (visualization_path(result),) if self.visualize else ()

    def folders_beside(self, result: Path) -> tuple[Path, ...]:
        """The folder of intermediates, where they are kept."""
        return (intermediates_folder(result),) if self.keep_intermediates else ()

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompt of each part; a single one is used for all."""
        return self.prompt

    @property
    def prompts_of_runs(self) -> tuple[str, ...]:
        """The prompt of each part, with the text around it."""
        return tuple(_join_texts(self.text_before, prompt, self.text_after) for prompt in self.prompts)

    @property
    def all_prompts(self) -> str:
        """All prompts as one text."""
        return _join_texts(self.text_before, *self.prompts, self.text_after)

    @property
    def all_negative_prompts(self) -> str:
        """All negative prompts as one text."""
        return _join_texts(*self.negative_prompt)

    @property
    def videos(self) -> tuple[Path, ...]:
        """The videos whose frames the plan keeps."""
        return ()

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The images that the plan places."""
        return ()

    @property
    def framing(self) -> Fit:
        """How images and videos of another aspect ratio are fitted."""
        return "crop"

    @property
    def span_sound(self) -> Sound:
        """The audio of generated frames."""
        return "silence"

    @property
    def soundtrack(self) -> Path | None:
        """Audio file for the whole result, instead of the audio of the videos."""
        return None

    def abilities(self, spec: ModelSpec) -> frozenset[Accepts]:  # noqa: ARG002 - for subclasses
        """The model is conditioned on known frames and on a mask of the generated ones."""
        needed: set[Accepts] = {"control", "mask"}
        return frozenset(needed | {"initial"} if self.denoising_strength < 1 else needed)

    def check_plan(self, plan: Plan) -> None:
        """Refuse a denoising strength below 1 for segments that replace no frames."""
        strength = self.denoising_strength
        for segment in plan.segments:
            if strength < 1 and segment.frames and not segment.removed:
                raise RequestError(
                    "denoising_strength",
                    f"{strength}, but segment {segment.index} replaces no frames to start from",
                    hint="leave it out to start from noise",
                )

    def plan_notices(self, plan: Plan) -> list[Notice]:
        """Values of parts that one run of the model makes together: it has those of the first."""
        merged = [segment for segment in plan.segments if len(segment.portions) > 1]
        notices = []
        for field in ("part_seeds", "part_phases", "part_lora_factors"):
            values = getattr(self, field)
            for segment in merged if len(values) > 1 else ():
                first, *rest = segment.portions
                if any(values[part] != values[first] for part in rest):
                    text = f"that of part {first + 1} serves {len(rest)} more, which one run makes together"
                    notices.append(Notice(field=field, text=text))
        return notices

    def check_parts(self, parts: int, unit: str) -> None:
        """Check that lists have one value for each part.

        Raises:
            RequestError: naming the field, the values given and the values wanted.
        """
        for field in ("prompt", "negative_prompt", "part_seeds", "part_phases", "part_lora_factors"):
            if values := getattr(self, field):
                broadcast(field, values, parts, unit)

    def shot(self, segment: Segment) -> Shot:
        """The run of the model that generates a segment, which may hold several parts."""
        parts = _parts(segment)
        return shot_of(
            self,
            prompt=_join_texts(
                self.text_before, *(value_of_unit(self.prompts, part) for part in parts), self.text_after
            ),
            negative_prompt=_join_texts(*(value_of_unit(self.negative_prompt, part) for part in parts)),
            frames=segment.generate,
            seed=value_of_unit(self.part_seeds, parts[0]) if self.part_seeds else self.seed,
            **(sampling_of(value_of_unit(self.part_phases, parts[0])) if self.part_phases else {}),
        )

    @property
    def samplings(self) -> tuple[Sampling, ...]:
        """The sampling of each part; a single one if it is the same for all."""
        return tuple(map(self._sampling, self.part_phases)) or (self,)

    def lora_strengths(self, segment: Segment) -> list[Strength]:
        """The strength of each of the task's LoRAs in a segment."""
        part = _parts(segment)[0]
        own = value_of_unit(self.part_phases, part).lora_multipliers if self.part_phases else None
        strengths = [strength for _, strength in self.strengths()] if own is None else read_multipliers(own)
        if not self.part_lora_factors:
            return strengths
        factors = map(float, value_of_unit(self.part_lora_factors, part).split())
        return [strength.times(factor) for strength, factor in zip(strengths, factors, strict=True)]

    @model_validator(mode="after")
    def _a_factor_for_each_lora(self) -> Self:
        loras = len(self.loras)
        for text in self.part_lora_factors:
            if (count := len(text.split())) != loras:
                raise ValueError(
                    f"part_lora_factors: {text!r} has {count} numbers, wanted {loras}, one for each LoRA"
                )
        return self

    @model_validator(mode="after")
    def _every_part_samples(self) -> Self:
        for number, own in enumerate(self.part_phases):
            try:
                run = self._sampling(own)
                check_multipliers(own.lora_multipliers, run, len(self.loras))
            except ValidationError as error:
                fault = error.errors()[0]
                raise ValueError(f"part_phases: number {number}: {fault['ctx']['error']}") from None
            except ValueError as error:
                raise ValueError(f"part_phases: number {number}: lora_multipliers: {error}") from None
        return self

    def _sampling(self, own: PartOverrides) -> Sampling:
        return Sampling(**self.model_dump(include=set(Sampling.model_fields)) | sampling_of(own))


def _parts(segment: Segment) -> tuple[int, ...]:
    """The parts that a segment holds."""
    return segment.portions or (segment.index,)


def _join_texts(*texts: str) -> str:
    return " ".join(dict.fromkeys(text.strip() for text in texts if text.strip()))
