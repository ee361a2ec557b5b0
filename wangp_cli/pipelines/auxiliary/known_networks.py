"""Names of networks by the keys of their checkpoints, to tell what a file is that was taken for another."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

PATTERNS = {
    "a LoRA": r"lora_(A|B|up|down|unet)",
    "MatAnyone": r"object_transformer\.|mask_encoder\.sensory",
    "SAM 2": r"memory_attention\.|sam_mask_decoder\.|memory_encoder\.",
    "SAM": r"image_encoder\.patch_embed|vision_encoder\.patch_embed|prompt_encoder\.",
    "ViTMatte": r"decoder\.convstream|backbone\.pos_embed$",
    "RIFE 3": r"block0\.convblock0\.",
    "RIFE": r"block(s\.)?0\.conv0\.|block_tea\.|encode\.(0|cnn0)\.weight",
    "RAFT": r"update_block\.|fnet\.",
    "Depth Anything": r"depth_head\.|neck\.reassemble|head\.conv3\.",
    "ESRGAN+": r"\.conv1x1\.",
    "HAT": r"overlap_attn\.|conv_block\.cab",
    "DAT": r"\.attn\.attns\.|\.channel_interaction\.",
    "Swin2SR": r"residual_group\.blocks\.0\.attn\.logit_scale|swin2sr\.",
    "SwinIR": r"residual_group\.blocks\.0\.attn\.",
    "SPAN": r"block_1\.c1_r\.",
    "PLKSR": r"feats\.\d+\.(lk|channel_mixer|channe_mixer|doublconv)\.",
    "OmniSR": r"residual_layer\.0\.residual_layer\.",
    "an ESRGAN network": r"(conv_first|model\.1\.sub\.0\.RDB1|body\.0\.rdb1|RRDB_trunk|^body\.0\.weight)",
    "Informative Drawings": r"model2\.0\.conv_block\.1\.weight",
    "a diffusion transformer": r"(transformer_)?blocks\.0\.(self_attn|cross_attn|attn1|modulation)",
    "a VAE": r"(encoder|decoder)\.(conv1|conv_in|mid_block)\b",
    "a text encoder": r"(encoder\.block\.0\.layer\.0|shared\.weight|blocks\.0\.attn\.q\.)",
}
"""Regular expressions that are searched in each key; the first that is found gives the name."""

ARCHITECTURES = {
    "MatAnyone": "matanyone",
    "RIFE": "rife",
    "RIFE 3": "rife3",
    "RAFT": "raft",
    "an ESRGAN network": "esrgan",
    "Informative Drawings": "line_art",
}
"""Architectures of tools whose network is one file, by its name."""

PREFIX = "module."
"""What the keys of files begin with that were saved while several GPUs trained the network."""
ONLY_FOR_TRAINING = ("teacher.", "caltime.")
"""Beginnings of keys in official files of RIFE, of networks that only training uses."""


def name_of_network(keys: Iterable[str]) -> str | None:
    """What a checkpoint with these keys is, such as "SAM 2" or "a VAE"; None if it is not known."""
    keys = list(keys)
    return next(
        (name for name, pattern in PATTERNS.items() if any(re.search(pattern, key) for key in keys)), None
    )


def architecture_of(keys: Iterable[str]) -> str | None:
    """The architecture of a tool whose checkpoint, in one file, has these keys; None for other files."""
    return ARCHITECTURES.get(name_of_network(keys) or "")


def parameter_count(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The number of parameters of a network by the shapes in its checkpoint, without those of training."""
    return sum(
        math.prod(shape)
        for key, shape in shapes.items()
        if not key.removeprefix(PREFIX).startswith(ONLY_FOR_TRAINING)
    )
