"""The words of the Runtime flags, old and new."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wangp_cli.legacy import translate
from wangp_cli.tasks.runtime import Runtime


def words(**said: Any) -> dict[str, Any]:
    return Runtime(**said).model_dump(exclude_unset=True)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"attention": "sdpa"}, {"attention": "native"}),
        ({"attention": "sage2"}, {"attention": "sage"}),
        ({"attention": "flash3"}, {"attention": "_flash_3"}),
        ({"profile": 4}, {"profile": "4"}),
        ({"vae_tiling": "256"}, {"vae_tiling": 256}),
        ({"transformer_quantization": "bf16"}, {"transformer_quantization": "none"}),
        ({"cache": "fbcache"}, {"cache": "fbcache=0.1"}),
        ({"cache": "magcache=0.120"}, {"cache": "magcache=0.12"}),
        ({"cache": "magcache=calibrate"}, {"cache": "magcache=calibrate"}),
        ({"cache": ""}, {"cache": None}),
    ],
)
def test_what_is_said_and_what_is_meant(said: dict[str, Any], meant: dict[str, Any]) -> None:
    assert words(**said) == meant
    assert words(**meant) == meant


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"attention": "sage3"}, "hub"),
        ({"attention": "falsh"}, "did you mean flash"),
        ({"attention": "flash_hub"}, "no attention backend"),
        ({"profile": 6}, "'1', '2'"),
        ({"vae_tiling": 100}, "multiple of 64"),
        ({"cache": "tea"}, "fbcache, magcache"),
        ({"cache": "fbcache=much"}, "'much' is not a number"),
        ({"cache": "fbcache=calibrate"}, "'calibrate' is not a number"),
        ({"transformer_quantization": "int4"}, "int8"),
        ({"preload": -1}, "greater"),
        ({"exact": True, "boost": True}, "boost: not together with exact"),
        ({"exact": True, "compile": True}, "compile: not together with exact"),
        ({"exact": True, "transformer_quantization": "fp8"}, "transformer_quantization: not together"),
    ],
)
def test_nonsense_is_refused_by_name(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        words(**said)


@pytest.mark.parametrize(
    ("old", "ours"),
    [
        ({"override_profile": -1}, {}),
        ({"override_profile": 3.5}, {"profile": "3"}),
        ({"override_attention": ""}, {}),
        ({"override_attention": "sdpa"}, {"attention": "sdpa"}),
        ({"transformer_dtype_policy": "bf16"}, {"dtype": "bfloat16"}),
        ({"vae_precision": "16"}, {"vae_dtype": "bfloat16"}),
        ({"vae_config": 3}, {"vae_tiling": 128}),
        ({"skip_steps_cache_type": ""}, {}),
        ({"skip_steps_cache_type": "mag"}, {"cache": "magcache"}),
        ({"skip_steps_cache_type": "first_block", "skip_steps_multiplier": 0.2}, {"cache": "fbcache=0.2"}),
    ],
)
def test_keys_of_the_older_tools(old: dict[str, Any], ours: dict[str, Any]) -> None:
    found = translate({"model_type": "t2v", "prompt": "x", **old}).values
    assert {name: value for name, value in found.items() if name not in ("model", "prompt")} == ours


def test_a_multiplier_that_magcache_does_not_read_is_said() -> None:
    found = translate({"model_type": "t2v", "skip_steps_cache_type": "mag", "skip_steps_multiplier": 2})
    assert any("skip_steps_multiplier" in notice for notice in found.notices)
