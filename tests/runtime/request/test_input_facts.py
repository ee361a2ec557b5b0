"""Facts of the input files of a task."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.media_facts import video
from wangp_cli.runtime.request.input_facts import InputFacts


def test_facts_are_found_by_field_and_by_file() -> None:
    one, other = video(), video(frames=10, fps=None)
    facts = InputFacts({"clips": ((Path("/video.mp4"), one), (Path("/b"), other), (Path("/video.mp4"), one))})
    assert facts.of("clips") == [one, other, one]
    assert facts.of("video") == []
    assert "clips" in facts
    assert facts.of_file(Path("/b")) is other
    assert facts.lengths(Fraction(24)) == {"clips": [47, 10, 47]}
    with pytest.raises(KeyError):
        facts.of_file(Path("/c"))
