"""Any exception as an error of ours."""

from __future__ import annotations

import errno

import pytest

from wangp_cli.errors import (
    ConflictError,
    DiskError,
    NoSpaceError,
    OutOfMemoryError,
    ResourceError,
    WangpError,
)
from wangp_cli.runtime.error_mapping import to_wangp_error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (MemoryError(), OutOfMemoryError, "the machine has none left"),
        (
            RuntimeError("DefaultCPUAllocator: not enough\nmore"),
            OutOfMemoryError,
            "DefaultCPUAllocator: not enough",
        ),
        (OSError(errno.ESTALE, "Stale file handle", "/a/b"), DiskError, "/a/b: Stale file handle"),
        (OSError(errno.ENOSPC, "No space", "/a/b"), NoSpaceError, "the disk of /a is full"),
        (OSError(errno.ENOSPC, "No space"), NoSpaceError, "a disk is full"),
        (OSError(errno.EFBIG, "File too large"), NoSpaceError, "a disk is full"),
        (OSError(errno.EMFILE, "Too many open files", "/a"), ResourceError, "too many files are open"),
        (OSError(errno.ENOSPC, "No space", b"/a\xff/b"), NoSpaceError, "the disk of /a\udcff is full"),
        (ValueError("odd"), WangpError, "ValueError: odd"),
    ],
)
def test_an_exception_becomes_the_error_of_its_cause(
    error: Exception, kind: type[WangpError], text: str
) -> None:
    found = to_wangp_error(error)
    assert type(found) is kind
    assert text in found.message
    assert "more" not in found.message


def test_an_error_of_ours_stays() -> None:
    error = ConflictError("taken")
    assert to_wangp_error(error) is error
