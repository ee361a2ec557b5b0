"""What marks an object in a video: masks, points, a box or words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from wangp_cli.errors import RequestError
from wangp_cli.tasks.fields import MANY, NUMBER, Counts, Flag, Input, Spec
from wangp_cli.tasks.shape import Shape

MOST_OBJECTS = 16


def _numbers(count: int) -> AfterValidator:
    pattern = re.compile(",".join([NUMBER] * count))

    def check(value: str) -> str:
        if not pattern.fullmatch(plain := value.replace(" ", "")):
            wanted = "X,Y" if count == 2 else "LEFT,TOP,RIGHT,BOTTOM"
            raise ValueError(f"{value!r} is not {wanted} in pixels")
        return plain

    return AfterValidator(check)


def numbers_of(text: str) -> tuple[float, ...]:
    """The numbers of a point or a box."""
    return tuple(map(float, text.split(",")))


PointText = Annotated[str, _numbers(2)]
"""`X,Y` in pixels of the input, from its top left corner."""
BoxText = Annotated[str, _numbers(4)]
"""`LEFT,TOP,RIGHT,BOTTOM` in pixels of the input."""


class ObjectMarks(Spec):
    """The video, and what marks the object in it."""

    panel: ClassVar[str] = "Inputs"
    video: Annotated[
        Path,
        Input(("video", "image"), until_damage=True),
        Flag("Video or image with the object.", aliases=("input",)),
    ]
    mask: Annotated[
        tuple[Path, ...],
        Input(("image",)),
        MANY,
        Field(max_length=MOST_OBJECTS),
        Flag(
            "Mask of the object in the first frame, white on it; repeatable, one for each object.",
            aliases=("template_mask",),
        ),
    ] = ()
    mask_labels: Annotated[
        int | None,
        Field(ge=1, le=MOST_OBJECTS),
        Flag("The mask shows so many objects, each in one colour other than black.", metavar="N"),
    ] = None
    key_masks: Annotated[
        tuple[Path, ...],
        Input(("image",)),
        MANY,
        Flag("Mask of a later frame, which corrects the matte around it; repeatable.", name="key_mask"),
    ] = ()
    key_frames: Annotated[
        Counts, Flag("Frame of each --key-mask, counted from 0.", name="key_frame", metavar="N")
    ] = ()
    points: Annotated[
        tuple[PointText, ...],
        MANY,
        Flag("Point on the object in the first frame; repeatable.", name="point", metavar="X,Y"),
    ] = ()
    points_outside: Annotated[
        tuple[PointText, ...],
        MANY,
        Flag("Point that does not belong to the object; repeatable.", name="point_outside", metavar="X,Y"),
    ] = ()
    box: Annotated[
        BoxText | None,
        Flag("Box around the object in the first frame.", metavar="LEFT,TOP,RIGHT,BOTTOM"),
    ] = None
    text: Annotated[
        str | None, Field(min_length=1, max_length=200), Flag("Words for the objects, such as 'a person'.")
    ] = None

    @property
    def is_marked(self) -> bool:
        """Whether points, a box or words mark the object, and no mask does."""
        return bool(self.points or self.points_outside or self.box or self.text)

    def check_marks(self, source: Shape) -> None:
        """Check that points and the box lie in the input.

        Raises:
            RequestError: naming the field.
        """
        places = [("points", numbers_of(point)) for point in self.points]
        places += [("points_outside", numbers_of(point)) for point in self.points_outside]
        if self.box:
            left, top, right, bottom = numbers_of(self.box)
            if not (left < right and top < bottom):
                raise RequestError("box", f"{self.box} is empty", hint="LEFT,TOP,RIGHT,BOTTOM")
            places += [("box", (left, top)), ("box", (right - 1, bottom - 1))]
        for field, (x, y) in places:
            if not (0 <= x < source.width and 0 <= y < source.height):
                raise RequestError(field, f"{x:g},{y:g} is outside of the input, {source}")

    @model_validator(mode="after")
    def _one_mark(self) -> Self:
        if self.mask and self.is_marked:
            raise ValueError("mask: not together with points, a box or text, give one of them")
        if not self.mask and not self.is_marked:
            raise ValueError("mask: missing, give a mask, a point, a box or text")
        if self.text and not self.text.strip():
            raise ValueError("text: is empty, name the object")
        if self.text and (self.points or self.points_outside or self.box):
            raise ValueError("text: not together with points or a box, give one of them")
        if self.points_outside and not (self.points or self.box):
            raise ValueError("point_outside: alone it marks no object, give a point or a box, too")
        if len(self.mask) > 1 and (self.mask_labels or self.key_masks):
            other = "mask_labels" if self.mask_labels else "key_mask"
            raise ValueError(f"{other}: with one mask only, give one with a colour for each object")
        if len(self.key_masks) != len(self.key_frames):
            counts = f"{len(self.key_masks)} masks for {len(self.key_frames)} frames"
            raise ValueError(f"key_mask: {counts}, give a key_frame with each key_mask")
        if len(set(self.key_frames)) < len(self.key_frames):
            raise ValueError("key_frame: a frame is given twice")
        return self
