"""The device and the dtypes of a task."""

from __future__ import annotations

import pytest

from wangp_cli.errors import ResourceError
from wangp_cli.pipelines.memory import placement
from wangp_cli.pipelines.memory.placement import choose
from wangp_cli.tasks.runtime import Runtime


def test_auto_is_replaced_and_what_is_given_is_kept() -> None:
    chosen = choose(Runtime(device="cpu"))
    assert (chosen.device, chosen.dtype, chosen.attention) == ("cpu", "float32", "native")
    assert choose(Runtime(device="cpu", dtype="bfloat16")).dtype == "bfloat16"
    assert chosen.profile == "auto"


def test_auto_that_is_the_cpu_takes_no_dtype_that_is_slow_there(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(placement, "is_slow", lambda dtype: dtype == "bfloat16")
    monkeypatch.setattr(placement, "best_device", lambda: "cpu")
    chosen = choose(Runtime(dtype="float16", vae_dtype="bfloat16"))
    assert (chosen.dtype, chosen.vae_dtype) == ("float16", "float32")
    assert "float32 takes its place" in caplog.text
    assert choose(Runtime(vae_dtype="bfloat16", exact=True)).vae_dtype == "bfloat16"


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ResourceError, match="device: 'cuda:99' is not there") as caught:
        choose(Runtime(device="cuda:99"))
    assert "--device cpu" in str(caught.value.hint)
