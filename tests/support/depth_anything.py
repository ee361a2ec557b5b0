"""A tiny Depth Anything in the layout of transformers."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil


def write_depth_anything(folder: Path) -> Path:
    """Write a network of two layers with random weights, and its preprocessor, into a folder."""
    torch.manual_seed(0)
    backbone = Dinov2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14,
        out_indices=[1, 2], apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, patch_size=14, reassemble_hidden_size=24, reassemble_factors=[2, 1],
        neck_hidden_sizes=[8, 8], fusion_hidden_size=8, head_in_index=-1, head_hidden_size=8,
    )  # fmt: skip
    network = DepthAnythingForDepthEstimation(config).eval()
    with torch.no_grad():
        # Weights are drawn so small that nothing of a picture would reach the last layer.
        for name, weight in network.named_parameters():
            if weight.dim() > 1 and not name.startswith("backbone.embeddings"):
                weight.normal_(std=2 / weight[0].numel() ** 0.5)
    network.save_pretrained(folder)
    DPTImageProcessorPil(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14, resample=3,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(folder)  # fmt: skip
    return folder
