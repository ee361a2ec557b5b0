"""A character that moves as poses and a face say."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from diffusers import UniPCMultistepScheduler

from tests.support import tiny
from tests.support.lora_files import LAYOUTS, draw, saved
from tests.support.stock_pipelines import images
from tests.support.wan import INPUTS, load, run
from wangp_cli.errors import RequestError
from wangp_cli.media.clip import Clip
from wangp_cli.pipelines.base import Inputs
from wangp_cli.pipelines.denoise.loop import draw_noise, noise_generator
from wangp_cli.tasks.shot import Shot

REPLACES = INPUTS["animate"]
ALONE = replace(REPLACES, background=None, mask=None)
MODES = {"animate": ALONE, "replace": REPLACES}
SHOT = tiny.shot(guidance_scale=1.0)


def theirs(pipeline: Any, shot: Shot, inputs: Inputs, **said: Any) -> Any:
    """What diffusers' own pipeline makes of the same."""
    pipeline.scheduler = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, flow_shift=shot.flow_shift
    )
    assert inputs.control is not None
    assert inputs.face is not None
    given = {
        "image": images(inputs.references[0])[0],
        "pose_video": images(inputs.control),
        "face_video": images(inputs.face),
        "mode": "replace" if inputs.background else "animate",
        "prompt": shot.prompt,
        "negative_prompt": shot.negative_prompt,
        "height": 32,
        "width": 32,
        "segment_frame_length": shot.frames,
        "num_inference_steps": shot.steps,
        "guidance_scale": shot.guidance_scale,
        "generator": noise_generator(shot.seed),
    }
    if inputs.background is not None and inputs.mask is not None:
        given |= {"background_video": images(inputs.background), "mask_video": images(inputs.mask)}
    return pipeline(**given | said).frames[0]


def long(frames: int) -> Inputs:
    """Inputs of more frames."""
    return Inputs(
        control=tiny.clip(frames, 3),
        mask=tiny.clip(frames, 4, channels=1),
        face=tiny.clip(frames, 5, size=20),
        background=tiny.clip(frames, 6),
        references=REPLACES.references,
    )


def part(inputs: Inputs, first: int, end: int, start: Any = None) -> Inputs:
    """Some of their frames, behind frames that were made."""
    cut: dict[str, Any] = {
        name: Clip(frames=clip.frames[first:end], fps=clip.fps)
        for name in ("control", "mask", "face", "background")
        if (clip := getattr(inputs, name))
    }
    return replace(inputs, **cut, start=None if start is None else Clip(frames=start, fps=Fraction(16)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "changes",
    [{}, {"guidance_scale": 4.0}, {"flow_shift": 7.5, "steps": 5}],
    ids=["one-pass", "guided", "shift"],
)
def test_animate_equals_stock(loaded: Any, stock: Any, mode: str, changes: dict[str, Any]) -> None:
    shot, inputs = SHOT.replace(**changes), MODES[mode]
    mine = run(loaded("animate"), shot, inputs)
    assert np.array_equal(mine, theirs(stock("animate"), shot, inputs))


@pytest.mark.parametrize(("mode", "shown"), [("animate", 1), ("replace", 5)])
def test_a_second_segment_equals_that_of_stock(loaded: Any, stock: Any, mode: str, shown: int) -> None:
    length, count = 8 + shown, 16 + shown
    pipeline, shot = loaded("animate"), SHOT.replace(frames=length)
    inputs = long(count) if mode == "replace" else replace(long(count), background=None, mask=None)
    first = run(pipeline, shot, part(inputs, 0, length))
    second, alone = (
        run(pipeline, shot, part(inputs, 8, count, start))[shown:] for start in (first[-shown:], None)
    )
    # Each of our segments begins with the noise of the seed.
    noise = draw_noise((1, 16, 1 + (length + 3) // 4, 4, 4), noise_generator(shot.seed), "cpu")
    wanted = theirs(stock("animate"), shot, inputs, latents=noise, prev_segment_conditioning_frames=shown)
    assert np.array_equal(first, wanted[:length])
    assert np.abs(second - wanted[length:]).max() < 1e-5
    assert np.abs(alone - wanted[length:]).max() > 1e-3


def test_a_still_is_made(loaded: Any) -> None:
    assert run(loaded("animate"), SHOT.replace(frames=1), part(REPLACES, 0, 1)).shape == (1, 32, 32, 3)


@pytest.mark.parametrize(
    "change",
    [{"cfg_zero": True}, {"apg": True}, {"skip_layers": [1]}, {"nag_scale": 5.0}],
    ids=lambda change: next(iter(change)),
)
def test_every_kind_of_guidance_changes_the_result(loaded: Any, change: dict[str, Any]) -> None:
    pipeline, shot = (
        loaded("animate"),
        SHOT.replace(guidance_scale=1.0 if "nag_scale" in change else 4.0, steps=3),
    )
    assert not np.array_equal(run(pipeline, shot, ALONE), run(pipeline, shot.replace(**change), ALONE))


def test_a_warning_says_that_boost_does_nothing(
    checkpoint: Any, loaded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shot = SHOT.replace(guidance_scale=4.0)
    with caplog.at_level(logging.WARNING):
        boosted = run(load(checkpoint("animate"), "animate", exact=True, boost=True), shot, ALONE)
    assert "boost: the negative prompt is conditioned on other images" in caplog.text
    assert np.array_equal(boosted, run(loaded("animate"), shot, ALONE))


@pytest.mark.parametrize("profile", ["3", "5"])
def test_memory_profiles_change_nothing(checkpoint: Any, loaded: Any, profile: str, tmp_path: Any) -> None:
    small = load(checkpoint("animate"), "animate", exact=True, profile=profile, work_dir=tmp_path)
    assert np.array_equal(run(small, SHOT, REPLACES), run(loaded("animate"), SHOT, REPLACES))


def test_eight_bits_stay_near(checkpoint: Any, loaded: Any) -> None:
    light = load(checkpoint("animate"), "animate", exact=True, transformer_quantization="int8")
    error = np.abs(run(light, SHOT, REPLACES) - run(loaded("animate"), SHOT, REPLACES)).max()
    assert 0 < error < 0.1


def test_a_lora_is_added_and_removed(checkpoint: Any, tmp_path: Any) -> None:
    pipeline = load(checkpoint("animate"), "animate", exact=True)
    plain = run(pipeline, SHOT, ALONE)
    lora = saved(tmp_path, LAYOUTS["comfy"](draw(pipeline._networks[0])), "0.5")
    pipeline.set_loras([lora])
    assert not np.array_equal(run(pipeline, SHOT, ALONE), plain)
    pipeline.set_loras([])
    assert np.array_equal(run(pipeline, SHOT, ALONE), plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"references": ()}, "references: 0 pictures, but this model needs one, the character"),
        ({"references": REPLACES.references * 2}, "references: 2 pictures"),
        ({"face": None}, "face: this model needs it"),
        ({"face": tiny.clip(8, 5, size=20)}, "face: 8 frames, but 9 are needed"),
        ({"control": None, "mask": None, "background": None}, "control: this model needs it"),
        ({"background": None}, "mask: given without a background"),
        ({"mask": None}, "background: given without a mask"),
        ({"background": tiny.clip(9, 6, size=48)}, "background: 48x48, but the shot is 32x32"),
        ({"start": tiny.clip(2)}, "start: 2 frames, but this model takes 1, 5, 9"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(loaded: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        loaded("animate").encode(SHOT, replace(REPLACES, **change), tiny.quiet)
    assert message in str(caught.value)
