"""Writing the starter as a diffusers checkpoint."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanVACEPipeline

from training.starter.train_denoiser import Model

SIZE_LIMIT = 12_000_000
"""Bytes that the checkpoint may take on disk."""


def export(vae: AutoencoderKLWan, model: Model, folder: Path, *, flow_shift: float) -> int:
    """Save everything in half precision for `WanVACEPipeline.from_pretrained`.

    Returns:
        Bytes on disk.

    Raises:
        ValueError: the checkpoint is larger than `SIZE_LIMIT`.
    """
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        num_train_timesteps=1000,
        flow_shift=flow_shift,
    )
    pipeline = WanVACEPipeline(
        tokenizer=model.tokenizer,
        text_encoder=copy.deepcopy(model.text_encoder).to(torch.float16),
        vae=copy.deepcopy(vae).to(torch.float16),
        transformer=copy.deepcopy(model.denoiser).to(torch.float16),
        scheduler=scheduler,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)
    if (size := size_on_disk(folder)) > SIZE_LIMIT:
        raise ValueError(f"the checkpoint has {size} bytes, more than {SIZE_LIMIT}")
    return size


def size_on_disk(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
