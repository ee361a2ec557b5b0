"""`wangp join`: plans, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run, clean_environment
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder with two clips of 20 and 18 frames, a picture and no video."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", [pixels], fps=Fraction(16))
    write_video(tmp_path / "b.mp4", [pixels[:18]], fps=Fraction(16))
    write_video(tmp_path / "square.mp4", [pixels[:, :, :48]], fps=Fraction(8))
    write_video(tmp_path / "half.mp4", [pixels[:, ::2, ::2]], fps=Fraction(16))
    write_image(tmp_path / "still.png", pixels[:1])
    (tmp_path / "notes.txt").write_text("not a video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    with wave.open(str(tmp_path / "song.wav"), "wb") as song:
        song.setparams((1, 2, 8000, 800, "NONE", ""))
        song.writeframes(bytes(1600))
    return tmp_path


def test_a_plan_needs_neither_weights_nor_torch(clips: Path, home: Path) -> None:
    words = ["join", "a.mp4", "b.mp4", "--gap", "9", "--context", "4", "--model", "vace_14B", "--plan"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wangp_cli", *words],
        cwd=clips, env=clean_environment(home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert imported & {"torch", "diffusers", "transformers"} == set()
    assert done.stdout.splitlines()[0] == "47 frames at 16 fps, 2.94 s; the model makes 17 in 1 run"


def test_a_plan_as_json_has_every_number(run: Run, clips: Path) -> None:
    plan = run("join", "a.mp4", "b.mp4", "--gap", 9, "--mode", "replace", "--plan", "--json", code=0).json()
    assert {name: plan[name] for name in ("total", "fps", "gap", "removed", "context", "generate")} == {
        "total": 38, "fps": "16", "gap": 9, "removed": 9, "context": 8, "generate": 17,
    }  # fmt: skip
    (segment,) = plan["segments"]
    assert (segment["index"], segment["frames"], segment["start"]) == (0, 9, 16)
    assert not list(clips.glob("outputs/*"))


def test_a_dry_run_shows_the_request_with_its_plan(run: Run, clips: Path) -> None:
    shown = run("join", "--clip", "a.mp4", "--clip", "b.mp4", "--gap", 5, "--dry-run", code=0).json()
    assert shown["plan"]["total"] == 43
    assert (shown["request"]["size"], shown["request"]["fps"]) == ("64x48", "16")
    assert shown["origin"]["size"] == "size of clips"
    assert clips


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.mp4"], "--clip: 1 given, wanted 2 or more"),
        (["a.mp4", "gone.mp4"], "--clip: "),
        (["a.mp4", "notes.txt"], "--clip: "),
        (["a.mp4", "empty.mp4"], "--clip: "),
        (["a.mp4", "song.wav"], "--clip: song.wav is audio, a video is wanted"),
        (["a.mp4", "still.png"], "--clip: still.png is an image, a video is wanted"),
        (["a.mp4", "b.mp4", "--gap", "99", "--mode", "replace"], "--gap: 99 frames to replace in join 0"),
        (["a.mp4", "b.mp4", "--gap", "3", "--gap", "4"], "--gap: 2 values, wanted 1, one for each join"),
        (["a.mp4", "b.mp4", "--context", "0"], "--context: 0 in join 0, must be 1 or more"),
        (["a.mp4", "b.mp4", "-p", "x", "-p", "y"], "--prompt: 2 values, wanted 1, one for each join"),
        (["a.mp4", "square.mp4"], "--clip: clip 1 is 48x48, the first is 64x48"),
        (["a.mp4", "half.mp4"], "--clip: clip 1 is 32x24, the first is 64x48"),
        (["a.mp4", "square.mp4", "--size", "64x48"], "--clip: clip 1 is 48x48, the first is 64x48"),
        (["a.mp4", "b.mp4", "--mode", "both"], "--mode: 'both' is not one of 'insert', 'replace'"),
        (["a.mp4", "b.mp4", "--mode", "insert", "--mode", "replace"], "--mode: 2 values, wanted 1"),
        (["a.mp4", "b.mp4", "--denoising-strength", "0.5"], "--denoising-strength: 0.5, but segment 0"),
        (["a.mp4", "b.mp4", "--gap", "-1"], "--gap: -1 is too small, must be at least 0"),
        (["a.mp4", "b.mp4", "--colour-match", "2"], "--colour-match: 2 is too large, must be at most 1"),
        (["a.mp4", "b.mp4", "--model", "t2v_1.3B"], "--model: model 't2v_1.3B' takes no control video"),
        (["a.mp4", "b.mp4", "--output", "x.png"], "--output: 'x.png' does not end as a video does"),
    ],
)  # fmt: skip
def test_a_bad_request_names_its_flag(
    shown: Callable[..., Any], clips: Path, words: list[str], message: str
) -> None:
    result = shown("join", *words, "--plan", code=2)
    assert f"error: {message}" in result.stderr
    assert clips


def test_what_becomes_of_other_clips_is_said(run: Run, clips: Path) -> None:
    words = ["join", "a.mp4", "square.mp4", "half.mp4", "--gap", 5, "--dry-run"]
    assert run(*words, "--fit", "pad", code=0).json()["notices"][:3] == [
        "clips: clip 1, 48x48, is padded to the size of the result",
        "clips: clip 1, 8 fps, keeps its speed at the rate of the result",
        "clips: clip 2, 32x24, is scaled to the size of the result",
    ]
    run("join", "a.mp4", "half.mp4", "--size", "32x16", "--plan", code=0)
    assert clips


def test_each_join_may_have_a_mode_of_its_own(run: Run, clips: Path) -> None:
    words = ["--gap", 5, "--gap", 6, "--mode", "insert", "--mode", "replace"]
    plan = run("join", "a.mp4", "b.mp4", "a.mp4", *words, "--plan", "--json", code=0).json()
    assert [segment["removed"] for segment in plan["segments"]] == [0, 6]
    assert plan["total"] == 20 + 18 + 20 + 5
    assert clips
