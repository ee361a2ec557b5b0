"""`wangp settings`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Run


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("codecc: hevc", "codec"),
        ("crf: many", "'many'"),
        ("crf: &a 3\nname: *a", "anchors"),
        ("- codec", "mapping"),
        ("codec: [hevc", "not YAML"),
        ("codec: on", "codec"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(run: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.yaml").write_text(text)
    result = run("settings", "show", env={"WANGP_CONFIG_DIR": str(tmp_path / "config")}, code=2)
    assert said in result.stderr
    assert "settings.yaml" in result.stderr


def test_a_wrong_variable_is_named(run: Run) -> None:
    result = run("settings", "show", env={"WANGP_METADATA_MODE": "tattoo"}, code=2)
    assert "WANGP_METADATA_MODE" in result.stderr
    assert "'tattoo'" in result.stderr


def test_settings_tell_where_they_come_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.yaml").write_text("codec: hevc\ncrf: 0\n")
    env = {"WANGP_CONFIG_DIR": str(tmp_path / "config"), "WANGP_CODEC": "av1"}
    shown = run("settings", "show", "--json", env=env, code=0).json()
    assert shown["codec"] == {"value": "av1", "origin": "environment WANGP_CODEC"}
    assert shown["crf"]["value"] == 0
    assert "settings.yaml" in shown["crf"]["origin"]
    assert shown["device"] == {"value": "auto", "origin": "default"}
    assert run("settings", "path", env=env, code=0).stdout.strip() == str(
        tmp_path / "config" / "settings.yaml"
    )


def test_settings_of_the_older_app_are_taken_over(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.yaml").write_text("crf: 20\n")
    (tmp_path / "wgp_config.json").write_text(
        json.dumps(
            {
                "attention_mode": "sdpa", "video_output_codec": "libx265_28", "save_path": "/videos",
                "checkpoints_paths": ["/ckpts", "."], "metadata_type": "json", "profile": 3.5, "boost": 1,
                "image_output_codec": "jpeg_95", "vae_config": 2, "vae_precision": "16", "compile": "",
                "transformer_quantization": "int8", "text_encoder_quantization": "bf16",
                "transformer_dtype_policy": "fp16", "mixed_precision": "0", "preload_in_VRAM": 3000,
                "preload_model_policy": ["U"], "fit_canvas": 0,
            }
        )
    )  # fmt: skip
    env = {"WANGP_CONFIG_DIR": str(tmp_path / "config")}
    result = run("settings", "import", "wgp_config.json", "--json", env=env, code=0).json()
    assert result["left"] == ["fit_canvas"]
    shown = run("settings", "show", "--json", env=env, code=0).json()
    taken = {name: shown[name]["value"] for name in ("attention", "codec", "output_dir", "models_dir", "crf")}
    assert taken == {
        "attention": "native", "codec": "hevc", "output_dir": "/videos", "models_dir": "/ckpts", "crf": 20,
    }  # fmt: skip
    assert (shown["metadata_mode"]["value"], shown["image_format"]["value"]) == ("sidecar", "jpg")
    computes = {
        "profile": "3", "boost": True, "vae_tiling": 256, "vae_dtype": "bfloat16", "compile": False,
        "transformer_quantization": "int8", "text_encoder_quantization": "none", "dtype": "float16",
        "mixed_precision": False, "preload": 3000, "preload_policy": "unload",
    }  # fmt: skip
    assert {name: shown[name]["value"] for name in computes} == computes


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1, "a": 2}'])
def test_a_broken_config_of_the_older_app_is_refused(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "wgp_config.json").write_text(text)
    assert "wgp_config.json" in run("settings", "import", "wgp_config.json", code=2).stderr
    assert run("settings", "import", "gone.json", code=2).stderr.startswith("error: file")


def test_a_setting_is_set_and_unset(run: Run, tmp_path: Path) -> None:
    file, env = tmp_path / "config" / "settings.yaml", {"WANGP_CONFIG_DIR": str(tmp_path / "config")}
    run("settings", "set", "crf", "20", env=env, code=0)
    shown = run("settings", "set", "allow_url", "a.com,b.com", "--json", env=env, code=0).json()
    assert shown["allow_url"] == {"value": ["a.com", "b.com"], "origin": f"settings {file}"}
    assert file.read_text() == "allow_url:\n- a.com\n- b.com\ncrf: 20\n"
    for words in (("set", "crf", "many"), ("set", "crff", "2"), ("unset", "crff")):
        assert run("settings", *words, env=env, code=2).stderr.startswith("error: ")
    assert "hint: did you mean crf?" in run("settings", "set", "crff", "2", env=env, code=2).stderr
    assert "default" in run("settings", "unset", "crf", env=env, code=0).stdout
    assert file.read_text() == "allow_url:\n- a.com\n- b.com\n"
    over = run("settings", "set", "codec", "hevc", env={**env, "WANGP_CODEC": "av1"}, code=0).stdout
    assert "WANGP_CODEC" in over
