"""The starter's AutoencoderKLWan: its configuration, and encoding and decoding without chunks."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders import autoencoder_kl_wan as wan
from torch import Tensor
from torch.nn import functional

CONTENT_CHANNELS = 13
POSITION_CHANNELS = 3
LATENT_CHANNELS = CONTENT_CHANNELS + POSITION_CHANNELS

# Pixels are patchified 2 x 2 first, so three levels of width suffice. WanVACEPipeline takes its spatial
# factor from the number of entries of `temperal_downsample` and its temporal one from their sum: three and
# two. The two entries that are used are both true.
VAE_CONFIG: dict[str, Any] = {
    "base_dim": 16,
    "dim_mult": [1, 3, 4],
    "num_res_blocks": 1,
    "patch_size": 2,
    "in_channels": 12,
    "out_channels": 12,
    "temperal_downsample": [2, -1, 1],
    "z_dim": LATENT_CHANNELS,
    "scale_factor_temporal": 4,
    "scale_factor_spatial": 8,
}


def encode_clip(vae: AutoencoderKLWan, clip: Tensor) -> Tensor:
    """Latents of a clip, encoded without chunks; equal to `vae.encode(clip).latent_dist.mode()`.

    Args:
        clip: float32 [B, 3, T, H, W] in [-1, 1].

    Returns:
        float32 [B, Z, 1 + (T - 1) / 4, H / 8, W / 8], not normalised.
    """
    encoder = vae.encoder
    hidden = encoder.conv_in(wan.patchify(clip, vae.config.patch_size))
    for block in encoder.down_blocks:
        hidden = _downsample(block, hidden) if isinstance(block, wan.WanResample) else block(hidden)
    hidden = encoder.conv_out(functional.silu(encoder.norm_out(encoder.mid_block(hidden))))
    mean: Tensor = vae.quant_conv(hidden)[:, : vae.config.z_dim]
    return mean


def decode_clip(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """The clip of latents, decoded without chunks; equal to `vae.decode` without its clamp.

    Args:
        latents: float32 [B, Z, T, H, W], not normalised.

    Returns:
        float32 [B, 3, 1 + 4 (T - 1), 8 H, 8 W], about in [-1, 1].
    """
    decoder = vae.decoder
    hidden = decoder.mid_block(decoder.conv_in(vae.post_quant_conv(latents)))
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            hidden = resnet(hidden)
        if block.upsamplers is not None:
            hidden = _upsample(block.upsamplers[0], hidden)
    hidden = decoder.conv_out(functional.silu(decoder.norm_out(hidden)))
    clip: Tensor = wan.unpatchify(hidden, vae.config.patch_size)
    return clip


def _downsample(block: Any, hidden: Tensor) -> Tensor:
    """Downsample; the first frame skips the temporal convolution, and is the history of the others."""
    hidden = _by_frame(block.resample, hidden)
    if hidden.shape[2] == 1:
        return hidden
    return torch.cat([hidden[:, :, :1], block.time_conv(hidden)], dim=2)


def _upsample(block: Any, hidden: Tensor) -> Tensor:
    """Upsample; the first frame skips the temporal convolution, the others start without history."""
    batch, channels, frames, height, width = hidden.shape
    if frames > 1:
        rest = block.time_conv(hidden[:, :, 1:]).reshape(batch, 2, channels, frames - 1, height, width)
        rest = rest.permute(0, 2, 3, 1, 4, 5).reshape(batch, channels, 2 * (frames - 1), height, width)
        hidden = torch.cat([hidden[:, :, :1], rest], dim=2)
    return _by_frame(block.resample, hidden)


def _by_frame(module: Any, hidden: Tensor) -> Tensor:
    batch, _, frames = hidden.shape[:3]
    images = hidden.transpose(1, 2).flatten(0, 1)
    images = module(images)
    return images.unflatten(0, (batch, frames)).transpose(1, 2)
