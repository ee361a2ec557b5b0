"""How the frames of a video are denoised apart: diffusion forcing."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from wangp_cli.tasks.fields import Flag, Spec


class DiffusionForcing(Spec):
    """What models of diffusion forcing do with the noise of each frame."""

    panel: ClassVar[str] = "Diffusion forcing"
    ar_step: Annotated[
        int,
        Field(ge=0, le=500),
        Flag(
            "Steps by which a block of frames begins after the one before; 0 denoises all together.",
            metavar="N",
        ),
    ] = 0
    causal_block_size: Annotated[
        int,
        Field(ge=1, le=100),
        Flag(
            "Latent frames of a block, which sees none of those after it; 1 lets every frame see all.",
            metavar="N",
        ),
    ] = 1
    addnoise_condition: Annotated[
        int,
        Field(ge=0, le=150),
        Flag("Noise on given frames, in thousandths; 20 hides the seam of a long video.", metavar="N"),
    ] = 0

    @property
    def forcing_fields(self) -> list[str]:
        """The fields that ask for something."""
        return [
            name
            for name, field in DiffusionForcing.model_fields.items()
            if getattr(self, name) != field.default
        ]
