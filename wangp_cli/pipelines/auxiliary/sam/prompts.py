"""What marks an object in a frame: points and a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch

from wangp_cli.errors import RequestError

Point: TypeAlias = tuple[float, float]
"""x and y in pixels of the frame, from its top left corner."""
Box: TypeAlias = tuple[float, float, float, float]
"""x and y of the top left corner, then of the bottom right one."""
INSIDE, OUTSIDE, TOP_LEFT, BOTTOM_RIGHT = 1, 0, 2, 3
"""Labels of points in the prompt encoder of SAM; a box is the two points of its corners."""


@dataclass(frozen=True, kw_only=True)
class ObjectPrompt:
    """Marks one object in one frame.

    Args:
        points: on the object.
        points_outside: on what does not belong to it.
        box: around it.
    """

    points: tuple[Point, ...] = ()
    points_outside: tuple[Point, ...] = ()
    box: Box | None = None

    def check(self, width: int, height: int) -> None:
        """Check that the prompt marks something, within a frame of this size.

        Raises:
            RequestError: there is neither a point on the object nor a box, or one lies outside the frame.
        """
        if not self.points and self.box is None:
            raise RequestError(
                "points", "none on the object, and no box", hint="--point X,Y or --box X0,Y0,X1,Y1"
            )
        size = f"{width}x{height}"
        for field, points in (("points", self.points), ("points_outside", self.points_outside)):
            for x, y in points:
                if not (0 <= x < width and 0 <= y < height):
                    raise RequestError(field, f"{x:g},{y:g} is outside the frame of {size}")
        if self.box is None:
            return
        x0, y0, x1, y1 = self.box
        text = ",".join(f"{value:g}" for value in self.box)
        if not (x0 < x1 and y0 < y1):
            raise RequestError("box", f"{text} is empty", hint="left, top, right, bottom")
        if min(x0, y0) < 0 or x1 > width or y1 > height:
            raise RequestError("box", f"{text} is outside the frame of {size}")

    def inputs(self, width: int, height: int, side: int) -> dict[str, torch.Tensor]:
        """The prompt as a session of transformers takes it.

        Args:
            width, height: of the frame that the coordinates are in.
            side: of the square picture that the model sees.

        Returns:
            `point_coords` float32 `[1, 1, P, 2]` in pixels of that picture, `point_labels` int32 `[1, 1, P]`.
        """
        corners = [] if self.box is None else [self.box[:2], self.box[2:]]
        places = torch.tensor([*corners, *self.points, *self.points_outside], dtype=torch.float32)
        labels = [TOP_LEFT, BOTTOM_RIGHT][: len(corners)]
        labels += [INSIDE] * len(self.points) + [OUTSIDE] * len(self.points_outside)
        scale = torch.tensor([side / width, side / height], dtype=torch.float32)
        return {
            "point_coords": (places * scale)[None, None],
            "point_labels": torch.tensor(labels, dtype=torch.int32)[None, None],
        }
