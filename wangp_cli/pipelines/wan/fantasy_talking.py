"""FantasyTalking: a person in an image speaks a recording."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.pipelines.checkpoints.key_names import KeyNames
from wangp_cli.pipelines.wan.image_to_video import ImageCondition, ImageToVideo
from wangp_cli.pipelines.wan.speech_network import AudioTokens, SpeechModule, attend_to_audio, original_name

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
    """Known frames and the audio features of speech.

    Args:
        features: `[1, L, features]`, wav2vec features of a recording as long as the video.
        frames: number of frames of the video.
        scale: weight of the audio cross-attention; 0 leaves it out.
        guidance_scale: of the audio.
        audio_tokens: keys and values for the network's blocks; None before a run and in passes without audio.
    """

    features: torch.Tensor
    frames: int
    scale: float
    guidance_scale: float
    audio_tokens: AudioTokens | None = None

    def predict(
        self, network: Any, latents: torch.Tensor, timestep: torch.Tensor, prompt: torch.Tensor
    ) -> torch.Tensor:
        """One forward pass, with audio cross-attention if there are audio tokens."""
        if self.audio_tokens is None:
            return super().predict(network, latents, timestep, prompt)
        with attend_to_audio(network, self.audio_tokens, self.scale):
            return super().predict(network, latents, timestep, prompt)

    def velocity(self, call: NetworkCall, guider: Guider) -> torch.Tensor:
        """The velocity guided by the prompt without audio, moved towards the prediction with audio.

        One pass where neither guides, else one more than without audio.

        Source: Wang et al. 2025, arXiv:2504.04842, and its reference code.
        """
        if guider.negative_prompt_at(call) is None and self.guidance_scale == 1:
            return guider.predict_positive(call)
        guided = guider.predict(replace(call, condition=replace(self, audio_tokens=None)))
        if guided.positive is None:
            return guided.velocity
        return guided.velocity + self.guidance_scale * (guider.predict_positive(call) - guided.positive)


class FantasyTalking(ImageToVideo):
    """Image to video with a person who speaks a recording; the network has an extra speech module."""

    supported_inputs = ImageToVideo.supported_inputs | {"speech"}
    supports_compile = False

    @classmethod
    def check_checkpoint(cls, spec: ModelSpec, checkpoint: Checkpoint) -> None:
        """The checks of image to video, and that the speech module fits the network."""
        super().check_checkpoint(spec, checkpoint)
        if checkpoint.config("transformer").get("image_dim") is None:
            raise ModelError(f"{checkpoint.folder} is not of the architecture {spec.architecture}")
        if not checkpoint.has("audio_encoder"):
            raise ModelError(f"{checkpoint.folder} has no audio encoder")
        speech_module_files(checkpoint)

    @classmethod
    def part_names(cls, checkpoint: Checkpoint) -> tuple[PartName, ...]:
        """The parts of image to video, the audio encoder and the speech module."""
        return *super().part_names(checkpoint), "audio_encoder", "speech"

    def check(self, inputs: Inputs, canvas: Canvas) -> None:
        """The checks of image to video, and that there is a recording."""
        super().check(inputs, canvas)
        if inputs.speech is None:
            raise RequestError("speech", "this model needs a recording of speech", hint="--audio-guide FILE")

    def encode(
        self, shot: Shot, inputs: Inputs, canvas: Canvas, tick: Callable[[int], None]
    ) -> SpeechCondition:
        """The known frames and the audio features of the recording."""
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
        """The condition with the audio tokens: some hundred megabytes, the same in all steps."""
        assert isinstance(condition, SpeechCondition)
        assert self.parts.speech is not None
        return replace(condition, audio_tokens=self.parts.speech(condition.features, condition.frames))


def speech_module_files(checkpoint: Checkpoint) -> NetworkFiles:
    """The files of FantasyTalking's speech module, checked by their headers against the transformer.

    Raises:
        ModelError: it is missing, or of another width or number of blocks.
    """
    config = checkpoint.config("transformer")
    width = config["num_attention_heads"] * config["attention_head_dim"]
    with torch.device("meta"):
        empty = SpeechModule(checkpoint.config("audio_encoder")["hidden_size"], width, config["num_layers"])
    return checkpoint.module("speech", empty, "FantasyTalking", KeyNames(parameter=original_name))
