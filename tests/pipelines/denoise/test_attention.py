"""Attention backends: refusing those that cannot run, and choosing one per run."""

from __future__ import annotations

from typing import Any

import pytest
from diffusers.models.attention_dispatch import attention_backend, dispatch_attention_fn

from tests.support import tiny
from tests.support.wan import (
    load,
    run,
)
from wangp_cli.errors import ResourceError


@pytest.mark.parametrize("name", ["nope", "sage", "flash_hub", "_native_npu"])
def test_an_attention_backend_that_cannot_run_is_refused(checkpoint: Any, name: str) -> None:
    with pytest.raises(ResourceError, match=r"attention: .* does not run on cpu"):
        load(checkpoint("t2v"), attention=name)


def test_each_run_sets_its_attention_and_restores_the_previous_one(
    checkpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = set()

    def spy(*args: Any, **options: Any) -> Any:
        from diffusers.models.attention_dispatch import _AttentionBackendRegistry

        used.add(_AttentionBackendRegistry.get_active_backend()[0].value)
        return dispatch_attention_fn(*args, **options)

    monkeypatch.setattr("diffusers.models.transformers.transformer_wan.dispatch_attention_fn", spy)
    with attention_backend("_native_flash"):
        run(load(checkpoint("t2v"), attention="_native_math"), tiny.shot())
        from diffusers.models.attention_dispatch import _AttentionBackendRegistry

        assert _AttentionBackendRegistry.get_active_backend()[0].value == "_native_flash"
    assert used == {"_native_math"}
