"""LoRAs of a task: files, and the strength of each in every phase and step."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from wangp_cli.tasks.fields import MANY, Flag, Spec
from wangp_cli.tasks.lora_strength import Strength, refuse_decimal_comma
from wangp_cli.tasks.shot import MODELS

_HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(:[^@]+)?")


def _join_texts(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def read_multipliers(text: str) -> list[Strength]:
    """The strengths of LoRAs from a text, separated by spaces.

    Raises:
        ValueError: one cannot be read.
    """
    return [_strength(token) for token in text.split()]


def _strength(token: str) -> Strength:
    refuse_decimal_comma(token)
    try:
        return Strength.parse(token)
    except ValueError:
        raise ValueError(f"{token[:40]!r} is no strength, such as 0.8, 1;0.5 or 0.9,0.5") from None


def parse_lora(text: str) -> tuple[str, Strength | None]:
    """Name and strength of `PATH[@STRENGTH]`; the strength is None where it is not given.

    A hub reference may have a revision before its strength.

    Raises:
        ValueError: what follows the last @ is no strength, or has a decimal comma.
    """
    name, at, strength = text.rpartition("@")
    if not at:
        return text, None
    refuse_decimal_comma(strength)
    try:
        return name, Strength.parse(strength)
    except ValueError:
        if _HUB.fullmatch(name) or re.match(r"https?://", name, re.IGNORECASE):
            return text, None
        raise ValueError(f"{text!r} has no number after @, such as style.safetensors@0.8") from None


class LoraOptions(Spec):
    """LoRAs and the accelerator."""

    panel: ClassVar[str] = "LoRA"
    accelerator: Annotated[
        str | None,
        Field(max_length=128),
        Flag(
            "LoRAs for few steps with the values they were made for, such as lightning: see `wangp loras "
            "presets`; none turns it off.",
            metavar="NAME",
            default=MODELS,
            complete="accelerators",
        ),
    ] = None
    loras: Annotated[
        tuple[str, ...],
        MANY,
        Flag(
            "LoRA: a file, a folder, REPOSITORY[:FILE][@REVISION] of the hub, or an address; repeatable. "
            "Strengths by phase 1;0.5, by step 0.9,0.5.",
            name="lora",
            metavar="PATH[@STRENGTH]",
            complete="loras",
        ),
    ] = ()
    lora_multipliers: Annotated[
        str,
        BeforeValidator(_join_texts),
        Flag(
            "Strengths of the LoRAs in their order, such as '1;0 0.8'; instead of @STRENGTH. Those of the "
            "accelerator come before a |.",
            metavar="TEXT",
        ),
    ] = ""

    @field_validator("loras")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for lora in value:
            if not parse_lora(lora)[0].strip():
                raise ValueError(f"{lora!r} names no LoRA")
        return value

    @model_validator(mode="after")
    def _one_strength_each(self) -> Self:
        try:
            self.accelerator_strengths()
            given = read_multipliers(self._multipliers[1])
        except ValueError as error:
            raise ValueError(f"lora_multipliers: {error}") from None
        if len(given) > len(self.loras):
            raise ValueError(f"lora_multipliers: {len(given)} strengths for {len(self.loras)} LoRAs")
        if given and (twice := next((lora for lora in self.loras if parse_lora(lora)[1]), None)):
            raise ValueError(f"lora_multipliers: {twice!r} has a strength already, say it once")
        return self

    @property
    def _multipliers(self) -> tuple[str, str]:
        """The texts for the accelerator's LoRAs and for the task's own; lines after # are comments."""
        lines = self.lora_multipliers.splitlines()
        text = " ".join(line for line in lines if not line.lstrip().startswith("#"))
        if not self.accelerator:
            return "", text.replace("|", " ")
        before, bar, after = text.partition("|")
        return (before, after) if bar else ("", before)

    def accelerator_strengths(self) -> list[Strength]:
        """Strengths that replace those of the accelerator's LoRAs."""
        return read_multipliers(self._multipliers[0])

    def given_strengths(self) -> list[tuple[str, Strength | None]]:
        """Name and strength of each of the task's LoRAs; None where no strength is given."""
        given = read_multipliers(self._multipliers[1])
        names = [parse_lora(lora) for lora in self.loras]
        return [
            (name, own or (given[index] if index < len(given) else None))
            for index, (name, own) in enumerate(names)
        ]

    def strengths(self) -> list[tuple[str, Strength]]:
        """Name and strength of each of the task's LoRAs; 1 where none is given."""
        return [(name, strength or Strength()) for name, strength in self.given_strengths()]
