"""Writing the starter as a diffusers checkpoint."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanVACEPipeline

from training.starter.model import Model
from training.starter.networks import make_sampler

MAX_BYTES = 12_000_000
"""Most bytes of the checkpoint on disk."""


def export(vae: AutoencoderKLWan, model: Model, folder: Path, *, flow_shift: float) -> int:
    """Save everything in half precision for `WanVACEPipeline.from_pretrained`.

    Returns:
        Bytes on disk.

    Raises:
        ValueError: the checkpoint is larger than `MAX_BYTES`.
    """
    pipeline = WanVACEPipeline(
        tokenizer=model.tokenizer,
        text_encoder=copy.deepcopy(model.text_encoder).to(torch.float16),
        vae=copy.deepcopy(vae).to(torch.float16),
        transformer=copy.deepcopy(model.denoiser).to(torch.float16),
        scheduler=make_sampler(flow_shift),
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)
    if (size := size_on_disk(folder)) > MAX_BYTES:
        raise ValueError(f"the checkpoint has {size} bytes, more than {MAX_BYTES}")
    return size


def size_on_disk(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
