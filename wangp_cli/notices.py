"""Notices: facts about a request that the user should know and that stop nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
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
    def not_used(cls, field: str, reason: str) -> Self:
        """The notice of a field whose value is not used."""
        return cls(field=field, text=f"not used, {reason}", unused=True)

    @classmethod
    def parse(cls, sentence: str) -> Self:
        """The notice of a sentence that `str` gave, such as one in the JSON of a plan."""
        match = _SENTENCE.fullmatch(sentence)
        assert match  # Its last group takes any text.
        part = match["part"]
        return cls(field=match["field"], text=match["text"], part=int(part) if part else None)


def unused_notices(reasons: Mapping[str, str | None], given: Collection[str]) -> list[Notice]:
    """Notices of the given fields that are not used.

    Args:
        reasons: why each field is not used, None where it is.
        given: fields whose values the user chose.
    """
    return [Notice.not_used(field, reason) for field, reason in reasons.items() if reason and field in given]
