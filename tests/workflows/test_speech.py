"""What becomes of a recording of speech, from the file to the model and into the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.conftest import Make, Run
from tests.support import tiny, tiny_fantasy_talking
from tests.support.media_files import picture, tone, video
from wangp_cli.legacy.translate import translate
from wangp_cli.media.read_audio import read_audio

SHOT = {"frames": 9, "fps": "16", "size": "32x32"}


@pytest.fixture
def speaker(config: Path, tmp_path: Path) -> str:
    """A tiny FantasyTalking model in the catalogue."""
    place = tiny_fantasy_talking.weights(tiny.save("i2v", tmp_path / "base"), tmp_path)
    entry = {
        "title": "Tiny",
        "architecture": "fantasy",
        "source": {
            "folder": str(place.folder),
            "modules": {part: [str(file) for file in files] for part, files in place.files},
        },
        "accepts": ["start", "source", "speech", "lora", "negative", "audio"],
        "requires": ["start", "speech"],
        "defaults": {"steps": 2, "flow_shift": 3.0, "guidance_scale": 1.0, "sliding_window_overlap": 1},
    }
    (config / "models" / "speaker.yaml").write_text(
        yaml.safe_dump({"family": "wan", "models": {"speaker": entry}})
    )
    return "speaker"


def test_a_result_speaks_with_the_recording(make: Make, speaker: str, tmp_path: Path) -> None:
    start = picture(tmp_path, "start", 1)
    made = [
        make(
            speaker,
            name=f"n{seconds}",
            image_start=start,
            audio_guide=tone(tmp_path / "a.wav", seconds),
            **SHOT,
        )
        for seconds in (2.0, 0.2)
    ]
    sound = read_audio(made[0].path)
    assert len(sound.samples) == pytest.approx(16000 * 9 / 16, abs=1100)
    assert np.abs(sound.samples[: 16000 // 4]).max() > 0.2
    assert made[0].frames.shape == (9, 32, 32, 3)
    assert not np.array_equal(made[0].frames, made[1].frames)


def test_what_a_model_cannot_hear_is_refused_before_it_is_loaded(
    make: Make, speaker: str, tmp_path: Path
) -> None:
    start, silent = picture(tmp_path, "start", 1), video(tmp_path, "silent", 2)
    said = {"image_start": start, **SHOT}
    for asked, message in (
        ({}, "model 'speaker' needs a recording of speech"),
        ({"audio_guide": silent}, "is a video without audio, audio is wanted"),
        ({"audio_guide": start}, "is an image, audio is wanted"),
        ({"audio_guide": tmp_path / "gone.wav"}, "gone.wav"),
    ):
        outcome = make(speaker, **said | asked).outcome
        assert outcome.error is not None
        assert message in outcome.error.message or message in str(outcome.error)
        assert outcome.exit_code == 2
    other = make("tiny_i2v", audio_guide=tone(tmp_path / "a.wav", 1.0), **said).outcome
    assert other.error is not None
    assert "takes no recording of speech" in other.error.message


def test_a_dry_run_says_where_silence_follows(run: Run, speaker: str, config: Path, tmp_path: Path) -> None:
    env = {"WANGP_CONFIG_DIR": str(config)}
    start, speech = picture(tmp_path, "start", 1), tone(tmp_path / "a.wav", 0.25)
    arguments = ["generate", "hello", "-m", speaker, "--image-start", start, "--audio-guide", speech]
    told = run(*arguments, "--frames", 9, "--fps", 16, "--dry-run", env=env, code=0).json()["notices"]
    assert "audio_guide: 0.25 s, but 0.56 s are made, silence follows it" in told
    told = run(*arguments, "--frames", 5, "--fps", 20, "--dry-run", env=env, code=0).json()["notices"]
    assert not [notice for notice in told if "audio_guide" in notice]


@pytest.mark.parametrize(("letters", "guided"), [("A", True), ("AL", True), ("", False)])
def test_files_of_wangp_say_whether_they_speak(letters: str, *, guided: bool) -> None:
    settings = {
        "settings_version": 2.5, "model_type": "fantasy", "prompt": "x", "audio_prompt_type": letters,
        "audio_guide": "a.wav", "audio_guidance_scale": 5,
    }  # fmt: skip
    found = translate(settings).values
    assert ("audio_guide" in found) is guided
    assert found.get("audio_guidance_scale") == (5 if guided else None)
