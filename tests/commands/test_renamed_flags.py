"""Flags of the older tools."""

from __future__ import annotations

import pytest

from wangp_cli.commands._renamed_flags import RENAMED_FLAGS
from wangp_cli.tasks.runtime import Runtime


@pytest.mark.parametrize(
    "flag",
    [
        "attention-mode", "compile", "profile", "vae-config", "boost", "transformer-quantization",
        "transformer-dtype-policy", "text-encoder-quantization", "vae-precision", "mixed-precision",
        "preload-policy", "preload",
    ],
)  # fmt: skip
def test_every_old_override_has_a_new_flag(flag: str) -> None:
    name = RENAMED_FLAGS[f"--wgp-{flag}"].removeprefix("--").replace("-", "_")
    assert name in Runtime.model_fields
