"""Quantities for people."""

from __future__ import annotations

import pytest

from wangp_cli.files.units import format_bytes, format_seconds


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


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "1 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")]
)
def test_lengths_of_time_are_shown_in_their_usual_unit(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
