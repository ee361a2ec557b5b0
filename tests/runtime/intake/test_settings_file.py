from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import RequestError
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


def write(folder: Path, document: Any, name: str = "theirs.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(document))
    return file


WANGP = {"settings_version": 2.5, "model_type": "t2v", "prompt": "# note\n a fox\n   # another\nin snow"}


def test_a_prompt_follows_the_same_rules_as_in_a_batch(tmp_path: Path) -> None:
    assert load_settings_file(write(tmp_path, WANGP), given=()).values["prompt"] == "a fox\nin snow"
    marked = WANGP | {"prompt": "!enhanced!\na fox", "prompt_enhancer": "T"}
    assert load_settings_file(write(tmp_path, marked), given=()).values["prompt"] == "a fox"
    empty = load_settings_file(write(tmp_path, WANGP | {"prompt": "# nothing"}), given=())
    assert empty.values["prompt"] == ""


def test_several_prompts_are_several_tasks(tmp_path: Path) -> None:
    file = write(tmp_path, WANGP | {"prompt": '! {A}="cat","dog"\na {A}'})
    with pytest.raises(RequestError, match="holds 2 prompts, a task takes one") as refused:
        load_settings_file(file, given=())
    assert refused.value.hint == f"wangp batch {file}"
    # A prompt that is given takes their place, and a travel takes one for each part.
    assert load_settings_file(file, given=["prompt"]).values["model"] == "t2v"
    assert load_settings_file(file, task="travel", given=()).values["prompt"] == ["a cat", "a dog"]


@pytest.mark.parametrize("wrap", [lambda it: [it], lambda it: {"tasks": [it]}, lambda it: {"settings": it}])
def test_envelopes_of_wangp_are_opened(tmp_path: Path, wrap: Any) -> None:
    assert load_settings_file(write(tmp_path, wrap(WANGP)), given=()).values["model"] == "t2v"
    queue = write(tmp_path, [{"id": 1, "params": WANGP}, {"id": 2, "params": WANGP | {"seed": 3}}])
    with pytest.raises(RequestError, match="holds 2 tasks, one is wanted"):
        load_settings_file(queue, given=())


def test_what_is_not_used_is_told(tmp_path: Path) -> None:
    layer = load_settings_file(
        write(tmp_path, WANGP | {"new_slider": 1, "video_guide": "a.mp4"} | {"video_prompt_type": ""}),
        given=(),
    )
    assert list(layer.notices) == [
        "video_guide: ignored, video_prompt_type '' does not use it",
        "not used, there are no such keys here: new_slider",
    ]


def test_letters_want_inputs_that_neither_the_file_nor_a_flag_names(tmp_path: Path) -> None:
    file = write(tmp_path, WANGP | {"model_type": "i2v", "image_prompt_type": "S"})
    assert load_settings_file(file, given=["image_start"]).values["model"] == "i2v"
    with pytest.raises(RequestError, match="image_prompt_type: 'S' uses image_start"):
        load_settings_file(file, given=())


DEFINITION = {
    "model": {"name": "My fox", "architecture": "t2v", "URLs": ["https://huggingface.co/a/b/resolve/main/c"]},
    "num_inference_steps": 8,
    "flow_shift": 3,
    "scheduler_type": "x",
}


def test_a_model_definition_gives_its_settings_to_the_model_of_its_name(tmp_path: Path) -> None:
    file = write(tmp_path, DEFINITION, "t2v.json")
    layer = load_settings_file(file, given=(), models=["t2v"])
    assert layer.values == {"model": "t2v", "steps": 8, "flow_shift": 3}
    assert "scheduler_type" in layer.notices[0]
    other = load_settings_file(write(tmp_path, DEFINITION, "fox.json"), given=["model"], models=["t2v"])
    assert other.values == {"steps": 8, "flow_shift": 3}


def test_a_model_that_is_not_in_the_catalogue_is_said_to_be_one(tmp_path: Path) -> None:
    file = write(tmp_path, DEFINITION, "fox.json")
    with pytest.raises(
        RequestError, match=r"fox\.json defines the model 'fox' of architecture 't2v'"
    ) as refused:
        load_settings_file(file, given=(), models=["t2v"])
    assert f"wangp models add fox {file}" in str(refused.value.hint)
    lacking = write(tmp_path, {"model": {"architecture": "hunyuan"}}, "hunyuan.json")
    with pytest.raises(RequestError, match="of architecture 'hunyuan'") as refused:
        load_settings_file(lacking, given=(), models=["t2v"])
    assert "no model here has this architecture" in str(refused.value.hint)


def test_a_prompt_that_is_given_replaces_those_of_windows(tmp_path: Path) -> None:
    document = WANGP | {"prompt": "one\ntwo", "multi_prompts_gen_type": "W"}
    file = write(tmp_path, document)
    assert load_settings_file(file, given=()).values["window_prompts"] == ["one", "two"]
    assert "window_prompts" not in load_settings_file(file, given=["prompt"]).values
