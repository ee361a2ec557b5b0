"""A settled request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wangp_cli import __version__
from wangp_cli.errors import DamagedMediaError, ModelError
from wangp_cli.models import ModelSpec
from wangp_cli.notices import Notice
from wangp_cli.runtime.loras.select import LoraUse
from wangp_cli.runtime.weights.locate import locate
from wangp_cli.tasks.fields import Pixels
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.tasks.shape import ResultShape
from wangp_cli.tasks.task import Task
from wangp_cli.tasks.tool import Processing, Tool

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.plan.model import Plan
    from wangp_cli.runtime.request.input_facts import InputFacts
    from wangp_cli.value_layers import Origins

WANGP_SETTINGS_VERSION = 2.74


@dataclass(frozen=True, kw_only=True)
class Request:
    """A settled task, ready to run.

    Args:
        task: every value final.
        origin: of each value, by field.
        models: catalogue entries of the models it uses, by role.
        outputs: one path for each result.
        facts: of the input files.
        notices: for people.
        addresses: URLs that files were fetched from, by path.
        models_dir: folder of all fetched weights.
        loras: of the task and its accelerator; files that are missing are fetched before the workflow.
        plan: of a task that several runs of a model make together.
    """

    task: Task
    origin: Origins
    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    outputs: list[Path]
    notices: list[Notice]
    facts: InputFacts
    addresses: Mapping[str, str]
    models_dir: Path
    loras: list[LoraUse] = field(default_factory=list)
    plan: Plan | None = None

    @property
    def spec(self) -> ModelSpec | None:
        """The diffusion model, if the task has one."""
        return self.models.get("model")

    @property
    def offline(self) -> bool:
        """Whether nothing may be fetched."""
        return False

    @property
    def origin_texts(self) -> dict[str, str]:
        """The origin of each value as JSON has it."""
        return {name: str(origin) for name, origin in self.origin.items()}

    @property
    def unused(self) -> list[str]:
        """The fields whose given values the run does not read."""
        return [notice.field for notice in self.notices if notice.unused and notice.field]

    @property
    def runs(self) -> int:
        """How many parts the progress counts: the results, or the runs of the model that a plan has."""
        return len(self.outputs) * (len(self.plan.segments) if self.plan else 1)

    @property
    def skipped(self) -> bool:
        """Whether every result is there already and is to be kept; that of a damaged input is none."""
        there = all(self._is_there(path) for path in self.outputs)
        return self.task.skip_existing and there and self.facts.damage is None

    def _is_there(self, path: Path) -> bool:
        """Whether a result exists; that of a tool has its other files, such as mattes, too."""
        parts = [path]
        if isinstance(self.task, Processing):
            parts += [*self.task.files_beside(path), *self.task.folders_beside(path)]
        return all(part.exists() for part in parts)

    def check_intact(self) -> None:
        """Fail, after the work, a request whose results end where an input is damaged.

        Raises:
            DamagedMediaError: names the field, the file, the frame and the result.
        """
        if damage := self.facts.damage:
            kept = f"what is made of the {damage.frames} frames before is kept in {self.outputs[0]}"
            raise DamagedMediaError(
                f"{damage.field}: {damage.path.name!r} {damage.text}, {kept}", hint="give a whole copy of it"
            )

    def document(self) -> dict[str, Any]:
        """The JSON object that a dry run prints; missing weights are one of its notices."""
        return {
            "request": self.task.model_dump(mode="json"),
            "origin": self.origin_texts,
            **({"unused": self.unused} if self.unused else {}),
            **({"plan": self.plan.model_dump(mode="json")} if self.plan else {}),
            "outputs": [str(path) for path in self.outputs],
            "notices": [str(notice) for notice in (*self.notices, *self._missing_weights())],
        }

    def _missing_weights(self) -> list[Notice]:
        """A notice for each model for which a run would stop as its weights are not on this machine."""
        notices = []
        for role, spec in self.models.items():
            try:
                locate(spec, self.models_dir)
            except ModelError as error:
                notices.append(Notice(field=role, text=f"{error.message}, {error.hint}"))
        return notices

    def inputs(self) -> dict[str, Any]:
        """The facts that the run history lists under `inputs`, besides checksums."""
        return {"models": {role: spec.name for role, spec in self.models.items()}}

    def engines(self) -> dict[str, Any]:
        """The engines that the task uses, by field, and the licences of all models."""
        engines = {field: getattr(self.task, field) for field in self.task.engines()}
        licences = {spec.name: spec.licence for spec in self.models.values()}
        return {"engines": engines, "licences": licences}

    def wangp_settings(self, index: int) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """The settings in the form of WanGP that are embedded in result `index`."""
        return {}


@dataclass(frozen=True, kw_only=True)
class ToolRequest(Request):
    """A settled task that makes one video or image of input files.

    Args:
        shape: of the result.
    """

    task: Tool
    shape: ResultShape

    @property
    def frames(self) -> int:
        """Frames of the result."""
        return self.shape.frames

    def inputs(self) -> dict[str, Any]:
        """The facts that the run history lists under `inputs`, besides checksums."""
        return {**self.engines(), **super().inputs()}


@dataclass(frozen=True, kw_only=True)
class RenderRequest(Request):
    """A settled task that a diffusion model renders.

    Args:
        frames: of each result, before finishing.
        size: of each result before finishing, width and height in pixels.
    """

    task: Render
    frames: int
    size: Pixels

    @property
    def spec(self) -> ModelSpec:
        """The diffusion model."""
        return self.models["model"]

    @property
    def offline(self) -> bool:
        """Whether nothing may be fetched."""
        return self.task.offline

    def inputs(self) -> dict[str, Any]:
        """The facts that the run history lists under `inputs`, besides checksums."""
        task = self.task
        return {
            "prompt": task.all_prompts,
            "negative_prompt": task.all_negative_prompts,
            "seeds": [task.seed + index for index in range(task.results)],
            "frames": self.frames,
            "model": self.spec.name,
            **(self.engines() if task.engines() else {}),
            "runtime": task.model_dump(mode="json", include=set(Runtime.model_fields)),
        }

    def wangp_settings(self, index: int) -> dict[str, Any]:
        """The settings in the form of WanGP that are embedded in result `index`."""
        task = self.task.single(index)
        return {
            # WanGP reads only files whose type holds its name.
            "type": f"wangp {__version__} (settings for WanGP) - {self.spec.title}",
            "settings_version": WANGP_SETTINGS_VERSION,
            "model_type": self.spec.name,
            "prompt": task.all_prompts,
            "negative_prompt": task.all_negative_prompts,
            "resolution": task.size,
            "video_length": self.frames,
            "num_inference_steps": task.steps,
            "guidance_scale": task.guidance_scale,
            "flow_shift": task.flow_shift,
            "sample_solver": task.sampler,
            "seed": task.seed,
            **self._wangp_finishing(),
        }

    def _wangp_finishing(self) -> dict[str, Any]:
        """The finishing that WanGP knows, where a result has some."""
        task = self.task
        fields: dict[str, Any] = {}
        if task.upsampling and task.upsampling.is_lanczos:
            fields["spatial_upsampling"] = task.spatial_upsampling
        if task.film_grain_intensity:
            fields |= {
                "film_grain_intensity": task.film_grain_intensity,
                "film_grain_saturation": task.film_grain_saturation,
            }
        return fields
