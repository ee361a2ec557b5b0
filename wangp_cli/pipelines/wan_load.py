"""Loading a Wan model: its parts from a checkpoint, shared with other models where they are equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import diffusers
import torch
from transformers import AutoTokenizer, UMT5EncoderModel

from wangp_cli.pipelines import attention, lora
from wangp_cli.pipelines.checkpoint import TRANSFORMERS, Checkpoint
from wangp_cli.pipelines.text import TextEncoder
from wangp_cli.pipelines.vae import Vae
from wangp_cli.pipelines.wan import Wan, counter
from wangp_cli.pipelines.wan_architecture import Parts
from wangp_cli.pipelines.wan_architectures import ARCHITECTURES
from wangp_cli.pipelines.wan_image import ImageEncoder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wangp_cli.catalogue import ModelSpec
    from wangp_cli.pipelines.base import Components, Lora, Placement, Progress, Weights
    from wangp_cli.pipelines.wan_architecture import PartName


def load(
    spec: ModelSpec,
    weights: Path | Weights,
    placement: Placement,
    loras: Sequence[Lora],
    components: Components,
    progress: Progress,
) -> Wan:
    """Load a Wan model.

    Args:
        spec: the model's catalogue entry.
        weights: a folder in diffusers layout, or one with files of the transformers.
        placement: device, precision and kernels; the VAE and CLIP are always float32.
        loras: those it will wear, checked before anything is loaded.
        components: where the text encoder, the VAE and CLIP are shared with other pipelines.
        progress: told after each part.

    Raises:
        ModelError: a file is missing or broken, or the checkpoint is not of the entry's architecture.
        RequestError: the attention backend is not available here.
    """
    attention.check(placement.attention, placement.device)
    checkpoint = Checkpoint(weights)
    architecture = ARCHITECTURES[spec.architecture]
    architecture.check_checkpoint(spec, checkpoint)
    kind = getattr(diffusers, architecture.network)
    lora.check(loras, lambda: kind.from_config(checkpoint.config("transformer")))
    names = architecture.parts_of(checkpoint)
    transformers = TRANSFORMERS[: spec.experts]
    checkpoint.check([*transformers, *names, *(TOOLS[name] for name in names if name in TOOLS)])
    tick = counter(progress, "load", len(names) + len(transformers))
    parts = {}
    for name in names:
        parts[name] = _part(name, checkpoint, placement, components)
        tick(1)
    dtype = getattr(torch, placement.dtype)
    networks = []
    for part in transformers:
        networks.append(checkpoint.network(part, kind, dtype, placement.device))
        tick(1)
    adapters = lora.Adapters(networks, placement.device, dtype)
    return Wan(architecture(spec, Parts(**parts), dtype), networks, placement, adapters)


def _part(name: PartName, checkpoint: Checkpoint, placement: Placement, components: Components) -> Any:
    """A part beside the transformers, shared with all pipelines that have an equal one."""
    identities = [checkpoint.identity(part) for part in (name, TOOLS.get(name)) if part]
    variant = {"text_encoder": placement.dtype, "vae": "exact" if placement.exact else "fast"}.get(name, "")
    key = (name, *identities, placement.device, variant)
    return components.get(key, lambda: MAKERS[name](checkpoint, placement))


def _text_encoder(checkpoint: Checkpoint, placement: Placement) -> TextEncoder:
    dtype = getattr(torch, placement.dtype)
    model = checkpoint.encoder("text_encoder", UMT5EncoderModel, dtype, placement.device)
    return TextEncoder(model, checkpoint.tool("tokenizer", AutoTokenizer))


def _vae(checkpoint: Checkpoint, placement: Placement) -> Vae:
    model = checkpoint.network("vae", diffusers.AutoencoderKLWan, torch.float32, placement.device)
    return Vae(model, exact=placement.exact)


def _image_encoder(checkpoint: Checkpoint, placement: Placement) -> ImageEncoder:
    # Few models have one, and the import warns on machines without torchvision.
    from transformers import CLIPImageProcessor, CLIPVisionModel

    model = checkpoint.encoder("image_encoder", CLIPVisionModel, torch.float32, placement.device)
    return ImageEncoder(model, checkpoint.tool("image_processor", CLIPImageProcessor))


TOOLS = {"text_encoder": "tokenizer", "image_encoder": "image_processor"}
"""Parts without weights, by the part they come with."""
MAKERS: dict[PartName, Callable[[Checkpoint, Placement], Any]] = {
    "text_encoder": _text_encoder,
    "vae": _vae,
    "image_encoder": _image_encoder,
}
"""How each part is made."""
