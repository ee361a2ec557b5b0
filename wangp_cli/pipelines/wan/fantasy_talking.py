"""FantasyTalking: a person in a picture speaks as a recording does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.pipelines.wan.image_to_video import ImageCondition, ImageToVideo
from wangp_cli.pipelines.wan.speech_network import AudioTokens, SpeechModule, attend_to_audio, original

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Inputs
    from wangp_cli.pipelines.checkpoints.assemble import NetworkFiles
    from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint
    from wangp_cli.pipelines.denoise.condition import Condition, Guider, NetworkCall
    from wangp_cli.pipelines.denoise.inputs import Canvas
    from wangp_cli.pipelines.wan.architecture import PartName
    from wangp_cli.tasks.shot import Shot


@dataclass(frozen=True, kw_only=True, eq=False)
class SpeechCondition(ImageCondition):
    """Known frames, and a recording.

    Args:
        features: `[1, L, features]`, of a recording as long as the video.
        frames: of the video.
        scale: weight of what is heard beside the text; 0 hears nothing.
        guidance_scale: how strongly the recording is followed.
        heard: what the network's blocks are shown of it; None before a run and in silent passes.
    """

    features: torch.Tensor
    frames: int
    scale: float
    guidance_scale: float
    heard: AudioTokens | None = None

    def predict(
        self, network: Any, latents: torch.Tensor, timestep: torch.Tensor, prompt: torch.Tensor
    ) -> torch.Tensor:
        """One pass, which hears the recording unless it is silent."""
        if self.heard is None:
            return super().predict(network, latents, timestep, prompt)
        with attend_to_audio(network, self.heard, self.scale):
            return super().predict(network, latents, timestep, prompt)

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """Guided by the text in silence, then moved towards what is heard.

        One pass where neither guides, else one more than without a recording.

        Source: Wang et al. 2025, arXiv:2504.04842, and its reference code.
        """
        if guider.negative_prompt_at(call) is None and self.guidance_scale == 1:
            return guider.predict_positive(call)
        guided = guider.predict(replace(call, condition=replace(self, heard=None)))
        if guided.positive is None:
            return guided.velocity
        return guided.velocity + self.guidance_scale * (guider.predict_positive(call) - guided.positive)


class FantasyTalking(ImageToVideo):
    """Lets a person in a picture speak. Its network is one of image to video, with a module beside it."""

    supported_inputs = ImageToVideo.supported_inputs | {"speech"}
    supports_compile = False

    @classmethod
    def check_checkpoint(cls, spec: ModelSpec, checkpoint: Checkpoint) -> None:
        """As for all, and the module fits the network."""
        super().check_checkpoint(spec, checkpoint)
        if checkpoint.config("transformer").get("image_dim") is None:
            raise ModelError(f"{checkpoint.folder} is not of the architecture {spec.architecture}")
        if not checkpoint.has("audio_encoder"):
            raise ModelError(f"{checkpoint.folder} has no audio encoder")
        speech_module_files(checkpoint)

    @classmethod
    def part_names(cls, checkpoint: Checkpoint) -> tuple[PartName, ...]:
        """An encoder of sound and the module, too."""
        return *super().part_names(checkpoint), "audio_encoder", "speech"

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """Refuse to work without a recording."""
        super().check(inputs, canvas)
        if inputs.speech is None:
            raise RequestError("speech", "this model needs a recording of speech", hint="--audio-guide FILE")

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> SpeechCondition:
        """The known frames, and the features of the recording."""
        known = super().encode(shot, inputs, canvas, tick)
        encoder = self.parts.audio_encoder
        assert inputs.speech is not None
        assert encoder is not None
        return SpeechCondition(
            known=known.known,
            image=known.image,
            features=encoder.embed(inputs.speech),
            frames=canvas.frames,
            scale=shot.audio_scale,
            guidance_scale=shot.audio_guidance_scale,
        )

    def prepare(self, condition: Condition) -> Condition:
        """The recording as keys and values of every block: some hundred megabytes, the same in all steps."""
        assert isinstance(condition, SpeechCondition)
        assert self.parts.speech is not None
        return replace(condition, heard=self.parts.speech(condition.features, condition.frames))


def speech_module_files(checkpoint: Checkpoint) -> NetworkFiles:
    """FantasyTalking's module for a checkpoint's transformer, checked by the headers of its files.

    Raises:
        ModelError: it is missing, or of another width or number of blocks.
    """
    config = checkpoint.config("transformer")
    width = config["num_attention_heads"] * config["attention_head_dim"]
    with torch.device("meta"):
        empty = SpeechModule(checkpoint.config("audio_encoder")["hidden_size"], width, config["num_layers"])
    return checkpoint.module("speech", empty, "FantasyTalking", original)
