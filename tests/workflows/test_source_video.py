"""Frames of videos by their indices."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Make
from tests.support.ffmpeg import ffmpeg
from tests.support.media_files import picture
from tests.support.planned_videos import clip
from wangp_cli.media.audio import samples_at
from wangp_cli.media.clip import as_uint8
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_video
from wangp_cli.workflows.source_video import SourceVideo, clip_frames, frames_at


def test_frames_are_read_at_indices_that_repeat_and_skip(tmp_path: Path) -> None:
    path = clip(tmp_path, "a", 9)
    frames = read_video(path).frames
    numbers = [2, 2, 3, 5, 5, 8]
    assert np.array_equal(np.concatenate(list(frames_at(path, numbers))), frames[numbers])


def test_a_clip_of_another_rate_is_read_at_its_own_speed(tmp_path: Path) -> None:
    path = clip(tmp_path, "a", 9)
    given = read_video(path).frames
    pieces = clip_frames(path, probe(path), 1, 4, Fraction(8), (32, 32))
    assert np.array_equal(as_uint8(np.concatenate(list(pieces))), given[[2, 4, 6]])


def test_a_source_video_counts_frames_at_the_rate_of_the_result(tmp_path: Path) -> None:
    path = clip(tmp_path, "a", 9, sound=True)
    half = SourceVideo(path=path, facts=probe(path), fps=Fraction(8), size=(16, 16))
    assert len(half) == 5
    [*pieces] = half.frames(0, 5)
    assert np.concatenate(pieces).shape == (5, 16, 16, 3)
    audio = half.audio()
    assert audio is not None
    assert len(audio.samples) == samples_at(9, audio.rate, Fraction(16))
    silent = clip(tmp_path, "b", 9)
    assert SourceVideo(path=silent, facts=probe(silent), fps=Fraction(8), size=(16, 16)).audio() is None


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 frames at 24 fps, 12 of them left out: a white one and a beep at frame 36."""
    folder = tmp_path_factory.mktemp("uneven")
    white, beep = "drawbox=color=white:t=fill:enable='eq(n,36)'", "gt(t\\,1.5)*lt(t\\,1.55)*sin(2000*PI*t)"
    ffmpeg(
        f"-f lavfi -i color=black:s=32x32:r=24:d=2,{white},select='lt(n,6)+gt(n,17)'",
        f"-f lavfi -i aevalsrc={beep}:s=48000:d=2",
        "-vsync vfr -pix_fmt yuv420p -c:v libx264 -qp 5 -c:a pcm_s16le", folder / "uneven.mkv",
    )  # fmt: skip
    return folder / "uneven.mkv"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "at"),
    [
        ({"type": "edit", "video": "V", "portions": ["6-14"], "context": 2}, [36]),
        ({"type": "edit", "video": "V", "portions": ["0.25s-0.625s"], "context": 2, "fps": "12"}, [18]),
        ({"type": "inpaint", "video": "V", "portion": "6-14", "context": 2, "sound": "silence"}, [36]),
        ({"type": "join", "clips": ["V", "V"], "gap": 5, "context": 2}, [36, 48 + 5 + 36]),
        ({"type": "generate", "video_source": "V", "frames": 9}, [36]),
        ({"type": "generate", "video_source": "V", "frames": 9, "fps": "30"}, [45]),
        ({"type": "generate", "video_source": "V", "frames": 17, "sliding_window_size": 9}, [36]),
        ({"type": "travel", "video_source": "V", "images": ["P"], "frames": 9, "overlap": 4}, [36]),
    ],
)
def test_sound_stays_with_its_frame_of_a_video_of_variable_rate(
    task: dict[str, Any], at: list[int], uneven: Path, make: Make, tmp_path: Path
) -> None:
    given = {"V": uneven, "P": picture(tmp_path, "p", 1)}
    values = {
        field: [given.get(part, part) for part in value]
        if isinstance(value, list)
        else given.get(value, value)
        for field, value in task.items()
    }
    made = make("tiny_vace", steps=1, size="32x32", **values)
    manifest = made.outcome.manifest
    assert manifest is not None
    assert any("variable frame rate" in notice for notice in manifest["notices"])
    result = read_video(made.path)
    assert result.audio is not None
    white = as_uint8(result.frames).mean(axis=(1, 2, 3)) > 200
    loud = np.abs(result.audio.samples).max(axis=1) > 0.5
    rate = float(result.audio.rate / result.fps)
    beeps = {int(sample // rate) for sample in np.flatnonzero(loud & ~np.roll(loud, int(rate)))}
    for frame in at:
        assert white[frame - 1 : frame + 2].any()
        assert beeps & {frame - 1, frame, frame + 1}
