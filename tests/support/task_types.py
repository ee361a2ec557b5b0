"""Task types for tests, with their workflows; a session takes them as arguments."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from safetensors.torch import load_file

from wangp_cli.media.clip import as_float
from wangp_cli.media.write import write_video
from wangp_cli.models import Kind, ModelSpec
from wangp_cli.pipelines.base import Inputs, Weights
from wangp_cli.pipelines.memory.placement import choose
from wangp_cli.runtime.job import Job, ToolJob
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.engines import EngineChoice, EngineName
from wangp_cli.tasks.fields import Flag, Input
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.runtime import Runtime
from wangp_cli.tasks.shape import ResultShape, Shape
from wangp_cli.tasks.shot import Shot
from wangp_cli.tasks.stages import RENDER_STAGES, Stage, StageShare
from wangp_cli.tasks.task import Task
from wangp_cli.tasks.tool import Tool
from wangp_cli.workflows.tool_stream import input_audio, stream_frames, write_result


class Enhanced(Generate):
    """A generation that may make its prompt longer before it begins."""

    prepare: ClassVar[str | None] = f"{__name__}:enhance"
    prepared_fields: ClassVar[frozenset[str]] = frozenset({"prompt", "enhance"})
    stages: ClassVar[tuple[StageShare, ...]] = (
        StageShare("prepare", 25, "enhancing the prompt"),
        *RENDER_STAGES,
    )
    type: Literal["enhanced"] = "enhanced"  # type: ignore[assignment]
    enhance: Annotated[bool, Flag("Make the prompt longer.")] = False

    @property
    def needs_preparing(self) -> bool:
        """Whether the prompt is to be made longer."""
        return self.enhance


def enhance(job: Job) -> Generator[Stage, None, Task]:
    """The `prepare` hook of `Enhanced`."""
    task = job.request.task
    assert isinstance(task, Enhanced)
    yield "prepare"
    for step in range(2):
        job.progress("prepare", step + 1, 2)
    return task.replace(prompt=f"{task.prompt} moves right", enhance=False)


class Overreaching(Enhanced):
    """A generation whose `prepare` hook changes what paths and plans depend on."""

    prepare: ClassVar[str | None] = f"{__name__}:overreach"
    type: Literal["overreaching"] = "overreaching"  # type: ignore[assignment]


def overreach(job: Job) -> Generator[Stage, None, Task]:
    """The `prepare` hook of `Overreaching`."""
    yield "prepare"
    return job.request.task.replace(frames=9, enhance=False)


class TwoModels(Runtime, Task):
    """A video whose first half comes from one model and whose second half from another."""

    run: ClassVar[str] = f"{__name__}:use_both"
    stages: ClassVar[tuple[StageShare, ...]] = RENDER_STAGES
    suffixes: ClassVar[tuple[str, ...]] = (".mkv",)
    model_kinds: ClassVar[Mapping[str, Kind]] = {"first": "video", "second": "video"}
    type: Literal["two-models"] = "two-models"
    first: Annotated[str, Flag("Model of the first half.")]
    second: Annotated[str, Flag("Model of the second half.")]

    def models(self) -> Mapping[str, str]:
        """Both."""
        return {"first": self.first, "second": self.second}


def use_both(job: Job) -> Iterator[Stage]:
    """The workflow of `TwoModels`."""
    task = job.request.task
    assert isinstance(task, TwoModels)
    shot = Shot(prompt="a red circle", size="32x32", frames=5, steps=1, guidance_scale=1, seed=3)
    halves = []
    for number, spec in enumerate(job.request.models.values(), start=1):
        yield "encode"
        job.progress.begin(number)
        pipeline = job.pipeline(spec, choose(task), activate_loras=True)
        latents = pipeline.denoise(shot, pipeline.encode(shot, Inputs(), job.progress), job.progress)
        halves.append(np.concatenate(list(pipeline.decode(latents, job.progress).frames)))
    [path] = job.request.outputs
    with job.new_file(path) as partial:
        write_video(partial, halves, fps=Fraction(16), codec="ffv1", frames=10)
    job.publish(path, "video", frames=10)


class Invert(Tool):
    """Invert the colours of a video or image by a network, or by subtraction without weights."""

    run: ClassVar[str] = f"{__name__}:invert"
    type: Literal["invert"] = "invert"
    video: Annotated[Path, Input(("video", "image"), until_damage=True), Flag("Video or image to invert.")]
    engine: Annotated[EngineName, Flag("Engine: auto, classic or a model.")] = "auto"

    def engines(self) -> Mapping[str, EngineChoice]:
        """A network of the architecture `inverter`, or subtraction."""
        return {"engine": EngineChoice("upscaler", ("inverter",), "classic")}

    def result_shape(self, inputs: Mapping[str, Sequence[Shape]]) -> ResultShape:
        """That of the input."""
        [video] = inputs["video"]
        return ResultShape((video.width, video.height), video.frames, video.fps)


def invert(job: ToolJob) -> Iterator[Stage]:
    """The workflow of `Invert`."""
    task = job.request.task
    assert isinstance(task, Invert)
    yield "load"
    network = job.network("engine") if task.engine != "classic" else lambda frames: 1 - frames
    yield "process"
    frames = (network(as_float(piece[..., :3])) for piece in stream_frames(job, task.video))
    write_result(job, frames, input_audio(job, task.video))


def load_inverter(_spec: ModelSpec, weights: Weights, device: str, dtype: str) -> Any:
    """The loader of the architecture `inverter`: a 1x1 convolution from the first file of the weights."""
    [(_, [file])] = weights.files
    network = torch.nn.Conv2d(3, 3, 1)
    network.load_state_dict(load_file(file))
    network.to(device, getattr(torch, dtype)).requires_grad_(requires_grad=False)
    return lambda frames: network(torch.from_numpy(frames).movedim(-1, 1)).movedim(1, -1).float().numpy()


NETWORKS: Mapping[str, Any] = {"inverter": load_inverter}
"""Loaders of the auxiliary networks of these task types."""
TASK_TYPES: Mapping[str, type[Task]] = {
    **TASKS,
    "enhanced": Enhanced,
    "overreaching": Overreaching,
    "two-models": TwoModels,
    "invert": Invert,
}
"""The shipped task types and these."""
