"""Quantities for people."""

from __future__ import annotations

import pytest

from wangp_cli.files.units import format_bytes


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0.0 MB"),
        (1_540_000, "1.5 MB"),
        (99_999_999, "100.0 MB"),
        (100_000_000, "0.1 GB"),
        (2e12, "2000.0 GB"),
    ],
)
def test_bytes_are_shown_in_megabytes_or_gigabytes(count: float, text: str) -> None:
    assert format_bytes(count) == text
