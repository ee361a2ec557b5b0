"""What a model was trained on, for models so small that it decides what they can make."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from wangp_cli.traits import Entry

Words = Annotated[tuple[str, ...], Field(min_length=1)]


class PromptNeed(Entry):
    """Words without which a prompt does not tell the model what to show.

    Args:
        name: what is needed, for people.
        words: in lower case.
        count: how many of them.
    """

    name: str
    words: Words
    count: Annotated[int, Field(ge=1)] = 1


class Trained(Entry):
    """The clips and prompts of a model's training.

    Args:
        frames: of one run; longer runs look worse.
        size: width and height in pixels, such as 96x96.
        content: what all clips showed, for people.
        inputs: what it was trained with, or needs no training for, as in `ModelSpec.accepts`.
        prompt: what a prompt needs.
        example: a prompt that has all of it.
    """

    frames: Annotated[int, Field(ge=2)]
    size: Annotated[str, Field(pattern=r"[0-9]+x[0-9]+")]
    content: str
    inputs: Words
    prompt: tuple[PromptNeed, ...] = ()
    example: str = ""

    @property
    def context(self) -> int:
        """Context frames of which there is room on both sides of a run: a quarter of it, at most eight."""
        return max(1, min(8, self.frames // 4))
