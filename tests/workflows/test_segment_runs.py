"""Interrupted work that goes on where it was, and ends in the same pixels."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Make, clean_environment
from tests.support.planned_videos import VALUES, clip
from wangp_cli.errors import GenerationError
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import write_image
from wangp_cli.pipelines.wan import pipeline as wan
from wangp_cli.runtime.workspace.segments_cache import FOLDER, MAX_AGE_SECONDS


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Four pictures of noise."""
    for index in range(4):
        pixels = np.random.default_rng(index).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
        write_image(tmp_path / f"{index}.png", pixels)
    return [tmp_path / f"{index}.png" for index in range(4)]


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the model fail from its nth run on; 0 repairs it."""
    denoise = wan.Wan.denoise

    def after(runs: int) -> None:
        left = [runs]

        def fail(self: Any, *rest: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise GenerationError("broken")
            return denoise(self, *rest)

        monkeypatch.setattr(wan.Wan, "denoise", fail)

    return after


def waiting(folder: Path) -> list[Path]:
    return sorted((folder / "made" / FOLDER).glob("[!.]*.npy"))


def reused(made: Any) -> list[str]:
    """The segments that were there already."""
    messages = [event.data["message"] for event in made.events if event.type == "log"]
    return [text.split()[1] for text in messages if text.endswith("is there already")]


def test_a_travel_goes_on_with_its_seed_and_ends_in_the_same_pixels(
    make: Make, images: list[Path], tmp_path: Path, breaking: Callable[[int], None]
) -> None:
    said = {**VALUES, "images": images, "seed": -1}
    breaking(3)
    broken = make("tiny_vace", **said)
    assert broken.outcome.error is not None
    assert len(waiting(tmp_path)) == 2
    breaking(0)
    # Finishing asks for no other seed and no other segments.
    said["film_grain_intensity"] = 0.1
    done = make("tiny_vace", **said)
    assert reused(done) == ["1", "2"]
    assert not (tmp_path / "made" / FOLDER).exists()
    whole = make("tiny_vace", **said | {"seed": int(done.path.stem), "name": "whole"})
    assert not reused(whole)
    assert np.array_equal(done.frames, whole.frames)


@pytest.mark.slow
def test_a_join_goes_on_and_other_requests_make_their_own(
    make: Make, tmp_path: Path, breaking: Callable[[int], None]
) -> None:
    clips = [clip(tmp_path, name, 9 + index) for index, name in enumerate("abc")]
    said = {"type": "join", "clips": clips, "gap": 5, "context": 2, "name": "{seed}"}
    breaking(2)
    make("tiny_vace", **said)
    assert len(waiting(tmp_path)) == 1
    breaking(0)
    others: list[dict[str, Any]] = [{"seed": 8}, {"steps": 3}, {"prompt": "a blue square"}, {"gap": 4}]
    for number, other in enumerate(others):
        assert not reused(make("tiny_vace", **said | {"name": f"other{number}"} | other))
    assert len(waiting(tmp_path)) == 1
    # What happens to finished frames afterwards does not ask for new ones.
    assert reused(make("tiny_vace", **said | {"name": "sharp", "sharpen": 0.5})) == ["1"]


def test_an_inpainting_goes_on_and_ends_in_the_same_pixels(
    make: Make, tmp_path: Path, breaking: Callable[[int], None]
) -> None:
    said: dict[str, Any] = {"type": "inpaint", "video": clip(tmp_path, "a", 20), "portion": "3-15"}
    said |= {"context": 2, "frames": 9, "overlap": 2, "name": "{seed}"}
    breaking(2)
    make("tiny_vace", **said)
    breaking(0)
    done = make("tiny_vace", **said)
    assert reused(done) == ["1"]
    assert np.array_equal(done.frames, make("tiny_vace", **said | {"name": "whole"}).frames)


def test_a_segment_serves_only_with_the_same_weights(
    make: Make, images: list[Path], tmp_path: Path, breaking: Callable[[int], None], tiny_models: Path
) -> None:
    breaking(2)
    make("tiny_vace", **VALUES, images=images[:3])
    [file] = waiting(tmp_path)
    breaking(0)
    index = next(tiny_models.parent.glob("tiny_vace*/model_index.json"))
    os.utime(index)
    assert not reused(make("tiny_vace", **VALUES, images=images[:3]))
    assert waiting(tmp_path) == [file]


def test_a_broken_segment_is_made_again_and_old_ones_are_swept(
    make: Make, images: list[Path], tmp_path: Path, breaking: Callable[[int], None]
) -> None:
    breaking(2)
    make("tiny_vace", **VALUES, images=images[:3])
    [file] = waiting(tmp_path)
    file.write_bytes(b"torn")
    old = file.with_name(f"{0:064}.npy")
    old.write_bytes(b"old")
    age = time.time() - MAX_AGE_SECONDS - 60
    os.utime(old, (age, age))
    breaking(0)
    assert not reused(make("tiny_vace", **VALUES, images=images[:3]))
    assert not file.parent.exists()


def stopped_at(stage: str, result: int, command: list[str], env: dict[str, str], folder: Path) -> list[Any]:
    """Run a command and kill it when it says that a stage begins; gives its events."""
    with subprocess.Popen(
        [sys.executable, "-m", "wangp_cli", *command, "--json"],
        cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        events = []
        assert process.stdout is not None
        for line in process.stdout:
            events.append(json.loads(line))
            data = events[-1]["data"]
            if events[-1]["type"] == "task.stage" and (data["stage"], data["result"]) == (stage, result):
                break
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    return events


@pytest.mark.slow
def test_a_killed_travel_ends_in_the_same_pixels(
    make: Make, images: list[Path], tmp_path: Path, home: Path, tiny_env: dict[str, str]
) -> None:
    whole = make("tiny_vace", **VALUES | {"name": "whole"}, images=images)
    flags = ["--model", "tiny_vace", "--frames", "9", "--overlap", "4", "--steps", "6", "--seed", "7"]
    flags += ["--prompt", "a red circle", "--codec", "ffv1", "--output-dir", "made", "--name", "{seed}"]
    flags += [flag for image in images for flag in ("--image", image.name)]
    env = clean_environment(home) | tiny_env
    # Inside the second segment, then before the third.
    stopped_at("denoise", 2, ["travel", *flags], env, tmp_path)
    assert len(waiting(tmp_path)) == 1
    stopped_at("encode", 3, ["travel", *flags], env, tmp_path)
    assert len(waiting(tmp_path)) == 2
    done = make("tiny_vace", **VALUES, images=images)
    assert reused(done) == ["1", "2"]
    assert np.array_equal(done.frames, whole.frames)
    assert [path.name for path in done.path.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_two_runs_of_one_request_do_not_disturb_each_other(
    make: Make, images: list[Path], tmp_path: Path, home: Path, tiny_env: dict[str, str]
) -> None:
    whole = make("tiny_vace", **VALUES | {"name": "whole"}, images=images)
    flags = ["--model", "tiny_vace", "--frames", "9", "--overlap", "4", "--steps", "6", "--seed", "7"]
    flags += ["--prompt", "a red circle", "--codec", "ffv1", "--output-dir", "made"]
    flags += [flag for image in images for flag in ("--image", image.name)]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "wangp_cli", "travel", *flags, "--name", name],
            cwd=tmp_path, env=clean_environment(home) | tiny_env, stdout=subprocess.DEVNULL,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    assert [run.wait(300) for run in runs] == [0, 0]
    for name in ("one", "two"):
        assert np.array_equal(read_video(tmp_path / "made" / f"{name}.mkv").frames, whole.frames)
    assert not (tmp_path / "made" / FOLDER).exists()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_segments(tmp_path: Path) -> None:
    def above(segments: int) -> int:
        command = ["-m", "benchmarks.memory", "--here", "--size", "416x240", "--frames", "33", "--segments"]
        done = subprocess.run(
            [sys.executable, *command, str(segments)], check=True, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"TMPDIR": str(tmp_path)},
        )  # fmt: skip
        result = json.loads(done.stdout.splitlines()[-1])
        assert result["frames"] == segments * 33
        return int(result["peak"] - result["baseline"])

    assert above(12) < 1.2 * above(4)
