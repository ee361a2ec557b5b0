"""`wangp travel`: plans, prompts from a file, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run, clean_environment
from tests.support.clips import psnr
from wangp_cli.commands.travel import read_prompts
from wangp_cli.errors import RequestError
from wangp_cli.media.clip import as_float
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image, write_image

IMAGES = ["--image", "0.png", "--image", "1.png", "--image", "2.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three pictures, and files of prompts."""
    for index in range(3):
        pixels = np.random.default_rng(index).integers(0, 256, (1, 48, 64, 3), dtype=np.uint8)
        write_image(tmp_path / f"{index}.png", pixels)
    (tmp_path / "two.txt").write_text("a red circle\n\na blue square\n")
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    (tmp_path / "none.txt").write_text("\n")
    (tmp_path / "latin.txt").write_bytes(b"\xff\xfe\xff")
    return tmp_path


def test_a_plan_needs_neither_weights_nor_torch(folder: Path, home: Path) -> None:
    words = ["travel", *IMAGES, *["--frames", "81", "--overlap", "10", "--model", "vace_14B", "--plan"]]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wangp_cli", *words],
        cwd=folder, env=clean_environment(home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert imported & {"torch", "diffusers", "transformers"} == set()
    assert done.stdout.startswith("162 frames at 16 fps")
    assert "images at frames 0, 80, 161" in done.stdout


def test_the_model_says_how_long_parts_are_where_nobody_does(run: Run, folder: Path) -> None:
    plan = run("travel", *IMAGES, "--plan", "--json", code=0).json()
    assert (plan["total"], plan["anchors"], plan["fps"]) == (34, [0, 16, 33], "8")
    assert not plan["notices"]
    assert folder
    # The words that stand in for a prompt are not named: nobody has said them.
    notices = run("travel", *IMAGES, "--dry-run", code=0).json()["notices"]
    assert any(notice.startswith("prompt: there is none, and starter needs a shape") for notice in notices)
    assert not [notice for notice in notices if "smooth" in notice]


@pytest.mark.parametrize(
    ("model", "total", "anchors"),
    [
        ("flf2v_720p", 161, [0, 80, 160]),
        ("i2v", 243, [0, 81, 162]),
        ("vace_14B", 162, [0, 80, 161]),
        ("wan_2_2_i2v_lightning_svi_3_3", 162, [0, 80, 161]),
    ],
)
def test_the_model_decides_how_parts_hang_together(
    run: Run, folder: Path, model: str, total: int, anchors: list[int]
) -> None:
    plan = run("travel", *IMAGES, "--model", model, "--plan", "--json", code=0).json()
    assert (plan["total"], plan["anchors"]) == (total, anchors)
    assert folder


def test_parts_are_made_together_while_they_fit(run: Run, folder: Path) -> None:
    words = ["--frames", "17", "--longest", "81", "--plan", "--json"]
    plan = run("travel", *IMAGES, *words, *["-p", "a"], *["-p", "b"], code=0).json()
    assert [(part["generate"], part["portions"]) for part in plan["segments"]] == [(37, [0, 1])]
    assert [picture["at"] for picture in plan["segments"][0]["pictures"]] == plan["anchors"] == [0, 16, 33]
    assert folder


def test_prompts_come_from_a_file(run: Run, folder: Path) -> None:
    shown = run("travel", *IMAGES, "--prompts-file", "two.txt", "--dry-run", code=0).json()
    assert shown["request"]["prompt"] == ["a red circle", "a blue square"]
    assert folder


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--frames", "9"], "--image: none, wanted 1 or more"),
        (["--image", "gone.png"], "--image: "),
        (["--image", "two.txt"], "--image: "),
        ([*IMAGES, "--frames", "9", "--frames", "9", "--frames", "9"], "--frames: 3 values, wanted 1 or 2"),
        ([*IMAGES, "--frames", "1"], "--frames: 1, a segment has 2 or more"),
        ([*IMAGES, "--frames", "soon"], "--frames: 'soon' is neither a count nor seconds"),
        ([*IMAGES, "--overlap", "1", "--overlap", "2"], "--overlap: 2 values, wanted 1, one for each seam"),
        ([*IMAGES, "--overlap", "-2"], "--overlap: -2 is too small, must be at least 0"),
        ([*IMAGES, "--prompts-file", "three.txt"], "--prompt: 3 values, wanted 1 or 2, one for each part"),
        ([*IMAGES, "--prompts-file", "none.txt"], "--prompts-file: none.txt has no prompts in it"),
        ([*IMAGES, "--prompts-file", "gone.txt"], "--prompts-file: cannot read gone.txt"),
        ([*IMAGES, "--prompts-file", "latin.txt"], "--prompts-file: latin.txt is not UTF-8 text"),
        ([*IMAGES, "--prompts-file", "."], "--prompts-file: cannot read .: Is a directory"),
        ([*IMAGES, "--prompts-file", "/dev/zero"], "--prompts-file: /dev/zero has more than 1048576 bytes"),
        ([*IMAGES, "--prompts-file", "two.txt", "-p", "x"], "--prompt: not together with --prompts-file"),
        (
            [*IMAGES, "-n", "x", "-n", "y", "-n", "z"],
            "--negative-prompt: 3 values, wanted 1 or 2, one for each",
        ),
        ([*IMAGES, *["--part-seed", "1"] * 3], "--part-seed: 3 values, wanted 1 or 2, one for each part"),
        ([*IMAGES, "--part-seed", "-1"], "--part-seed: -1 is too small, must be at least 0"),
        (
            [*IMAGES, "--part-lora-factor", "1 0"],
            "--part-lora-factor: '1 0' has 2 numbers, wanted 0, one for",
        ),
        ([*IMAGES, "--part-lora-factor", "big"], "--part-lora-factor: 'big' is not a number for each LoRA"),
        ([*IMAGES, "--longest", "1"], "--longest: 1 is too small, must be at least 2"),
        ([*IMAGES, "--video-source", "0.png"], "--video-source: 0.png is an image, a video is wanted"),
        ([*IMAGES, "--model", "i2v", "--mode", "chained"], "--model: model 'i2v' takes no control video"),
        ([*IMAGES, "--model", "i2v", "--loop"], "--loop: the model takes no end image"),
        (
            [*IMAGES, "--model", "i2v", *["--frames", "9"] * 2],
            "--frames: 2 values, wanted 1 or 3, one for each",
        ),
        ([*IMAGES, "--model", "t2v"], "--model: model 't2v' takes no start image"),
        ([*IMAGES, "--audio", "0.png"], "--audio: 0.png is an image, audio is wanted"),
    ],
)
def test_a_bad_request_names_its_flag(
    shown: Callable[..., Any], folder: Path, words: list[str], message: str
) -> None:
    result = shown("travel", *words, "--plan", code=2)
    assert f"error: {message}" in result.stderr
    assert folder


@pytest.mark.slow
def test_the_starter_passes_the_pictures_it_is_given(run: Run, tmp_path: Path) -> None:
    from tests.support.clips import psnr
    from training.starter.world import Scene, draw

    scene = Scene(
        shape="circle", colour="red", background="blue", motion="right", size="", radius=0.2, across=0.5,
        start=0.5, travel=1.0,
    )  # fmt: skip
    clip = ((draw([scene])[0].permute(1, 2, 3, 0).numpy() + 1) / 2).astype(np.float32)
    ends = [clip[:1], clip[-1:], clip[:1]]
    for index, picture in enumerate(ends):
        write_image(tmp_path / f"{index}.png", picture)
    words = [*IMAGES, "-p", "a red circle moves right on a blue background"]
    words += ["-p", "a red circle moves left on a blue background", "--mode", "independent", "--seed", "1"]
    run("travel", *words, "--codec", "ffv1", "--output", "travel.mkv", code=0)
    frames = as_float(read_video(tmp_path / "travel.mkv").frames)
    assert len(frames) == 33
    assert [
        psnr(frames[at : at + 1], picture) > 20 for at, picture in zip([0, 16, 32], ends, strict=True)
    ] == [True] * 3


def test_a_file_of_prompts_has_comments_and_macros(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text('# parts\n! {Animal}="cat","dog"\na {Animal}\n! {B}="x"\n  # last\nthe end\n')
    assert read_prompts(file) == ["a cat", "a dog", "the end"]
    file.write_text("! broken")
    with pytest.raises(RequestError, match="--prompts-file: macro"):
        read_prompts(file)


@pytest.mark.slow
def test_the_starter_draws_every_image_of_a_travel(run: Run, tmp_path: Path) -> None:
    samples = Path(__file__).resolve().parents[2] / "docs" / "samples"
    images = [samples / f"circle-{number}.png" for number in (1, 2, 3, 2)]
    words = [word for image in images for word in ("--image", image)]
    prompt = "a red circle moves right on a blue background"
    words += ["--frames", "9", "--longest", "41", "--prompt", prompt, "--codec", "ffv1", "--output", "t.mkv"]
    run("travel", *words, "--seed", 1, code=0)
    frames = as_float(read_video(tmp_path / "t.mkv").frames)
    for at, image in zip((0, 8, 17, 26), images, strict=True):
        assert psnr(frames[at], as_float(read_image(image))[0]) >= 25
    # The plain background keeps its colour throughout.
    corners = frames[:, 2:8, 2:8].mean(axis=(1, 2)) * 255
    assert np.abs(corners - [25, 51, 230]).max() < 5
