"""The letter codes of WanGP: which inputs are used, and how they are preprocessed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from wangp_cli.errors import RequestError

IMAGE, VIDEO, AUDIO = "image_prompt_type", "video_prompt_type", "audio_prompt_type"
KIND_OF_LETTER = {"P": "pose", "D": "depth", "E": "canny", "S": "scribble", "L": "flow", "C": "gray"}
"""The `guide_kind` of letters of `video_prompt_type` that preprocess the control video."""
_GUIDES = ("video_guide", "image_guide")
FIELDS_OF_LETTER: dict[str, dict[str, tuple[str, ...]]] = {
    IMAGE: {"S": ("image_start",), "E": ("image_end",), "V": ("video_source",)},
    VIDEO: {
        "V": _GUIDES,
        **dict.fromkeys(KIND_OF_LETTER, _GUIDES),
        "G": ("video_guide",),
        "A": ("video_mask", "image_mask"),
        "M": ("video_mask", "image_mask"),
        "I": ("image_refs",),
        "K": ("image_refs",),
    },
    AUDIO: {"A": ("audio_guide",)},
}
"""Supported letters that use an input, and the fields that can give it."""
NEUTRAL_LETTERS = {IMAGE: "T", VIDEO: "UT", AUDIO: "L"}
"""Letters without effect: text only, control video without preprocessing, align to the only window, and video
longer than its audio."""
UNSUPPORTED_LETTERS = {
    IMAGE: {"L": "continuing the last video made"},
    VIDEO: {
        "O": "finding aligned poses",
        "B": "finding faces",
        "H": "boxes around masks",
        "R": "sparse video to video",
        "Q": "finding faces",
        "&": "high dynamic range",
        "N": "turning the mask round",
        "X": "painting outside the mask",
        "Y": "depth outside the mask",
        "W": "scribbles outside the mask",
        "Z": "flow outside the mask",
        "F": "references at chosen frames",
        "J": "a style reference",
        "+": "a second control video",
        "-": "reference videos",
        "|": "cutting the control video",
    },
    AUDIO: {
        "B": "a second speaker",
        "X": "telling speakers apart",
        "C": "speakers one after another",
        "P": "speakers at the same time",
        "K": "the sound of the control video",
        "R": "the sound of the control video",
        "V": "taking out all but the voice",
        "N": "making two recordings equally loud",
    },
}
"""Unsupported letters and what they ask for."""


def apply_letters(
    key: str, letters: Any, values: Mapping[str, Any], given: Collection[str] | None
) -> tuple[set[str], list[str]]:
    """Find given fields that the letters do not use, which WanGP ignores.

    Args:
        key: `image_prompt_type`, `video_prompt_type` or `audio_prompt_type`.
        letters: the code.
        values: the task by field.
        given: fields that have a value from elsewhere; None if that is not known yet.

    Returns:
        names of the unused fields, and a notice for each.

    Raises:
        RequestError: a letter is unsupported, or uses an input that is not given.
    """
    if not isinstance(letters, str):
        raise RequestError(key, f"{str(letters)[:40]!r} is no letter code")
    uses = FIELDS_OF_LETTER[key]
    for letter in letters:
        if letter not in uses and letter not in NEUTRAL_LETTERS[key]:
            meaning = UNSUPPORTED_LETTERS[key].get(letter, "something unknown")
            raise RequestError(
                key,
                f"{letters[:40]!r} asks for {letter!r}, {meaning}, which is not served",
                hint="leave it out",
            )
    used = {field for letter in letters if letter in uses for field in uses[letter]}
    if given is not None:
        _check_inputs_given(key, letters, {*(name for name in values if values[name]), *given})
    ignored = {
        field for fields in uses.values() for field in fields if values.get(field) and field not in used
    }
    return ignored, [f"{field}: ignored, {key} {letters!r} does not use it" for field in sorted(ignored)]


def guide_kind(letters: str) -> str | None:
    """What `video_prompt_type` makes of the control video; None if it is used as it is.

    Raises:
        RequestError: the letters ask for several kinds.
    """
    kinds = [KIND_OF_LETTER[letter] for letter in dict.fromkeys(letters) if letter in KIND_OF_LETTER]
    if len(kinds) > 1:
        asked = " and ".join(kinds)
        raise RequestError(
            VIDEO, f"{letters[:40]!r} asks for {asked}, one kind is served", hint="leave one out"
        )
    return kinds[0] if kinds else None


def _check_inputs_given(key: str, letters: str, named: Collection[str]) -> None:
    for letter in letters:
        fields = FIELDS_OF_LETTER[key].get(letter, ())
        if fields and not any(field in named for field in fields):
            raise RequestError(
                key,
                f"{letters!r} uses {' or '.join(fields)}, which is not named",
                hint=f"name {fields[0]}, or leave {letter!r} out",
            )
