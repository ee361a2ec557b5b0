"""Estimate the memory and time of a task from the size of its model and of its shots."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.pipelines.base import TRANSFORMERS
from wangp_cli.pipelines.memory import meter, profiles
from wangp_cli.pipelines.memory.placement import choose
from wangp_cli.plan.diffusion_forcing import round_up_to_block, steps_before_each_pass

if TYPE_CHECKING:
    from wangp_cli.grid import Grid
    from wangp_cli.pipelines.base import Placement
    from wangp_cli.tasks.render import Render
    from wangp_cli.traits import Traits

FLOAT32_PARTS = ("image_encoder", "audio_encoder")
"""Small parts that always compute in float32."""
HIDDEN_COPIES = 12
"""Tensors of the hidden width alive at once in a block, besides two of the feed-forward width."""
SHARE_OF_PEAK = {"cpu": 0.9, "cuda": 0.5, "mps": 0.5}
"""Operations per second of a transformer as a share of those of a large matrix product, by device."""
SHARE_OF_VAE = 0.3
"""Operations per second of the VAE as a share of those of a transformer."""
BYTES_PER_SECOND = 500e6
"""Assumed throughput of loading weights from disk to the device."""
PROBE_SECONDS = 0.2
TEXT_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Memory and time of a task. The bytes of weights are exact, all else is approximate.

    Args:
        device: where it computes.
        dtype: dtype of the transformer.
        profile: memory profile.
        why: reason for the profile.
        weights: bytes of the weights by part, in the dtype in which they compute.
        device_bytes: peak memory on the device.
        memory_bytes: peak main memory.
        free_bytes: free memory of the device now.
        load_seconds: time to load the model.
        run_seconds: time from then to the result.
    """

    device: str
    dtype: str
    profile: str
    why: str
    weights: dict[str, int]
    device_bytes: int
    memory_bytes: int
    free_bytes: int
    load_seconds: float
    run_seconds: float

    @property
    def fits(self) -> bool:
        """Whether the peak is below the free memory of the device."""
        return self.device_bytes <= self.free_bytes


@dataclass(frozen=True, kw_only=True)
class Model:
    """What an estimate needs to know of a model.

    Args:
        traits: traits of its architecture.
        grid: frame counts and sizes that it generates.
        config: configuration of its transformer.
        weights: number of parameters by part.
        bytes: size of its files.
    """

    traits: Traits
    grid: Grid
    config: Mapping[str, Any]
    weights: Mapping[str, int]
    bytes: int

    @property
    def width(self) -> int:
        """Width of the transformer's hidden states."""
        return int(self.config.get("num_attention_heads", 40)) * int(
            self.config.get("attention_head_dim", 128)
        )

    def tokens(self, frames: int, width: int, height: int) -> int:
        """Sequence length of a shot in the transformer: one token per block of pixels and latent frame."""
        blocks = (width // self.grid.block) * (height // self.grid.block)
        return self.traits.token_videos * self.latent_frames(frames) * blocks

    def latent_frames(self, frames: int) -> int:
        """Latent frames that encode `frames` frames."""
        return (frames - 1) // self.grid.step + 1


def estimate(
    task: Render, model: Model, runs: Sequence[int], engines: Mapping[str, int] | None = None
) -> Estimate:
    """Estimate a settled task without loading weights.

    Args:
        task: the task.
        model: the model that renders it.
        runs: frames of each run of the model.
        engines: number of parameters of auxiliary networks that stay loaded beside it, by field.

    Raises:
        ResourceError: the device does not exist.
    """
    placement = choose(task)
    networks = {
        name: count * int(getattr(torch, placement.dtype).itemsize) for name, count in (engines or {}).items()
    }
    sizes = {name: count * bytes_of(name, placement) for name, count in model.weights.items()}
    free, main = meter.free(placement.device), meter.free("cpu")
    profile, why = placement.profile, "as asked"
    if profile == "auto":
        profile, why = profiles.fastest_fitting(sizes, placement.device, free, main)
    width, height = map(int, task.size.split("x"))
    frames = max(runs)
    work = max(
        denoising_bytes(model, frames, width, height, placement),
        decoding_bytes(model, frames, width, height, placement),
    )
    resident = profiles.resident_bytes(sizes, profile, placement.device) + sum(networks.values())
    on_cpu = placement.device == "cpu"
    offloaded = 0 if on_cpu or profile in ("1", "5") else sum(sizes.values())
    operations = sum(_operations(task, model, count, width, height) for count in runs)
    # Each parameter of a convolution multiplies every pixel of its input.
    pixels = width * height * task.finished_frames(sum(runs))
    operations += 2 * (engines or {}).get("upscaler", 0) * pixels
    return Estimate(
        device=placement.device,
        dtype=placement.dtype,
        profile=profile,
        why=why,
        weights=sizes | networks,
        device_bytes=resident + work,
        memory_bytes=resident + work if on_cpu else offloaded + frames * width * height * 3 * 4,
        free_bytes=free,
        load_seconds=model.bytes / BYTES_PER_SECOND,
        run_seconds=operations / (speed(placement) * SHARE_OF_PEAK[placement.device.partition(":")[0]]),
    )


def bytes_of(name: str, placement: Placement) -> int:
    """Bytes of one parameter of a part in the dtype in which it computes, or as quantised."""
    quantization = {
        **dict.fromkeys(TRANSFORMERS, placement.transformer_quantization),
        "text_encoder": placement.text_encoder_quantization,
    }
    if quantization.get(name, "none") != "none":
        return 1
    dtype = {"vae": placement.vae_dtype, **dict.fromkeys(FLOAT32_PARTS, "float32")}.get(name, placement.dtype)
    return int(getattr(torch, dtype).itemsize)


def denoising_bytes(model: Model, frames: int, width: int, height: int, placement: Placement) -> int:
    """Peak bytes of activations in a forward pass of the transformer; `boost` runs two at once."""
    inner = int(model.config.get("ffn_dim", 13824))
    passes = 2 if placement.boost else 1
    per_token = (2 * inner + HIDDEN_COPIES * model.width) * int(getattr(torch, placement.dtype).itemsize)
    return passes * model.tokens(frames, width, height) * per_token


def decoding_bytes(model: Model, frames: int, width: int, height: int, placement: Placement) -> int:
    """Peak bytes of decoding: activations for one latent frame or tile, and all decoded frames."""
    pixels = width * height if placement.vae_tiling in ("auto", "off") else int(placement.vae_tiling) ** 2
    size = int(getattr(torch, placement.vae_dtype).itemsize)
    decoder = meter.decoding_bytes(model.grid.step, pixels, model.traits.vae.channels, size)
    return decoder + frames * width * height * 3 * size


def pass_operations(model: Model, frames: int, width: int, height: int) -> float:
    """Floating point operations of one forward pass of the transformer: layers, self- and cross-attention."""
    tokens, config = model.tokens(frames, width, height), model.config
    layers = int(config.get("num_layers", 40)) + len(config.get("vace_layers") or ())
    return (
        2 * model.weights["transformer"] * tokens + 4 * tokens * (tokens + TEXT_TOKENS) * model.width * layers
    )


def _operations(task: Render, model: Model, frames: int, width: int, height: int) -> float:
    """Floating point operations of one run of the model: text encoder, all forward passes, VAE."""
    weights = model.weights
    latent = round_up_to_block(model.latent_frames(frames), task.causal_block_size)
    steps = steps_before_each_pass(latent, task.steps, lag=task.ar_step, block=task.causal_block_size)
    guided = task.guidance_scale > 1
    passes = len(steps) * (1 + guided + _has_extra_pass(task, model.traits))
    text = 2 * weights.get("text_encoder", 0) * TEXT_TOKENS * (2 if task.guidance_scale > 1 else 1)
    traits = model.traits
    scale = weights.get("vae", 0) / traits.parts.get("vae", 1)
    pixels = frames * width * height
    per_pixel = traits.vae.decode_operations + traits.encoded_videos * traits.vae.encode_operations
    per_pass = pass_operations(model, model.grid.step * (latent - 1) + 1, width, height)
    return per_pass * passes + text + pixels * per_pixel * scale / SHARE_OF_VAE


def _has_extra_pass(task: Render, traits: Traits) -> bool:
    """Whether the guidance of this architecture adds a forward pass to each step."""
    if traits.guidance_field is None:
        return False
    return task.guidance_scale > 1 if traits.fixed_guidance else getattr(task, traits.guidance_field) != 1


def speed(placement: Placement) -> float:
    """Floating point operations per second of matrix products on the device, measured now."""
    side = 4096 if placement.device.startswith("cuda") else 512
    matrix = torch.ones(side, side, dtype=getattr(torch, placement.dtype), device=placement.device)
    result = matrix @ matrix
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < PROBE_SECONDS:
        result = matrix @ matrix
        count += 1
        if placement.device.startswith("cuda"):
            torch.cuda.synchronize(placement.device)
    assert math.isfinite(float(result[0, 0]))
    return count * 2.0 * side**3 / (time.perf_counter() - began)
