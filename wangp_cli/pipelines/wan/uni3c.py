"""Uni3C beside Wan models of text and of image to video: the camera of a guide video."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from accelerate import init_empty_weights

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.pipelines.denoise.condition import Condition
from wangp_cli.pipelines.denoise.inputs import to_tensor
from wangp_cli.pipelines.wan.architecture import Architecture
from wangp_cli.pipelines.wan.image_to_video import ImageToVideo
from wangp_cli.pipelines.wan.uni3c_network import ControlNetwork, Steering

if TYPE_CHECKING:
    from collections.abc import Callable

    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Inputs
    from wangp_cli.pipelines.checkpoints.assemble import NetworkFiles
    from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint
    from wangp_cli.pipelines.denoise.condition import Guider, NetworkCall
    from wangp_cli.pipelines.denoise.inputs import Canvas
    from wangp_cli.pipelines.wan.architecture import PartName
    from wangp_cli.tasks.shot import Shot

BLACK = 0.02
"""Mean distance from black, of 2, below which a frame of the guide says nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Uni3cCondition(Condition):
    """What the network is shown without a guide, and the guide.

    Args:
        own: what it is shown.
        guide: float32 `[1, C, t, h, w]`, latents of the guide video; 0 where that is black.
        strength: weight of the guide; 0 is none.
        window: shares of the steps between which it counts.
        control: the network that reads it; None before a run.
        steering: what that says in this step; None where the guide does not count.
    """

    own: Condition
    guide: torch.Tensor
    strength: float
    window: tuple[float, float]
    control: ControlNetwork | None = None
    steering: Steering | None = None

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """Those without a guide."""
        return self.own.arguments(network, latents, timestep)

    def predict(
        self, network: Any, latents: torch.Tensor, timestep: torch.Tensor, prompt: torch.Tensor
    ) -> torch.Tensor:
        """One pass, steered where the guide counts."""
        if self.steering is None:
            return super().predict(network, latents, timestep, prompt)
        seen = self.arguments(network, latents, timestep)["hidden_states"]
        with self.steering.on(network, seen):
            return super().predict(network, latents, timestep, prompt)

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """The guided velocity; the guide is read once for all passes of a step."""
        if not (self.strength and call.step.within(self.window)):
            return guider(call)
        assert self.control is not None
        steering = Steering(self.control, self.guide, self.strength)
        return guider(replace(call, condition=replace(self, steering=steering)))


class CameraControl(Architecture):
    """Follows the camera of a guide video: a network of its own says what is added to the blocks."""

    supported_inputs = Architecture.supported_inputs | {"control"}
    supports_compile = False
    supports_cache = False

    @classmethod
    def check_checkpoint(cls, spec: ModelSpec, checkpoint: Checkpoint) -> None:
        """As for all, and the control network is as wide as the transformer, and no deeper."""
        super().check_checkpoint(spec, checkpoint)
        config = checkpoint.config("transformer")
        width = config["num_attention_heads"] * config["attention_head_dim"]
        control = control_network_files(checkpoint).empty
        found, layers = control.proj_in.in_features, len(control.proj_out)
        if found != width or layers > config["num_layers"]:
            fits = f"{width} wide with {config['num_layers']} blocks"
            raise ModelError(
                f"the control network is {found} wide with {layers} blocks, {spec.name} is {fits}"
            )

    @classmethod
    def part_names(cls, checkpoint: Checkpoint) -> tuple[PartName, ...]:
        """The control network, too."""
        return *super().part_names(checkpoint), "control"

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Refuse to work without a guide, or with two."""
        super().check(inputs, canvas)
        if inputs.control is None:
            raise RequestError("control", "this model needs a guide video", hint="--video-guide FILE")
        if inputs.fallback_control is not None:
            raise RequestError("fallback_control", "this model has one guide for all steps")

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """The guide, too."""
        return super().encoded_frames(inputs, canvas) + self.parts.vae.latent_frames(canvas.frames)

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> Uni3cCondition:
        """The guide as latents, beside what the network is shown anyway."""
        own = super().encode(shot, inputs, canvas, tick)
        assert inputs.control is not None
        video = to_tensor(inputs.control)
        guide = self.parts.vae.encode(video, tick)
        return Uni3cCondition(
            own=own,
            guide=guide * said(video, self.parts.vae.temporal).to(guide.device),
            strength=shot.control_strength,
            window=(shot.control_start, shot.control_end),
        )

    def prepare(self, condition: Condition) -> Condition:
        """With the network that reads the guide."""
        assert isinstance(condition, Uni3cCondition)
        return replace(condition, control=self.parts.control)


class ImageToVideoWithCamera(CameraControl, ImageToVideo):  # type: ignore[misc] # holds the other's condition
    """Sets a picture in motion along the camera of a guide video."""

    supported_inputs = ImageToVideo.supported_inputs | CameraControl.supported_inputs


def said(video: torch.Tensor, step: int) -> torch.Tensor:
    """Which latent frames of a guide say something: 0 where all their frames are black.

    Args:
        video: `[1, 3, T, H, W]` in [-1, 1].
        step: frames in a latent frame; the first has one alone.

    Returns:
        float32 `[1, 1, t, 1, 1]`, 0 or 1.
    """
    seen = ((video + 1).mean(dim=(0, 1, 3, 4)) >= BLACK).float()
    later = seen[1:].view(-1, step).amax(dim=1) if len(seen) > 1 else seen[1:]
    return torch.cat([seen[:1], later])[None, None, :, None, None]


def control_network_files(checkpoint: Checkpoint) -> NetworkFiles:
    """The control network of a checkpoint, checked by the headers of its files.

    Raises:
        ModelError: it is missing, or its parts do not go together.
    """
    shapes = checkpoint.shapes("control")
    with init_empty_weights(include_buffers=False):
        empty = ControlNetwork(shapes)
    return checkpoint.module("control", empty, "Uni3C", str)
