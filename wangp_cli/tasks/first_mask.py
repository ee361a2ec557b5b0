"""Fields that mark an object in the first frame of a clip, for a model that makes a mask of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from wangp_cli.errors import RequestError
from wangp_cli.tasks.engines import EngineChoice, EngineName
from wangp_cli.tasks.fields import MANY, NUMBER, Flag, Spec


def _coordinates(value: str, names: str) -> str:
    count = names.count(",") + 1
    if not re.fullmatch(rf"\s*{NUMBER}\s*(?:,\s*{NUMBER}\s*){{{count - 1}}}", value):
        raise ValueError(f"{value!r} is not {names}, in pixels of the frame")
    return ",".join(part.strip() for part in value.split(","))


def _point(value: str) -> str:
    return _coordinates(value, "X,Y")


def _box(value: str) -> str:
    return _coordinates(value, "X0,Y0,X1,Y1")


Point = Annotated[str, AfterValidator(_point)]
"""`X,Y` in pixels of the frame, from its top left corner."""
Box = Annotated[str, AfterValidator(_box)]
"""`X0,Y0,X1,Y1`: the top left corner and the bottom right one."""


class FirstMask(Spec):
    """An object in the first frame: points on it, a box around it, or its name."""

    panel: ClassVar[str] = "Inputs"
    points: Annotated[
        tuple[Point, ...],
        MANY,
        Field(max_length=100),
        Flag("Point on the object in the first frame, in pixels. Repeatable.", name="point", metavar="X,Y"),
    ] = ()
    points_outside: Annotated[
        tuple[Point, ...],
        MANY,
        Field(max_length=100),
        Flag("Point on what does not belong to it. Repeatable.", name="point_outside", metavar="X,Y"),
    ] = ()
    box: Annotated[Box | None, Flag("Box around the object in the first frame.", metavar="X0,Y0,X1,Y1")] = (
        None
    )
    text: Annotated[
        str | None,
        Field(min_length=1, max_length=200),
        Flag("Words for the object, such as `red car`; all that they name is one mask."),
    ] = None
    segmenter: Annotated[
        EngineName, Flag("Model for points, a box or text: auto or its name.", metavar="MODEL")
    ] = "auto"

    @model_validator(mode="after")
    def _one_way_to_mark(self) -> Self:
        if self.text is not None and (self.points or self.points_outside or self.box):
            raise ValueError("text marks the object alone, leave out --point, --point-outside and --box")
        if self.points_outside and not (self.points or self.box):
            raise ValueError("--point-outside needs a --point on the object or a --box around it")
        return self

    @property
    def marks_object(self) -> bool:
        """Whether a model makes the first mask."""
        return bool(self.points or self.box or self.text)

    def check_marks(self, width: int, height: int) -> None:
        """Check that all points and the box are within a frame of this size.

        Raises:
            RequestError: names the field of what is not.
        """
        box = numbers(self.box) if self.box else None
        points, outside = (tuple(map(numbers, texts)) for texts in (self.points, self.points_outside))
        check_marks(points, outside, box, width, height)

    def segmenter_engine(self) -> Mapping[str, EngineChoice]:
        """The choice of the model that makes the first mask; empty if none does."""
        if not self.marks_object:
            return {}
        return {"segmenter": EngineChoice("segmenter", ("sam3",) if self.text else ("sam2", "sam3"))}


def numbers(coordinates: str) -> tuple[float, ...]:
    """The numbers of a `Point` or `Box`."""
    return tuple(map(float, coordinates.split(",")))


def check_marks(
    points: Sequence[Sequence[float]],
    points_outside: Sequence[Sequence[float]],
    box: Sequence[float] | None,
    width: int,
    height: int,
) -> None:
    """Check that points, each x and y, and the corners of a box are within a frame of this size.

    Raises:
        RequestError: names the field of what is not.
    """
    size = f"{width}x{height}"
    for field, places in (("points", points), ("points_outside", points_outside)):
        for x, y in places:
            if not (0 <= x < width and 0 <= y < height):
                raise RequestError(field, f"{x:g},{y:g} is outside the frame of {size}")
    if box is None:
        return
    x0, y0, x1, y1 = box
    text = ",".join(f"{value:g}" for value in box)
    if not (x0 < x1 and y0 < y1):
        raise RequestError("box", f"{text} is empty", hint="left, top, right, bottom")
    if min(x0, y0) < 0 or x1 > width or y1 > height:
        raise RequestError("box", f"{text} is outside the frame of {size}")
