"""A folder for the sockets of runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    # A short name: the path of a socket has 107 bytes at most.
    path = Path(f"/tmp/wangp-test-{os.getpid()}")
    yield path
    for file in path.glob("*"):
        file.unlink()
    path.rmdir()
