"""Animated pictures as videos."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.clips import moving
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_frames, read_video, read_video_or_still
from wangp_cli.media.stills import read_image

FRAMES = moving(5, 62, 46)
SAME = moving(1, 62, 46)


def save(path: Path, frames: np.ndarray, **options: Any) -> Path:
    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=rest, **options)
    return path


@pytest.mark.parametrize("name", ["a.webp", "a.apng", "a.png", "called.jpg"])
def test_animations_are_videos_whatever_their_name_is(name: str, tmp_path: Path) -> None:
    kind = "WEBP" if name in {"a.webp", "called.jpg"} else "PNG"
    path = save(tmp_path / name, FRAMES, format=kind, duration=40, lossless=True)
    facts, clip = probe(path), read_video(path)
    assert (facts.kind, facts.frames, facts.fps) == ("video", 5, Fraction(25))
    assert np.array_equal(clip.frames[..., :3], FRAMES)
    assert np.array_equal(read_frames(path, [4, 1])[..., :3], FRAMES[[4, 1]])
    assert probe(path).container == ("webp" if kind == "WEBP" else "apng")


def test_an_animated_webp_keeps_alpha_and_durations(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 9, 13, 4), np.uint8)
    path = save(tmp_path / "a.webp", frames, duration=[100, 300, 200], lossless=True, exact=True)
    clip = read_video(path)
    assert clip.fps == 10
    assert np.array_equal(clip.frames[..., 3], frames[[0, 1, 1, 1, 2, 2]][..., 3])


def test_the_video_of_an_animated_webp_is_deleted_when_the_command_ends(tmp_path: Path) -> None:
    path = save(tmp_path / "a.webp", FRAMES, duration=40, lossless=True)
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "wangp_cli", "show", path], check=True, env=environment)
    assert not list(folder.iterdir())


def test_an_avif_sequence_is_a_video(tmp_path: Path) -> None:
    path = save(tmp_path / "a.avif", FRAMES, duration=100)
    assert (probe(path).kind, probe(path).frames) == ("video", 5)
    assert np.abs(read_video(path).frames.astype(int) - FRAMES).max() < 40


@pytest.mark.parametrize("name", ["one.gif", "one.webp", "one.png"])
def test_an_animation_of_one_frame_is_a_picture(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / name, SAME)
    assert probe(path).kind == "image"
    assert read_image(path).shape == (1, 46, 62, 3)
    assert len(read_video_or_still(path)) == 1


def test_a_jfif_is_a_jpeg(tmp_path: Path) -> None:
    Image.fromarray(SAME[0]).save(tmp_path / "photo.jfif", "JPEG")
    assert probe(tmp_path / "photo.jfif").codec == "jpeg"
