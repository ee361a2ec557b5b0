"""Adjustments of frames: of those that condition the model, and of generated ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, cast, get_args

from pydantic import AfterValidator, Field

from wangp_cli.tasks.fields import FINITE, Flag, Spec

FADE = "SHARE[:LOW[:HIGH[:CURVE]]]"
Curve = Literal[
    "linear", "ease_in_quad", "ease_out_quad", "ease_in_out", "ease_in_cubic", "ease_in_out_cubic", "sine",
    "expo_in",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Fade:
    """A fade of an image into the unknown frames next to it.

    Args:
        share: of the unknown frames that it covers, 0 to 1; 0 is no fade.
        low: weight at the far end, 0 to 1.
        high: weight next to the image, 0 to 1.
        curve: between the two.
    """

    share: float = 0.0
    low: float = 0.0
    high: float = 1.0
    curve: Curve = "ease_in_out"


@dataclass(frozen=True, kw_only=True)
class ControlAdjustments:
    """Adjustments of known frames before the model is conditioned on them.

    Args:
        strength: of context frames, 0 to 1; less mixes them with the grey that means unknown.
        saturation: of context frames; 1 changes nothing, 0 is grey.
        brightness: of context frames; above 0 is brighter.
        fade_out: of the image a segment begins with.
        fade_in: of the image it ends with.
    """

    strength: float = 1.0
    saturation: float = 1.0
    brightness: float = 0.0
    fade_out: Fade = Fade()
    fade_in: Fade = Fade()


UNADJUSTED = ControlAdjustments()
"""No adjustment."""


def parse_fade(text: str) -> Fade:
    """Parse a fade `SHARE[:LOW[:HIGH[:CURVE]]]`, such as `0.5` or `0.5:0:0.8:sine`; an empty text is none.

    Raises:
        ValueError: it is not of this form.
    """
    if not text:
        return Fade()
    *words, curve = [*text.split(":"), "ease_in_out"] if text.count(":") < 3 else text.split(":")
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2, 3) or not all(0 <= number <= 1 for number in numbers):
        raise ValueError(f"{text!r} is not {FADE} with numbers from 0 to 1, such as 0.5 or 0.5:0:0.8:sine")
    if curve not in get_args(Curve):
        raise ValueError(f"{text!r} has a curve that is not one of {', '.join(get_args(Curve))}")
    given = dict(zip(("share", "low", "high"), numbers, strict=False))
    return Fade(**given, curve=cast("Curve", curve))


def _check_fade(value: str) -> str:
    parse_fade(value)
    return value


FadeText = Annotated[str, AfterValidator(_check_fade)]


class AdjustmentOptions(Spec):
    """Adjustments of conditioning frames and of generated frames; a brightness above 0 is brighter."""

    panel: ClassVar[str] = "Guides"
    context_strength: Annotated[
        float,
        FINITE,
        Field(ge=0, le=1),
        Flag(
            "Weight of the previous part's frames in the conditioning; below 1 they are mixed with the grey "
            "of unknown frames.",
            metavar="X",
        ),
    ] = 1.0
    context_saturation: Annotated[
        float,
        FINITE,
        Field(ge=0, le=4),
        Flag("Saturation of these frames in the conditioning; 0 is grey, 1 is unchanged.", metavar="X"),
    ] = 1.0
    context_brightness: Annotated[
        float,
        FINITE,
        Field(ge=-1, le=1),
        Flag("Brightness of these frames in the conditioning; above 0 is brighter.", metavar="X"),
    ] = 0.0
    fade_out: Annotated[
        FadeText,
        Flag(
            "Fade the image a part begins with into this share of the unknown frames after it; with weights "
            "at the far end and next to it, and a curve.",
            metavar=FADE,
        ),
    ] = ""
    fade_in: Annotated[
        FadeText, Flag("Fade the image a part ends with into the unknown frames before it.", metavar=FADE)
    ] = ""
    part_saturation: Annotated[
        float,
        FINITE,
        Field(ge=0, le=4),
        Flag("Saturation of each generated part after the first; 0 is grey, 1 is unchanged.", metavar="X"),
    ] = 1.0
    part_brightness: Annotated[
        float,
        FINITE,
        Field(ge=-1, le=4),
        Flag("Brightness of each generated part after the first; above 0 is brighter.", metavar="X"),
    ] = 0.0

    @property
    def control_adjustments(self) -> ControlAdjustments:
        """Adjustments of known frames before the model is conditioned on them."""
        return ControlAdjustments(
            strength=self.context_strength,
            saturation=self.context_saturation,
            brightness=self.context_brightness,
            fade_out=parse_fade(self.fade_out),
            fade_in=parse_fade(self.fade_in),
        )
