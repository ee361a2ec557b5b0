"""What all tasks have in common that a model renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import Field

from wangp_cli.models import Accepts, ModelSpec
from wangp_cli.notices import Notice
from wangp_cli.plan.model import Plan
from wangp_cli.tasks.fields import Flag, Spec
from wangp_cli.tasks.loras import LoraOptions
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.tasks.shot import Canvas, Sampling
from wangp_cli.tasks.stages import RENDER_STAGES, StageShare
from wangp_cli.tasks.task import Encoding, Task

SAME_SHAPE = 0.02
Pixels = tuple[int, int]
"""Width and height."""


class Shape(NamedTuple):
    """Of an input file: sides in pixels, and frames per second of a video."""

    width: int
    height: int
    fps: Fraction | None = None

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    def like(self, other: Shape) -> bool:
        """Whether both are equally wide for their height, within the pixels that rounding takes."""
        return abs(self.width * other.height / (self.height * other.width) - 1) <= SAME_SHAPE


class ModelChoice(Spec):
    """Which model is used."""

    panel: ClassVar[str] = "Task"
    model: Annotated[
        str,
        Field(min_length=1, max_length=128),
        Flag("Model to use; `wangp models` lists them.", "-m", metavar="NAME"),
    ]


class Render(Runtime, Encoding, LoraOptions, Sampling, Canvas, Task, ModelChoice):
    """A task that a diffusion model renders.

    Attributes:
        size_inputs: inputs whose shape the result has, the first one given wins.
        rate_inputs: inputs whose frame rate the result has, likewise.
        keeps_size: whether it also has the size of that input, rather than the model's number of pixels.
        splices: whether new frames are fitted into that input, so that the result has exactly its size
            whatever `size` the model works at.
    """

    stages: ClassVar[tuple[StageShare, ...]] = RENDER_STAGES
    size_inputs: ClassVar[tuple[str, ...]] = ()
    rate_inputs: ClassVar[tuple[str, ...]] = ()
    keeps_size: ClassVar[bool] = False
    splices: ClassVar[bool] = False
    name: Annotated[
        str, Flag("Template of file names: {model} {seed} {prompt} {index} {date} ...", metavar="TEMPLATE")
    ] = "{model}_seed{seed}_{prompt}"

    def models(self) -> Mapping[str, str]:
        """The diffusion model, as `model`."""
        return {"model": self.model}

    @property
    def frees_models(self) -> bool:
        """Whether the model is freed when the task is done."""
        return self.preload_policy == "unload"

    def name_fields(self, index: int) -> dict[str, Any]:
        """What the template of the file name of result `index` may hold, besides those of all tasks."""
        return {
            "seed": self.seed + index,
            "model": self.model,
            "prompt": self.all_prompts,
            "size": self.size,
            "steps": self.steps,
        } | super().name_fields(index)

    @property
    def all_prompts(self) -> str:
        """Everything it asks to show."""
        return ""

    @property
    def all_negative_prompts(self) -> str:
        """Everything it asks to keep out."""
        return ""

    @property
    def samplings(self) -> tuple[Sampling, ...]:
        """How its parts are denoised, one for each if they differ."""
        return (self,)

    def single(self, index: int) -> Self:
        """A task that makes result `index` alone."""
        return self.replace(seed=self.seed + index)

    def abilities(self, spec: ModelSpec) -> frozenset[Accepts]:  # noqa: ARG002 - for subclasses
        """What a model must be able to do for it, besides what the inputs given ask for."""
        return frozenset()

    def check_shapes(self, shapes: Mapping[str, Sequence[Shape]], *, sized: bool) -> list[Notice]:  # noqa: ARG002 - for subclasses
        """Whether the input files go together; what is done where they differ, a sentence each.

        Args:
            shapes: of each file, by field.
            sized: whether the size of the result was asked for.

        Raises:
            RequestError: names the field of those that do not.
        """
        return []

    def check_plan(self, plan: Plan) -> None:
        """Refuse what a plan leaves no room for.

        Raises:
            RequestError: names the field.
        """

    def plan(self, lengths: Mapping[str, Sequence[int]], spec: ModelSpec, rate: Fraction) -> Plan | None:  # noqa: ARG002 - for subclasses
        """The frames of the result, for a task that makes it from several runs of the model.

        Args:
            lengths: frames of each input video at `rate`, by field.
            spec: the model.
            rate: frames per second of the result.

        Raises:
            RequestError: it cannot be planned.
        """
        return None
