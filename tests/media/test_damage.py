"""Damage inside of videos."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.ffmpeg import ffmpeg
from wangp_cli.errors import MediaError, RequestError
from wangp_cli.media.facts import checked_facts, probe
from wangp_cli.media.read_video import read_video
from wangp_cli.runtime.request.check_inputs import check_inputs
from wangp_cli.tasks.join import Join

FRAMES = 12


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    ffmpeg(
        f"-f lavfi -i testsrc2=s=64x64:r=8 -frames:v {FRAMES} -pix_fmt yuv420p -c:v libx264 -g 1 -qp 20", path
    )
    return path


def wipe(path: Path, numbers: Iterable[int], share: float = 1) -> None:
    """Overwrite the end of some packets."""
    with av.open(str(path)) as opened:
        places = [(packet.pos, packet.size) for packet in opened.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for number in numbers:
        position, size = places[number]
        assert position is not None
        wiped = int(size * share)
        content[position + size - wiped : position + size] = bytes(wiped)
    path.write_bytes(content)


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


def test_a_file_is_checked_once_until_it_changes(clip: Path) -> None:
    facts = checked_facts(clip)
    assert checked_facts(clip) is facts
    wipe(clip, [5])
    assert checked_facts(clip).notices != facts.notices
