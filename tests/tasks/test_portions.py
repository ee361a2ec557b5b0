"""Portions of a video in frames or seconds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from wangp_cli.tasks.edit import Edit


def test_portions_are_bounded_too() -> None:
    with pytest.raises(ValidationError, match="is not START-END"):
        Edit.model_validate({"model": "m", "video": "v.mp4", "portions": ["1-" + "9" * 5000]})
