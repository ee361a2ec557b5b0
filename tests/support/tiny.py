"""Tiny checkpoints of the real classes with random weights, built without a network."""

from __future__ import annotations

import string
from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from wangp_cli.catalogue import Catalogue, presets_dir
from wangp_cli.media.clip import Clip
from wangp_cli.models import ModelSpec, Source
from wangp_cli.tasks.shot import Shot
from wangp_cli.traits import Traits

T = TypeVar("T")

ACCEPTS = {
    "t2v": {"initial", "lora", "negative"},
    "i2v": {"start", "end", "anchor", "initial", "lora", "negative"},
    "flf2v": {"start", "end", "initial", "lora", "negative"},
    "vace": {"start", "end", "control", "mask", "references", "initial", "lora", "negative"},
    "ti2v": {"start", "initial", "lora", "negative"},
    "phantom": {"references", "initial", "lora", "negative"},
    "diffusion_forcing": {"start", "initial", "lora", "negative"},
    "animate": {
        "start",
        "control",
        "mask",
        "face",
        "background",
        "references",
        "initial",
        "lora",
        "negative",
    },
    "recam": {"control", "camera", "initial", "lora", "negative"},
}
"""What each architecture accepts."""
CLIP_TEXT_LENGTH = 512
TEXT_LENGTH = dict.fromkeys(("i2v", "flf2v", "animate"), CLIP_TEXT_LENGTH)
"""Tokens of a prompt where the network fixes them, else `SHORT_TEXT`."""
SHORT_TEXT = 24
BOUNDARY = {"t2v_2_2": 0.875, "i2v_2_2": 0.9, "vace_2_2": 0.875}
"""Checkpoints of two transformers, and the share of the noise at which stock goes over to the second."""
NAMES = (*ACCEPTS, *BOUNDARY)
"""All tiny checkpoints."""
WORDS = ("a", "the", "red", "blue", "green", "circle", "square", "moves", "right", "left", "on", "blurry")
CLIP_TOKENS = 17
FACE_SIDE = 16
FACE: dict[str, Any] = {
    "motion_encoder_size": FACE_SIDE,
    "motion_encoder_channel_sizes": {"4": 16, "8": 16, "16": 16},
    "motion_style_dim": 8,
    "motion_dim": 4,
    "motion_encoder_dim": 16,
    "face_encoder_hidden_dim": 16,
    "face_encoder_num_heads": 2,
    "inject_face_latents_blocks": 2,
}
"""What Animate's transformer has besides, in small."""
STOCK = {
    "t2v": "WanPipeline",
    "i2v": "WanImageToVideoPipeline",
    "flf2v": "WanImageToVideoPipeline",
    "vace": "WanVACEPipeline",
    "ti2v": "WanPipeline",
    "diffusion_forcing": "SkyReelsV2DiffusionForcingPipeline",
    "animate": "WanAnimatePipeline",
    "phantom": "WanPipeline",
    "recam": "WanPipeline",
}
"""The stock pipeline of each architecture; the last two have none, and only files like its own."""


def architecture(name: str) -> str:
    """The architecture of a tiny checkpoint."""
    return name.removesuffix("_2_2")


@cache
def traits(architecture: str) -> Traits:
    """The traits of an architecture, as the shipped catalogue declares them."""
    models = Catalogue(presets_dir() / "models").models.values()
    return next(spec.traits for spec in models if spec.architecture == architecture)


def text_length(name: str) -> int:
    """Tokens of a prompt of a tiny checkpoint."""
    return TEXT_LENGTH.get(name, SHORT_TEXT)


def spec(name: str, **changes: Any) -> ModelSpec:
    """The catalogue entry of one of `NAMES`."""
    entry = {
        "name": f"tiny_{name}",
        "title": f"Tiny {name}",
        "family": "wan",
        "architecture": architecture(name),
        "traits": traits(architecture(name)),
        "experts": 1 + (name in BOUNDARY),
        "source": Source(),
        "accepts": frozenset(ACCEPTS[architecture(name)]),
        "text_length": text_length(name),
    }
    return ModelSpec.model_validate(entry | changes)


class Parts:
    """A `Components` that keeps every part."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, ...], Any] = {}

    def get(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """The part under `key`, made at the first call."""
        if key not in self.made:
            self.made[key] = make()
        part: T = self.made[key]
        return part

    def has(self, key: tuple[str, ...]) -> bool:
        """Whether there is a part under `key`."""
        return key in self.made


def shot(**changes: Any) -> Shot:
    """Nine frames of 32 x 32 pixels in two steps, with guidance."""
    values = {
        "prompt": "a red circle moves right",
        "negative_prompt": "blurry",
        "size": "32x32",
        "frames": 9,
        "steps": 2,
        "guidance_scale": 4.0,
        "flow_shift": 3.0,
        "seed": 7,
    }
    return Shot.model_validate(values | changes)


def shot_for(name: str, **changes: Any) -> Shot:
    """A shot that suits one of `NAMES`: of two experts, each makes one of its two steps."""
    values: dict[str, Any] = {"size": "64x64"} if name == "ti2v" else {}
    if name in BOUNDARY:
        threshold = 1000 * BOUNDARY[name]
        values |= {"guidance_phases": 2, "guidance2_scale": 3.0, "switch_threshold": threshold}
    return shot(**(values | changes))


def clip(frames: int, seed: int = 0, *, channels: int = 3, size: int = 32) -> Clip:
    """Random uint8 pixels; a mask where there is one channel."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (frames, size, size, channels), dtype=np.uint8)
    if channels == 1:
        pixels = np.where(pixels > 127, 255, 0).astype(np.uint8)
    return Clip(frames=pixels, fps=Fraction(16))


def quiet(stage: str, done: int, total: int) -> None:
    """A progress callback that does nothing."""


def save(name: str, folder: Path, **changes: Any) -> Path:
    """Write the tiny checkpoint `name` in diffusers layout; `changes` go into the transformer."""
    pipeline(name, **changes).save_pretrained(folder)
    return folder


def pipeline(name: str, **changes: Any) -> Any:
    """The stock diffusers pipeline of a tiny checkpoint, in memory."""
    import diffusers

    parts = {
        "tokenizer": tokenizer(),
        "text_encoder": text_encoder(),
        "vae": vae(),
        "scheduler": scheduler(),
    }
    if name in BOUNDARY:
        parts["boundary_ratio"] = BOUNDARY[name]
    kind: str = architecture(name)
    part: Any = transformer
    if kind == "vace":
        changes |= {"vace_layers": [0, 1], "vace_in_channels": 96}
        part = partial(transformer, "WanVACETransformer3DModel")
    elif kind == "recam":
        part = recam
    elif kind == "ti2v":
        parts |= {"vae": vae_5b(), "expand_timesteps": True}
        changes |= {"in_channels": 48, "out_channels": 48}
    elif kind == "diffusion_forcing":
        changes = {"inject_sample_info": True} | changes
        part = partial(transformer, "SkyReelsV2Transformer3DModel")
    elif kind in ("i2v", "flf2v", "animate"):
        changes |= {"in_channels": 36}
        parts |= {"image_encoder": None, "image_processor": None}
        if name in TEXT_LENGTH:
            changes |= {"image_dim": 16, "added_kv_proj_dim": 48}
            parts["image_encoder"], parts["image_processor"] = image_encoder()
        if kind == "flf2v":
            changes["pos_embed_seq_len"] = 2 * CLIP_TOKENS
        if kind == "animate":
            changes = FACE | changes
            part = partial(transformer, "WanAnimateTransformer3DModel")
    parts["transformer"] = part(**changes)
    if name in BOUNDARY:
        parts["transformer_2"] = part(seed=1, **changes)
    return getattr(diffusers, STOCK[kind])(**parts)


def tokenizer() -> Any:
    """A unigram tokenizer with T5's special tokens: pad 0, end 1, unknown 2."""
    from transformers import T5Tokenizer

    letters = string.ascii_letters + string.digits + ".,!?'-:;()"
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    vocabulary += [("▁" + word, -3.0) for word in WORDS]
    known = {piece for piece, _ in vocabulary}
    vocabulary += [(letter, -6.0) for letter in letters if letter not in known]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0, additional_special_tokens=[])


def text_encoder() -> Any:
    """A UMT5 encoder of two layers, 32 wide."""
    from transformers import UMT5Config, UMT5EncoderModel

    torch.manual_seed(0)
    config = UMT5Config(
        vocab_size=128,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    return UMT5EncoderModel(config).eval()


def image_encoder() -> tuple[Any, Any]:
    """A CLIP vision model of 16 x 16 pixels, and its processor."""
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        projection_dim=16,
        image_size=16,
        patch_size=4,
        num_hidden_layers=2,
        num_attention_heads=2,
    )
    return CLIPVisionModel(config).eval(), CLIPImageProcessor(crop_size=16, size=16)


def vae(base: int = 4) -> Any:
    """A Wan VAE with the real scales (8 in space, 4 in time)."""
    from diffusers import AutoencoderKLWan

    torch.manual_seed(0)
    return AutoencoderKLWan(
        base_dim=base,
        z_dim=16,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    ).eval()


def vae_5b() -> Any:
    """The VAE of Wan 2.2 5B in small: residual, 16 in space and 4 in time, 48 channels."""
    from diffusers import AutoencoderKLWan

    torch.manual_seed(0)
    return AutoencoderKLWan(
        base_dim=4,
        z_dim=48,
        in_channels=12,
        out_channels=12,
        is_residual=True,
        patch_size=2,
        latents_mean=[0.1] * 48,
        latents_std=[1.2] * 48,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        scale_factor_spatial=16,
        temperal_downsample=[False, True, True],
    ).eval()


def transformer(kind: str = "WanTransformer3DModel", *, seed: int = 0, **changes: Any) -> Any:
    """A Wan transformer of two layers, 48 wide."""
    from wangp_cli.pipelines.checkpoints.network_classes import network_class

    torch.manual_seed(seed)
    config = {
        "patch_size": (1, 2, 2),
        "num_attention_heads": 2,
        "attention_head_dim": 24,
        "text_dim": 32,
        "freq_dim": 64,
        "ffn_dim": 96,
        "num_layers": 2,
        "cross_attn_norm": True,
        "qk_norm": "rms_norm_across_heads",
        "rope_max_seq_len": 64,
        "in_channels": 16,
        "out_channels": 16,
    }
    return network_class(kind)(**(config | changes)).eval()


def recam(**changes: Any) -> Any:
    """A ReCamMaster transformer whose camera weights are not zero."""
    network = transformer("ReCamTransformer3DModel", **changes)
    for name, weight in network.named_parameters():
        if "cam_encoder" in name or "projector" in name:
            torch.nn.init.normal_(weight, std=0.2)
    return network


def scheduler() -> Any:
    """The scheduler of the published Wan 2.1 checkpoints."""
    from diffusers import UniPCMultistepScheduler

    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, num_train_timesteps=1000
    )
