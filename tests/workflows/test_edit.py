"""Portions of a video made anew, with a tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import Make
from tests.support.echo import use_echo
from tests.support.planned_videos import clip, plan_of, unchanged
from wangp_cli.media.clip import as_uint8
from wangp_cli.media.facts import probe
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.runtime.intake.settings_file import load_settings_file


def edit(make: Make, video: Path, *portions: str, **said: Any) -> Any:
    return make("tiny_vace", type="edit", video=video, portions=portions, **({"context": 2} | said))


def test_portions_are_new_and_the_rest_with_its_sound_stays(make: Make, tmp_path: Path) -> None:
    video = clip(tmp_path, "a", 24, sound=True)
    made = edit(make, video, "4-8", "21-23")
    assert (plan_of(made)["total"], probe(made.path).frames) == (24, 24)
    count, equal = unchanged(made, [video])
    # Two frames of context on both sides of the first portion, and in front of the second at least.
    assert 0 < count <= 24 - 8 - 6
    assert equal == count
    given, frames = as_uint8(read_video(video).frames), as_uint8(made.frames)
    assert all(not np.array_equal(frames[at], given[at]) for at in (*range(4, 9), 21, 22, 23))
    assert np.array_equal(read_audio(made.path).samples, read_audio(video).samples)


def test_a_portion_may_become_longer_and_silent(make: Make, tmp_path: Path) -> None:
    video = clip(tmp_path, "a", 24, sound=True)
    made = edit(make, video, "4-8", gap=9, sound="silence", keep_ends=True)
    # Of frames 4 to 8 the ends stay.
    assert len(made.frames) == plan_of(made)["total"] == 24 - 3 + 9
    sound = read_audio(made.path).samples
    assert len(sound) == 30_000
    assert not sound[5_000:14_000].any()
    assert sound[14_000:].any()


def test_a_long_portion_is_made_in_windows_that_go_on_from_each_other(
    make: Make, tmp_path: Path, adapters: dict[str, Any]
) -> None:
    seen = use_echo(adapters).inputs
    video = clip(tmp_path, "a", 40)
    said = {"sliding_window_size": 13, "denoising_strength": 0.5, "part_seeds": [4, 5]}
    made = edit(make, video, "5-24", "30-33", **said)
    segments = plan_of(made)["segments"]
    assert [segment["portions"] for segment in segments] == [[0], [0], [0], [1]]
    count, equal = unchanged(made, [video])
    assert 0 < count == equal
    given, frames = as_uint8(read_video(video).frames), as_uint8(made.frames)
    for segment, inputs in zip(segments, seen, strict=True):
        assert inputs.initial is not None
        assert inputs.control is not None
        start, lead = segment["start"], segment["drop"] + segment["overlap"]
        new = slice(lead, lead + segment["frames"])
        assert np.array_equal(as_uint8(inputs.initial.frames)[new], given[start : start + segment["frames"]])
        shown = as_uint8(inputs.control.frames)[:lead].astype(int)
        assert np.abs(shown - frames[start - lead : start]).max() <= 1


def test_each_portion_has_its_own_prompt_or_the_shared_one(
    make: Make, tmp_path: Path, adapters: dict[str, Any]
) -> None:
    told = use_echo(adapters)
    made = edit(make, clip(tmp_path, "a", 40), "30-33:a blue square", "4-8", "9-12:the red square")
    assert [shot.prompt for shot in told.shots] == ["a red circle the red square", "a blue square"]
    assert made.outcome.manifest["inputs"]["prompt"] == "a blue square a red circle the red square"


def test_a_result_makes_itself_again(make: Make, tmp_path: Path) -> None:
    first = edit(make, clip(tmp_path, "a", 16), "4-8", seed=-1)
    again = make(None, layers=(load_settings_file(first.path),), name="again", type="edit")
    assert np.array_equal(first.frames, again.frames)


def test_what_is_left_of_a_video_is_a_video_even_if_it_is_one_frame(make: Make, tmp_path: Path) -> None:
    made = edit(make, clip(tmp_path, "a", 9), "0-7", gap=0)
    assert (made.path.suffix, probe(made.path).frames) == (".mkv", 1)
