"""Parse portions of a video: `16-33`, `1s-2.5s`, `16-33:a red circle`."""

from __future__ import annotations

import re
from fractions import Fraction

from wangp_cli.errors import RequestError
from wangp_cli.plan.edit import Portion
from wangp_cli.tasks.fields import NUMBER

_PORTION = re.compile(rf"(?P<first>{NUMBER}s?)-(?P<last>{NUMBER}s?)(?::(?P<prompt>.*))?", re.DOTALL)


def check_portion(value: str) -> str:
    """Validate a portion in frames or seconds, with or without a prompt.

    Raises:
        ValueError: it is not a portion.
    """
    if not _match(value.strip()):
        raise ValueError(
            f"{value!r} is not START-END[:PROMPT] in frames or seconds, such as 16-33 or 1s-2.5s"
        )
    return value.strip()


def check_plain_portion(value: str) -> str:
    """Validate a portion in frames or seconds, without a prompt.

    Raises:
        ValueError: it is not a portion, or has a prompt.
    """
    match = _match(value.strip())
    if not match or match["prompt"] is not None:
        raise ValueError(f"{value!r} is not START-END in frames or seconds, such as 16-33 or 1s-2.5s")
    return value.strip()


def prompt_of(text: str) -> str:
    """The prompt of a portion; empty if it has none."""
    match = _match(text)
    return (match["prompt"] or "").strip() if match else ""


def frames_of(field: str, text: str, rate: Fraction, gap: int | None = None) -> Portion:
    """The frames of a portion at a rate.

    Raises:
        RequestError: it is shorter than a frame.
    """
    match = _match(text)
    assert match is not None
    first, last = match["first"], match["last"]
    if not first.endswith("s"):
        return Portion(first=int(first), last=int(last), gap=gap)
    # Seconds name moments between frames: the frame that ends there is the last one.
    portion = Portion(
        first=round(Fraction(first[:-1]) * rate), last=round(Fraction(last[:-1]) * rate) - 1, gap=gap
    )
    if portion.last < portion.first:
        raise RequestError(field, f"{text!r} has no frames at {rate} fps")
    return portion


def _match(value: str) -> re.Match[str] | None:
    """Both ends in frames, or both in seconds."""
    match = _PORTION.fullmatch(value)
    if match is None or match["first"].endswith("s") != match["last"].endswith("s"):
        return None
    return (
        match if all(part.endswith("s") or part.isdigit() for part in match.group("first", "last")) else None
    )
