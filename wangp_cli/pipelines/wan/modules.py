"""The modules of the parts of a Wan checkpoint besides its transformers, and their preprocessors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import diffusers
import torch
from transformers import AutoTokenizer, UMT5EncoderModel

from wangp_cli.pipelines.checkpoints.pretrained import META
from wangp_cli.pipelines.wan.fantasy_talking import speech_module_files
from wangp_cli.pipelines.wan.uni3c import control_network_files

if TYPE_CHECKING:
    from wangp_cli.pipelines.checkpoints.assemble import NetworkFiles
    from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint
    from wangp_cli.pipelines.wan.architecture import PartName

UNUSED_OF_WAV2VEC = ("lm_head.weight", "lm_head.bias", "masked_spec_embed")
"""Weights of wav2vec 2.0 that are not used: the head for letters, and the mask embedding of training."""
PREPROCESSORS = {"text_encoder": "tokenizer", "image_encoder": "image_processor"}
"""Tokenizers and processors with a folder of their own, by the part they belong to."""
WITH_PREPROCESSOR = (*PREPROCESSORS, "audio_encoder")


def _text_encoder(checkpoint: Checkpoint, dtype: torch.dtype, device: str) -> Any:
    return checkpoint.encoder("text_encoder", UMT5EncoderModel, dtype, device)


def _vae(checkpoint: Checkpoint, dtype: torch.dtype, device: str) -> Any:
    return checkpoint.network("vae", diffusers.AutoencoderKLWan, dtype, device)


def _image_encoder(checkpoint: Checkpoint, dtype: torch.dtype, device: str) -> Any:
    from transformers import CLIPVisionModel

    return checkpoint.encoder("image_encoder", CLIPVisionModel, dtype, device)


def _audio_encoder(checkpoint: Checkpoint, dtype: torch.dtype, device: str) -> Any:
    from transformers import Wav2Vec2Model

    return checkpoint.encoder("audio_encoder", Wav2Vec2Model, dtype, device, unused=UNUSED_OF_WAV2VEC)


def _speech(checkpoint: Checkpoint, dtype: torch.dtype, device: str) -> Any:
    return _built(speech_module_files(checkpoint), dtype, device)


def _control(checkpoint: Checkpoint, dtype: torch.dtype, device: str) -> Any:
    return _built(control_network_files(checkpoint), dtype, device)


def _built(files: NetworkFiles, dtype: torch.dtype, device: str) -> Any:
    if device == META:
        return files.empty
    return files.build(dtype, device).eval().requires_grad_(False)


MODULES: dict[PartName, Callable[[Checkpoint, torch.dtype, str], Any]] = {
    "text_encoder": _text_encoder,
    "vae": _vae,
    "image_encoder": _image_encoder,
    "audio_encoder": _audio_encoder,
    "speech": _speech,
    "control": _control,
}
"""The function that loads the module of each part in a dtype onto a device."""


def preprocessor(checkpoint: Checkpoint, name: PartName) -> Any:
    """The tokenizer of a text encoder, or the processor of an image or audio encoder.

    Raises:
        ModelError: a file is missing or broken.
    """
    if name == "text_encoder":
        return checkpoint.preprocessor("tokenizer", AutoTokenizer)
    # Imported here: few models have one, and the import warns on machines without torchvision.
    if name == "image_encoder":
        from transformers import CLIPImageProcessor

        return checkpoint.preprocessor("image_processor", CLIPImageProcessor)
    from transformers import Wav2Vec2FeatureExtractor

    return checkpoint.preprocessor("audio_encoder", Wav2Vec2FeatureExtractor)
