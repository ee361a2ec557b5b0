"""A tiny FantasyTalking model: image to video, audio encoder and speech module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from tests.support import tiny
from wangp_cli.media.clip import Audio
from wangp_cli.models import ModelSpec
from wangp_cli.pipelines.base import Inputs, Weights
from wangp_cli.pipelines.wan.speech_network import SpeechModule, original_name

FEATURES, WIDTH, BLOCKS = 16, 48, 2
FILES = ("module.safetensors", "proj.safetensors")


def spec() -> ModelSpec:
    """The catalogue entry."""
    accepts = {"start", "speech", "initial", "lora", "negative"}
    own = {
        "name": "tiny_fantasy",
        "architecture": "fantasy",
        "traits": tiny.traits("fantasy"),
        "accepts": accepts,
    }
    return ModelSpec.model_validate(tiny.spec("i2v").model_dump() | own)


def weights(base: Path, folder: Path) -> Weights:
    """Write the parts beside a tiny image-to-video checkpoint."""
    files = (("speech", write_module(module(), folder)), ("audio_encoder", write_encoder(folder / "wav2vec")))
    return Weights(folder=base, files=files)


def module() -> SpeechModule:
    """The module with random weights."""
    torch.manual_seed(3)
    made = SpeechModule(FEATURES, WIDTH, BLOCKS)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    made.eval().requires_grad_(False)
    return made


def write_module(made: SpeechModule, folder: Path) -> tuple[Path, ...]:
    """Its weights in WanGP's layout: one file for the blocks, one for the layers before them."""
    held: dict[str, dict[str, torch.Tensor]] = {name: {} for name in FILES}
    for key, value in made.state_dict().items():
        held[FILES[0] if key.startswith("blocks") else FILES[1]][original_name(key)] = value.contiguous()
    for name, tensors in held.items():
        save_file(tensors, folder / name)
    return tuple(folder / name for name in FILES)


def write_encoder(folder: Path) -> tuple[Path, ...]:
    """A wav2vec 2.0 checkpoint as published, with its head."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    torch.manual_seed(4)
    config = Wav2Vec2Config(
        vocab_size=32,
        hidden_size=FEATURES,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    Wav2Vec2ForCTC(config).eval().save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return tuple(folder / name for name in ("model.safetensors", "config.json", "preprocessor_config.json"))


def noise(frames: int = 9, seed: int = 0, fps: int = 16, rate: int = 16_000) -> Audio:
    """Noise with the duration of `frames`."""
    samples = np.random.default_rng(seed).normal(0, 0.1, (round(frames * rate / fps), 1))
    return Audio(samples=samples.astype(np.float32), rate=rate)


INPUTS = Inputs(start=tiny.clip(1, 1), speech=noise())
