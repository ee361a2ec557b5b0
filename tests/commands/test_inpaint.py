"""`wangp inpaint`: plans, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a video of 40 frames at 16 a second, and masks."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", [pixels], fps=Fraction(16))
    write_video(tmp_path / "mask.mp4", [pixels[:12]], fps=Fraction(16))
    write_image(tmp_path / "mask.png", pixels[:1])
    write_image(tmp_path / "square.png", pixels[:1, :, :48])
    write_video(tmp_path / "odd.mkv", [pixels[:, :47, :63]], fps=Fraction(16), codec="ffv1")
    (tmp_path / "notes.txt").write_text("not a video")
    return tmp_path


def test_a_range_is_in_frames_or_seconds(run: Run, folder: Path) -> None:
    seconds = run("inpaint", "a.mp4", "-p", "x", "--portion", "0.25s-0.5s", "--plan", "--json", code=0).json()
    frames = run("inpaint", "a.mp4", "-p", "x", "--portion", "4-7", "--plan", "--json", code=0).json()
    assert seconds == frames
    assert (frames["total"], frames["gap"], frames["segments"][0]["start"]) == (40, 4, 4)
    assert folder


def test_a_region_of_a_long_video_goes_in_windows(run: Run, folder: Path) -> None:
    words = ["inpaint", "a.mp4", "-p", "x", "--image-mask", "mask.png", "--frames", "17", "--overlap", "1"]
    assert run(*words, "--plan", code=0).stdout.splitlines() == [
        "40 frames at 16 fps, 2.50 s; the model makes 43 in 3 runs",
        "           0-16  segment 0, made as 17, 17 removed",
        "          17-28  segment 1, made as 13, 12 removed, context 1, crossfade 1",
        "          29-39  segment 2, made as 13, 11 removed, context 2, crossfade 1, dropped 1",
    ]
    assert folder


@pytest.mark.slow
def test_a_batch_inpaints(run: Run, tiny_env: dict[str, str], folder: Path) -> None:
    line = {"type": "inpaint", "video": "a.mp4", "portion": "20-23", "prompt": "x", "seed": 1, "context": 2}
    (folder / "tasks.jsonl").write_text(json.dumps(line) + "\n")
    result = run("batch", "tasks.jsonl", "--model", "tiny_vace", "--size", "32x32", env=tiny_env, code=0)
    manifest = result.only("task.completed")["manifest"]
    assert manifest["plan"]["total"] == manifest["artifacts"][0]["frames"] == 40
    assert (manifest["artifacts"][0]["width"], manifest["artifacts"][0]["height"]) == (64, 48)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--portion: neither it nor a mask is given"),
        (["--portion", "9-5"], "--portion: 9-5 is not within 0-39"),
        (["--portion", "30-40"], "--portion: 30-40 is not within 0-39"),
        (["--portion", "0-39"], "--portion: covers all 40 frames"),
        (["--portion", "5-9:a prompt"], "--portion: '5-9:a prompt' is not START-END in frames"),
        (["--portion", "1s-1s"], "--portion: '1s-1s' has no frames at 16 fps"),
        (["--image-mask", "gone.png"], "--image-mask: "),
        (["--image-mask", "mask.mp4"], "--image-mask: mask.mp4 is a video, an image is wanted"),
        (["--image-mask", "square.png"], "--image-mask: 48x48 has another shape than the video, 64x48"),
        (["--video-mask", "mask.mp4"], "--video-mask: 12 frames, wanted 40, as the video"),
        (["--video-mask", "mask.mp4", "--portion", "1-9"], "--video-mask: 12 frames, wanted 40 or 9"),
        (["--video-mask", "mask.mp4", "--image-mask", "mask.png"], "--image-mask: not together with video_"),
        (["--portion", "5-6", "--context", "0"], "--context: 0 is too small, must be at least 1"),
        (["--portion", "5-6", "--mask-feather", "-1"], "--mask-feather: -1 is too small"),
        (["--image-mask", "mask.png", "--sharpen", "0.3"], "--sharpen: not together with a mask"),
        (["--portion", "5-6", "-p", "y"], "--prompt: 2 values, wanted 1, one for each run of the model"),
        (["--portion", "5-6", "--model", "i2v"], "--model: model 'i2v' takes no control video"),
    ],
)  # fmt: skip
def test_a_bad_request_names_its_flag(
    shown: Callable[..., Any], folder: Path, words: list[str], message: str
) -> None:
    result = shown("inpaint", "a.mp4", "-p", "x", *words, "--plan", code=2)
    assert f"error: {message}" in result.stderr
    assert not list(folder.glob("outputs/*.mp4"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["notes.txt", "-p", "x", "--portion", "5-6"], "--video: "),
        (["mask.png", "-p", "x", "--portion", "5-6"], "--video: mask.png is an image, a video is wanted"),
        (["a.mp4", "--portion", "5-6"], "--prompt: is needed"),
        (["odd.mkv", "-p", "x", "--portion", "5-6"], "--codec: h264 takes even sizes, not 63x47"),
    ],
)
def test_what_cannot_be_painted_is_named(
    shown: Callable[..., Any], folder: Path, words: list[str], message: str
) -> None:
    assert f"error: {message}" in shown("inpaint", *words, "--plan", code=2).stderr
    assert folder
