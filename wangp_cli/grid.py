"""The frame counts and frame sizes that a model can generate."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Grid(BaseModel):
    """Frame counts of the form `step * n + offset` in a range; width and height are multiples of a block.

    Args:
        step: distance between valid frame counts; frames per latent frame.
        offset: at most `step`; a step of 4 with offset 1 gives `4n+1`, 17 with 5 gives `17n+5`.
        minimum: fewest frames of a video.
        maximum: most frames; equal to `minimum` for a model with a single length.
        minimum_seconds: shortest video; `at` converts it to frames.
        maximum_seconds: longest video; `at` converts it to frames.
        block: divisor of width and height, in pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    step: Annotated[int, Field(ge=1)] = 4
    offset: Annotated[int, Field(ge=0)] = 1
    minimum: Annotated[int, Field(ge=1)] = 5
    maximum: Annotated[int, Field(ge=1)] | None = None
    minimum_seconds: Seconds | None = None
    maximum_seconds: Seconds | None = None
    block: Annotated[int, Field(ge=1)] = 16

    @property
    def has_stills(self) -> bool:
        """Whether a single frame is valid: 1 has the form, and the length is neither fixed nor in seconds."""
        fixed = self.minimum == self.maximum or self.minimum_seconds is not None
        return not fixed and self.offset % self.step == 1 % self.step

    def at(self, rate: Fraction) -> Grid:
        """The grid with its range in seconds converted to frames at a frame rate.

        Raises:
            ValueError: no frame count lies in the range.
        """
        least, most = self.minimum, self.maximum
        if self.minimum_seconds is not None:
            least = max(least, math.ceil(Fraction(self.minimum_seconds) * rate))
        if self.maximum_seconds is not None:
            limit = math.floor(Fraction(self.maximum_seconds) * rate)
            most = limit if most is None else min(most, limit)
        if (least, most) == (self.minimum, self.maximum):
            return self
        if most is not None and self._at_least(least) > most:
            raise ValueError(f"no length of {self.step}n+{self.offset} frames is from {least} to {most}")
        return self.model_copy(update={"minimum": least, "maximum": most})

    def frames(self, count: int) -> int:
        """The valid frame count for a requested one: `(count // step) * step + offset`, clamped to the range.

        Valid counts do not change; with the form 4n+1, 84 gives 85. 1 stays 1 if single frames are valid.
        """
        if count <= 1 and self.has_stills:
            return 1
        snapped = count // self.step * self.step + self.offset % self.step
        frames = max(self._at_least(self.minimum), snapped)
        return min(frames, self._at_most(self.maximum)) if self.maximum else frames

    def cover(self, count: int) -> int:
        """The smallest valid frame count that is at least `count`; `maximum` is ignored."""
        return max(self._at_least(self.minimum), self._at_least(count))

    def context(self, count: int) -> int:
        """The most frames, at most `count`, that a model can continue: 1, or a count of the form."""
        return max(1, self._at_most(count))

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height rounded down to multiples of the block, at least one block."""
        return max(self.block, width // self.block * self.block), max(
            self.block, height // self.block * self.block
        )

    def _at_least(self, count: int) -> int:
        """The smallest count of the form that is at least `count`."""
        return max(0, -(-(count - self.offset) // self.step)) * self.step + self.offset

    def _at_most(self, count: int) -> int:
        """The largest count of the form that is at most `count`; below 1 if there is none."""
        return (count - self.offset) // self.step * self.step + self.offset

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if self.offset > self.step:
            raise ValueError(f"offset: {self.offset} is above the step, which is {self.step}")
        if self.maximum is not None and self._at_least(self.minimum) > self.maximum:
            raise ValueError(f"no length of {self.step}n+{self.offset} frames is in the range")
        if self.minimum_seconds and self.maximum_seconds and self.minimum_seconds > self.maximum_seconds:
            raise ValueError("minimum_seconds is above maximum_seconds")
        return self
