"""The base class of tasks that a diffusion model renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from wangp_cli.models import Accepts, ModelSpec
from wangp_cli.notices import Notice
from wangp_cli.plan.model import Plan
from wangp_cli.tasks.engines import EngineChoice
from wangp_cli.tasks.fields import Flag, Spec
from wangp_cli.tasks.finishing import Finishing
from wangp_cli.tasks.loras import LoraOptions
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.tasks.shape import Shape
from wangp_cli.tasks.shot import Canvas, Sampling
from wangp_cli.tasks.stages import RENDER_STAGES, StageShare
from wangp_cli.tasks.task import Encoding, Task


class ModelChoice(Spec):
    """The model."""

    panel: ClassVar[str] = "Task"
    model: Annotated[
        str,
        Field(min_length=1, max_length=128),
        Flag("Model to use; `wangp models` lists them.", "-m", metavar="NAME", complete="models"),
    ]


class Render(Runtime, Encoding, Finishing, LoraOptions, Sampling, Canvas, Task, ModelChoice):
    """A task that a diffusion model renders.

    Attributes:
        size_inputs: inputs whose aspect ratio the result has; the first one given counts.
        rate_inputs: inputs whose frame rate the result has; the first one given counts.
        keeps_size: unless a size is given, the result has exactly the size of that input, not the model's
            number of pixels.
        splices: generated frames are fitted into that input, so that the result has exactly its size at any
            `size` of the model.
    """

    stages: ClassVar[tuple[StageShare, ...]] = RENDER_STAGES
    size_inputs: ClassVar[tuple[str, ...]] = ()
    rate_inputs: ClassVar[tuple[str, ...]] = ()
    keeps_size: ClassVar[bool] = False
    splices: ClassVar[bool] = False
    name: Annotated[
        str,
        Flag("Template of file names: {model} {seed} {prompt} {index} {date} ...", metavar="TEMPLATE"),
    ] = "{model}_seed{seed}_{prompt}"

    def engines(self) -> Mapping[str, EngineChoice]:
        """Those of finishing."""
        return {**super().engines(), **self.finishing_engines}

    def models(self) -> Mapping[str, str]:
        """The diffusion model, as `model`, and those of engines."""
        return {"model": self.model, **super().models()}

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
    def prompts_of_runs(self) -> tuple[str, ...]:
        """The prompt of each run of the model; a single one where it is the same for all."""
        return ()

    @property
    def all_prompts(self) -> str:
        """All prompts as one text."""
        return ""

    @property
    def all_negative_prompts(self) -> str:
        """All negative prompts as one text."""
        return ""

    @property
    def samplings(self) -> tuple[Sampling, ...]:
        """The sampling of each part; a single one if it is the same for all."""
        return (self,)

    def single(self, index: int) -> Self:
        """The task that makes only result `index`."""
        return self.replace(seed=self.seed + index)

    def abilities(self, spec: ModelSpec) -> frozenset[Accepts]:  # noqa: ARG002 - for subclasses
        """Inputs that a model must accept for the task, besides those of the files given."""
        return frozenset()

    def check_shapes(self, shapes: Mapping[str, Sequence[Shape]], *, sized: bool) -> list[Notice]:  # noqa: ARG002 - for subclasses
        """Check that the shapes of input files fit together; notices of how differences are handled.

        Args:
            shapes: of each file, by field.
            sized: whether the user chose the size of the result.

        Raises:
            RequestError: names the field of those that do not.
        """
        return []

    def check_plan(self, plan: Plan) -> None:
        """Check values against a plan.

        Raises:
            RequestError: names the field.
        """

    def plan_notices(self, plan: Plan) -> list[Notice]:  # noqa: ARG002 - for subclasses
        """Notices of values that a plan does not use in full."""
        return []

    def plan(self, lengths: Mapping[str, Sequence[int]], spec: ModelSpec, rate: Fraction) -> Plan | None:  # noqa: ARG002 - for subclasses
        """The plan of a task that needs several runs of the model; None for a single run.

        Args:
            lengths: frames of each input video at `rate`, by field.
            spec: the model.
            rate: frames per second of the result.

        Raises:
            RequestError: it cannot be planned.
        """
        return None
