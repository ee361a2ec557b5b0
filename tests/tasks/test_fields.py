"""Parse numbers in valid and malformed notation."""

from __future__ import annotations

from fractions import Fraction

import pytest
from pydantic import ValidationError

from wangp_cli.tasks.fields import frame_count
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.shot import Canvas


@pytest.mark.parametrize("said", ["16", 16, 24.0, "24000/1001", 23.976023976023978, 1 / 3 + 29, "0025/001"])
def test_rates_are_read(said: object) -> None:
    assert 1 <= Fraction(Canvas.model_validate({"fps": said}).fps) <= 240


@pytest.mark.parametrize(
    "said",
    [
        {"fps": "1e999999999"},
        {"fps": "1/0"},
        {"fps": "1" * 5000},
        {"fps": "nan"},
        {"frames": "1" * 4400 + "s"},
        {"frames": "9" * 5000},
        {"frames": "\u00b2"},
        {"vae_tiling": "\u00b2"},
        {"size": "\u00b2x16"},
    ],
)
def test_numbers_that_would_take_hours_are_refused(said: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"is not|is neither"):
        Generate.model_validate({"model": "m", **said})


def test_seconds_are_exact() -> None:
    assert frame_count("2.5s", Fraction(24000, 1001)) == 60
