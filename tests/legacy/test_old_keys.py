"""The tables of the older tools' keys."""

from __future__ import annotations

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy.old_keys import (
    IGNORED,
    NEUTRAL,
    NEUTRAL_HINTS,
    READ_ELSEWHERE,
    RENAMED,
    RENAMED_VALUES,
)
from wangp_cli.legacy.translate import translate
from wangp_cli.tasks import TASKS


def test_a_key_is_in_one_table() -> None:
    tables = [set(RENAMED), set(IGNORED), set(NEUTRAL), set(READ_ELSEWHERE)]
    assert len(set().union(*tables)) == sum(map(len, tables))


def test_hints_and_values_are_of_keys_that_are_there() -> None:
    assert NEUTRAL_HINTS.keys() <= NEUTRAL.keys()
    assert RENAMED_VALUES.keys() <= RENAMED.keys()


def test_a_renamed_key_is_a_field_of_a_task() -> None:
    fields = {field for task in TASKS.values() for field in task.model_fields}
    assert set(RENAMED.values()) <= fields


def test_finishing_of_wangp_is_that_of_the_result() -> None:
    finishing = {
        "temporal_upsampling": "rife2",
        "spatial_upsampling": "lanczos1.5",
        "film_grain_intensity": 0.1,
        "film_grain_saturation": 1,
    }
    for document in (
        {"settings_version": 2.4, "model_type": "t2v", "prompt": "a"},
        {"task_type": "t2v", "prompt": "a"},
    ):
        made = translate(document | finishing).values
        assert {name: made[name] for name in finishing} == finishing


@pytest.mark.parametrize("word", ["vae2", "flashvsr2", "lanczos5", 2])
def test_upsamplers_of_wangp_that_are_not_served_are_refused(word: object) -> None:
    document = {"settings_version": 2.4, "model_type": "t2v", "prompt": "a", "spatial_upsampling": word}
    with pytest.raises(RequestError, match=r"spatial_upsampling: .* is not served"):
        translate(document)
