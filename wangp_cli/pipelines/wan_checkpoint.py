"""Which Wan checkpoints this code runs as they were meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffusers import WanTransformer3DModel, WanVACETransformer3DModel

from wangp_cli.errors import ModelError

if TYPE_CHECKING:
    from wangp_cli.catalogue import ModelSpec
    from wangp_cli.pipelines.checkpoint import Checkpoint

IMAGE_TEXT_LENGTH = 512
"""Networks with CLIP tokens split text from pictures at this place, whatever the text's length."""


def network_of(spec: ModelSpec) -> Any:
    """The class of a model's transformer."""
    return WanVACETransformer3DModel if spec.architecture == "vace" else WanTransformer3DModel


def check_architecture(spec: ModelSpec, checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint that this code would run wrongly.

    Raises:
        ModelError: it is of another architecture, or a part is missing.
    """
    config = checkpoint.config("transformer")
    wanted, found = network_of(spec).__name__, config.get("_class_name")
    if found != wanted:
        raise ModelError(f"{checkpoint.folder} holds a {found}, but {spec.name} needs a {wanted}")
    if checkpoint.has("transformer_2") or checkpoint.index.get("expand_timesteps"):
        raise ModelError(f"{checkpoint.folder} is of Wan 2.2, which is not served yet")
    extended = config.get("in_channels") != config.get("out_channels")
    if extended != (spec.architecture in ("i2v", "flf2v")):
        raise ModelError(f"{checkpoint.folder} is not of the architecture {spec.architecture}")
    both_ends = config.get("pos_embed_seq_len") is not None
    if both_ends != (spec.architecture == "flf2v"):
        raise ModelError(f"{checkpoint.folder} is not of the architecture {spec.architecture}")
    if config.get("image_dim") is not None:
        if not checkpoint.has("image_encoder"):
            raise ModelError(f"{checkpoint.folder} has no image encoder")
        if spec.text_length != IMAGE_TEXT_LENGTH:
            raise ModelError(f"{spec.name} must have a text length of {IMAGE_TEXT_LENGTH}")
