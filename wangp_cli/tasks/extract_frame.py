"""The task behind `wangp extract-frame`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field

from wangp_cli.errors import RequestError
from wangp_cli.notices import Notice
from wangp_cli.tasks.fields import MANY, NUMBER, Flag, Input
from wangp_cli.tasks.shape import Shape
from wangp_cli.tasks.stages import StageShare
from wangp_cli.tasks.task import ImageFormat
from wangp_cli.tasks.tool import Processing

MOST_FRAMES = 1000
_INDEX = re.compile(r"-?[0-9]{1,9}")
_TIME = re.compile(f"{NUMBER}s")


def _parse_position(value: Any) -> int | str:
    if isinstance(value, int | str) and not isinstance(value, bool):
        text = str(value).strip()
        if _INDEX.fullmatch(text):
            return int(text)
        if _TIME.fullmatch(text):
            return text
    raise ValueError(f"{value!r} is neither an index such as 0 or -1 nor a time such as 1.5s")


Position = Annotated[int | str, BeforeValidator(_parse_position)]
"""An index from 0, a negative one from the end, or the seconds at which a frame is shown."""


class ExtractFrame(Processing):
    """Write frames of a video as images, exactly as they are decoded."""

    panel: ClassVar[str] = "Inputs"
    run: ClassVar[str] = "wangp_cli.workflows.extract_frame:extract_frame"
    stages: ClassVar[tuple[StageShare, ...]] = (
        StageShare("read", 60, "reading"),
        StageShare("write", 40, "writing"),
    )
    suffixes: ClassVar[tuple[str, ...]] = (".png", ".jpg", ".jpeg", ".webp")
    type: Literal["extract-frame"] = "extract-frame"
    video: Annotated[Path, Input(("video",)), Flag("Video to take frames of.")]
    frame: Annotated[
        tuple[Position, ...],
        MANY,
        Field(min_length=1, max_length=MOST_FRAMES),
        Flag(
            "Frame to write: an index from 0, -1 for the last, or a time such as 1.5s; repeatable.",
            metavar="N|SECONDSs",
        ),
    ] = (0,)
    image_format: Annotated[ImageFormat, Flag("Format of images; jpg shows alpha on black.")] = "png"
    name: Annotated[
        str, Flag("Template of file names: {input} {frame} {index} {date} ...", metavar="TEMPLATE")
    ] = "{input}_frame_{frame}"

    @property
    def usual_suffix(self) -> str:
        """That of the format."""
        return f".{self.image_format}"

    @classmethod
    def asks_for_one(cls, values: Mapping[str, Any]) -> bool:
        """Whether there is one frame."""
        frame = values.get("frame")
        return not isinstance(frame, list | tuple) or len(frame) == 1

    @property
    def results(self) -> int:
        """One image for each frame."""
        return len(self.frame)

    def single(self, index: int) -> Self:
        """The task that writes only one of the frames."""
        return self.replace(frame=(self.frame[index],))

    def name_fields(self, index: int) -> dict[str, Any]:
        """Also the frame, as it was given."""
        return {**super().name_fields(index), "frame": self.frame[index]}

    def check_inputs(self, inputs: Mapping[str, Sequence[Shape]], given: frozenset[str]) -> list[Notice]:  # noqa: ARG002 - of the base class
        """Check that the video has all frames."""
        [video] = inputs["video"]
        assert video.fps is not None
        self.indices(video.frames, video.fps)
        return []

    def indices(self, frames: int, rate: Fraction) -> list[int]:
        """The index of each frame, from 0.

        Args:
            frames: that the video has.
            rate: its frames per second.

        Raises:
            RequestError: the video has no such frame.
        """
        return [_index(position, frames, rate) for position in self.frame]


def _index(position: int | str, frames: int, rate: Fraction) -> int:
    if isinstance(position, str):
        index = floor(Fraction(position[:-1]) * rate)
    else:
        index = position if position >= 0 else frames + position
    if not 0 <= index < frames:
        seconds = f"{float(frames / rate):.2f} s"
        raise RequestError("frame", f"{position}, but the video has {frames} frames in {seconds}")
    return index
