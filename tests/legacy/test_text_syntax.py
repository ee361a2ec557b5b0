from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangp_cli.errors import RequestError
from wangp_cli.legacy.text_syntax import expand_macros, is_enhanced, prompts, strengths

NUMBERS = st.floats(-10, 10).map(lambda number: f"{number:.3f}")
WORDS = st.text("abcxyz", min_size=1, max_size=5)


@given(st.lists(NUMBERS, max_size=6), st.integers(0, 6), st.sampled_from([" ", "\n", "  ", "|", " | "]))
def test_there_is_one_strength_for_each_lora(numbers: list[str], count: int, between: str) -> None:
    found = strengths(between.join(numbers), count)
    assert found == (numbers + ["1"] * count)[:count]
    assert strengths(numbers, count) == found


@pytest.mark.parametrize("text", ["1;0", "1,0.5", "1.20;0,1;-0.5"])
def test_phases_and_steps_stay_as_they_are(text: str) -> None:
    assert strengths(text, 2) == [text, "1"]


@pytest.mark.parametrize("text", ["a", "nan", "inf", "1_0", "0:1", "1,", "1;x"])
def test_what_is_no_strength_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="is no strength"):
        strengths(text, 1)


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_prompts_are_parted_by_lines_or_paragraphs(words: list[str]) -> None:
    assert prompts("\n".join(words), "G") == words
    assert prompts("\n".join(words), "PG") == ["\n".join(words)]
    assert prompts("\n\n".join(words), "PG") == words
    assert prompts("# note\n" + "\n\n".join(words), "FG") == ["\n\n".join(words)]
    assert prompts("\r\n".join(words), 0) == words


def test_prompts_for_windows_are_parted_and_their_commands_refused() -> None:
    assert prompts("a\nb", "W") == ["a", "b"]
    assert prompts("a\nb\n\nc", "PW") == ["a\nb", "c"]
    with pytest.raises(RequestError, match="commands to windows"):
        prompts("a\n[/duration=5s] b", "W")


@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, min_size=1, max_size=4))
def test_macros_give_as_many_texts_as_the_longest_list(animals: list[str], places: list[str]) -> None:
    quoted = [",".join(f'"{word}"' for word in words) for words in (animals, places)]
    text = f"! {{Animal}}={quoted[0]} : {{Place}}={quoted[1]}\na {{Animal}} in {{Place}}"
    count = max(len(animals), len(places))
    assert expand_macros(text) == [
        f"a {animals[i % len(animals)]} in {places[i % len(places)]}" for i in range(count)
    ]


def test_every_macro_line_starts_a_new_template() -> None:
    assert expand_macros('before\n! {A}="1","2"\nx {A}\n! {B}="3"\ny {B}') == ["before", "x 1", "x 2", "y 3"]
    assert expand_macros("no {macro} here") == ["no {macro} here"]


@pytest.mark.parametrize(
    "text", ['! {A}="1"\n{B}', "! {A}=1\n{A}", "! A\nx", '! {A}="1\nx', '! {A}="1" "2"\n{A}']
)
def test_a_broken_macro_is_an_error(text: str) -> None:
    with pytest.raises(RequestError, match="macro"):
        expand_macros(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("!enhanced!\na fox\n\na hare", ["a fox", "a hare"]),
        ("!enhanced!\r\na fox", ["a fox"]),
        ("#!PROMPT!: fox\na red fox\n\n#!PROMPT!: hare\na hare", ["a red fox", "a hare"]),
        ("a fox\n   # a note\nin snow", ["a fox\nin snow"]),
        ("\t# a {note}\na fox", ["a fox"]),
        ("# nothing\n  # at all", [""]),
        ("", [""]),
        ('  ! {A}="cat","dog"\na {A}', ["a cat", "a dog"]),
        ('# ! {A}="cat"\na fox', ["a fox"]),
        ("a fox #1", ["a fox #1"]),
    ],
)
def test_marks_comments_and_macros_are_no_prompt(text: str, found: list[str]) -> None:
    assert prompts(text, "PG") == found


def test_an_enhanced_prompt_is_known_by_its_mark() -> None:
    assert is_enhanced("!enhanced!\na")
    assert is_enhanced("#!PROMPT!: a\nb")
    assert not any(map(is_enhanced, ["!enhanced! a", "a\n!enhanced!\n", "# a", None, 3]))
