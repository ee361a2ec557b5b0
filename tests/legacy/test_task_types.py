"""Task types of the older worker."""

from __future__ import annotations

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy.task_types import (
    IMAGE_TYPES,
    INSTEAD,
    MODELS,
    PAYLOADS,
    UNSUPPORTED,
    hint_for_key,
    is_old_type,
    task_type_of,
    to_generate_task,
    unpack,
)
from wangp_cli.tasks import TASKS


def test_the_tables_do_not_contradict_each_other() -> None:
    assert not set(MODELS) & set(PAYLOADS)
    assert not set(UNSUPPORTED) & (set(MODELS) | set(PAYLOADS))
    assert set(IMAGE_TYPES) <= set(MODELS)
    assert set(INSTEAD) <= set(UNSUPPORTED)
    assert all(payload.task in TASKS for payload in PAYLOADS.values())


@pytest.mark.parametrize("kind", sorted(UNSUPPORTED))
def test_an_unsupported_type_says_why_and_what_to_use_instead(kind: str) -> None:
    assert is_old_type(kind)
    with pytest.raises(RequestError, match=f"type: '{kind}' ") as told:
        to_generate_task(kind, {})
    assert told.value.hint == INSTEAD.get(kind)


def test_a_type_is_a_text_under_either_key() -> None:
    assert task_type_of({"task_type": "t2v", "type": "generate"}) == "t2v"
    assert task_type_of({"type": ["t2v"]}) == ""
    assert not is_old_type("generate")


def test_settings_of_other_tools_are_left_as_they_are() -> None:
    payload = unpack({"type": "generate", "user_id": 3})
    assert payload.values == {"type": "generate", "user_id": 3}
    assert not payload.is_old
    old = unpack({"task_type": "t2v", "user_id": 3, "prompt": "a", "seed": None})
    assert old.values == {"task_type": "t2v", "prompt": "a"}
    assert old.is_old


def test_a_key_of_a_payload_names_a_type_it_belongs_to() -> None:
    assert (
        hint_for_key("portions_to_regenerate") == "it belongs to a task_type such as edit_video_orchestrator"
    )
    assert hint_for_key("nothing") == ""
