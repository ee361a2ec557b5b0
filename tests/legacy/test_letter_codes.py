"""Letter codes of WanGP."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate
from wangp_cli.legacy.letter_codes import (
    AUDIO,
    FIELDS_OF_LETTER,
    IMAGE,
    KIND_OF_LETTER,
    NEUTRAL_LETTERS,
    UNSUPPORTED_LETTERS,
    VIDEO,
    apply_letters,
)
from wangp_cli.preprocess.kinds import KINDS

GIVEN = {"video_guide": "a.mp4", "video_mask": "b.mp4", "image_refs": ["c.png"]}


def test_fields_without_a_letter_are_unused_and_noted() -> None:
    unused, notices = apply_letters(VIDEO, "VU", GIVEN, ())
    assert unused == {"video_mask", "image_refs"}
    assert notices == [
        f"{name}: ignored, video_prompt_type 'VU' does not use it" for name in ("image_refs", "video_mask")
    ]


@pytest.mark.parametrize("key", [IMAGE, VIDEO, AUDIO])
def test_every_letter_is_supported_neutral_or_refused_with_its_meaning(key: str) -> None:
    supported = set(FIELDS_OF_LETTER[key]) | set(NEUTRAL_LETTERS[key])
    assert not supported & set(UNSUPPORTED_LETTERS[key])
    for letter, meaning in UNSUPPORTED_LETTERS[key].items():
        with pytest.raises(RequestError, match=f"{key}: .*asks for .*, {meaning}, which is not served"):
            apply_letters(key, letter, {}, None)


@pytest.mark.parametrize("letter", KIND_OF_LETTER)
def test_letters_of_the_control_video_say_what_is_made_of_it(letter: str) -> None:
    made = translate({"task_type": "vace", "prompt": "a", "video_guide": "a.mp4", VIDEO: f"{letter}V"})
    assert made.values["guide_kind"] == KIND_OF_LETTER[letter]
    assert made.values["guide_kind"] in KINDS
    usual = translate({"task_type": "vace", "prompt": "a", "video_guide": "a.mp4", VIDEO: "UV"})
    assert "guide_kind" not in usual.values
    with pytest.raises(RequestError, match="asks for pose and gray, one kind is served"):
        translate({"task_type": "vace", "prompt": "a", "video_guide": "a.mp4", VIDEO: "PCV"})


@pytest.mark.parametrize(
    ("letters", "given", "fault"),
    [
        ("V", (), "uses video_guide or image_guide, which is not named"),
        ("5", None, "asks for '5', something unknown"),
        (3, None, "'3' is no letter code"),
    ],
)
def test_wrong_letters_are_errors(letters: Any, given: Any, fault: str) -> None:
    with pytest.raises(RequestError, match=fault):
        apply_letters(VIDEO, letters, {}, given)


def test_an_input_from_elsewhere_serves_a_letter() -> None:
    assert apply_letters(VIDEO, "V", {}, {"image_guide"}) == (set(), [])
    assert apply_letters(VIDEO, "V", {}, None) == (set(), [])
