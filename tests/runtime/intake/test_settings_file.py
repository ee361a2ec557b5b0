from __future__ import annotations

import json
from pathlib import Path

from wangp_cli.runtime.intake.settings_file import load_settings_file

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"


def test_wangp_settings_and_task_files_are_read_by_one_mechanism() -> None:
    layer = load_settings_file(SAMPLES / "wangp_settings.json")
    assert layer.values["model"] == "t2v"
    assert layer.values["frames"] == 81
    assert layer.values["loras"] == ["https://example.org/loras/ink.safetensors@0.8"]


def test_settings_may_mean_inputs_that_flags_name(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps({"settings_version": 2.5, "image_prompt_type": "S", "video_guide": "a.mp4"}))
    assert load_settings_file(file).values == {"video_guide": str(tmp_path / "a.mp4")}


def test_a_lora_preset_is_a_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "ink.lset"
    file.write_text(
        json.dumps({"loras": ["ink"], "loras_mult": "0.7", "prompt": "try this", "full_prompt": False})
    )
    assert load_settings_file(file).values == {"loras": ["ink@0.7"]}


def test_an_earlier_request_keeps_what_it_was_but_not_where_it_went(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    request = {"prompt": "a", "image_start": "in/a.png", "output_dir": "/elsewhere", "task_id": "t"}
    file.write_text(json.dumps({"wangp": {"request": request, "checksums": {"in/a.png": "ab"}}}))
    layer = load_settings_file(file)
    picture = str(tmp_path / "in/a.png")
    assert layer.values == {"prompt": "a", "image_start": picture}
    assert layer.checksums == {picture: "ab"}
