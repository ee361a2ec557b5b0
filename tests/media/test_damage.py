"""Damage inside of videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.damaged_files import intra_clip, wipe
from wangp_cli.errors import MediaError, RequestError
from wangp_cli.media.facts import checked_facts, probe
from wangp_cli.media.read_audio import audio_of_frames
from wangp_cli.media.read_video import read_video, stream_video
from wangp_cli.runtime.request.check_inputs import check_inputs
from wangp_cli.tasks.join import Join

FRAMES = 12


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return intra_clip(tmp_path / "clip.mp4", FRAMES)


def test_a_frame_that_does_not_decode_is_told_and_repeats_the_one_before(clip: Path) -> None:
    assert checked_facts(clip).notices == ()
    whole = read_video(clip).frames
    wipe(clip, [5])
    [notice] = checked_facts(clip).notices
    assert (
        notice == f"frames are damaged from frame 5 on: 1 of {FRAMES} do not decode and repeat the one before"
    )
    assert np.array_equal(read_video(clip).frames, whole[[0, 1, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11]])
    assert probe(clip).frames == FRAMES


def test_a_frame_that_decodes_with_errors_is_told(clip: Path) -> None:
    wipe(clip, [3, 7], share=0.4)
    [notice] = checked_facts(clip).notices
    assert notice == f"frames are damaged from frame 3 on: 2 of {FRAMES} decode with errors"


def test_a_video_of_which_most_does_not_decode_is_refused_with_its_inputs(clip: Path) -> None:
    wipe(clip, range(2, 10))
    with pytest.raises(MediaError, match=f"is damaged: 4 of {FRAMES} frames decode"):
        checked_facts(clip)
    task = Join(model="m", prompt=("x",), clips=(clip, clip))
    with pytest.raises(RequestError, match="is damaged") as caught:
        check_inputs(task, [], {})
    assert caught.value.field == "clips"


def test_the_intact_part_ends_before_the_first_broken_frame(clip: Path) -> None:
    assert checked_facts(clip, until_damage=True) == checked_facts(clip)
    whole = read_video(clip).frames
    wipe(clip, [7, 9, *range(10, 12)])
    facts = checked_facts(clip, until_damage=True)
    assert (facts.frames, facts.seconds) == (7, 7 / 8)
    assert facts.damage == "is damaged at frame 7 (0.88 s)"
    assert facts.notices == ("it is damaged at frame 7 (0.88 s), the frames before are processed",)
    assert np.array_equal(np.concatenate(list(stream_video(clip, count=7, whole=False))), whole[:7])


def test_the_intact_part_ends_before_a_frame_with_errors(clip: Path) -> None:
    wipe(clip, [3], share=0.4)
    assert checked_facts(clip, until_damage=True).damage == "is damaged at frame 3 (0.38 s)"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_the_intact_part_of_a_file_that_is_cut_off_is_what_is_there(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    intra_clip(path, FRAMES)
    whole = read_video(path).frames
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match="is cut off"):
        checked_facts(path)
    facts = checked_facts(path, until_damage=True)
    assert 3 <= facts.frames < FRAMES
    assert facts.damage is not None
    assert facts.fps is not None
    there = np.concatenate(list(stream_video(path, count=facts.frames, whole=False)))
    assert np.array_equal(there, whole[: facts.frames])
    heard = audio_of_frames(path, facts.fps, 0, facts.frames)
    assert heard.samples.any()


def test_a_video_whose_first_frame_is_broken_has_no_intact_part(clip: Path) -> None:
    wipe(clip, [0], share=0.4)
    with pytest.raises(MediaError, match="its first frame does not decode"):
        checked_facts(clip, until_damage=True)


def test_a_file_is_checked_once_until_it_changes(clip: Path) -> None:
    facts = checked_facts(clip)
    assert checked_facts(clip) is facts
    wipe(clip, [5])
    assert checked_facts(clip).notices != facts.notices
