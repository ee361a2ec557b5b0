"""`wangp edit`: plans, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run, clean_environment
from wangp_cli.media.write import write_video


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a video of 40 frames at 16 a second."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", [pixels], fps=Fraction(16))
    (tmp_path / "notes.txt").write_text("not a video")
    return tmp_path


def test_a_plan_needs_neither_weights_nor_torch(folder: Path, home: Path) -> None:
    words = ["edit", "a.mp4", "--portion", "10-18", "--context", "4", "--model", "vace_14B", "--plan"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wangp_cli", *words],
        cwd=folder, env=clean_environment(home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert imported & {"torch", "diffusers", "transformers"} == set()
    assert done.stdout.splitlines()[0] == "40 frames at 16 fps, 2.50 s; the model makes 17 in 1 run"


def test_portions_are_in_frames_or_seconds(run: Run, folder: Path) -> None:
    words = ["--portion", "0.25s-0.5s:a: b", "--portion", "20-29", "--gap", 4, "--gap", 12]
    words += ["--sliding-window-size", "0"]
    plan = run("edit", "a.mp4", *words, "--plan", "--json", code=0).json()
    assert [(s["start"], s["frames"], s["removed"]) for s in plan["segments"]] == [(4, 4, 4), (20, 12, 10)]
    assert (plan["total"], plan["removed"], plan["gap"]) == (42, 14, 16)
    assert folder


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--portion: is needed"),
        (["--portion", "9-5"], "--portion: 9-5 is not within 0-39"),
        (["--portion", "30-40"], "--portion: 30-40 is not within 0-39"),
        (["--portion", "5-9", "--portion", "9-12"], "--portion: 5-9 and 9-12 overlap"),
        (["--portion", "0-39"], "--portion: cover all 40 frames"),
        (["--portion", "1s-20"], "--portion: '1s-20' is not START-END[:PROMPT]"),
        (["--portion", "1.5-20"], "--portion: '1.5-20' is not START-END[:PROMPT]"),
        (["--portion", "1.5s-1.5s"], "--portion: '1.5s-1.5s' has no frames at 16 fps"),
        (["--portion", "5-6", "--keep-ends"], "--portion: 5-6 has no frames between its ends"),
        (["--portion", "5-6", "--context", "0"], "--context: 0 is too small, must be at least 1"),
        (["--portion", "5-6", "--gap", "1", "--gap", "2"], "--gap: 2 values, wanted 1, one for each portion"),
        (["--portion", "5-6", "-p", "x", "-p", "y"], "--prompt: 2 values, wanted 1, one for each portion"),
        (["--portion", "5-6", "--model", "i2v"], "--model: model 'i2v' takes no control video"),
        (["--portion", "5-6", "--video", "a.mp4"], "given twice: "),
    ],
)  # fmt: skip
def test_a_bad_request_names_its_flag(
    shown: Callable[..., Any], folder: Path, words: list[str], message: str
) -> None:
    result = shown("edit", "a.mp4", *words, "--plan", code=2)
    assert message in result.stderr
    assert folder


def test_what_is_no_video_is_refused(shown: Callable[..., Any], folder: Path) -> None:
    assert "--video: " in shown("edit", "notes.txt", "--portion", "5-6", "--plan", code=2).stderr
    assert folder
