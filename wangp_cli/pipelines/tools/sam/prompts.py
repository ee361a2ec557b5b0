"""What marks an object in a frame: points and a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch

from wangp_cli.errors import RequestError
from wangp_cli.tasks.first_mask import check_marks

Point: TypeAlias = tuple[float, float]
"""x and y in pixels of the frame, from its top left corner."""
Box: TypeAlias = tuple[float, float, float, float]
"""x and y of the top left corner, then of the bottom right one."""
INSIDE, OUTSIDE, TOP_LEFT, BOTTOM_RIGHT = 1, 0, 2, 3
"""Labels of points in the prompt encoder of SAM; a box is the two points of its corners."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
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
        check_marks(self.points, self.points_outside, self.box, width, height)

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
