"""The fields of one run of the model: prompt, size, length and sampling; pipelines read them."""

from __future__ import annotations

from itertools import accumulate
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from wangp_cli.errors import RequestError
from wangp_cli.plan.phases import MOST_STEPS, check_steps, phase_lengths, timesteps_of
from wangp_cli.tasks.fields import FINITE, MAX_SEED, Flag, FrameCount, Rate, Size, Spec
from wangp_cli.tasks.forcing import DiffusionForcing
from wangp_cli.tasks.guidance import Guidance

MODELS = "the model's"
Sampler = Literal["unipc", "euler", "euler_ancestral", "dpm++", "causvid", "lcm"]
MOST_PHASES = 3
LEAST_FLOW_SHIFT = 0.01
"""Below, a schedule of float32 has steps of no length, and at last a division by zero."""
Threshold = Annotated[float, FINITE, Field(ge=0, le=1000)]


class Prompt(Spec):
    """The prompt."""

    panel: ClassVar[str] = "Prompt"
    prompt: Annotated[str, Flag("Prompt: what to show.", "-p", metavar="TEXT")] = ""


class NegativePrompt(Spec):
    """The negative prompt."""

    panel: ClassVar[str] = "Prompt"
    negative_prompt: Annotated[
        str,
        Flag("Negative prompt: what to avoid; needs a guidance or NAG scale above 1.", "-n", metavar="TEXT"),
    ] = ""


class Canvas(Spec):
    """Frame size and frame rate."""

    panel: ClassVar[str] = "Size and length"
    size: Annotated[Size, Flag("Width and height in pixels.", metavar="WxH", default=MODELS)] = "832x480"
    fps: Annotated[
        Rate,
        Flag("Frames per second of the file, such as 16 or 24000/1001.", metavar="RATE", default=MODELS),
    ] = "16"


class Length(Spec):
    """Number of frames."""

    panel: ClassVar[str] = "Size and length"
    frames: Annotated[
        FrameCount,
        Flag("Frames, or seconds as in 5s; one frame makes an image.", "-f", metavar="N", default=MODELS),
    ] = 81


class Phases(Spec):
    """Guidance phases: consecutive parts of the denoising with scales of their own."""

    panel: ClassVar[str] = "Phases"
    guidance_phases: Annotated[
        int,
        Field(ge=1, le=MOST_PHASES),
        Flag("Guidance phases, 1 to 3.", metavar="N", default=MODELS),
    ] = 1
    switch_threshold: Annotated[
        Threshold | None,
        Flag("Timestep, 0 to 1000, at or below which the second phase begins.", metavar="X", default=MODELS),
    ] = None
    switch_threshold2: Annotated[
        Threshold | None,
        Flag("Timestep at or below which the third phase begins.", metavar="X", default=MODELS),
    ] = None
    model_switch_phase: Annotated[
        int,
        Field(ge=1, le=MOST_PHASES - 1),
        Flag(
            "Of models with two transformers: the phase after which the one for low noise is used.",
            metavar="N",
        ),
    ] = 1

    @property
    def thresholds(self) -> list[float]:
        """The timesteps at which the second and third phase begin."""
        both = (self.switch_threshold, self.switch_threshold2)[: self.guidance_phases - 1]
        return [threshold for threshold in both if threshold is not None]

    def expert_of(self, phase: int) -> int:
        """Index of the transformer that denoises a phase: 0 for high noise, 1 for low noise."""
        switch = self.model_switch_phase if self.guidance_phases == MOST_PHASES else 1
        return int(phase >= switch)

    @model_validator(mode="after")
    def _every_phase_begins(self) -> Self:
        for field in ("switch_threshold", "switch_threshold2")[: self.guidance_phases - 1]:
            if getattr(self, field) is None:
                raise ValueError(f"{field}: is needed for {self.guidance_phases} phases")
        if len(self.thresholds) > 1 and self.thresholds[1] >= self.thresholds[0]:
            first, second = self.thresholds
            raise ValueError(f"switch_threshold2: {second} must be below switch_threshold, which is {first}")
        return self


class SamplerOptions(Spec):
    """Sampler, steps, seed, and the strengths of inputs."""

    panel: ClassVar[str] = "Sampling"
    steps: Annotated[
        int, Field(ge=1, le=500), Flag("Denoising steps.", "-s", metavar="N", default=MODELS)
    ] = 30
    flow_shift: Annotated[
        float,
        FINITE,
        Field(ge=LEAST_FLOW_SHIFT, le=100),
        Flag("Shift of the noise schedule towards high noise.", metavar="X", default=MODELS),
    ] = 5.0
    sampler: Annotated[
        Sampler,
        Flag(
            "Sampler; euler_ancestral adds noise at every step, which corrects earlier errors; causvid and "
            "lcm are for distilled models."
        ),
    ] = "unipc"
    seed: Annotated[
        int, Field(ge=-1, le=MAX_SEED), Flag("Seed of the noise; -1 draws one.", metavar="N", default="")
    ] = -1
    denoising_strength: Annotated[
        float,
        FINITE,
        Field(ge=0, le=1),
        Flag("Share of the steps that are run on the initial video; 1 starts from noise.", metavar="X"),
    ] = 1.0
    control_strength: Annotated[
        float,
        FINITE,
        Field(ge=0, le=2),
        Flag("Scale of the conditioning by control video and references.", metavar="X"),
    ] = 1.0
    control_start: Annotated[
        float,
        FINITE,
        Field(ge=0, lt=1),
        Flag("Share of the steps before which the control video has no effect.", metavar="X"),
    ] = 0.0
    control_end: Annotated[
        float,
        FINITE,
        Field(gt=0, le=1),
        Flag("Share of the steps after which the control video has no effect.", metavar="X"),
    ] = 1.0

    audio_scale: Annotated[
        float,
        FINITE,
        Field(ge=0, le=10),
        Flag("Scale of the cross-attention to the speech audio; 0 turns it off.", metavar="X"),
    ] = 1.0

    @property
    def control_always(self) -> bool:
        """Whether the control video is used in all steps."""
        return self.control_start == 0 and self.control_end == 1

    @model_validator(mode="after")
    def _the_control_has_steps(self) -> Self:
        if self.control_start >= self.control_end:
            raise ValueError(f"control_end: {self.control_end}, must be more than {self.control_start}")
        return self

    @model_validator(mode="after")
    def _the_sampler_has_so_many_steps(self) -> Self:
        if self.sampler in MOST_STEPS:
            try:
                check_steps(self.sampler, self.steps)
            except RequestError as error:
                raise ValueError(error.message) from None
        return self


class Sampling(DiffusionForcing, Phases, Guidance, SamplerOptions):
    """Everything that decides how a model denoises."""

    @property
    def phase_spans(self) -> list[tuple[int, int]]:
        """First step (from 0) and number of steps of each phase."""
        timesteps = timesteps_of(self.sampler, self.steps, self.flow_shift)
        lengths = phase_lengths(timesteps, self.thresholds)
        return list(zip(accumulate([0, *lengths]), lengths, strict=False))

    @property
    def uses_guidance(self) -> bool:
        """Whether any step runs a second pass with the negative prompt."""
        spans = enumerate(self.phase_spans)
        return any(length and self.guidance_of(phase) > 1 for phase, (_, length) in spans)

    @property
    def uses_negative_prompt(self) -> bool:
        """Whether the negative prompt has any effect, by guidance or NAG."""
        return self.uses_guidance or self.nag_scale > 1

    @model_validator(mode="after")
    def _diffusion_forcing_has_one_phase(self) -> Self:
        if self.ar_step and self.guidance_phases > 1:
            raise ValueError("ar_step: blocks are at different timesteps, so the run has no phases")
        if self.ar_step and self.zero_init_steps:
            raise ValueError("ar_step: blocks begin one by one, so zero_init_steps would stop only the first")
        return self


class Shot(Sampling, Length, Canvas, NegativePrompt, Prompt):
    """One run of the model; size and frames are on the model's grid and the seed is drawn."""


def shot_of(task: Spec, **changes: Any) -> Shot:
    """The shot of a task, which has all fields of a shot that are not in `changes`."""
    return Shot(**task.model_dump(include=set(Shot.model_fields) - changes.keys()), **changes)
