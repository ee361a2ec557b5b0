"""Notices: facts about a request that the user should know and that stop nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_SENTENCE = re.compile(r"(?:part (?P<part>\d+): )?(?:(?P<field>\w+): )?(?P<text>.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A value that was changed or is not used, or another fact worth knowing.

    Args:
        field: the field it is about; None for the request as a whole.
        text: what happened, without the field.
        part: number of the part of a travel that it is about, from 1; None for the whole task.
        unused: the value of the field is not used.

    `str` gives the sentence that people read: `frames: snapped from 20, makes 21`.
    """

    field: str | None
    text: str
    part: int | None = None
    unused: bool = False

    def __str__(self) -> str:
        part = "" if self.part is None else f"part {self.part}: "
        return f"{part}{self.field}: {self.text}" if self.field else f"{part}{self.text}"

    @classmethod
    def parse(cls, sentence: str) -> Self:
        """The notice of a sentence that `str` gave, such as one in the JSON of a plan."""
        match = _SENTENCE.fullmatch(sentence)
        assert match  # Its last group takes any text.
        part = match["part"]
        return cls(field=match["field"], text=match["text"], part=int(part) if part else None)
