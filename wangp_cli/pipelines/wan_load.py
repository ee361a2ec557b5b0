"""Loading a Wan model: its parts from a checkpoint, shared with other models where they are equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderKLWan
from transformers import AutoTokenizer, UMT5EncoderModel

from wangp_cli.pipelines import attention, lora
from wangp_cli.pipelines.checkpoint import Checkpoint
from wangp_cli.pipelines.text import TextEncoder
from wangp_cli.pipelines.vae import Vae
from wangp_cli.pipelines.wan import Wan, counter
from wangp_cli.pipelines.wan_checkpoint import check_architecture, network_of
from wangp_cli.pipelines.wan_image import ImageEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wangp_cli.catalogue import ModelSpec
    from wangp_cli.pipelines.base import Components, Lora, Placement, Progress


def load(
    spec: ModelSpec,
    folder: Path,
    placement: Placement,
    loras: Sequence[Lora],
    components: Components,
    progress: Progress,
) -> Wan:
    """Load a Wan model from a folder in diffusers layout.

    Args:
        spec: the model's catalogue entry.
        folder: holds `model_index.json` and one sub-folder for each part.
        placement: device, precision and kernels; the VAE and CLIP are always float32.
        loras: put onto the transformer, in order.
        components: where the text encoder, the VAE and CLIP are shared with other pipelines.
        progress: told after each part.

    Raises:
        ModelError: a file is missing or broken, or the checkpoint is not of the entry's architecture.
        RequestError: the attention backend is not available here.
    """
    attention.check(placement.attention, placement.device)
    lora.check_files(loras)
    checkpoint = Checkpoint(folder)
    sees_images = checkpoint.has("image_encoder")
    check_architecture(spec, checkpoint)
    checkpoint.check(["transformer", "text_encoder", "tokenizer", "vae"])
    if sees_images:
        checkpoint.check(["image_encoder", "image_processor"])
    tick = counter(progress, "load", 4 if sees_images else 3)
    device, dtype = placement.device, getattr(torch, placement.dtype)

    def shared(make: Callable[[], Any], parts: tuple[str, ...], *variant: str) -> Any:
        identities = (checkpoint.identity(part) for part in parts)
        return components.get((*parts, *identities, device, *variant), make)

    def make_text() -> TextEncoder:
        model = checkpoint.encoder("text_encoder", UMT5EncoderModel, dtype, device)
        return TextEncoder(model, checkpoint.tool("tokenizer", AutoTokenizer))

    def make_image() -> ImageEncoder:
        # Few models have one, and the import warns on machines without torchvision.
        from transformers import CLIPImageProcessor, CLIPVisionModel

        model = checkpoint.encoder("image_encoder", CLIPVisionModel, torch.float32, device)
        return ImageEncoder(model, checkpoint.tool("image_processor", CLIPImageProcessor))

    def make_vae() -> Vae:
        model = checkpoint.network("vae", AutoencoderKLWan, torch.float32, device)
        return Vae(model, exact=placement.exact)

    text = shared(make_text, ("text_encoder", "tokenizer"), placement.dtype)
    tick(1)
    vae = shared(make_vae, ("vae",), "exact" if placement.exact else "fast")
    tick(1)
    image = None
    if sees_images:
        image = shared(make_image, ("image_encoder", "image_processor"))
        tick(1)
    transformer = checkpoint.network("transformer", network_of(spec), dtype, device)
    lora.apply(transformer, loras)
    tick(1)
    return Wan(spec, placement, transformer, text, vae, image)
