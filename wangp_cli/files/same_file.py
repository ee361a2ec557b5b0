"""Whether two paths name one file, also through links."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, through symbolic or hard links; they need not exist."""
    with suppress(OSError):
        return one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a file lies directly in a folder, itself, by its target or as a hard link of a file there."""
    places = (path.absolute(), Path(os.path.realpath(path)))
    if any(is_same_file(place.parent, folder) for place in places):
        return True
    with suppress(OSError):
        return any(is_same_file(path, file) for file in folder.iterdir())
    return False
