"""Finishing of results: size, colours and film grain of the file, with a tiny model."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Make
from tests.support.planned_videos import clip
from wangp_cli.finishing.grain import add_grain
from wangp_cli.media.clip import as_float
from wangp_cli.media.facts import probe
from wangp_cli.media.match import adjust
from wangp_cli.media.metadata import read_comment
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.media.resize import fit
from wangp_cli.media.stills import write_image

GRAIN: dict[str, Any] = {"film_grain_intensity": 0.1}
ALL = {"spatial_upsampling": "2", "saturation": 0.5, "brightness": 0.2, **GRAIN}


def test_the_steps_are_done_in_their_order_without_rounding_in_between(make: Make) -> None:
    plain, made = as_float(make(name="plain").frames), make(name="finished", **ALL)
    expected = np.concatenate(
        [
            add_grain(
                fit(adjust(frame[None], saturation=0.5, brightness=0.2), 64, 64, "stretch"),
                index,
                seed=7,
                intensity=0.1,
            )
            for index, frame in enumerate(plain)
        ]
    )
    assert np.abs(as_float(made.frames) - expected).max() < 2e-4
    assert (probe(made.path).width, probe(made.path).height) == (64, 64)


def test_the_artifact_says_what_the_file_is_and_the_request_what_was_generated(make: Make) -> None:
    made = make(**ALL)
    artifact = made.outcome.artifacts[0]
    assert (artifact.width, artifact.height, artifact.frames) == (64, 64, 5)
    request = json.loads(read_comment(made.path) or "")["wangp"]["request"]
    assert (request["size"], request["spatial_upsampling"]) == ("32x32", "2")


def test_finishing_changes_nothing_that_the_model_makes(make: Make) -> None:
    assert np.array_equal(make(name="plain").frames, make(name="off", film_grain_saturation=1).frames)


def test_each_result_has_grain_of_its_own(make: Make) -> None:
    outcome = make(count=2, film_grain_intensity=1, brightness=-1, frames=1).outcome
    first, second = (Path(made.path).read_bytes() for made in outcome.artifacts)
    assert first != second


def test_frames_in_between_raise_the_rate_of_the_file_and_the_request_keeps_its_own(make: Make) -> None:
    plain = make(name="plain").frames
    made = make(name="smooth", temporal_upsampling="rife4")
    assert np.array_equal(made.frames[::4], plain)
    facts, artifact = probe(made.path), made.outcome.artifacts[0]
    assert (facts.frames, facts.fps) == (17, Fraction(64))
    assert (artifact.frames, artifact.fps) == (17, "64")
    request = json.loads(read_comment(made.path) or "")["wangp"]["request"]
    assert (request["frames"], request["fps"], request["interpolator"]) == (5, "16", "classic")
    assert made.outcome.manifest is not None
    assert made.outcome.manifest["inputs"]["engines"] == {"interpolator": "classic"}
    told = [notice for notice in made.outcome.manifest["notices"] if "temporal_upsampling" in notice]
    assert told == ["temporal_upsampling: 5 frames at 16 fps become 17 at 64 fps"]


def test_sound_lasts_as_long_as_the_frames_with_those_in_between(make: Make, tmp_path: Path) -> None:
    clips = [clip(tmp_path, name, frames, sound=True) for name, frames in (("a", 12), ("b", 14))]
    plain = make("tiny_vace", type="join", clips=clips, gap=4, context=4, name="plain")
    made = make(
        "tiny_vace", type="join", clips=clips, gap=4, context=4, name="b", temporal_upsampling="rife2"
    )
    facts, original = probe(made.path), probe(plain.path)
    assert (facts.frames, facts.fps) == (2 * original.frames - 1, Fraction(32))
    assert facts.audio_seconds == pytest.approx(facts.frames / 32, abs=1 / 16)
    heard = read_audio(made.path).samples
    np.testing.assert_allclose(heard, read_audio(plain.path).samples[: len(heard)], atol=1e-4)


def test_an_image_is_finished(make: Make) -> None:
    plain, made = make(frames=1, name="a").frames, make(frames=1, name="b", spatial_upsampling="lanczos1.5")
    assert made.frames.shape == (1, 48, 48, 3)
    assert np.abs(made.frames.astype(int) - fit(plain, 48, 48, "stretch")).max() <= 2


@pytest.mark.parametrize(
    "task", [{"type": "edit", "portions": ["4-8"], "context": 2}, {"type": "inpaint", "portion": "4-8"}]
)
def test_videos_that_are_kept_are_finished_too_and_it_is_told(
    make: Make, tmp_path: Path, task: dict[str, Any]
) -> None:
    video = clip(tmp_path, "a", 24, sound=True)
    made = make("tiny_vace", video=video, spatial_upsampling="2", **task)
    assert made.outcome.manifest is not None
    told = [notice for notice in made.outcome.manifest["notices"] if "spatial_upsampling" in notice]
    assert told == [
        "spatial_upsampling: 32x32 becomes 64x64",
        f"spatial_upsampling: changes every frame, also what {task['type']} leaves as it is",
    ]
    assert (probe(made.path).width, probe(made.path).frames) == (64, 24)
    given = fit(as_float(read_video(video).frames), 64, 64, "stretch")
    assert np.abs(as_float(made.frames)[20] - given[20]).max() < 2e-4
    assert np.array_equal(read_audio(made.path).samples, read_audio(video).samples)


def test_the_visualization_shows_the_finished_result(make: Make, tmp_path: Path) -> None:
    pictures = [tmp_path / f"{name}.png" for name in "ab"]
    for index, picture in enumerate(pictures):
        write_image(picture, np.full((32, 32, 3), index / 2, np.float32))
    more = {"temporal_upsampling": "rife2"}
    made = make("tiny_vace", type="travel", images=pictures, frames=9, visualize=True, **ALL, **more)
    assert made.outcome.error is None
    result, shown = made.outcome.artifacts
    assert (result.role, result.width, result.frames) == ("video", 64, 17)
    assert (shown.role, shown.frames) == ("visualization", 9)


def test_a_codec_is_checked_for_the_size_of_the_file(make: Make) -> None:
    outcome = make(codec="dnxhr", name="a").outcome
    assert outcome.error is not None
    assert "too small" in outcome.error.message
    made = make(codec="dnxhr", name="b", spatial_upsampling="8")
    assert probe(made.path).width == 256
