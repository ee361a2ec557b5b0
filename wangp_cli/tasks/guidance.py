"""Guidance: classifier-free guidance, CFG-Zero*, APG, skip-layer guidance and NAG."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from wangp_cli.errors import RequestError
from wangp_cli.models import ModelSpec
from wangp_cli.tasks.fields import FINITE, MANY, Flag, Spec

Scale = Annotated[float, FINITE, Field(ge=0, le=100)]
Share = Annotated[float, FINITE, Field(ge=0, le=1)]
Layer = Annotated[int, Field(ge=0, le=1000)]
ARCHITECTURE_SCALES = ("image_guidance_scale", "audio_guidance_scale")
"""Scales of passes that only some architectures have; an architecture's traits name its own."""


class Guidance(Spec):
    """Guidance scales and methods."""

    panel: ClassVar[str] = "Guidance"
    guidance_scale: Annotated[
        Scale,
        Flag(
            "Guidance scale: how strongly to follow the prompt; 1 is a single pass without guidance.",
            "-g",
            metavar="X",
            default="the model's",
        ),
    ] = 5.0
    guidance2_scale: Annotated[
        Scale | None,
        Flag("Guidance scale of the second phase.", metavar="X", default="that of the phase before"),
    ] = None
    guidance3_scale: Annotated[
        Scale | None,
        Flag("Guidance scale of the third phase.", metavar="X", default="that of the phase before"),
    ] = None
    image_guidance_scale: Annotated[
        Scale, Flag("Guidance scale of the reference images (Phantom).", metavar="X")
    ] = 5.0
    audio_guidance_scale: Annotated[
        Scale, Flag("Guidance scale of the speech audio.", metavar="X", default="the model's")
    ] = 1.0
    guide_given: Annotated[
        bool, Flag("Apply guidance also to pixels that VACE is given; without it they are kept better.")
    ] = True
    cfg_zero: Annotated[
        bool, Flag("CFG-Zero*: rescale the negative prediction to fit the positive one before guidance.")
    ] = False
    zero_init_steps: Annotated[
        int,
        Field(ge=0, le=40),
        Flag("First steps whose prediction is zero (zero-init); part of CFG-Zero*.", metavar="N"),
    ] = 0
    apg: Annotated[
        bool, Flag("Adaptive projected guidance: strong guidance without oversaturated colours.")
    ] = False
    apg_momentum: Annotated[
        float,
        FINITE,
        Field(ge=-1, le=1),
        Flag("APG momentum: weight of the guidance of earlier steps.", metavar="X"),
    ] = -0.75
    apg_norm_threshold: Annotated[
        float,
        FINITE,
        Field(ge=0, le=10_000),
        Flag("APG: largest norm of the guidance of a latent frame; 0 is no limit.", metavar="X"),
    ] = 55.0
    skip_layers: Annotated[
        tuple[Layer, ...],
        MANY,
        Flag(
            "Skip-layer guidance: layer skipped in the negative pass, such as 9; repeatable.",
            name="skip_layer",
            metavar="N",
        ),
    ] = ()
    skip_layer_start: Annotated[
        Share, Flag("Share of the steps after which skip-layer guidance starts.", metavar="X")
    ] = 0.1
    skip_layer_stop: Annotated[
        Share, Flag("Share of the steps after which skip-layer guidance stops.", metavar="X")
    ] = 0.9
    nag_scale: Annotated[
        float,
        FINITE,
        Field(ge=1, le=20),
        Flag(
            "NAG scale: a negative prompt by normalised attention guidance, in a single pass; 1 is off.",
            metavar="X",
        ),
    ] = 1.0
    nag_tau: Annotated[
        float,
        FINITE,
        Field(ge=1, le=10),
        Flag("NAG tau: largest growth of the norm of the attention output.", metavar="X"),
    ] = 3.5
    nag_alpha: Annotated[
        float,
        FINITE,
        Field(ge=0, le=2),
        Flag("NAG alpha: weight of the guided attention output.", metavar="X"),
    ] = 0.5

    def guidance_of(self, phase: int) -> float:
        """The guidance scale of a phase, counted from 0; that of the phase before where none is given."""
        scales = [self.guidance_scale, self.guidance2_scale, self.guidance3_scale][: phase + 1]
        return [scale for scale in scales if scale is not None][-1]

    def skip_layer_span(self, steps: int) -> tuple[int, int]:
        """Steps in which layers are skipped: the first, and the first after the last."""
        return int(self.skip_layer_start * steps), int(self.skip_layer_stop * steps)

    def check_guidance(self, spec: ModelSpec) -> None:
        """Refuse guidance that the architecture of the model does not support.

        Raises:
            RequestError: naming the field.
        """
        own = spec.traits.guidance_field
        if not self.guide_given and not spec.traits.guides_given:
            raise RequestError("guide_given", f"false, but model {spec.name!r} has no such guidance")
        for field in ARCHITECTURE_SCALES:
            usual = type(self).model_fields[field].default
            if field != own and (value := getattr(self, field)) != usual:
                raise RequestError(field, f"{value}, but model {spec.name!r} has no such guidance")
        for field in ("cfg_zero", "apg", "skip_layers"):
            if own and spec.traits.fixed_guidance and getattr(self, field):
                raise RequestError(
                    field,
                    f"model {spec.name!r} guides in passes of its own, which this does not change",
                    hint=f"--guidance-scale and --{own.replace('_', '-')} steer them",
                )

    @model_validator(mode="after")
    def _one_way_to_guide(self) -> Self:
        if self.apg and self.cfg_zero:
            raise ValueError("apg: not together with cfg_zero, use one of them")
        if self.zero_init_steps and not self.cfg_zero:
            raise ValueError(f"zero_init_steps: {self.zero_init_steps} is part of cfg_zero, use that too")
        if self.skip_layers and self.skip_layer_start >= self.skip_layer_stop:
            raise ValueError(
                f"skip_layer_stop: {self.skip_layer_stop} must be above skip_layer_start, "
                f"which is {self.skip_layer_start}"
            )
        return self
