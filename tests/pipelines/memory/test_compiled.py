"""Compiled transformer blocks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import tiny
from tests.support.wan import (
    INPUTS,
    load,
    run,
)
from wangp_cli.errors import ResourceError


@pytest.mark.slow
def test_compiled_blocks_give_nearly_the_same(checkpoint: Any, loaded: Any) -> None:
    found = run(load(checkpoint("vace"), "vace", compile=True), tiny.shot(), INPUTS["vace"])
    assert abs(found - run(loaded("vace", exact=False), tiny.shot(), INPUTS["vace"])).max() < 1e-4


def test_without_a_compiler_compile_names_the_package(
    checkpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ResourceError, match=r"no C\+\+ compiler") as caught:
        load(checkpoint("t2v"), compile=True)
    assert caught.value.hint == "apt install g++"
