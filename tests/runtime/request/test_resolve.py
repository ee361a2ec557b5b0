"""Layers of values resolved to a request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.request.resolve import resolve
from wangp_cli.tasks.extract_frame import ExtractFrame
from wangp_cli.value_layers import Layer


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "type: there is no task 'generate'"),
        ({"type": "extract"}, "type: there is no task 'extract'"),
        ({"type": "extract-frame", "frame": "x", "video": "a.mkv"}, "--frame: 'x' is neither"),
    ],
)
def test_a_session_without_the_default_task_names_the_wrong_field(
    home: Path, monkeypatch: pytest.MonkeyPatch, values: Mapping[str, object], message: str
) -> None:
    monkeypatch.setenv("HOME", str(home))
    session = bootstrap.start([], tasks={"extract-frame": ExtractFrame})
    with pytest.raises(RequestError) as caught:
        resolve([Layer(kind="flag", values=values)], session)
    assert caught.value.message.startswith(message)


def test_a_misspelt_key_is_told_before_the_field_that_was_meant(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(RequestError, match=r"^vidoe: .*; video: is needed") as caught:
        resolve([Layer(kind="line", values={"type": "extract-frame", "vidoe": "a.mkv"})], bootstrap.start([]))
    assert caught.value.hint == "did you mean video?"
