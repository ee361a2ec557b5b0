"""The strength (scale) of a LoRA in every phase and step of a run."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from wangp_cli.tasks.shot import Phases

_DECIMAL_COMMA = re.compile(r"(?<![^;])([-+]?\d+),(\d+)(?![^;])")
"""A phase of a strength that is a list of two whole numbers, or a number with a decimal comma."""


class Moment(Protocol):
    """The position of a step in a run; indices count from 0."""

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
    """The strength (scale) of a LoRA: for each phase, values that are spread over its steps.

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
        phases = (",".join(repr(value).removesuffix(".0") for value in phase) for phase in self.phases)
        return with_points(";".join(phases))

    @property
    def is_nonzero(self) -> bool:
        """Whether it is not zero at some step."""
        return any(value for phase in self.phases for value in phase)

    def times(self, factor: float) -> Self:
        """The strength multiplied by `factor`."""
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
        """The strength expanded to the phases of a run; one for the whole run stays as it is.

        Args:
            phases: of the run.
            switch: the transition at which the second transformer takes over; where fewer phases are given
                than the run has, the first counts twice if that is the second transition, else the last.

        Raises:
            ValueError: it has more phases than the run.
        """
        given = self.phases
        if len(given) > max(phases, 1):
            raise ValueError(f"{self} has {len(given)} phases, the run has {phases}")
        if len(given) == 1:
            return self
        missing = phases - len(given)
        first, last = given[:1] * missing, given[-1:] * missing
        return type(self)(first + given if switch == 2 else given + last)

    def at(self, moment: Moment) -> float:
        """The value at a step of a run; a list is spread over the steps of the run, or of its phase."""
        if len(self.phases) == 1:
            values, index, steps = self.phases[0], moment.index, moment.steps
        else:
            values, index, steps = self.phases[moment.phase], moment.phase_index, moment.phase_steps
        return values[index * len(values) // steps]


def refuse_decimal_comma(text: str) -> None:
    """Refuse a list of two whole numbers, which a person may have meant as a number with a decimal comma.

    A strength with a decimal point anywhere is read as it is.

    Raises:
        ValueError: says how to write either.
    """
    if match := _ambiguous(text):
        raise ValueError(
            f"{match[0]!r} has a decimal comma: write {match[1]}.{match[2]}, "
            f"or {match[1]}.0,{match[2]}.0 for a list by step"
        )


def with_points(text: str) -> str:
    """The same strength with a decimal point where `refuse_decimal_comma` would refuse it."""
    return _DECIMAL_COMMA.sub(r"\1.0,\2.0", text, count=1) if _ambiguous(text) else text


def _ambiguous(text: str) -> re.Match[str] | None:
    return None if "." in text else _DECIMAL_COMMA.search(text)


def _number(text: str) -> float:
    number = float(text) if "_" not in text else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no number")
    return number
