"""Uni3C: a control network that gives text-to-video and image-to-video models the camera of a guide video."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from accelerate import init_empty_weights

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.pipelines.checkpoints.key_names import KeyNames
from wangp_cli.pipelines.denoise.condition import Condition
from wangp_cli.pipelines.denoise.inputs import to_tensor
from wangp_cli.pipelines.wan.architecture import Architecture
from wangp_cli.pipelines.wan.image_to_video import ImageToVideo
from wangp_cli.pipelines.wan.uni3c_network import ControlNetwork, ControlResiduals

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

BLACK_LEVEL = 0.02
"""Mean distance from black, of 2, below which a guide frame counts as black and is ignored."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Uni3cCondition(Condition):
    """The condition of the base architecture, with a guide video for the control network.

    Args:
        base: condition of the base architecture.
        guide: float32 `[1, C, t, h, w]`, latents of the guide video; 0 where it is black.
        strength: weight of the guide; 0 leaves it out.
        window: shares of the run between which the guide is used.
        control: the control network; None before a run.
        residuals: of the control network in this step; None where the guide is not used.
    """

    base: Condition
    guide: torch.Tensor
    strength: float
    window: tuple[float, float]
    control: ControlNetwork | None = None
    residuals: ControlResiduals | None = None

    def arguments(self, network: Any, latents: torch.Tensor, timestep: torch.Tensor) -> dict[str, Any]:
        """The arguments of the base condition."""
        return self.base.arguments(network, latents, timestep)

    def predict(
        self, network: Any, latents: torch.Tensor, timestep: torch.Tensor, prompt: torch.Tensor
    ) -> torch.Tensor:
        """One forward pass, with the residuals of the control network if there are any."""
        if self.residuals is None:
            return super().predict(network, latents, timestep, prompt)
        hidden_states = self.arguments(network, latents, timestep)["hidden_states"]
        with self.residuals.added_to(network, hidden_states):
            return super().predict(network, latents, timestep, prompt)

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """The guided velocity; the control network runs once for all passes of a step."""
        if not (self.strength and call.step.within(self.window)):
            return guider(call)
        assert self.control is not None
        residuals = ControlResiduals(self.control, self.guide, self.strength)
        return guider(replace(call, condition=replace(self, residuals=residuals)))


class CameraControl(Architecture):
    """Text to video along the camera of a guide video; a control network adds residuals to the blocks."""

    supported_inputs = Architecture.supported_inputs | {"control"}
    supports_compile = False
    supports_cache = False

    @classmethod
    def check_checkpoint(cls, spec: ModelSpec, checkpoint: Checkpoint) -> None:
        """The base checks, and that the control network is as wide as the transformer and no deeper."""
        super().check_checkpoint(spec, checkpoint)
        config = checkpoint.config("transformer")
        width = config["num_attention_heads"] * config["attention_head_dim"]
        control = control_network_files(checkpoint).empty
        control_width, layers = control.proj_in.in_features, len(control.proj_out)
        if control_width != width or layers > config["num_layers"]:
            fits = f"{width} wide with {config['num_layers']} blocks"
            raise ModelError(
                f"the control network is {control_width} wide with {layers} blocks, {spec.name} is {fits}"
            )

    @classmethod
    def part_names(cls, checkpoint: Checkpoint) -> tuple[PartName, ...]:
        """The base parts and the control network."""
        return *super().part_names(checkpoint), "control"

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """The base checks, and that there is one guide video."""
        super().check(inputs, canvas)
        if inputs.control is None:
            raise RequestError("control", "this model needs a guide video", hint="--video-guide FILE")
        if inputs.fallback_control is not None:
            raise RequestError("fallback_control", "this model has one guide for all steps")

    def encoded_frames(self, inputs: Inputs, canvas: Canvas) -> int:
        """Latent frames of the base architecture and of the guide."""
        return super().encoded_frames(inputs, canvas) + self.parts.vae.latent_frames(canvas.frames)

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> Uni3cCondition:
        """The condition of the base architecture, and latents of the guide."""
        base = super().encode(shot, inputs, canvas, tick)
        assert inputs.control is not None
        video = to_tensor(inputs.control)
        guide = self.parts.vae.encode(video, tick)
        return Uni3cCondition(
            base=base,
            guide=guide * non_black(video, self.parts.vae.temporal).to(guide.device),
            strength=shot.control_strength,
            window=(shot.control_start, shot.control_end),
        )

    def prepare(self, condition: Condition) -> Condition:
        """The condition with the control network."""
        assert isinstance(condition, Uni3cCondition)
        return replace(condition, control=self.parts.control)


class ImageToVideoWithCamera(CameraControl, ImageToVideo):  # type: ignore[misc] # holds the other's condition
    """Image to video along the camera of a guide video."""

    supported_inputs = ImageToVideo.supported_inputs | CameraControl.supported_inputs


def non_black(video: torch.Tensor, step: int) -> torch.Tensor:
    """The latent frames of a guide to use: 0 for those whose frames are all black, else 1.

    Args:
        video: `[1, 3, T, H, W]` in [-1, 1].
        step: frames in a latent frame; the first latent frame holds one.

    Returns:
        float32 `[1, 1, t, 1, 1]`, 0 or 1.
    """
    bright = ((video + 1).mean(dim=(0, 1, 3, 4)) >= BLACK_LEVEL).float()
    later = bright[1:].view(-1, step).amax(dim=1) if len(bright) > 1 else bright[1:]
    return torch.cat([bright[:1], later])[None, None, :, None, None]


def control_network_files(checkpoint: Checkpoint) -> NetworkFiles:
    """The files of a checkpoint's control network, checked by their headers.

    Raises:
        ModelError: a file is missing, or shapes do not fit together.
    """
    shapes = checkpoint.shapes("control")
    with init_empty_weights(include_buffers=False):
        empty = ControlNetwork(shapes)
    return checkpoint.module("control", empty, "Uni3C", KeyNames())
