"""How known frames look to the model, and its own in the result."""

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
    """A picture that shows, ever weaker, in the unknown frames beside it.

    Args:
        share: of these frames, 0 to 1; 0 is no fade.
        low: weight at the far end, 0 to 1.
        high: weight next to the picture.
        curve: between the two.
    """

    share: float = 0.0
    low: float = 0.0
    high: float = 1.0
    curve: Curve = "ease_in_out"


@dataclass(frozen=True, kw_only=True)
class ControlAdjustments:
    """How known frames are shown to the model.

    Args:
        strength: of context frames, 0 to 1; less mixes them with the grey that means unknown.
        saturation: of context frames; 1 changes nothing, 0 is grey.
        brightness: of context frames; above 0 is brighter.
        fade_out: of the picture a segment begins with.
        fade_in: of the picture it ends with.
    """

    strength: float = 1.0
    saturation: float = 1.0
    brightness: float = 0.0
    fade_out: Fade = Fade()
    fade_in: Fade = Fade()


UNADJUSTED = ControlAdjustments()
"""As they are."""


def parse_fade(text: str) -> Fade:
    """A fade of `SHARE[:LOW[:HIGH[:CURVE]]]`, such as `0.5`, or `0.5:0:0.8:sine`; none of an empty text.

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


def _fade(value: str) -> str:
    parse_fade(value)
    return value


FadeText = Annotated[str, AfterValidator(_fade)]


class AdjustmentOptions(Spec):
    """How frames look, before the model sees them and after it made them. Above 0 is always brighter."""

    panel: ClassVar[str] = "Guides"
    context_strength: Annotated[
        float,
        FINITE,
        Field(ge=0, le=1),
        Flag(
            "How clearly the model sees the frames of the part before; less mixes them with the grey of "
            "unknown ones.",
            metavar="X",
        ),
    ] = 1.0
    context_saturation: Annotated[
        float,
        FINITE,
        Field(ge=0, le=4),
        Flag("Colour of these frames, as the model sees them; 0 is grey, 1 changes nothing.", metavar="X"),
    ] = 1.0
    context_brightness: Annotated[
        float,
        FINITE,
        Field(ge=-1, le=1),
        Flag("Light of these frames, as the model sees them; above 0 is brighter.", metavar="X"),
    ] = 0.0
    fade_out: Annotated[
        FadeText,
        Flag(
            "Show the picture a part begins with in this share of the unknown frames behind it, ever weaker; "
            "with weights at the far end and beside it, and a curve.",
            metavar=FADE,
        ),
    ] = ""
    fade_in: Annotated[FadeText, Flag("The same of the picture it ends with.", metavar=FADE)] = ""
    part_saturation: Annotated[
        float,
        FINITE,
        Field(ge=0, le=4),
        Flag("Colour of each generated part after the first; 0 is grey, 1 changes nothing.", metavar="X"),
    ] = 1.0
    part_brightness: Annotated[
        float,
        FINITE,
        Field(ge=-1, le=4),
        Flag("Light of each generated part after the first; above 0 is brighter.", metavar="X"),
    ] = 0.0

    @property
    def control_adjustments(self) -> ControlAdjustments:
        """How known frames are shown to the model."""
        return ControlAdjustments(
            strength=self.context_strength,
            saturation=self.context_saturation,
            brightness=self.context_brightness,
            fade_out=parse_fade(self.fade_out),
            fade_in=parse_fade(self.fade_in),
        )
