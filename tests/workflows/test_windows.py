"""Videos longer than a model makes in one go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.conftest import Make
from tests.support.echo import RecordedInputs, use_echo
from tests.support.media_files import noise, tone
from tests.support.planned_videos import clip
from wangp_cli.errors import RequestError
from wangp_cli.media.clip import as_uint8
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import write_image

WINDOWS = {"sliding_window_size": 13, "sliding_window_overlap": 5, "colour_match": 0}


@pytest.fixture
def echo(make: Make, adapters: dict[str, Any]) -> Callable[..., Any]:
    """Generate with a model that gives back what it is shown."""
    use_echo(adapters)
    return lambda model="tiny_vace", **said: make(model, **WINDOWS | said)


@pytest.fixture
def heard(adapters: dict[str, Any]) -> RecordedInputs:
    """What the model is told, run by run."""
    return use_echo(adapters)


def picture(path: Path, seed: int) -> Path:
    write_image(path, noise(1, seed=seed))
    return path


def same(frames: Any, others: Any) -> bool:
    return bool(np.abs(as_uint8(frames).astype(int) - as_uint8(others).astype(int)).max() <= 1)


@pytest.mark.parametrize("frames", [14, 21, 30, 40])
def test_each_window_follows_its_part_of_the_control_video(
    echo: Callable[..., Any], heard: RecordedInputs, tmp_path: Path, frames: int
) -> None:
    guide = clip(tmp_path, "guide", 33)
    made = echo(frames=frames, video_guide=guide)
    plan = made.outcome.manifest["plan"]
    assert len(made.frames) == plan["total"] == frames
    assert [int(shot.frames) for shot in heard.shots] == [part["generate"] for part in plan["segments"]]
    shown = min(frames, 33)
    assert same(made.frames[:shown], read_video(guide, count=shown).frames)
    # What the control video lacks is grey.
    assert set(np.unique(as_uint8(made.frames)[33:])) <= {127, 128}


def test_windows_are_shown_pictures_where_they_belong(
    echo: Callable[..., Any], heard: RecordedInputs, tmp_path: Path
) -> None:
    first, last, look = (picture(tmp_path / f"{n}.png", n) for n in range(3))
    made = echo(frames=30, image_start=first, image_end=last, image_refs=[look])
    assert len(made.frames) == 30
    assert same(made.frames[:1], noise(1, seed=0))
    assert same(made.frames[-1:], noise(1, seed=1))
    assert [inputs.end is not None for inputs in heard.inputs] == [False] * (len(heard.inputs) - 1) + [True]
    assert all(len(inputs.references) == 1 for inputs in heard.inputs)


def test_a_continued_video_stays_as_it_is(echo: Callable[..., Any], tmp_path: Path) -> None:
    source = clip(tmp_path, "source", 11, sound=True)
    made = echo(frames=30, video_source=source)
    assert len(made.frames) == made.outcome.manifest["plan"]["total"] == 11 - 5 + 30
    assert np.array_equal(as_uint8(made.frames[:11]), read_video(source).frames)
    assert len(read_audio(made.path).samples) == 36 * 1000


def test_windows_have_prompts_and_results_have_seeds(
    echo: Callable[..., Any], heard: RecordedInputs, tmp_path: Path
) -> None:
    said = {"window_prompts": ["a red circle", "a blue square"], "count": 2, "name": "{seed}", "seed": 5}
    made = echo(frames=29, video_guide=clip(tmp_path, "guide", 33), **said)
    assert made.outcome.error is None
    words = ["a red circle", "a blue square", "a blue square"]
    assert [(shot.prompt, shot.seed) for shot in heard.shots] == [
        (word, seed) for seed in (5, 6) for word in words
    ]
    stages = [(e.data["result"], e.data["results"]) for e in made.events if e.type == "task.stage"]
    assert [number for number, of in dict.fromkeys(stages)] == list(range(1, 7))
    assert {of for _, of in stages} == {6}
    assert sorted(path.name for path in (tmp_path / "made").glob("*.mkv")) == ["5.mkv", "6.mkv"]


def test_a_video_that_fits_one_window_is_one_run(echo: Callable[..., Any], heard: RecordedInputs) -> None:
    made = echo(frames=12)
    assert "plan" not in made.outcome.manifest
    assert (len(heard.shots), len(made.frames)) == (1, 13)
    assert len(echo(frames=30, sliding_window_size=0, name="off").frames) == 29


@pytest.mark.parametrize("model", ["tiny_vace", "tiny_i2v", "tiny_diffusion_forcing"])
def test_real_models_make_windows_with_sound(make: Make, tmp_path: Path, model: str) -> None:
    start = picture(tmp_path / "start.png", 3)
    sound = tone(tmp_path / "s.wav", 5.0)
    made = make(
        model, frames=12, image_start=start, audio_source=sound, **WINDOWS | {"sliding_window_size": 9}
    )
    assert len(made.frames) == 12
    assert len(read_audio(made.path).samples) == round(12 / 16 * 16000)


@pytest.mark.parametrize(
    ("model", "said", "message"),
    [
        ("tiny_t2v", {"frames": 30}, "--sliding-window-size: model 'tiny_t2v' cannot continue a video"),
        (
            "tiny_vace",
            {"frames": 9, "window_prompts": ["a"]},
            "--window-prompt: the video is made in one run",
        ),
        ("tiny_vace", {"frames": 30, "window_prompts": ["a"] * 5}, "--window-prompt: 5, but the video has 4"),
        ("tiny_vace", {"frames": 30, "sliding_window_overlap": 13}, "overlap: 13"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_loaded(
    make: Make, model: str, said: dict[str, Any], message: str
) -> None:
    error = make(model, **WINDOWS | said).outcome.error
    assert isinstance(error, RequestError)
    assert message in error.message


@pytest.fixture
def hears(config: Path) -> str:
    """The name of a model that takes a recording of speech."""
    file = config / "models" / "tiny.yaml"
    document = yaml.safe_load(file.read_text())
    document["models"]["tiny_i2v"]["accepts"].append("speech")
    file.write_text(yaml.safe_dump(document))
    return "tiny_i2v"


def test_each_window_hears_its_own_part(
    echo: Callable[..., Any], heard: RecordedInputs, hears: str, tmp_path: Path
) -> None:
    speech = tone(tmp_path / "a.wav", 1.2)
    said = {"frames": 25, "sliding_window_overlap": 1, "image_start": picture(tmp_path / "start.png", 1)}
    made = echo(hears, audio_guide=speech, **said)
    samples = read_audio(speech).samples
    first, second = (inputs.speech.samples for inputs in heard.inputs if inputs.speech)
    assert np.array_equal(first, samples[:13_000])
    assert np.array_equal(second[:7200], samples[12_000:])
    assert len(second) == 13_000
    assert not second[7200:].any()
    assert len(read_audio(made.path).samples) == pytest.approx(25_000, abs=1100)


def test_what_continues_a_video_speaks_after_it(
    echo: Callable[..., Any], heard: RecordedInputs, hears: str, tmp_path: Path
) -> None:
    before, speech = clip(tmp_path, "before", 16), tone(tmp_path / "a.wav", 1.0)
    said = {"frames": 9, "sliding_window_size": 0, "sliding_window_overlap": 1}
    made = echo(hears, video_source=before, audio_guide=speech, **said)
    [spoken] = [inputs.speech for inputs in heard.inputs if inputs.speech]
    assert np.array_equal(spoken.samples, read_audio(speech).samples[:9000])
    sound = read_audio(made.path).samples[:, 0]
    assert len(made.frames) == 24
    assert np.abs(sound[:15_000]).max() < 0.01
    assert np.abs(sound[17_000:23_000]).max() > 0.3
