"""Lists of the keys and shapes of published checkpoints, in a short form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

GROUP = re.compile(r"\{([^}]*)\}")


def read_key_list(file: Path) -> dict[str, tuple[int, ...]]:
    """Shapes by key.

    A line has a key and a shape, such as `block0.weight 96,15,3,3`, or `count -` for a scalar. `{a,b}` in a
    key stands for one key with each of them, and `{0-7}` for all numbers in that range.
    """
    lines = (line.split() for line in file.read_text(encoding="utf-8").splitlines())
    return {
        key: tuple(map(int, shape.split(","))) if shape != "-" else ()
        for pattern, shape in (line for line in lines if line and not line[0].startswith("#"))
        for key in _expanded(pattern)
    }


def _expanded(pattern: str) -> Iterator[str]:
    if not (group := GROUP.search(pattern)):
        return iter([pattern])
    start, end = pattern[: group.start()], pattern[group.end() :]
    return chain.from_iterable(_expanded(f"{start}{word}{end}") for word in _words(group[1]))


def _words(group: str) -> list[str]:
    if numbers := re.fullmatch(r"(\d+)-(\d+)", group):
        return [str(number) for number in range(int(numbers[1]), int(numbers[2]) + 1)]
    return group.split(",")
