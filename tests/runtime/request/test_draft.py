"""Drafts of a request."""

from __future__ import annotations

from fractions import Fraction

from tests.support import tiny
from wangp_cli.runtime.request.draft import Draft
from wangp_cli.runtime.request.input_facts import InputFacts
from wangp_cli.tasks.generate import Generate
from wangp_cli.value_layers import DEFAULT, Origin


def test_a_settled_value_replaces_that_of_the_task_and_of_its_origin() -> None:
    task = Generate(model="x", prompt="x", fps="16", frames=20)
    draft = Draft(
        task=task, spec=tiny.spec("t2v"), facts=InputFacts({}), origin={"frames": DEFAULT, "fps": DEFAULT}
    )
    snapped = Origin("grid", "snapped from 20")
    settled = draft.with_value("frames", 21, snapped, notice=True).with_value("fps", "12", DEFAULT)
    assert settled.settled_task == task.replace(frames=21, fps="12")
    assert settled.rate == Fraction(12)
    assert settled.origin == {"frames": snapped, "fps": DEFAULT}
    assert [str(notice) for notice in settled.notices] == ["frames: snapped from 20, makes 21"]
    assert (draft.settled_task, draft.rate, draft.notices) == (task, Fraction(16), ())
