"""LoRAs on a hub."""

from __future__ import annotations

import numpy as np

Tensors = dict[str, np.ndarray]


def tensors(seed: int = 0, width: int = 48) -> Tensors:
    """A LoRA on one matrix of the tiny models."""
    random = np.random.default_rng(seed)
    key = "diffusion_model.blocks.0.self_attn.q.lora_{}.weight"
    return {
        key.format("A"): random.normal(size=(2, width)).astype(np.float32),
        key.format("B"): random.normal(size=(width, 2)).astype(np.float32),
    }


HUB = {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_TOKEN": "hf_secret"}
