"""Control pictures: their kinds, how they look, and the engines that make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wangp_cli.tasks.engines import AUTO, CLASSIC, EngineChoice, EngineName
from wangp_cli.tasks.fields import FINITE, MANY, Flag, Spec

PictureKind = Literal["canny", "depth", "flow", "pose", "scribble", "gray"]
GuideKind = Literal["raw", PictureKind]
"""Control pictures, or the frames as they are."""
_LINE_ART = ("line_art",)
ENGINES: Mapping[str, EngineChoice] = {
    # The network draws other edges, which do not take the place of Canny's because its weights are there.
    "canny": EngineChoice("preprocessor", _LINE_ART, CLASSIC, by_name_only=True),
    "depth": EngineChoice("preprocessor", ("depth_anything",)),
    "flow": EngineChoice("preprocessor", ("raft",), CLASSIC),
    "pose": EngineChoice("preprocessor", ("dwpose", "vitpose")),
    "scribble": EngineChoice("preprocessor", _LINE_ART),
}
"""The engines of each kind that has some."""
MAX_FACTOR = 100
Factor = Annotated[float, FINITE, Field(ge=0, le=MAX_FACTOR)]


class PictureOptions(Spec):
    """How control pictures look."""

    panel: ClassVar[str] = "Control pictures"
    canny_low: Annotated[
        float,
        FINITE,
        Field(ge=0, le=2040),
        Flag("Canny: least gradient of a pixel of an edge, 0 to 2040.", metavar="X"),
    ] = 100
    canny_high: Annotated[
        float,
        FINITE,
        Field(ge=0, le=2040),
        Flag("Canny: least gradient of at least one pixel of each edge.", metavar="X"),
    ] = 200
    canny_intensity: Annotated[Factor, Flag("Canny: brightness of edges, 1 is white.", metavar="X")] = 1
    depth_range: Annotated[
        Literal["clip", "frame"],
        Flag(
            "Depth: black and white are the farthest and the nearest pixel of the clip, or of each frame, "
            "which flickers."
        ),
    ] = "clip"
    depth_contrast: Annotated[
        Factor, Flag("Depth: factor on the distance from middle grey.", metavar="X")
    ] = 1
    motion_strength: Annotated[
        Factor,
        Flag("Flow: factor on the motion; at 1 the fastest of the clip has pure colours.", metavar="X"),
    ] = 1
    pose_parts: Annotated[
        tuple[Literal["body", "hands", "face"], ...],
        MANY,
        Field(min_length=1),
        Flag(
            "Pose: what is drawn of people: body, hands, face; repeatable.",
            name="pose_part",
            metavar="PART",
            choices=("body", "hands", "face"),
        ),
    ] = ("body", "face")


READ_BY: Mapping[str, str] = {
    "canny_low": "canny",
    "canny_high": "canny",
    "canny_intensity": "canny",
    "depth_range": "depth",
    "depth_contrast": "depth",
    "motion_strength": "flow",
    "pose_parts": "pose",
}
"""The kind that reads each field of `PictureOptions`."""


class GuideOptions(PictureOptions):
    """What of a control video conditions the model: its frames, or control pictures made of them."""

    panel: ClassVar[str] = "Guides"
    guide_kind: Annotated[
        GuideKind,
        Flag(
            "Condition on the frames of the control video as they are (raw), or on control pictures that are "
            "made of them, as by `wangp preprocess`."
        ),
    ] = "raw"
    guide_engine: Annotated[
        EngineName,
        Flag(
            "Engine of the control pictures: auto, classic (canny and flow) or a model.",
            metavar="NAME",
            complete="models",
        ),
    ] = AUTO

    def guide_engines(self, *guides: object) -> Mapping[str, EngineChoice]:
        """The engine of the control pictures, if one of the guides is given and their kind has some."""
        choice = ENGINES.get(self.guide_kind)
        return {"guide_engine": choice} if choice and any(guides) else {}


def unread(field: str, kind: str, engine: str) -> str | None:
    """Why pictures of a kind by an engine do not depend on a field of `PictureOptions`; None if they do."""
    if READ_BY[field] != kind:
        return f"it is for {READ_BY[field]}, not for {kind}"
    if field in ("canny_low", "canny_high") and engine != CLASSIC:
        return f"engine {engine!r} has no thresholds"
    return None
