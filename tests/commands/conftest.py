"""What tests of commands share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.batches import Batches


@pytest.fixture
def batches(tmp_path: Path) -> Iterator[Batches]:
    """An empty folder to run batches in."""
    found = Batches(tmp_path)
    yield found
    found.close()
