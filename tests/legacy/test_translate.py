from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.payloads import JUNK, KEYS
from tests.support.wangp_documents import INPUTS, MODEL_DEFAULTS, PROFILES, VERSIONS, settings
from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate, translate_values
from wangp_cli.legacy.old_keys import IGNORED, NEUTRAL
from wangp_cli.legacy.task_types import MODELS, UNSUPPORTED
from wangp_cli.tasks.extract_frame import ExtractFrame
from wangp_cli.tasks.generate import Generate

KEYS += ["type", "prompt", "loras", "image_mode", "full_prompt", "window_prompts", "video_initial"]


@given(st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=6))
@example({"type": []})
def test_whatever_a_key_holds_the_answer_is_values_or_a_request_error(settings: dict[str, Any]) -> None:
    try:
        found = translate(settings, given=())
    except RequestError:
        return
    assert not found.values.keys() & (IGNORED | NEUTRAL.keys())


def test_our_own_words_pass_untouched() -> None:
    ours = {
        "type": "generate",
        "model": "starter",
        "prompt": "a\nb",
        "frames": 84,
        "loras": ["a@0.5"],
        "odd": "",
    }
    assert translate_values(ours) == ours


def test_a_word_of_ours_is_ours_even_where_the_older_tools_had_it_too() -> None:
    ours = {"type": "travel", "mode": "independent", "images": ["a.png"]}
    assert translate_values(ours) == ours
    with pytest.raises(RequestError, match="mode"):
        translate_values({"type": "generate", "mode": "edit_remux"})


@pytest.mark.parametrize(("kind", "model"), MODELS.items())
def test_plain_old_types_name_a_model(kind: str, model: str) -> None:
    for key in ("type", "task_type"):
        found = translate_values({key: kind, "prompt": "a"})
        assert found["type"] == "generate"
        assert found["model"] == model
        assert translate_values({key: kind, "model": "other"})["model"] == "other"


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_special_old_types_are_refused_by_name(kind: str) -> None:
    with pytest.raises(RequestError, match=f"type: '{kind}'"):
        translate_values({"task_type": kind})


def test_old_picture_types_make_one_frame() -> None:
    assert translate_values({"task_type": "wan_2_2_t2i", "video_length": 81})["frames"] == 1
    assert translate_values({"task_type": "flux", "video_length": 4})["count"] == 4
    assert translate_values({"task_type": "z_image_turbo"})["steps"] == 8


def test_lengths_are_floored_and_names_of_defaults_left_out() -> None:
    found = translate_values(
        {
            "model_type": "t2v",
            "base_model_type": "x",
            "video_length": 84,
            "force_fps": "auto",
            "sample_solver": "",
        }
    )
    assert found == {"model": "t2v", "frames": 81}
    assert translate_values({"base_model_type": "t2v", "video_length": "10s"}) == {
        "model": "t2v",
        "frames": "10s",
    }


def test_prompts_and_lengths_of_windows() -> None:
    settings = {
        "model_type": "vace_14B",
        "prompt": "first\nsecond",
        "multi_prompts_gen_type": "W",
        "video_length": 161,
        "sliding_window_size": 81,
        "sliding_window_overlap": 9,
        "settings_version": 2.74,
    }
    said = translate(settings)
    assert said.prompts == ("first",)
    windows = {key: value for key, value in said.values.items() if "window" in key}
    assert windows == {
        "sliding_window_size": 81,
        "sliding_window_overlap": 9,
        "window_prompts": ["first", "second"],
    }


def test_two_words_for_one_thing_must_agree() -> None:
    assert translate_values({"frames": 81, "video_length": 81}) == {"frames": 81}
    with pytest.raises(RequestError, match="frames says 49"):
        translate_values({"frames": 49, "video_length": 81})


@pytest.mark.parametrize("key", ["prompt_enhancer", "audio_guide2", "mode"])
def test_what_is_not_served_is_refused_by_name(key: str) -> None:
    assert translate_values({key: NEUTRAL[key][0], "prompt": "a"}) == {"prompt": "a"}
    with pytest.raises(RequestError, match=key):
        translate_values({key: "x"})


@pytest.mark.parametrize(
    ("letters", "word"),
    [("BV", "faces"), ("VNA", "round"), ("XVA", "outside"), ("9V", "unknown")],
)
def test_letters_that_prepare_the_input_are_refused(letters: str, word: str) -> None:
    with pytest.raises(RequestError, match=word):
        translate_values({"video_prompt_type": letters, "video_guide": "a.mp4", "video_mask": "b.mp4"})


def test_letters_decide_which_inputs_are_used() -> None:
    files = {"video_guide": "a.mp4", "video_mask": "b.mp4", "image_refs": ["c.png"]}
    assert translate_values({"video_prompt_type": "VM", **files}) == {
        "video_guide": "a.mp4",
        "video_mask": "b.mp4",
    }
    found = translate({"video_prompt_type": "VKI", **files})
    assert found.values == {"video_guide": "a.mp4", "image_refs": ["c.png"]}
    assert found.notices == ("video_mask: ignored, video_prompt_type 'VKI' does not use it",)
    assert translate_values(files) == files


def test_the_letter_of_a_video_to_start_from() -> None:
    files = {"model_type": "t2v", "video_guide": "a.mp4", "denoising_strength": 0.7}
    found = translate_values({"video_prompt_type": "GUV", **files})
    assert found == {"model": "t2v", "video_initial": "a.mp4", "denoising_strength": 0.7}
    assert translate_values({"video_prompt_type": "UV", **files}) == {"model": "t2v", "video_guide": "a.mp4"}
    whole = translate_values({"video_prompt_type": "GUV", **files, "denoising_strength": 1})
    assert whole == {"model": "t2v"}


def test_phases_that_are_not_there_say_nothing() -> None:
    written = {
        "model_type": "t2v_2_2",
        "guidance_phases": 2,
        "guidance_scale": 4,
        "guidance2_scale": 3,
        "guidance3_scale": 5,
        "switch_threshold": 875,
        "switch_threshold2": 0,
        "model_switch_phase": 1,
    }
    found = translate_values(written)
    assert found == {
        "model": "t2v_2_2",
        "guidance_phases": 2,
        "guidance_scale": 4,
        "guidance2_scale": 3,
        "switch_threshold": 875,
    }
    for phases in (0, 1):
        one = translate_values(written | {"guidance_phases": phases})
        assert one == {"model": "t2v_2_2", "guidance_scale": 4}


def test_a_letter_wants_its_input_once_it_is_known_what_is_named() -> None:
    assert translate_values({"image_prompt_type": "SE"}) == {}
    with pytest.raises(RequestError, match="image_end"):
        translate({"image_prompt_type": "SE", "image_start": "a.png"}, given=())
    assert translate({"image_prompt_type": "SE", "image_start": "a.png"}, given={"image_end"}).values


def test_loras_join_their_strengths() -> None:
    found = translate_values({"activated_loras": ["a", "b", "c"], "loras_multipliers": "0.5|\n# note\n-1"})
    assert found["loras"] == ["a@0.5", "b@-1", "c@1"]
    assert translate_values({"lora_names": "a,b", "lora_multipliers": "0.5,2"})["loras"] == ["a@0.5", "b@2"]
    assert translate_values({"additional_loras": {"x": 0}})["loras"] == ["x@0"]
    assert translate_values({"loras": ["ink"], "loras_mult": "0.7", "full_prompt": False})["loras"] == [
        "ink@0.7"
    ]
    assert translate_values({"activated_loras": ["a"], "loras_multipliers": "1;0"})["loras"] == ["a@1;0"]
    with pytest.raises(RequestError, match="is no strength"):
        translate_values({"activated_loras": ["a"], "loras_multipliers": "1:0"})


def test_a_lora_named_twice_is_worn_once() -> None:
    base = {
        "task_type": "t2v",
        "prompt": "a",
        "activated_loras": ["a.safetensors"],
        "loras_multipliers": "0.5",
    }
    for more, strength in (({"x/a.safetensors": 1}, "0.5"), ({"x/a.safetensors": "0.9;0.1"}, "0.9;0.1")):
        assert translate_values(base | {"additional_loras": more})["loras"] == [f"a.safetensors@{strength}"]
    both = translate_values(base | {"additional_loras": {"b.safetensors": 0}})["loras"]
    assert both == ["a.safetensors@0.5", "b.safetensors@0"]


@pytest.mark.parametrize(
    ("loras", "multipliers", "found"),
    [
        (["a"], "1,0.5,0.2", ["a@1,0.5,0.2"]),
        (["a", "b"], "0.8,1.2", ["a@0.8", "b@1.2"]),
        (["a", "b"], "0.8, 1.2", ["a@0.8", "b@1.2"]),
        (["a", "b"], "0.8 1.2", ["a@0.8", "b@1.2"]),
        (["a", "b"], "1,0.5 0.8", ["a@1,0.5", "b@0.8"]),
        (["a", "b"], "1;0 0.5", ["a@1;0", "b@0.5"]),
        (["a", "b", "c"], "0.8,1.2", ["a@0.8", "b@1.2", "c@1"]),
    ],
)
def test_commas_of_the_older_worker_are_between_loras_unless_they_are_between_steps(
    loras: list[str], multipliers: str, found: list[str]
) -> None:
    assert translate_values({"lora_names": loras, "lora_multipliers": multipliers})["loras"] == found


def test_our_own_strengths_stay_as_they_are() -> None:
    said = {
        "loras": ["a", "b"],
        "lora_multipliers": "0.9,0.5 | 1;0",
        "accelerator": "lightning",
        "prompt": "x",
    }
    assert translate_values(said) == said


def test_the_mode_of_a_model_that_films_again_is_its_camera() -> None:
    assert translate_values({"model_type": "recam_1.3B", "model_mode": 9}) == {
        "model": "recam_1.3B",
        "camera": 9,
    }
    with pytest.raises(RequestError, match="model_mode: 9 is not served"):
        translate_values({"model_type": "t2v", "model_mode": 9})


def test_fields_of_a_task_type_of_the_session_are_no_old_keys() -> None:
    class Counted(ExtractFrame):
        """A task with a field under the name of a key of the older tools."""

        video_length: int = 0

    settings = {"type": "counted", "video_length": 82}
    assert translate_values(settings, tasks={"counted": Counted}) == settings


@pytest.mark.parametrize("version", VERSIONS)
def test_settings_of_every_version_are_taken_for_what_they_ask(version: float) -> None:
    for model in MODEL_DEFAULTS:
        made = translate(settings(version, model), given=INPUTS)
        assert made.values["model"] == model
        assert made.values.keys() <= Generate.model_fields.keys()
        assert not [notice for notice in made.notices if not notice.startswith("image_refs: their back")]


@pytest.mark.parametrize("name", PROFILES)
def test_accelerator_profiles_are_taken_for_what_they_ask(name: str) -> None:
    made = translate(PROFILES[name])
    assert made.values["steps"] == PROFILES[name]["num_inference_steps"]
    assert len(made.values["loras"]) == len(PROFILES[name]["activated_loras"])
    assert made.values.keys() <= Generate.model_fields.keys()
    misspelt = "sample_solvers" in PROFILES[name]
    assert [("sample_solvers (did you mean" in notice) for notice in made.notices] == [True] * misspelt


def test_unknown_keys_of_another_version_are_named_in_one_notice_and_left() -> None:
    document = {
        "settings_version": 3.1,
        "model_type": "t2v",
        "prompt": "a",
        "new_slider": 1,
        "video_lenght": 5,
    }
    made = translate(document)
    assert made.values == {"model": "t2v", "prompt": "a"}
    (notice,) = made.notices
    assert notice.startswith(
        "not used, there are no such keys here: new_slider, video_lenght (did you mean video_l"
    )
    with pytest.raises(RequestError, match="temporal_upsampling: 'film2' is not served"):
        translate(document | {"temporal_upsampling": "film2"})


@pytest.mark.parametrize("key", ["pace", "new_slider", "temperature", "help", "enhanced_prompt"])
def test_documents_of_our_own_stay_strict(key: str) -> None:
    for ours in (
        {"type": "generate", "model_type": "t2v"},
        {"model": "t2v"},
        {"prompt": "a", "num_inference_steps": 4, "size": "64x64"},
    ):
        assert key in translate(ours | {key: 1}).values


def test_a_hand_written_document_of_the_older_worker_may_not_be_misspelt() -> None:
    made = translate({"task_type": "t2v", "prompt": "a", "from_the_future": 1})
    assert "from_the_future" in made.notices[0]
    with pytest.raises(RequestError, match="video_lenght: there is no such key"):
        translate({"task_type": "t2v", "prompt": "a", "video_lenght": 5})


def test_a_task_takes_of_a_foreign_document_what_it_has() -> None:
    made = translate({"settings_version": 2.5, "repeat_generation": 2, "video_length": 81}, task="travel")
    assert made.values == {"frames": 81}
    assert "repeat_generation" in made.notices[0]


@pytest.mark.parametrize(
    "document",
    [
        {"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4},
        {"3": {"class_type": "KSampler", "inputs": {}}, "4": {"class_type": "VAEDecode", "inputs": {}}},
    ],
)
def test_workflows_of_comfyui_are_said_to_be_such(document: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="workflow of ComfyUI"):
        translate(document)


def test_a_model_definition_is_no_task() -> None:
    with pytest.raises(RequestError, match="model: the document defines a model of WanGP") as caught:
        translate({"model": {"name": "x", "architecture": "t2v", "URLs": ["https://h/x"]}, "flow_shift": 3})
    assert "{" not in str(caught.value)


def test_windows_of_long_videos_are_joined_without_what_has_no_counterpart() -> None:
    document = {
        "settings_version": 2.5,
        "model_type": "vace_14B",
        "sliding_window_overlap_noise": 20,
        "sliding_window_size": 81,
    }
    assert translate(document | {"video_length": 81}).notices == ()
    (notice,) = translate(document | {"video_length": 161}).notices
    assert notice.startswith("sliding_window_overlap_noise: 20 is not served")


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ({"type": "travel", "image": ["a.png", "b.png"]}, "images", ["a.png", "b.png"]),
        ({"type": "travel", "audio": "a.wav"}, "audio_source", "a.wav"),
        ({"type": "join", "clip": ["a.mp4"]}, "clips", ["a.mp4"]),
        ({"type": "edit", "portion": "2-3"}, "portions", "2-3"),
        ({"type": "edit", "color_match": 0.5}, "colour_match", 0.5),
        ({"type": "generate", "image_ref": "a.png"}, "image_refs", "a.png"),
        ({"lora": "a.safetensors@0.5"}, "loras", "a.safetensors@0.5"),
        ({"type": "inpaint", "part_seed": [1]}, "part_seeds", [1]),
    ],
    ids=str,
)
def test_a_key_may_have_the_name_of_the_flag(line: dict[str, Any], field: str, value: object) -> None:
    made = translate(line)
    assert made.values[field] == value
    assert made.given_as[field] == next(key for key in line if key != "type")


def test_the_name_of_a_flag_and_its_field_must_agree() -> None:
    same = {"type": "travel", "image": ["a.png"], "images": ["a.png"]}
    assert translate(same).values["images"] == ["a.png"]
    with pytest.raises(RequestError, match=r"images: \['b.png'\], but image says \['a.png'\]"):
        translate({**same, "images": ["b.png"]})


def test_documents_of_other_tools_do_not_have_the_names_of_flags() -> None:
    assert "loras" not in translate({"settings_version": 2.5, "lora": "a"}).values


@pytest.mark.parametrize("kind", [{"settings_version": 2.5}, {"task_type": "t2v"}])
def test_an_enhanced_prompt_is_the_one_that_was_used(kind: dict[str, Any]) -> None:
    made = translate(kind | {"prompt": "fox", "enhanced_prompt": "a red fox", "prompt_enhancer": "T"})
    assert (made.prompts or (made.values["prompt"],)) == ("a red fox",)
    assert made.notices == ("prompt: the text that the prompt enhancer made of it is used",)


def test_a_task_without_a_prompt_takes_none() -> None:
    document = {"settings_version": 2.5, "prompt": "a\n\nb"}
    made = translate(document, tasks={"extract-frame": ExtractFrame}, task="extract-frame")
    assert (made.values, made.prompts) == ({}, ())
