"""Estimates of the memory and time of a task, from the sizes of its model and of its shots."""

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
    from wangp_cli.models import Traits
    from wangp_cli.pipelines.base import Placement
    from wangp_cli.tasks.render import Render

WHOLE = ("image_encoder", "audio_encoder")
"""Small parts that are never rounded."""
HIDDEN_COPIES = 12
"""Tensors as wide as the network that live at once in a block, besides two as wide as its inner layer."""
SHARE_OF_PEAK = {"cpu": 0.9, "cuda": 0.5, "mps": 0.5}
"""Speed of a network as a share of that of a large matrix product."""
SHARE_OF_VAE = 0.3
"""The same of convolutions, against a network."""
BYTES_A_SECOND = 500e6
"""Assumed throughput from disk to device."""
PROBE_SECONDS = 0.2
TEXT_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Memory and time of a task. Weights are exact; the rest is rough.

    Args:
        weights: bytes of each part in its dtype while it computes.
        device_bytes: at the peak, on the device.
        memory_bytes: at the peak, of main memory.
        free_bytes: on the device now.
        load_seconds: until the model is loaded.
        run_seconds: of its work after that.
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
        """Whether the device has room."""
        return self.device_bytes <= self.free_bytes


@dataclass(frozen=True, kw_only=True)
class Model:
    """The facts of a model that estimates depend on.

    Args:
        traits: of its architecture.
        grid: of its catalogue entry.
        config: of its transformer.
        weights: number of parameters of each part.
        bytes: of its files.
    """

    traits: Traits
    grid: Grid
    config: Mapping[str, Any]
    weights: Mapping[str, int]
    bytes: int

    @property
    def width(self) -> int:
        """Channels of the transformer's hidden states."""
        return int(self.config.get("num_attention_heads", 40)) * int(
            self.config.get("attention_head_dim", 128)
        )

    def tokens(self, frames: int, width: int, height: int) -> int:
        """Tokens of a shot in the transformer: one for each block of pixels of each latent frame."""
        blocks = (width // self.grid.block) * (height // self.grid.block)
        return self.traits.token_videos * self.latent_frames(frames) * blocks

    def latent_frames(self, frames: int) -> int:
        """Latent frames of so many frames."""
        return (frames - 1) // self.grid.step + 1


def estimate(task: Render, model: Model, runs: Sequence[int]) -> Estimate:
    """Estimate a settled task, without loading weights.

    Args:
        task: the task.
        model: it runs with.
        runs: frames of each run of the model.

    Raises:
        ResourceError: the device is not there.
    """
    placement = choose(task)
    sizes = {name: count * bytes_of(name, placement) for name, count in model.weights.items()}
    free, main = meter.free(placement.device), meter.free("cpu")
    profile, why = (placement.profile, "as asked")
    if profile == "auto":
        profile, why = profiles.automatic(sizes, placement.device, free, main)
    width, height = map(int, task.size.split("x"))
    frames = max(runs)
    work = max(
        denoising_bytes(model, frames, width, height, placement),
        decoding_bytes(model, frames, width, height, placement),
    )
    held = profiles.resident(sizes, profile, placement.device)
    on_cpu = placement.device == "cpu"
    waiting = 0 if on_cpu or profile in ("1", "5") else sum(sizes.values())
    operations = sum(_operations(task, model, count, width, height) for count in runs)
    return Estimate(
        device=placement.device,
        dtype=placement.dtype,
        profile=profile,
        why=why,
        weights=sizes,
        device_bytes=held + work,
        memory_bytes=held + work if on_cpu else waiting + frames * width * height * 3 * 4,
        free_bytes=free,
        load_seconds=model.bytes / BYTES_A_SECOND,
        run_seconds=operations / (speed(placement) * SHARE_OF_PEAK[placement.device.partition(":")[0]]),
    )


def bytes_of(name: str, placement: Placement) -> int:
    """Bytes of one weight of a part as it computes."""
    quantization = {
        **dict.fromkeys(TRANSFORMERS, placement.transformer_quantization),
        "text_encoder": placement.text_encoder_quantization,
    }
    if quantization.get(name, "none") != "none":
        return 1
    whole = {"vae": placement.vae_dtype, **dict.fromkeys(WHOLE, "float32")}.get(name, placement.dtype)
    return int(getattr(torch, whole).itemsize)


def denoising_bytes(model: Model, frames: int, width: int, height: int, placement: Placement) -> int:
    """Bytes of the tensors of one pass of the transformer."""
    inner = int(model.config.get("ffn_dim", 13824))
    both = 2 if placement.boost else 1
    of_token = (2 * inner + HIDDEN_COPIES * model.width) * int(getattr(torch, placement.dtype).itemsize)
    return both * model.tokens(frames, width, height) * of_token


def decoding_bytes(model: Model, frames: int, width: int, height: int, placement: Placement) -> int:
    """Bytes of decoding a latent frame, and of the decoded frames."""
    pixels = width * height if placement.vae_tiling in ("auto", "off") else int(placement.vae_tiling) ** 2
    size = int(getattr(torch, placement.vae_dtype).itemsize)
    decoder = meter.decoding_bytes(model.grid.step, pixels, model.traits.vae.channels, size)
    return decoder + frames * width * height * 3 * size


def pass_operations(model: Model, frames: int, width: int, height: int) -> float:
    """Floating point operations of one pass of the transformer."""
    seen, config = model.tokens(frames, width, height), model.config
    layers = int(config.get("num_layers", 40)) + len(config.get("vace_layers") or ())
    return 2 * model.weights["transformer"] * seen + 4 * seen * (seen + TEXT_TOKENS) * model.width * layers


def _operations(task: Render, model: Model, frames: int, width: int, height: int) -> float:
    """Floating point operations of one run."""
    weights = model.weights
    latent = round_up_to_block(model.latent_frames(frames), task.causal_block_size)
    steps = steps_before_each_pass(latent, task.steps, lag=task.ar_step, block=task.causal_block_size)
    guided = task.guidance_scale > 1
    passes = len(steps) * (1 + guided + _has_extra_pass(task, model.traits))
    text = 2 * weights.get("text_encoder", 0) * TEXT_TOKENS * (2 if task.guidance_scale > 1 else 1)
    traits = model.traits
    scale = weights.get("vae", 0) / traits.parts.get("vae", 1)
    pixels = frames * width * height
    of_pixel = traits.vae.decode_operations + traits.encoded_videos * traits.vae.encode_operations
    one = pass_operations(model, model.grid.step * (latent - 1) + 1, width, height)
    return one * passes + text + pixels * of_pixel * scale / SHARE_OF_VAE


def _has_extra_pass(task: Render, traits: Traits) -> bool:
    """Whether each step has a pass that only this architecture has."""
    if traits.guidance_field is None:
        return False
    return task.guidance_scale > 1 if traits.fixed_guidance else getattr(task, traits.guidance_field) != 1


def speed(placement: Placement) -> float:
    """Floating point operations a second of a matrix product on the device, measured in a moment."""
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
