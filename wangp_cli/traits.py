"""Properties of an architecture that code for all families depends on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Entry(BaseModel):
    """Base of the parts of the catalogue: frozen; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Vae(Entry):
    """What estimates need to know of a VAE.

    Args:
        channels: channels per pixel of a frame in the decoder's widest layer.
        decode_operations: floating point operations to decode one pixel of one frame.
        encode_operations: floating point operations to encode one pixel of one frame.
    """

    channels: float = 96
    decode_operations: float = 0
    encode_operations: float = 0


class Traits(Entry):
    """Properties of an architecture that code for all families depends on.

    Args:
        guidance_field: task field with the scale of an additional guidance pass of this architecture.
        fixed_guidance: the guidance passes are combined in a fixed way, and only if guidance is on.
        guides_given: the task field `guide_given` has an effect.
        recamera: it re-renders the control video from another camera.
        character_animation: it animates one character by a pose video and a face video.
        diffusion_forcing: each latent frame has its own noise level.
        context_latents: latent frames, after the first frame, of a continued video that it is conditioned on.
        control_fill: brightness of control frames without information, 0 to 1.
        encoded_videos: videos of the shot's length that the VAE encodes for one run.
        token_videos: videos of the shot's length in the token sequence of the transformer.
        parts: published number of parameters by part, without the transformers.
        vae: its VAE.
    """

    guidance_field: str | None = None
    fixed_guidance: bool = False
    guides_given: bool = False
    recamera: bool = False
    character_animation: bool = False
    diffusion_forcing: bool = False
    context_latents: int = 0
    control_fill: float = 0.5
    encoded_videos: int = 0
    token_videos: int = 1
    parts: dict[str, int] = {}
    vae: Vae = Field(default_factory=Vae)
