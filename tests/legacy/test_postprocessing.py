"""Documents of WanGP that finish a video which is there, and the upscaling of a travel payload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.legacy.translate import translate
from wangp_cli.tasks.upscale import Upscale

DOCUMENT = {
    "settings_version": 2.4,
    "type": "WanGP v9 by DeepBeepMeep",
    "mode": "edit_postprocessing",
    "prompt": "a fox",
    "num_inference_steps": 30,
    "video_source": "made.mp4",
    "temporal_upsampling": "",
    "spatial_upsampling": "lanczos1.5",
    "film_grain_intensity": 0.1,
    "film_grain_saturation": 0.4,
    "seed": 7,
}


def test_postprocessing_of_a_video_is_an_upscale_task() -> None:
    made = translate(DOCUMENT)
    assert Upscale.model_validate(made.values) == Upscale(
        video=Path("made.mp4"),
        factor="1.5",
        engine="lanczos",
        film_grain_intensity=0.1,
        film_grain_saturation=0.4,
        seed=7,
    )
    assert made.notices == ("spatial_upsampling: lanczos1.5, sides become even, not multiples of 16",)
    grain = translate(DOCUMENT | {"spatial_upsampling": ""})
    assert (grain.values["factor"], grain.notices) == ("1", ())


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("temporal_upsampling", "rife2", "not served"),
        ("spatial_upsampling", "seedvr2", "not served"),
        ("postprocess_audio", "mmaudio", "not served"),
        ("video_source", None, "names no file"),
    ],
)
def test_what_is_not_served_is_refused_by_its_key(key: str, value: Any, words: str) -> None:
    with pytest.raises(RequestError, match=f"{key}: .*{words}"):
        translate(DOCUMENT | {key: value})


@pytest.mark.parametrize(("factor", "word"), [(0, ""), (1, ""), (2.0, "2"), (1.5, "1.5")])
def test_a_travel_payload_makes_its_result_larger(factor: float, word: str) -> None:
    payload = {
        "task_type": "travel_orchestrator",
        "input_image_paths_resolved": ["a.png", "b.png"],
        "upscale_factor": factor,
    }
    assert translate(payload).values.get("spatial_upsampling", "") == word
    with pytest.raises(RequestError, match=r"upscale_factor: 'x' is no number"):
        translate(payload | {"upscale_factor": "x"})
