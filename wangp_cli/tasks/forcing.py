"""Diffusion forcing: blocks of frames that are denoised at noise levels of their own."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from wangp_cli.tasks.fields import Flag, Spec


class DiffusionForcing(Spec):
    """Options of diffusion forcing models (SkyReels V2)."""

    panel: ClassVar[str] = "Diffusion forcing"
    ar_step: Annotated[
        int,
        Field(ge=0, le=500),
        Flag(
            "Steps between the start of one block of frames and the next; 0 denoises all frames together.",
            metavar="N",
        ),
    ] = 0
    causal_block_size: Annotated[
        int,
        Field(ge=1, le=100),
        Flag(
            "Latent frames of a causal block, which does not attend to later blocks; 1 is full attention.",
            metavar="N",
        ),
    ] = 1
    addnoise_condition: Annotated[
        int,
        Field(ge=0, le=150),
        Flag(
            "Noise added to conditioning frames, in thousandths; 20 hides the seams of a long video.",
            metavar="N",
        ),
    ] = 0

    @property
    def forcing_fields(self) -> list[str]:
        """Names of the fields that differ from their defaults."""
        return [
            name
            for name, field in DiffusionForcing.model_fields.items()
            if getattr(self, name) != field.default
        ]
