"""What all tasks have in common whose frames are planned before any model runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from wangp_cli.catalogue import Accepts, ModelSpec
from wangp_cli.plan import Segment
from wangp_cli.plan.model import spread
from wangp_cli.tasks.fields import FINITE, MAX_FRAMES, Flag, Spec
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.shot import Shot

Fit = Literal["crop", "pad"]
Sound = Literal["crossfade", "silence"]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


MANY = BeforeValidator(_as_list)
"""A single value is a list of one."""
Counts = Annotated[tuple[Annotated[int, Field(ge=0, le=MAX_FRAMES)], ...], MANY]


class Prompts(Spec):
    """What to show."""

    panel: ClassVar[str] = "Prompt"
    prompt: Annotated[
        tuple[str, ...],
        MANY,
        Field(min_length=1),
        Flag("What to show; repeatable, one for each generated part.", "-p", metavar="TEXT"),
    ] = ("smooth transition",)


class Seams(Spec):
    """Where generated frames meet given ones."""

    panel: ClassVar[str] = "Seams"
    colour_match: Annotated[
        float,
        FINITE,
        Field(ge=0, le=1),
        Flag("How far generated frames take the colours of given ones (CIE L*a*b*); 0 is off.", metavar="X"),
    ] = 1.0
    sharpen: Annotated[
        float, FINITE, Field(ge=0, le=1), Flag("Detail given back to crossfaded frames.", metavar="X")
    ] = 0.0


class Planned(Seams, Render, Prompts):
    """A task made from several runs of the model, by a plan."""

    run: ClassVar[str] = "wangp_cli.workflows.planned:run"

    @property
    def text(self) -> str:
        """All prompts."""
        return " ".join(dict.fromkeys(self.prompt))

    @property
    def videos(self) -> tuple[Path, ...]:
        """The clips of which the plan keeps frames."""
        return ()

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The pictures that the plan places."""
        return ()

    @property
    def framing(self) -> Fit:
        """How pictures and clips of another shape are fitted."""
        return "crop"

    @property
    def span_sound(self) -> Sound:
        """What generated frames sound like."""
        return "silence"

    @property
    def soundtrack(self) -> Path | None:
        """The sound of the whole result, instead of that of the clips."""
        return None

    def abilities(self, spec: ModelSpec) -> frozenset[Accepts]:  # noqa: ARG002 - for those to whom it matters
        """Known frames are shown to the model, and a mask over what it paints."""
        return frozenset({"control", "mask"})

    def prompt_of(self, segment: Segment, segments: int) -> str:
        """What one of so many segments is to show."""
        return spread("prompt", self.prompt, segments, "segment")[segment.index]

    def shot(self, segment: Segment, segments: int) -> Shot:
        """The run of the model that makes a segment."""
        shared = self.model_dump(include=set(Shot.model_fields) - {"prompt", "frames"})
        return Shot(prompt=self.prompt_of(segment, segments), frames=segment.generate, **shared)
