"""The flags of all tasks."""

from __future__ import annotations

import pytest

from wangp_cli.media.codecs import CODECS
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.fields import Flag, Spec
from wangp_cli.tasks.flags import flags
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.task import Codec


@pytest.mark.parametrize("task", TASKS.values())
def test_no_two_flags_share_a_name(task: type[Spec]) -> None:
    names = [name for field, _, flag, _ in flags(task) for name in (flag.option(field), flag.short) if name]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("task", TASKS.values())
def test_every_flag_says_what_it_does(task: type[Spec]) -> None:
    for field, _, flag, _ in flags(task):
        assert isinstance(flag, Flag)
        assert flag.help.endswith("."), field


def test_count_is_with_the_outputs_and_not_with_the_runtime() -> None:
    panels = {field: panel for field, _, _, panel in flags(Generate)}
    assert panels["count"] == "Output"
    assert panels["prompt"] == "Prompt"
    assert next(iter(panels)) == "model"


def test_every_codec_can_be_asked_for() -> None:
    from typing import get_args

    assert set(get_args(Codec)) == set(CODECS)


@pytest.mark.parametrize("task", TASKS.values())
def test_no_name_of_a_flag_is_a_field_or_another_flag(task: type[Spec]) -> None:
    names = [name for _, _, flag, _ in flags(task) for name in (flag.name, *flag.aliases) if name is not None]
    assert len(names) == len(set(names))
    assert not set(names) & task.model_fields.keys()
