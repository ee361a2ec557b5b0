"""Notices and their sentences."""

from __future__ import annotations

import pytest

from wangp_cli.notices import Notice


@pytest.mark.parametrize(
    ("notice", "sentence"),
    [
        (Notice(field="overlap", text="11 became 10"), "overlap: 11 became 10"),
        (Notice(field="frames", text="a: b", part=2), "part 2: frames: a: b"),
        (Notice(field=None, text="a model, not a field"), "a model, not a field"),
    ],
)
def test_a_notice_and_its_sentence_give_each_other(notice: Notice, sentence: str) -> None:
    assert str(notice) == sentence
    assert Notice.parse(sentence) == notice
