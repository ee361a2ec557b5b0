"""What is said of frames that are denoised apart, and to whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Make
from tests.support.planned_videos import clip
from wangp_cli.errors import RequestError

MODEL = "tiny_diffusion_forcing"


@pytest.mark.parametrize(
    ("model", "said", "message"),
    [
        ("tiny_vace", {"ar_step": 5}, "--ar-step: model 'tiny_vace' does no diffusion forcing"),
        ("tiny_t2v", {"addnoise_condition": 20}, "--addnoise-condition: model 'tiny_t2v' does no"),
        ("tiny_t2v", {"causal_block_size": 5}, "--causal-block-size: model 'tiny_t2v' does no"),
        (
            MODEL,
            {"exact": True, "causal_block_size": 2, "attention": "sage"},
            "--attention: 'sage' takes no mask",
        ),
        (
            MODEL,
            {"exact": True, "causal_block_size": 2, "attention": "flash3"},
            "--attention: '_flash_3' takes no mask",
        ),
        (MODEL, {"ar_step": 1, "cache": "magcache=calibrate"}, "--cache: magcache knows the steps of frames"),
        (
            MODEL,
            {"ar_step": 1, "guidance_phases": 2, "switch_threshold": 500},
            "--ar-step: blocks are at different timesteps",
        ),
        (MODEL, {"ar_step": 1, "cfg_zero": True, "zero_init_steps": 1}, "--ar-step: blocks begin one by one"),
        (MODEL, {"addnoise_condition": 151}, "--addnoise-condition: 151 is too large, must be at most 150"),
    ],
)
def test_what_cannot_be_honoured_is_refused_before_anything_is_loaded(
    make: Make, model: str, said: dict[str, Any], message: str
) -> None:
    outcome = make(model, **said).outcome
    assert isinstance(outcome.error, RequestError)
    assert outcome.exit_code == 2
    assert message in outcome.error.message
    if "does no" in message:
        assert "models that do: sky_df_1.3B, sky_df_14B" in str(outcome.error.hint)


@pytest.mark.parametrize(("said", "shown"), [({}, 17), ({"sliding_window_overlap": 10}, 9)])
def test_a_video_is_continued_in_waves(make: Make, tmp_path: Path, said: dict[str, Any], shown: int) -> None:
    source, waves = (
        clip(tmp_path, "source", 20),
        {"ar_step": 1, "causal_block_size": 2, "addnoise_condition": 20},
    )
    made = make(MODEL, video_source=source, frames=25, **waves, **said)
    assert len(made.frames) == 20 + 25 - shown
    assert (made.outcome.manifest or {})["request"]["causal_block_size"] == 2


def test_a_video_to_continue_leaves_room_for_new_frames(make: Make, tmp_path: Path) -> None:
    error = make(MODEL, video_source=clip(tmp_path, "source", 20), frames=17).outcome.error
    assert isinstance(error, RequestError)
    assert "--frames: 17, but 17 of them are of the video to continue" in error.message
