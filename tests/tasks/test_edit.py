"""The fields of an edit."""

from __future__ import annotations

from typing import Any

from wangp_cli.tasks.edit import Edit


def test_a_portion_has_its_own_prompt_or_that_of_the_task() -> None:
    said: dict[str, Any] = {"portions": ["16-33: a dog ", "49-66"], "prompt": "a cat"}
    task = Edit.model_validate({"model": "m", "video": "v.mp4"} | said)
    assert task.prompts == ("a dog", "a cat")
    assert task.all_prompts == "a dog a cat"
