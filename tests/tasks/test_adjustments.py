"""How known frames look."""

from __future__ import annotations

import pytest

from wangp_cli.tasks.adjustments import Fade, parse_fade


@pytest.mark.parametrize(
    ("text", "fade"),
    [
        ("", Fade()),
        ("0.5", Fade(share=0.5)),
        ("1:0.2", Fade(share=1, low=0.2)),
        ("0.5:0:0.8", Fade(share=0.5, high=0.8)),
        ("0.5:0.1:0.8:sine", Fade(share=0.5, low=0.1, high=0.8, curve="sine")),
    ],
)
def test_a_fade_is_read(text: str, fade: Fade) -> None:
    assert parse_fade(text) == fade


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.5", "is not SHARE"),
        ("nan", "is not SHARE"),
        ("sine", "is not SHARE"),
        ("0.5:", "is not SHARE"),
        ("0.5:0:1:sine:2", "is not SHARE"),
        ("0.5:0:1:round", "is not one of linear"),
    ],
)
def test_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_fade(text)
