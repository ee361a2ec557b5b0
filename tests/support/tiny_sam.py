"""SAM 2, SAM 3 and ViTMatte in small, of transformers' own classes with random weights."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import torch

SIDE2, SIDE3 = 64, 56
"""Sides of the squares that the tiny SAM 2 and SAM 3 see."""


def sam2() -> Any:
    """A `Sam2VideoModel` of about a million parameters."""
    from transformers import Sam2VideoConfig, Sam2VideoModel

    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 16,
        "image_size": [SIDE2, SIDE2],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [16, 32, 64, 128],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [8, 4, 4, 2],
        "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [4, 4],
    }
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": [128, 64, 32, 16],
        "backbone_feature_sizes": [[SIDE2 // n, SIDE2 // n] for n in (4, 8, 16)],
        "fpn_hidden_size": 128,
    }
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 128, "image_size": SIDE2},
        image_size=SIDE2,
        **_tracking(128, SIDE2 // 16),
    )
    return _random(Sam2VideoModel, config, seed=5)


def sam3() -> Any:
    """A `Sam3VideoModel` of four million parameters that finds `red circle` and no `car`."""
    from transformers import Sam3VideoConfig, Sam3VideoModel

    def vision() -> dict[str, Any]:
        backbone = {
            "model_type": "sam3_vit_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE3,
            "pretrain_image_size": SIDE3,
            "window_size": 4,
            "global_attn_indexes": [1],
        }
        tokens = SIDE3 // 14
        return {
            "model_type": "sam3_vision_model",
            "backbone_config": backbone,
            "fpn_hidden_size": 128,
            "backbone_feature_sizes": [[n * tokens, n * tokens] for n in (4, 2, 1)],
        }

    layers = {"hidden_size": 128, "num_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    text = {
        "model_type": "clip_text_model",
        "vocab_size": len(vocabulary()),
        "hidden_size": 32,
        "intermediate_size": 64,
        "projection_dim": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 16,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    detector = {
        "model_type": "sam3",
        "vision_config": vision(),
        "text_config": text,
        "geometry_encoder_config": layers,
        "detr_encoder_config": layers,
        "detr_decoder_config": layers | {"num_queries": 8},
        "mask_decoder_config": {"hidden_size": 128, "num_attention_heads": 4},
    }
    tracker = {
        "model_type": "sam3_tracker_video",
        "vision_config": vision(),
        "prompt_encoder_config": {"hidden_size": 128, "image_size": SIDE3},
        "image_size": SIDE3,
        **_tracking(128, SIDE3 // 14),
    }
    config = Sam3VideoConfig(
        detector_config=detector,
        tracker_config=tracker,
        low_res_mask_size=SIDE3 * 4 // 14,
        score_threshold_detection=0.2,
        new_det_thresh=0.2,
        hotstart_delay=3,
        hotstart_unmatch_thresh=3,
        hotstart_dup_thresh=3,
    )
    return _random(Sam3VideoModel, config, seed=2)


def vitmatte() -> Any:
    """A `VitMatteForImageMatting` of about a hundred thousand parameters."""
    from transformers import VitDetConfig, VitMatteConfig, VitMatteForImageMatting

    backbone = VitDetConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=64,
        pretrain_image_size=64,
        num_channels=4,
        out_features=["stage2"],
    )
    config = VitMatteConfig(
        backbone_config=backbone,
        hidden_size=16,
        convstream_hidden_sizes=[8, 8, 8],
        fusion_hidden_sizes=[16, 16, 16, 8],
    )
    return _random(VitMatteForImageMatting, config)


def vocabulary() -> dict[str, int]:
    """Tokens of the tiny text encoder."""
    letters = [*string.ascii_lowercase, *string.digits, ",", "."]
    pieces = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]
    return {piece: number for number, piece in enumerate(pieces)}


def tokenizer() -> Any:
    """A CLIP tokenizer that knows letters alone."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer(vocab=vocabulary(), merges=[])


def save(kind: str, folder: Path) -> Path:
    """Write `sam2`, `sam3` or `vitmatte` in the layout of transformers."""
    {"sam2": sam2, "sam3": sam3, "vitmatte": vitmatte}[kind]().save_pretrained(folder)
    if kind == "sam3":
        tokenizer().save_pretrained(folder)
    return folder


def _tracking(width: int, tokens: int) -> dict[str, Any]:
    return {
        "mask_decoder_config": {
            "hidden_size": width,
            "mlp_dim": 64,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": 32,
        },
        "memory_attention_hidden_size": width,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 64,
        "memory_attention_rope_feat_sizes": [tokens, tokens],
        "memory_encoder_hidden_size": width,
        "memory_encoder_output_channels": 64,
        "mask_downsampler_embed_dim": width,
        "memory_fuser_embed_dim": width,
        "memory_fuser_intermediate_dim": 64,
        "memory_fuser_num_layers": 1,
    }


def _random(kind: Any, config: Any, *, seed: int = 0) -> Any:
    """A model with weights large enough that what comes out depends on everything that goes in."""
    torch.manual_seed(seed)
    model = kind(config).eval()
    for name, weight in model.named_parameters():
        if "norm" in name and name.endswith("weight"):
            torch.nn.init.ones_(weight)
        else:
            spread = 0.05 if weight.dim() == 1 else 2 * max(weight[0].numel(), 1) ** -0.5
            torch.nn.init.normal_(weight, std=spread)
        if name.endswith("pred_obj_score_head.proj_out.bias"):
            torch.nn.init.constant_(weight, 20.0)  # The object is there.
    return model
