"""Audio that a model generates with its frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Made, Make
from tests.support.echo import AUDIO_RATE, WithAudio, use_echo
from tests.support.media_files import picture, tone
from tests.support.planned_videos import VALUES, clip, plan_of
from wangp_cli.errors import GenerationError
from wangp_cli.media.read_audio import read_audio
from wangp_cli.runtime.workspace.segments_cache import FOLDER

FRAME = AUDIO_RATE // 16
"""Samples of a frame."""


@pytest.fixture(autouse=True)
def _with_audio(adapters: dict[str, Any]) -> None:
    use_echo(adapters, WithAudio)


def heard(made: Made) -> Any:
    """The left channel in frames, `[frames, FRAME]`; the file holds exactly as much as its frames last."""
    audio = read_audio(made.path)
    assert audio.rate == AUDIO_RATE
    assert audio.samples.shape == (len(made.frames) * FRAME, 2)
    assert np.allclose(audio.samples[:, 0], -audio.samples[:, 1], atol=1e-6)
    return audio.samples[:, 0].reshape(-1, FRAME)


def value(run: int, frame: int) -> float:
    return 0.1 * run + 0.001 * frame


def check_segments(made: Made, frames: Any, runs: Iterator[int] | None = None) -> None:
    """Each segment is heard in its own frames, and fades in and out where its frames do."""
    plan = plan_of(made)
    covered = {f for s in plan["segments"] for f in range(s["start"] - s["overlap"], s["start"])}
    covered |= {
        f
        for s in plan["segments"]
        for f in range(s["start"] + s["frames"], s["start"] + s["frames"] + s["overlap_after"])
    }
    for run, segment in zip(runs or range(1, 99), plan["segments"], strict=False):
        begins = segment["start"] - segment["drop"] - segment["overlap"]
        for frame in range(segment["start"], segment["start"] + segment["frames"]):
            if frame not in covered:
                assert frames[frame] == pytest.approx(value(run, frame - begins), abs=1e-6)
        for frame in range(segment["start"] - segment["overlap"], segment["start"]):
            assert len(np.unique(frames[frame].round(5))) > 1, "no crossfade"


def test_a_video_is_heard_as_the_model_made_it(make: Make) -> None:
    frames = heard(make("tiny_vace", frames=9))
    assert frames == pytest.approx(np.tile(value(1, 0) + 0.001 * np.arange(9)[:, None], FRAME), abs=1e-6)


def test_an_image_has_no_audio(make: Make) -> None:
    assert make("tiny_vace", frames=1).path.suffix == ".png"


def test_given_audio_wins(make: Make, tmp_path: Path) -> None:
    given = tone(tmp_path / "given.wav", 5)
    for name, said in {"one": {"frames": 9}, "windows": {"frames": 30, "sliding_window_size": 13}}.items():
        made = make("tiny_vace", name=name, audio_source=given, **said)
        length = len(made.frames) * FRAME
        assert np.allclose(read_audio(made.path).samples, read_audio(given).samples[:length], atol=1e-4)
    images = [picture(tmp_path, str(index), index) for index in range(2)]
    made = make("tiny_vace", **VALUES, images=images, audio_source=given)
    length = len(made.frames) * FRAME
    assert np.allclose(read_audio(made.path).samples, read_audio(given).samples[:length], atol=1e-4)


@pytest.mark.parametrize("windows", [0, 13])
def test_a_continued_video_is_heard_before_the_new_frames(make: Make, tmp_path: Path, windows: int) -> None:
    source = clip(tmp_path, "source", 11, sound=True)
    made = make(
        "tiny_vace", video_source=source, frames=30, sliding_window_size=windows, sliding_window_overlap=5
    )
    samples = read_audio(made.path).samples
    assert samples.shape == (len(made.frames) * FRAME, 2)
    given = read_audio(source).samples[: 11 * FRAME]
    assert np.allclose(samples[: len(given)], given, atol=1e-4)
    # Five frames of the source are generated again, so the next is the sixth of the first run.
    assert samples[11 * FRAME :][:FRAME, 0] == pytest.approx(value(1, 5), abs=1e-6)
    if windows:
        frames = samples[:, 0].reshape(-1, FRAME)
        check_segments(made, frames)


def test_windows_are_crossfaded_as_their_frames_are(make: Make) -> None:
    made = make("tiny_vace", frames=30, sliding_window_size=13, sliding_window_overlap=5)
    assert len(plan_of(made)["segments"]) == 4
    check_segments(made, heard(made))


def test_a_travel_keeps_the_audio_of_each_segment(make: Make, tmp_path: Path) -> None:
    images = [picture(tmp_path, str(index), index) for index in range(4)]
    made = make("tiny_vace", **VALUES, images=images, keep_intermediates=True)
    plan = plan_of(made)
    assert len(plan["segments"]) == 3
    check_segments(made, heard(made))
    stages = [
        e.data["result"] for e in made.events if e.type == "task.stage" and e.data["stage"] == "denoise"
    ]
    assert stages == [1, 2, 3], "each segment is generated once"
    announced = [e.data["path"] for e in made.events if e.type == "artifact.created"]
    assert len(set(announced)) == len(announced) == 1 + 3 * 3
    assert not [e for e in made.events if e.type == "log" and "there already" in e.data["message"]]
    assert not (tmp_path / "made" / FOLDER).exists()


def test_a_join_is_heard_in_its_gap_and_its_clips_where_they_are_kept(make: Make, tmp_path: Path) -> None:
    clips = [clip(tmp_path, "a", 11, sound=True), clip(tmp_path, "b", 9, sound=True)]
    made = make("tiny_vace", type="join", clips=clips, gap=5, context=2)
    samples = read_audio(made.path).samples
    assert samples.shape == (25 * FRAME, 2)
    [segment] = plan_of(made)["segments"]
    given = [read_audio(path).samples for path in clips]
    before, after = segment["start"] - segment["overlap"], segment["start"] + 5 + segment["overlap_after"]
    assert np.allclose(samples[: before * FRAME], given[0][: before * FRAME], atol=1e-4)
    assert np.allclose(samples[after * FRAME :], given[1][segment["overlap_after"] * FRAME :], atol=1e-4)
    frames = samples[:, 0].reshape(-1, FRAME)
    check_segments(made, frames)
    # A crossfade begins with one and ends with the other.
    first, last = samples[before * FRAME, 0], samples[after * FRAME - 1, 0]
    assert first == pytest.approx(given[0][before * FRAME, 0], abs=1e-3)
    assert last == pytest.approx(given[1][segment["overlap_after"] * FRAME - 1, 0], abs=1e-3)


def test_a_join_of_silent_clips_is_heard_in_its_gap_alone(make: Make, tmp_path: Path) -> None:
    clips = [clip(tmp_path, "a", 11), clip(tmp_path, "b", 9)]
    made = make("tiny_vace", type="join", clips=clips, gap=5, context=2)
    frames = heard(made)
    [segment] = plan_of(made)["segments"]
    assert not frames[: segment["start"] - segment["overlap"]].any()
    assert not frames[segment["start"] + 5 + segment["overlap_after"] :].any()
    check_segments(made, frames)


@pytest.mark.parametrize("sound", [True, False])
def test_an_inpainted_video_keeps_its_own_audio(make: Make, tmp_path: Path, sound: bool) -> None:
    video = clip(tmp_path, "a", 17, sound=sound)
    made = make("tiny_vace", type="inpaint", video=video, portion="5-8", context=2)
    samples = read_audio(made.path).samples
    assert len(samples) == 17 * FRAME
    if sound:
        assert np.allclose(samples, read_audio(video).samples, atol=1e-4)
    else:
        assert samples[5 * FRAME : 9 * FRAME, 0].all()
        assert not samples[: 5 * FRAME].any()


def test_a_travel_that_goes_on_has_the_audio_of_the_segments_that_are_there(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [picture(tmp_path, str(index), index) for index in range(4)]
    denoise = WithAudio.denoise

    def fail(self: WithAudio, *rest: Any) -> Any:
        if self.runs == 2:
            raise GenerationError("broken")
        return denoise(self, *rest)

    with monkeypatch.context() as broken:
        broken.setattr(WithAudio, "denoise", fail)
        assert make("tiny_vace", **VALUES, images=images).outcome.error is not None
    made = make("tiny_vace", **VALUES, images=images)
    # The third segment is the first run of the second attempt.
    check_segments(made, heard(made), iter([1, 2, 1]))
    assert not (tmp_path / "made" / FOLDER).exists()
