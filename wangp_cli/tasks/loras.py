"""LoRAs of a task: which files, and how strong each is in every phase and step."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from wangp_cli.tasks.fields import Flag, Spec
from wangp_cli.tasks.shot import MODELS, Phases

_HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(:[^@]+)?")


class Moment(Protocol):
    """Where a run is; numbers count from 0."""

    @property
    def index(self) -> int:
        """Number of the step."""

    @property
    def steps(self) -> int:
        """Steps of the run."""

    @property
    def phase(self) -> int:
        """Number of the phase."""

    @property
    def phase_index(self) -> int:
        """Number of the step in its phase."""

    @property
    def phase_steps(self) -> int:
        """Steps of the phase."""


@dataclass(frozen=True)
class Strength:
    """How strong a LoRA is: for each phase, its values spread over the steps.

    Args:
        phases: values by phase; a single phase holds for the whole run.
    """

    phases: tuple[tuple[float, ...], ...] = ((1.0,),)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `0.8`, by phase `1;0.5`, or by step `0.9,0.5`; a phase left empty is 0.

        Raises:
            ValueError: it is none of these.
        """
        phases = text.strip().split(";")
        if phases == [""]:
            raise ValueError("is empty")
        return cls(tuple(tuple(map(_number, (phase or "0").split(","))) for phase in phases))

    def __str__(self) -> str:
        return ";".join(",".join(repr(value).removesuffix(".0") for value in phase) for phase in self.phases)

    @property
    def any(self) -> bool:
        """Whether there is any of it, at any step."""
        return any(value for phase in self.phases for value in phase)

    def times(self, factor: float) -> Self:
        """The strength, more or less of it."""
        if factor == 1:
            return self
        return type(self)(tuple(tuple(value * factor for value in phase) for phase in self.phases))

    def for_run(self, run: Phases) -> Self:
        """The strength in each phase of a run.

        Raises:
            ValueError: more phases are given than the run has.
        """
        return self.in_phases(run.guidance_phases, run.model_switch_phase)

    def in_phases(self, phases: int, switch: int = 1) -> Self:
        """The strength for a run of so many phases: said for all of them, or for the whole run.

        Args:
            phases: of the run.
            switch: the transition at which the second expert takes over; where fewer phases are said than
                the run has, the first counts twice if that is the second transition, else the last.

        Raises:
            ValueError: more phases are said than the run has.
        """
        said = self.phases
        if len(said) > max(phases, 1):
            raise ValueError(f"{self} has {len(said)} phases, the run has {phases}")
        if len(said) == 1:
            return self
        missing = phases - len(said)
        first, last = said[:1] * missing, said[-1:] * missing
        return type(self)(first + said if switch == 2 else said + last)

    def at(self, moment: Moment) -> float:
        """The strength at a step of a run; lists are spread over the steps of the run, or of their phase."""
        if len(self.phases) == 1:
            values, index, steps = self.phases[0], moment.index, moment.steps
        else:
            values, index, steps = self.phases[moment.phase], moment.phase_index, moment.phase_steps
        return values[index * len(values) // steps]


def _number(text: str) -> float:
    number = float(text) if "_" not in text else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no number")
    return number


def _joined(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def read_multipliers(text: str) -> list[Strength]:
    """One strength for each LoRA, between spaces.

    Raises:
        ValueError: one cannot be read.
    """
    return [_strength(token) for token in text.split()]


def _strength(token: str) -> Strength:
    try:
        return Strength.parse(token)
    except ValueError:
        raise ValueError(f"{token[:40]!r} is no strength, such as 0.8, 1;0.5 or 0.9,0.5") from None


def parse_lora(text: str) -> tuple[str, Strength | None]:
    """Name and strength of `PATH[@STRENGTH]`; None is not said.

    A hub reference may have a revision before its strength.

    Raises:
        ValueError: what follows the last @ is no strength.
    """
    name, at, strength = text.rpartition("@")
    if not at:
        return text, None
    try:
        return name, Strength.parse(strength)
    except ValueError:
        if _HUB.fullmatch(name) or re.match(r"https?://", name, re.IGNORECASE):
            return text, None
        raise ValueError(f"{text!r} has no number after @, such as style.safetensors@0.8") from None


class LoraOptions(Spec):
    """LoRAs on top of the model."""

    panel: ClassVar[str] = "LoRA"
    accelerator: Annotated[
        str | None,
        Field(max_length=128),
        Flag(
            "LoRAs for few steps and their numbers, such as lightning: see `wangp loras presets`; none is "
            "without.",
            metavar="NAME",
            default=MODELS,
        ),
    ] = None
    loras: Annotated[
        tuple[str, ...],
        Flag(
            "LoRA: a file, a folder, REPOSITORY[:FILE][@REVISION] of the hub, or an address; repeatable. "
            "Strengths by phase 1;0.5, by step 0.9,0.5.",
            name="lora",
            metavar="PATH[@STRENGTH]",
        ),
    ] = ()
    lora_multipliers: Annotated[
        str,
        BeforeValidator(_joined),
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
            said = read_multipliers(self._multipliers[1])
        except ValueError as error:
            raise ValueError(f"lora_multipliers: {error}") from None
        if len(said) > len(self.loras):
            raise ValueError(f"lora_multipliers: {len(said)} strengths for {len(self.loras)} LoRAs")
        if said and (twice := next((lora for lora in self.loras if parse_lora(lora)[1]), None)):
            raise ValueError(f"lora_multipliers: {twice!r} has a strength already, say it once")
        return self

    @property
    def _multipliers(self) -> tuple[str, str]:
        """What is said of the accelerator's LoRAs, and of the task's own; lines after # say nothing."""
        lines = self.lora_multipliers.splitlines()
        text = " ".join(line for line in lines if not line.lstrip().startswith("#"))
        if not self.accelerator:
            return "", text.replace("|", " ")
        before, bar, after = text.partition("|")
        return (before, after) if bar else ("", before)

    def accelerator_strengths(self) -> list[Strength]:
        """Strengths of the accelerator's LoRAs, where they are not to be its own."""
        return read_multipliers(self._multipliers[0])

    def strengths(self) -> list[tuple[str, Strength]]:
        """Name and strength of each of the task's LoRAs; 1 where nothing is said."""
        said = read_multipliers(self._multipliers[1])
        names = [parse_lora(lora) for lora in self.loras]
        return [
            (name, own or (said[index] if index < len(said) else Strength()))
            for index, (name, own) in enumerate(names)
        ]
