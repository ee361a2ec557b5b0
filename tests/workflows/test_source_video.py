"""Frames of videos by their indices."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

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
