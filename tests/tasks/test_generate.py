"""The fields of one shot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from wangp_cli.tasks.generate import Generate


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"prompt": " \n"}, "prompt: blank"),
        ({"denoising_strength": 0.5}, "needs a video to start from"),
        ({"video_initial": Path("v.mp4")}, "video_initial would do nothing"),
    ],
)
def test_values_without_a_meaning_are_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Generate.model_validate({"model": "m", "prompt": "a"} | said)


def test_each_prompt_is_named_once() -> None:
    task = Generate(model="m", prompt="a", window_prompts=("a", "b"))
    assert task.all_prompts == "a b"
