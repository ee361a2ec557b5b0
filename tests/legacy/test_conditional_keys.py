"""WanGP's keys that count only where a letter, a model or another key uses them."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy import translate, translate_values
from wangp_cli.legacy.conditional_keys import drop_unused_keys

GUIDE = {"video_guide": "a.mp4", "video_prompt_type": "V", "model_type": "vace_14B"}
MASKED = GUIDE | {"video_mask": "m.mp4", "video_prompt_type": "VA"}
CASES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"masking_strength": 0.1}, MASKED | {"model_type": "i2v_2_2"}, MASKED | {"video_prompt_type": "GVA"}),
    ({"mask_expand": 4}, GUIDE, MASKED),
    ({"mask_expand": 4}, MASKED | {"video_prompt_type": "UVA"}, MASKED),
    ({"keep_frames_video_guide": "1:5"}, {"model_type": "t2v"}, GUIDE),
    ({"keep_frames_video_source": "9"}, {"image_prompt_type": "T"}, {"image_prompt_type": "V"}),
    ({"video_guide_outpainting": "10 0 0 0"}, {"model_type": "vace_14B"}, GUIDE),
    ({"video_guide_outpainting": "10 0 0 0"}, GUIDE | {"model_type": "t2v"}, GUIDE),
    ({"video_guide_outpainting": "0 0 0 0"}, GUIDE, GUIDE | {"video_guide_outpainting": "5 0 0 0"}),
    ({"video_guide_outpainting_ratio": "16:9"}, GUIDE, GUIDE | {"video_guide_outpainting": ""}),
    ({"batch_size": 4}, {"image_mode": 0}, {"image_mode": 1}),
    ({"motion_amplitude": 1.2}, {"model_type": "t2v"}, {"model_type": "i2v"}),
    ({"RIFLEx_setting": 1}, {"model_type": "recam_1.3B"}, {"model_type": "t2v"}),
    ({"temporal_upsampling": "film2"}, {"image_mode": 1}, {"image_mode": 0}),
    ({"audio_guide2": "b.wav"}, {"audio_prompt_type": ""}, {"audio_prompt_type": "AB"}),
    ({"video_guide2": "b.mp4"}, GUIDE, GUIDE | {"video_prompt_type": "V+"}),
    ({"MMAudio_prompt": "birds"}, {"MMAudio_setting": 0}, {"MMAudio_setting": 1}),
    ({"replace_voice_sample": "v.wav"}, {"replace_voice_method": ""}, {"replace_voice_method": "x"}),
    ({"prompt_enhancer": "T"}, {"prompt": "!enhanced!\na"}, {"prompt": "a"}),
    ({"prompt_enhancer": "T"}, {"enhanced_prompt": "b"}, {"enhanced_prompt": ""}),
]
"""A key with a value that is not served; a document in which it has no effect; one in which it has."""
WANGP = {"settings_version": 2.5, "prompt": "a"}


@pytest.mark.parametrize(("key", "without", "within"), CASES)
def test_a_value_counts_only_where_it_is_in_use(
    key: dict[str, Any], without: dict[str, Any], within: dict[str, Any]
) -> None:
    idle = translate(WANGP | key | without)
    assert idle.values == translate(WANGP | without).values
    with pytest.raises(RequestError):
        translate(WANGP | key | within)


@pytest.mark.parametrize(
    ("document", "made"),
    [
        ({"model_type": "t2v", "image_prompt_type": "S", "image_start": "a.png"}, {"model": "t2v"}),
        ({"model_type": "t2v", "control_net_weight": 0.5, "video_prompt_type": ""}, {"model": "t2v"}),
        ({"model_type": "t2v_1.3B", "sliding_window_size": 81}, {"model": "t2v_1.3B"}),
        ({"model_type": "t2v_1.3B", "NAG_scale": 3}, {"model": "t2v_1.3B"}),
        (GUIDE | {"video_prompt_type": "PD"}, {"model": "vace_14B"}),
        ({"model_type": "t2v", "audio_prompt_type": "AXCP", "audio_guide": "a.wav"}, {"model": "t2v"}),
        ({"image_prompt_type": 0, "image_start": "a.png", "image_end": "b.png"}, {"image_start": "a.png"}),
        ({"audio_source": "a.wav", "postprocess_audio": "custom"}, {"audio_source": "a.wav"}),
        ({"audio_source": "a.wav", "postprocess_audio": ""}, {}),
        ({"audio_source": "a.wav"}, {"audio_source": "a.wav"}),
        ({"image_guide": "a.png", "image_mode": 0}, {}),
    ],
)  # fmt: skip
def test_letters_and_fields_that_a_model_does_not_read_are_dropped(
    document: dict[str, Any], made: dict[str, Any]
) -> None:
    assert translate_values({"settings_version": 2.5} | document) == made


def test_masks_references_and_control_need_their_letters() -> None:
    letters = {"VNA": "VNA", "VXN": "V", "NA": "", "KF": "", "VKI": "VKI", "UVA": "UV", "PD": ""}
    for written, counted in letters.items():
        kept, _ = drop_unused_keys({"video_prompt_type": written}, None)
        assert kept["video_prompt_type"] == counted


def test_without_letters_the_inputs_stand_for_them() -> None:
    document = {"settings_version": 2.5, "model_type": "vace_14B", "control_net_weight": 0.5}
    assert "control_strength" not in translate_values(document)
    assert translate_values(document | {"video_guide": "a.mp4"})["control_strength"] == 0.5
    assert translate(document, given=["video_guide"]).values["control_strength"] == 0.5
    worker = {"task_type": "vace_21", "prompt": "a", "control_net_weight": 0.5, "video_guide_path": "a.mp4"}
    assert translate_values(worker)["control_strength"] == 0.5


def test_values_about_windows_count_where_there_may_be_windows() -> None:
    document = {"settings_version": 2.5, "model_type": "vace_14B", "sliding_window_overlap": 9}
    one_run = document | {"video_length": 81, "sliding_window_size": 129}
    assert "sliding_window_overlap" not in translate_values(one_run)
    assert translate_values(one_run)["sliding_window_size"] == 129
    for longer in ({"video_length": 161}, {"image_prompt_type": "V", "video_source": "a.mp4"}):
        assert translate_values(one_run | longer)["sliding_window_overlap"] == 9
    assert translate(one_run, given=["frames"]).values["sliding_window_overlap"] == 9
    assert translate_values(document)["sliding_window_overlap"] == 9


def test_values_of_which_a_part_is_done_are_told() -> None:
    document = GUIDE | {"settings_version": 2.5, "force_fps": "control"}
    assert translate(document).notices == (
        "force_fps: the rate of the control video is not taken over, give fps",
    )
    still = {"settings_version": 2.5, "image_mode": 1, "video_prompt_type": "I", "image_refs": ["a.png"]}
    notices = translate(still | {"min_frames_if_references": 9, "remove_background_images_ref": 0}).notices
    assert notices == ("min_frames_if_references: 9 is not served, one frame is made",)


def test_files_that_nothing_uses_are_told() -> None:
    document = {"settings_version": 2.5, "audio_source": "a.wav", "postprocess_audio": "", "image_mode": 0}
    made = translate(document | {"image_guide": "a.png", "video_guide2": None})
    assert made.values == {}
    assert made.notices == (
        "image_guide: not used, nothing in the document uses it",
        "audio_source: not used, nothing in the document uses it",
    )
    by_hand = {"model_type": "vace_14B", "image_guide": "a.png", "image_mask": "m.png"}
    assert translate_values(by_hand).keys() == {"model", "image_guide", "image_mask"}


def test_a_video_to_start_from_keeps_its_strength() -> None:
    document = {"task_type": "t2v", "prompt": "a", "vid2vid_init_video": "a.mp4", "denoising_strength": 0.5}
    values = translate_values(document)
    assert (values["video_initial"], values["denoising_strength"]) == ("a.mp4", 0.5)


def test_a_variant_reads_what_its_base_model_reads() -> None:
    document = {"settings_version": 2.5, "model_type": "my_fox", "motion_amplitude": 1.2}
    assert translate_values(document | {"base_model_type": "t2v"}) == {"model": "my_fox"}
    for base in ({"base_model_type": "i2v"}, {}):
        with pytest.raises(RequestError, match="motion_amplitude"):
            translate(document | base)


def test_the_first_steps_are_skipped_too_which_is_told() -> None:
    document = {"settings_version": 2.5, "skip_steps_cache_type": "mag", "skip_steps_start_step_perc": 20}
    assert any("skip_steps_start_step_perc: not used" in notice for notice in translate(document).notices)
    off = document | {"skip_steps_cache_type": ""}
    assert translate(off).notices == ()
