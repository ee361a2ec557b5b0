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


def test_what_is_changed_of_a_file_on_reading_is_told_once_a_field() -> None:
    odd = (Path("/a/odd.mkv"), video(notices=("the frames are turned",)))
    facts = InputFacts({"clips": (odd, (Path("/b.mkv"), video()), odd), "video_guide": (odd,)})
    assert [str(notice) for notice in facts.notices] == [
        "clips: odd.mkv, the frames are turned",
        "video_guide: odd.mkv, the frames are turned",
    ]
