from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from diffusers import WanVACEPipeline

from training.starter.evaluate import Settings, evaluate_given, evaluate_text, evaluate_vae, load
from training.starter.export import MAX_BYTES, size_on_disk
from training.starter.world import vocabulary

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "wangp_cli" / "starter"


@pytest.fixture(scope="module")
def settings() -> Settings:
    card = json.loads((STARTER / "card.json").read_text())
    names = ("sampler", "steps", "guidance_scale", "guide_given", "flow_shift", "max_sequence_length")
    return Settings(**{name: card[name] for name in names})


@pytest.fixture(scope="module")
def pipeline(settings: Settings) -> WanVACEPipeline:
    return load(STARTER, settings)


def test_the_shipped_checkpoint_is_small() -> None:
    assert size_on_disk(STARTER) <= MAX_BYTES


def test_the_shipped_checkpoint_loads_and_makes_a_clip(pipeline: WanVACEPipeline) -> None:
    result = pipeline(
        "a red circle",
        height=96,
        width=96,
        num_frames=5,
        num_inference_steps=1,
        max_sequence_length=20,
        output_type="np",
    )
    assert result.frames.shape == (1, 5, 96, 96, 3)


def test_the_shipped_vocabulary_is_that_of_the_captions(pipeline: WanVACEPipeline) -> None:
    assert set(pipeline.tokenizer.get_vocab()) == {"<pad>", "</s>", "<unk>", *vocabulary()}


def test_the_card_says_what_was_measured() -> None:
    card = json.loads((STARTER / "card.json").read_text())
    assert {"background", "colour", "motion", "shape", "vae"} <= set(card["figures"])
    assert all("value" in figure for figure in card["figures"].values())


@pytest.mark.slow
def test_the_shipped_checkpoint_does_as_it_is_told(pipeline: WanVACEPipeline, settings: Settings) -> None:
    figures, _ = evaluate_text(pipeline, settings, 24, seed=99)
    assert figures["background"] >= 95
    assert figures["colour"] >= 90
    assert figures["motion"] >= 95
    assert figures["shape"] >= 70


@pytest.mark.slow
@pytest.mark.parametrize("use", ["first frame", "first and last frame", "inpainting", "extension", "joining"])
def test_the_shipped_checkpoint_keeps_what_is_given(
    pipeline: WanVACEPipeline, settings: Settings, use: str
) -> None:
    figures, _ = evaluate_given(pipeline, settings, use, 4)
    assert figures["loss"] < 7
    assert figures["kept"] > 24


@pytest.mark.slow
def test_the_shipped_autoencoder_returns_what_it_gets(pipeline: WanVACEPipeline, settings: Settings) -> None:
    assert evaluate_vae(pipeline, settings, 4) >= 30


@pytest.mark.slow
def test_training_runs_from_end_to_end(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "training.starter",
        "--out",
        str(tmp_path / "starter"),
        "--minutes",
        "0.2",
    ]
    options = ["--prompts", "1", "--clips", "1", "--no-compile"]
    subprocess.run([*command, *options], cwd=ROOT, check=True, timeout=600)
    assert WanVACEPipeline.from_pretrained(tmp_path / "starter").transformer.config.in_channels == 16
    assert "figures" in json.loads((tmp_path / "starter" / "card.json").read_text())
