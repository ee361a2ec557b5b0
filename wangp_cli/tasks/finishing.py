"""Finishing: changes of the finished frames, on their way into the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from wangp_cli.errors import RequestError
from wangp_cli.notices import Notice
from wangp_cli.tasks.engines import AUTO, CLASSIC, EngineChoice, EngineName
from wangp_cli.tasks.fields import FINITE, MAX_SIDE, MIN_SIDE, NUMBER, Flag, Pixels, Spec

LEAST_FACTOR, MOST_FACTOR = 1, 8
UPSCALERS = EngineChoice("upscaler", builtin="lanczos")
"""What makes frames larger."""
INTERPOLATORS = EngineChoice("interpolator", ("rife", "rife3"), CLASSIC)
"""What makes frames in between."""
MOST_FRAMES = 64
"""How many times as many frames, at most."""
_FACTOR = re.compile(NUMBER)
_LANCZOS = re.compile(r"lanczos(1|1\.5|2|2\.5|3|3\.5|4)")
_RIFE = re.compile("(?:rife)?([0-9]{1,2})")
_EVEN = 2
"""Sides are multiples of it, as most codecs want them."""
_WANGP_BLOCK = 16


@dataclass(frozen=True, kw_only=True)
class Upsampling:
    """How much larger frames become.

    Args:
        factor: of width and height.
        block: sides are multiples of it.
        is_lanczos: whether the words name the Lanczos filter, so that no other engine is used.
    """

    factor: Fraction
    block: int = _EVEN
    is_lanczos: bool = False

    def size(self, size: Pixels) -> Pixels:
        """Width and height of frames of `size` when they are larger.

        Raises:
            ValueError: they are out of range.
        """
        if self.factor == 1 and self.block == _EVEN:
            return size
        blocks = (max(round(side * self.factor / self.block), 1) for side in size)
        width, height = (count * self.block for count in blocks)
        if not all(MIN_SIDE <= side <= MAX_SIDE for side in (width, height)):
            raise ValueError(
                f"{size[0]}x{size[1]} makes {width}x{height}, sides must be {MIN_SIDE} to {MAX_SIDE}"
            )
        return width, height


def parse_factor(text: str) -> Fraction:
    """A factor of width and height.

    Raises:
        ValueError: it is no number, or out of range.
    """
    if not _FACTOR.fullmatch(text):
        raise ValueError(f"{text!r} is not a factor, such as 2 or 1.5")
    if not LEAST_FACTOR <= Fraction(text) <= MOST_FACTOR:
        raise ValueError(f"{text!r} is out of range, must be {LEAST_FACTOR} to {MOST_FACTOR}")
    return Fraction(text)


def parse_upsampling(text: str) -> Upsampling | None:
    """Parse a factor, or a word of WanGP such as `lanczos1.5`; None for an empty text.

    Raises:
        ValueError: it is neither.
    """
    if not text:
        return None
    if match := _LANCZOS.fullmatch(text):
        return Upsampling(factor=Fraction(match[1]), block=_WANGP_BLOCK, is_lanczos=True)
    return Upsampling(factor=parse_factor(text))


def parse_interpolation(text: str) -> int:
    """How many times as many frames there shall be: a factor, or a word of WanGP such as `rife2`; 1 if empty.

    Raises:
        ValueError: it is neither, or out of range.
    """
    if not text:
        return 1
    if not (match := _RIFE.fullmatch(text)):
        raise ValueError(f"{text!r} is not a factor, such as rife2 or 4")
    if not 1 <= int(match[1]) <= MOST_FRAMES:
        raise ValueError(f"{text!r} is out of range, must be 1 to {MOST_FRAMES}")
    return int(match[1])


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _check_upsampling(value: str) -> str:
    parse_upsampling(value.strip())
    return value.strip()


def _check_interpolation(value: str) -> str:
    parse_interpolation(value.strip())
    return value.strip()


def _check_factor(value: str) -> str:
    parse_factor(value.strip())
    return value.strip()


Factor = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(_check_factor)]
"""How many times as wide and high, exact: `2` or `1.5`."""


class FrameFinishing(Spec):
    """Colours and film grain of the finished frames."""

    panel: ClassVar[str] = "Finishing"
    saturation: Annotated[
        float,
        FINITE,
        Field(ge=0, le=4),
        Flag("Saturation of the result; 0 is grey, 1 is unchanged.", metavar="X"),
    ] = 1.0
    brightness: Annotated[
        float,
        FINITE,
        Field(ge=-1, le=4),
        Flag("Brightness of the result; above 0 is brighter.", metavar="X"),
    ] = 0.0
    film_grain_intensity: Annotated[
        float, FINITE, Field(ge=0, le=1), Flag("Film grain, 0 to 1; 0 is off, 0.05 is fine.", metavar="X")
    ] = 0.0
    film_grain_saturation: Annotated[
        float, FINITE, Field(ge=0, le=1), Flag("Colour of the film grain; 0 is grey.", metavar="X")
    ] = 0.5


class Finishing(FrameFinishing):
    """Frame rate, size, colours and film grain of the result.

    The steps are done in this order: saturation, brightness, frames in between, upsampling, film grain. They
    change every frame of the file, those of videos that it continues or keeps included; what the model makes
    stays the same.
    """

    panel: ClassVar[str] = "Finishing"
    temporal_upsampling: Annotated[
        str,
        BeforeValidator(_number_as_text),
        AfterValidator(_check_interpolation),
        Flag("Make frames in between: rife2 for twice as many, rife4, up to rife64.", metavar="rifeN"),
    ] = ""
    interpolator: Annotated[
        EngineName,
        Flag(
            "Engine that makes frames in between: auto, classic or a model of kind interpolator.",
            metavar="NAME",
            choices=("auto", "classic"),
        ),
    ] = AUTO
    spatial_upsampling: Annotated[
        str,
        BeforeValidator(_number_as_text),
        AfterValidator(_check_upsampling),
        Flag(
            "Make frames larger by this factor, 1 to 8. The words lanczos1.5 to lanczos4 round sides to "
            "multiples of 16, as WanGP does.",
            metavar="FACTOR",
        ),
    ] = ""

    upscaler: Annotated[
        EngineName,
        Flag(
            "Engine that makes frames larger: auto, lanczos or a model of kind upscaler.",
            metavar="NAME",
            choices=("auto", "lanczos"),
        ),
    ] = AUTO

    @property
    def finishing_engines(self) -> dict[str, EngineChoice]:
        """The engines of the steps, by field; only of those that are used."""
        enlarges = self.upsampling is not None and not self.upsampling.is_lanczos
        used = {"interpolator": self.interpolation > 1, "upscaler": enlarges}
        choices = {"interpolator": INTERPOLATORS, "upscaler": UPSCALERS}
        return {field: choices[field] for field, is_used in used.items() if is_used}

    @property
    def interpolation(self) -> int:
        """How many times as many frames there shall be."""
        return parse_interpolation(self.temporal_upsampling)

    @property
    def upsampling(self) -> Upsampling | None:
        """How frames are made larger; None if they are not."""
        return parse_upsampling(self.spatial_upsampling)

    @property
    def finishing_fields(self) -> tuple[str, ...]:
        """The fields that change the finished frames, in the order in which they do."""
        changed = {
            "saturation": self.saturation != 1,
            "brightness": self.brightness != 0,
            "temporal_upsampling": self.interpolation > 1,
            "spatial_upsampling": self.upsampling is not None,
            "film_grain_intensity": self.film_grain_intensity != 0,
        }
        return tuple(field for field, is_changed in changed.items() if is_changed)

    def finished_size(self, size: Pixels) -> Pixels:
        """Width and height of the file, for frames of `size`.

        Raises:
            RequestError: they are out of range.
        """
        try:
            return self.upsampling.size(size) if self.upsampling else size
        except ValueError as error:
            raise RequestError("spatial_upsampling", str(error)) from None

    def finished_frames(self, frames: int) -> int:
        """Frames of the file, for `frames` before finishing: others are put between them."""
        return (frames - 1) * self.interpolation + 1

    def finished_rate(self, rate: Fraction) -> Fraction:
        """Frames per second of the file, for `rate` before finishing."""
        return rate * self.interpolation

    def finishing_notices(
        self, size: Pixels, frames: int, rate: Fraction, *, keeps: str | None
    ) -> list[Notice]:
        """Notices of what finishing changes.

        Args:
            size: of the frames, width and height.
            frames: before finishing.
            rate: frames per second before finishing.
            keeps: the task, if it otherwise leaves frames or pixels of its video unchanged.
        """
        notices = []
        if (many := self.finished_frames(frames)) != frames:
            text = f"{frames} frames at {rate} fps become {many} at {self.finished_rate(rate)} fps"
            notices.append(Notice(field="temporal_upsampling", text=text))
        finished = self.finished_size(size)
        if finished != size:
            text = f"{size[0]}x{size[1]} becomes {finished[0]}x{finished[1]}"
            notices.append(Notice(field="spatial_upsampling", text=text))
        if keeps and self.finishing_fields:
            text = f"changes every frame, also what {keeps} leaves as it is"
            notices.append(Notice(field=self.finishing_fields[0], text=text))
        return notices
