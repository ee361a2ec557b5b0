"""WanGP's `wgp_config.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy.wgp_config import translate_wgp_config
from wangp_cli.runtime.settings import Settings


def translated(folder: Path, config: Any) -> tuple[dict[str, Any], list[str]]:
    file = folder / "wgp_config.json"
    file.write_text(config if isinstance(config, str) else json.dumps(config), encoding="utf-8")
    return translate_wgp_config(file)


def test_known_values_become_settings_and_other_keys_are_named(tmp_path: Path) -> None:
    values, rest = translated(
        tmp_path,
        {
            "video_output_codec": "libx264_8",
            "profile": 4,
            "vae_config": 1,
            "save_path": "out",
            "checkpoints_paths": ["ckpts", "more"],
            "image_output_codec": "jpeg_95",
            "preload_model_policy": ["U"],
            "attention_mode": "unknown",
            "boost": True,
            "UI_theme": "default",
        },
    )
    assert values == {
        "codec": "h264",
        "profile": "4",
        "vae_tiling": 512,
        "output_dir": "out",
        "models_dir": "ckpts",
        "image_format": "jpg",
        "preload_policy": "unload",
    }
    assert rest == ["UI_theme", "attention_mode", "boost"]
    assert Settings.model_validate(values).profile == "4"


@pytest.mark.parametrize(
    ("text", "fault"), [("[]", "holds no JSON object"), ("{", "not JSON"), ('{"a": NaN}', "NaN")]
)
def test_another_file_is_an_error(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(RequestError, match=fault):
        translated(tmp_path, text)
    with pytest.raises(RequestError, match="cannot read"):
        translate_wgp_config(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"settings_version": 2.5, "prompt": "a"}, "holds settings of one generation"),
        ({"activated_loras": [], "num_inference_steps": 4}, "holds settings of one generation"),
        ({"model": {"architecture": "t2v"}}, "holds the definition of a model"),
        ({"infer_steps": 4, "target_video_length": 81}, "holds a configuration of LightX2V"),
        ({"task_type": "t2v", "prompt": "a"}, "holds a task of the older worker"),
        ({}, "has no setting that is known here"),
        ({"UI_theme": "default", "boost": 3}, "has no setting that is known here"),
    ],
)
def test_a_file_without_settings_of_the_program_says_what_it_is(
    tmp_path: Path, document: dict[str, Any], said: str
) -> None:
    with pytest.raises(RequestError, match=said) as refused:
        translated(tmp_path, document)
    assert refused.value.hint
    assert "{" not in str(refused.value)
