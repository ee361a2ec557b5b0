"""Values that each part of a video has of its own, where it is generated in several parts."""

from __future__ import annotations

import math
import shlex
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    create_model,
    model_serializer,
)

from wangp_cli.tasks.fields import MANY, MAX_SEED, Flag, Spec
from wangp_cli.tasks.loras import read_multipliers
from wangp_cli.tasks.shot import Phases, Sampling

NAMES = ("steps", "sampler", "flow_shift", "guidance_scale", "guidance2_scale", "guidance3_scale")
"""Fields that a part may override, besides those of its phases."""


class PartOverrides(Spec):
    """Values of one part that override those of the task; only given values are serialised."""

    lora_multipliers: str | None = None

    @model_serializer(mode="wrap")
    def _only_given_values(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value is not None}


def _optional_fields(spec: type[Spec], names: tuple[str, ...]) -> dict[str, Any]:
    """Optional copies of a group's fields: each defaults to None."""
    fields = {name: spec.model_fields[name] for name in names}
    return {
        name: (Annotated[(field.annotation, *field.metadata)] | None, None) for name, field in fields.items()
    }


Phased = create_model(
    "Phased", __base__=PartOverrides, **_optional_fields(Sampling, (*NAMES, *Phases.model_fields))
)
"""The overrides of one part, under the names of the task's fields."""


def sampling_of(own: PartOverrides) -> dict[str, Any]:
    """The sampling values that a part overrides, by field."""
    values: dict[str, Any] = own.model_dump(exclude={"lora_multipliers"})
    return values


def check_multipliers(text: str | None, run: Sampling, loras: int) -> None:
    """Check that a part has one strength for each LoRA, and no more phases than its run.

    Raises:
        ValueError: says why.
    """
    if text is None:
        return
    strengths = read_multipliers(text)
    if len(strengths) != loras:
        raise ValueError(f"{len(strengths)} strengths for {loras} LoRAs")
    for strength in strengths:
        strength.for_run(run)


def _parse_table(value: Any) -> Any:
    """`steps=8 guidance_scale=1` as a dict."""
    if not isinstance(value, str):
        return value
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not KEY=VALUE ...: {error}") from None
    if bad := next((word for word in words if "=" not in word), None):
        raise ValueError(f"{bad!r} is not KEY=VALUE, such as steps=8")
    return dict(word.split("=", 1) for word in words)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


class PartPhases(Spec):
    """Sampling values of each part."""

    panel: ClassVar[str] = "Phases"
    part_phases: Annotated[
        tuple[Annotated[Phased, BeforeValidator(_parse_table)], ...],
        BeforeValidator(_as_list),
        Flag(
            f"Values of one generated part: {', '.join(NAMES)}, phases, lora_multipliers, as in "
            "'steps=8 guidance_scale=1'; repeatable, one for each part.",
            metavar="'KEY=VALUE ...'",
            default="the task's, for all",
        ),
    ] = ()


class PartNoise(Spec):
    """Seeds of each part."""

    panel: ClassVar[str] = "Sampling"
    part_seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, le=MAX_SEED)], ...],
        MANY,
        Flag(
            "Seed of one generated part; repeatable, one for each.",
            name="part_seed",
            metavar="N",
            default="the seed, for all",
        ),
    ] = ()


def _check_factors(value: str) -> str:
    try:
        numbers = [float(number) for number in value.split()]
    except ValueError:
        numbers = []
    if not numbers or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{value!r} is not a number for each LoRA, such as '1 0.5'")
    return value


class PartLoraOptions(Spec):
    """LoRA strengths of each part."""

    panel: ClassVar[str] = "LoRA"
    part_lora_factors: Annotated[
        tuple[Annotated[str, AfterValidator(_check_factors)], ...],
        MANY,
        Flag(
            "What the LoRAs' strengths are multiplied by in one generated part, such as '1 0.5'; 0 is "
            "none; repeatable, one for each part.",
            name="part_lora_factor",
            metavar="'X X ...'",
        ),
    ] = ()
