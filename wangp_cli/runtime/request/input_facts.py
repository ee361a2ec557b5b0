"""Facts of a task's input files, probed once and then used by checks, plans and workflows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from wangp_cli.notices import Notice
from wangp_cli.plan.timeline import ClipLength
from wangp_cli.tasks.shape import Shape

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from wangp_cli.media.facts import MediaFacts


class Damage(NamedTuple):
    """A video that is processed up to its damage.

    Args:
        field: that names it.
        path: of the file.
        frames: that are intact.
        text: what is damaged, as the end of a sentence.
    """

    field: str
    path: Path
    frames: int
    text: str


@dataclass(frozen=True)
class InputFacts:
    """Facts of the video, image and audio files that a task names.

    Args:
        by_field: the files of each field and their facts, in the order given; fields without files are
            left out.
        ends_before_damage: the task uses no frame of a damaged video that is not intact.
    """

    by_field: Mapping[str, tuple[tuple[Path, MediaFacts], ...]]
    ends_before_damage: bool = False

    def __contains__(self, field: str) -> bool:
        return field in self.by_field

    def of(self, field: str) -> list[MediaFacts]:
        """The facts of each file of a field, in the order given; none if it names no file."""
        return [facts for _, facts in self.by_field.get(field, ())]

    def of_file(self, path: Path) -> MediaFacts:
        """The facts of a file that the task names.

        Raises:
            KeyError: the task names no such file.
        """
        return self._by_path[path]

    @cached_property
    def _by_path(self) -> dict[Path, MediaFacts]:
        return dict(pair for files in self.by_field.values() for pair in files)

    @property
    def notices(self) -> list[Notice]:
        """What is changed of each file on reading, once for a file that a field names twice."""
        told = (
            Notice(field=field, text=f"{path.name}, {text}")
            for field, files in self.by_field.items()
            for path, facts in files
            for text in facts.notices
        )
        return list(dict.fromkeys(told))

    @property
    def damage(self) -> Damage | None:
        """The damage of the first file that is processed only up to there, though more is wanted."""
        damaged = (
            Damage(field, path, facts.frames, facts.damage)
            for field, files in self.by_field.items()
            for path, facts in files
            if facts.damage and not self.ends_before_damage
        )
        return next(damaged, None)

    @property
    def shapes(self) -> dict[str, list[Shape]]:
        """Sides, frame rate, frames and alpha of each file, by field."""
        return {
            field: [
                Shape(facts.width, facts.height, facts.fps, facts.frames, facts.alpha) for _, facts in files
            ]
            for field, files in self.by_field.items()
        }

    def length_of(self, path: Path) -> ClipLength:
        """Frames and rate of a file that the task names."""
        facts = self.of_file(path)
        return ClipLength(facts.frames, facts.fps)

    def lengths_of(self, field: str) -> list[ClipLength]:
        """Frames and rate of each file of a field, in the order given; none if it names no file."""
        return [self.length_of(path) for path, _ in self.by_field.get(field, ())]

    def lengths(self, rate: Fraction) -> dict[str, list[int]]:
        """Frames of each file counted at `rate` frames per second, by field."""
        return {field: [length.at(rate) for length in self.lengths_of(field)] for field in self.by_field}
