"""Telling the documents of other tools apart."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.legacy.documents import kind_of


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"prompt": "a"}, "own"),
        ({"type": "generate", "settings_version": 2.5}, "own"),
        ({"model": "t2v", "video_length": 81}, "own"),
        ({"prompt": "a", "steps": 4, "resolution": "64x64"}, "own"),
        ({"type": "WanGP v10 by DeepBeepMeep - Wan"}, "wangp"),
        ({"type": "Wan2GP", "model": "t2v"}, "wangp"),
        ({"settings_version": 9.9, "frames": 5}, "wangp"),
        ({"model_type": "t2v", "prompt": "a"}, "wangp"),
        ({"activated_loras": [], "num_inference_steps": 4}, "wangp"),
        ({"loras": ["a"], "loras_mult": "1"}, "wangp"),
        ({"task_type": "t2v", "prompt": "a"}, "worker"),
        ({"type": "travel_orchestrator"}, "worker"),
        ({"model": "t2v", "frames": 81, "output_sub_dir": "x"}, "worker"),
        ({"model": {"architecture": "t2v"}, "flow_shift": 3}, "definition"),
        ({"infer_steps": 4, "target_video_length": 81, "model_type": "i2v"}, "lightx2v"),
        ({"infer_steps": 4}, "own"),
    ],
)
def test_a_document_says_what_it_is_or_its_keys_do(document: dict[str, Any], kind: str) -> None:
    assert kind_of(document) == kind
