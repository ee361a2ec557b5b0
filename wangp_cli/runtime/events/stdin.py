"""Reserve standard input for task files and answers: libraries read an empty file."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

LINKS = 40
"""Links that a path may lead through, as in the kernel."""
_kept: list[int] = []
"""The descriptor of the real standard input, if there is one."""


def keep_stdin() -> None:
    """Move the real standard input to a new descriptor; descriptor 0 becomes an empty file.

    `sys.stdin` goes on to read descriptor 0. Where the process was started without one, it gets an empty one,
    so that no other file takes its number.
    """
    if sys.stdin is not None:
        with suppress(OSError):
            _kept[:] = [os.dup(0)]
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    if empty != 0:
        os.close(empty)


def open_stdin() -> BinaryIO | None:
    """Open the real standard input by a new descriptor; None if there is none.

    A new descriptor, because closing a shared one would wait until its writer closes.
    """
    return os.fdopen(os.dup(_kept[0]), "rb") if _kept else None


def is_stdin(name: str) -> bool:
    """Whether a path names standard input, such as `/dev/stdin`: it would open the empty file."""
    path = Path(name)
    for _ in range(LINKS):
        folder = path.absolute().parent.resolve()
        if path.name == "0" and folder == Path("/proc/self/fd").resolve():
            return True
        if not path.is_symlink():
            return False
        path = folder / path.readlink()
    return False


@contextmanager
def stdin_for_answers() -> Iterator[None]:
    """Let prompts read their answers from the real standard input."""
    if not _kept:
        yield
        return
    before = sys.stdin
    with os.fdopen(os.dup(_kept[0]), encoding="utf-8", errors="replace") as answers:
        sys.stdin = answers
        try:
            yield
        finally:
            sys.stdin = before
