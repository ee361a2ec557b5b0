"""The task behind `wangp upscale`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wangp_cli.errors import RequestError
from wangp_cli.notices import Notice, unused_notices
from wangp_cli.tasks.engines import AUTO, EngineChoice, EngineName
from wangp_cli.tasks.fields import FINITE, MAX_SEED, Flag, Input, Size, Spec, size_of
from wangp_cli.tasks.finishing import UPSCALERS, Factor, FrameFinishing, Upsampling
from wangp_cli.tasks.shape import ResultShape, Shape
from wangp_cli.tasks.tool import Tool


class UpscaleInputs(Spec):
    """The video or image, and images whose colours it takes."""

    panel: ClassVar[str] = "Inputs"
    video: Annotated[
        Path, Input(("video", "image"), until_damage=True), Flag("Video or image to make larger.")
    ]
    image_start: Annotated[
        Path | None, Input(("image",)), Flag("Image whose colours the first frame takes.")
    ] = None
    image_end: Annotated[
        Path | None, Input(("image",)), Flag("Image whose colours the last frame takes.")
    ] = None


class UpscaleOptions(Spec):
    """Size of the result, and what makes frames larger."""

    panel: ClassVar[str] = "Size and length"
    factor: Annotated[
        Factor, Flag("How many times as wide and high, 1 to 8; sides become even.", metavar="FACTOR")
    ] = "2"
    size: Annotated[Size | None, Flag("Width and height in pixels, instead of a factor.", metavar="WxH")] = (
        None
    )
    engine: Annotated[
        EngineName,
        Flag(
            "Engine: auto, lanczos or a model of kind upscaler.",
            metavar="NAME",
            choices=("auto", "lanczos"),
        ),
    ] = AUTO


class UpscaleFinishing(Spec):
    """Colour match and the seed of the film grain."""

    panel: ClassVar[str] = "Finishing"
    colour_match: Annotated[
        float,
        FINITE,
        Field(ge=0, le=1),
        Flag(
            "Colour match to the images (in CIE L*a*b*), 0 to 1; 0 is off.",
            aliases=("color_match",),
            metavar="X",
        ),
    ] = 1.0
    seed: Annotated[int, Field(ge=0, le=MAX_SEED), Flag("Seed of the film grain.", metavar="N")] = 0


class Upscale(UpscaleFinishing, FrameFinishing, UpscaleOptions, UpscaleInputs, Tool):
    """Make a video or image larger, match its colours, add film grain; sound is kept.

    The steps are done in this order: colour match, saturation, brightness, upsampling, film grain.
    """

    run: ClassVar[str] = "wangp_cli.workflows.upscale:run"
    engine_uses: ClassVar[Mapping[str, EngineChoice]] = {"upscaling": UPSCALERS}
    type: Literal["upscale"] = "upscale"

    @property
    def changes_size(self) -> bool:
        """Whether frames may become larger."""
        return self.size is not None or Fraction(self.factor) != 1

    def engines(self) -> Mapping[str, EngineChoice]:
        """What makes frames larger, where they become so."""
        return {"engine": UPSCALERS} if self.changes_size else {}

    def result_shape(self, inputs: Mapping[str, Sequence[Shape]]) -> ResultShape:
        """That of the input, larger."""
        (video,) = inputs["video"]
        if self.size is not None:
            size = size_of(self.size)
        else:
            try:
                size = Upsampling(factor=Fraction(self.factor)).size((video.width, video.height))
            except ValueError as error:
                raise RequestError("factor", str(error)) from None
        return ResultShape(size, video.frames, video.fps, video.alpha)

    def check_inputs(self, inputs: Mapping[str, Sequence[Shape]], given: frozenset[str]) -> list[Notice]:
        """Notices of the new size, of a changed aspect ratio, and of values that are not used."""
        (video,) = inputs["video"]
        result = self.result_shape(inputs)
        width, height = result.size
        notices = []
        if not video.like(Shape(width, height)):
            notices.append(Notice(field="size", text=f"{video} is stretched to {width}x{height}"))
        reasons = {
            "factor": "the size is given" if self.size else None,
            "engine": None if self.changes_size else "no frame becomes larger",
            "film_grain_saturation": "there is no film grain" if self.film_grain_intensity == 0 else None,
            "seed": "there is no film grain" if self.film_grain_intensity == 0 else None,
            "colour_match": None if self.image_start or self.image_end else "there is no image to match",
        }
        return notices + unused_notices(reasons, given)
