"""What task declarations are made of: field groups (`Spec`), flags and the types of field values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from wangp_cli.models import Accepts

FileKind = Literal["image", "video", "audio", "poses"]
FINITE = Field(allow_inf_nan=False)
MAX_FRAMES = 10_000
MAX_RATE = 240
MIN_SIDE, MAX_SIDE = 16, 8192
MAX_SEED = 2**53 - 1
"""The largest integer that JSON readers keep exact."""
# Digits are bounded: ten thousand of them, or an exponent, are a value that takes hours to compute.
NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,18})?"
Pixels = tuple[int, int]
"""Width and height."""
_COUNT = re.compile(r"[0-9]{1,9}")
_SECONDS = re.compile(NUMBER + "s")
_RATE = re.compile(NUMBER + "|[0-9]{1,18}/0*[1-9][0-9]{0,17}")
_SIZE = re.compile(r"([0-9]{1,5})\s*[xX*]\s*([0-9]{1,5})")


@dataclass(frozen=True)
class Flag:
    """The command line option of a field.

    Args:
        help: a sentence fragment with a capital and a full stop.
        short: `-s`.
        name: the long name where it differs from the field's, singular for repeatable ones; also a key.
        aliases: other spellings of the name.
        metavar: what the value is called in the help.
        default: the default in the help, where the field's own is not what most users get.
        negative: the long name that sets a boolean to false; None is `no-NAME`, empty is none.
        positional: an argument of the command instead of an option.
        complete: the list of names that a shell completes its values from.
        choices: values that a shell completes, where the type does not list them.
    """

    help: str
    short: str | None = None
    name: str | None = None
    aliases: tuple[str, ...] = ()
    metavar: str | None = None
    default: str | None = None
    negative: str | None = None
    positional: bool = False
    complete: Literal["models", "presets", "accelerators", "loras"] | None = None
    choices: tuple[str, ...] = ()

    def option(self, field: str) -> str:
        """The long option, as typed."""
        return "--" + (self.name or field).replace("_", "-")


@dataclass(frozen=True)
class Input:
    """Metadata of a field that names input files.

    Args:
        kinds: of files that are accepted, the usual one first.
        ability: the input that a model must accept for it.
        until_damage: a video that is damaged or cut off is processed up to there, and then the task fails;
            elsewhere broken frames repeat the one before, and what is cut off is refused.
    """

    kinds: tuple[FileKind, ...]
    ability: Accepts | None = None
    until_damage: bool = False


class Spec(BaseModel):
    """A group of fields as a frozen pydantic model; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=32_768, defer_build=True)
    panel: ClassVar[str] = "Options"

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_bool_for_other_types(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError(f"{str(value).lower()} is neither a number nor a text")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_empty_paths(cls, value: Any, info: ValidationInfo) -> Any:
        """An empty path would be the current folder."""
        metadata = cls.model_fields[str(info.field_name)].metadata
        names = value if isinstance(value, list | tuple) else [value]
        if "" in names and any(isinstance(mark, Input) for mark in metadata):
            raise ValueError("an empty path, name a file or leave it out")
        return value

    def replace(self, **changes: Any) -> Self:
        """A validated copy with some values changed; itself if none does."""
        if all(getattr(self, name) == value for name, value in changes.items()):
            return self
        return type(self).model_validate(self.model_dump() | changes)


def _parse_size(value: str) -> str:
    match = _SIZE.fullmatch(value.strip())
    if not match:
        raise ValueError(f"{value!r} is not WIDTHxHEIGHT, such as 832x480")
    width, height = int(match[1]), int(match[2])
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (width, height)):
        raise ValueError(f"{value!r} is out of range, each side must be {MIN_SIDE} to {MAX_SIDE} pixels")
    return f"{width}x{height}"


def _parse_frames(value: int | str) -> int | str:
    if isinstance(value, str) and _COUNT.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, int):
        if not 1 <= value <= MAX_FRAMES:
            raise ValueError(f"{value} is out of range, must be 1 to {MAX_FRAMES}")
        return value
    if not _SECONDS.fullmatch(value := value.strip()):
        raise ValueError(f"{value!r} is neither a count nor seconds, such as 81 or 5s")
    return value


def _parse_rate(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    text = str(value).strip()
    if not _RATE.fullmatch(text):
        raise ValueError(f"{value!r} is not a frame rate, such as 16 or 24000/1001")
    rate = Fraction(text)
    if not 1 <= rate <= MAX_RATE:
        raise ValueError(f"{value!r} is out of range, must be 1 to {MAX_RATE}")
    ntsc = Fraction(round(rate * 1001 / 1000) * 1000, 1001)
    return str(ntsc if abs(rate - ntsc) < Fraction(1, 1000) else rate.limit_denominator(1001))


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int | Path) else value


MANY = BeforeValidator(_as_list)
"""Accepts a single value in the place of a list of one."""
Counts = Annotated[tuple[Annotated[int, Field(ge=0, le=MAX_FRAMES)], ...], MANY]

Order = Literal["given", "model", "phase"]
"""Order of a batch: as given, grouped by model, or grouped by model and stage."""
Size = Annotated[str, AfterValidator(_parse_size)]
"""`WIDTHxHEIGHT` in pixels."""
FrameCount = Annotated[int | str, AfterValidator(_parse_frames)]
"""A count of frames, or seconds such as `5s`."""
Rate = Annotated[str, BeforeValidator(_parse_rate)]
"""Frames per second, exact: `16` or `24000/1001`."""


def size_of(size: str) -> Pixels:
    """Width and height in pixels."""
    width, height = size.split("x")
    return int(width), int(height)


def frame_count(frames: int | str, rate: Fraction) -> int:
    """A `FrameCount` as frames at `rate`."""
    return frames if isinstance(frames, int) else round(Fraction(frames[:-1]) * rate)
