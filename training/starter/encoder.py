# mypy: allow-untyped-decorators
"""The starter's encoder, constructed instead of trained.

The weights of `AutoencoderKLWan`'s encoder are set to an exact linear transform of 8 x 8 x 4 blocks
(principal components of rendered clips, stage by stage) that also encodes position: three latent channels
hold a left-right ramp, a top-bottom ramp and a frame counter, the same in every clip, so that a transformer
with relative positions knows absolute ones.

A large constant channel dominates every RMS norm, so norms become fixed scales; and silu(a) - silu(-a) = a,
so a code that is carried with both signs passes the last SiLU unchanged. The ramps are sums of steps: a step
k cells from a border is the constant moved k times by convolutions with zero padding.
"""

from __future__ import annotations

import logging
import math
from typing import Any

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders import autoencoder_kl_wan as wan
from torch import Tensor
from torch.nn import functional

from training.starter.autoencoder import CONTENT_CHANNELS, LATENT_CHANNELS, VAE_CONFIG, encode_clip

log = logging.getLogger(__name__)

_CONSTANT = 100.0
_CONSTANT_CHANNEL = 2 * CONTENT_CHANNELS
_FIRST_STEP = _CONSTANT_CHANNEL + 1
# Index (frame, row, column) of a kernel that moves its input away from left, right, top, bottom and the past.
_MOVES = ((2, 1, 0), (2, 1, 2), (2, 0, 1), (2, 2, 1), (1, 1, 1))
_STEPS = 6
_STEP_HEIGHT = 1.0
_FIRST_KEPT, _SECOND_KEPT = 8, 24
_RAMP_HEIGHT = 1.5


@torch.no_grad()
def build_autoencoder(clips: Tensor) -> AutoencoderKLWan:
    """An autoencoder with a constructed encoder and an untrained decoder.

    Args:
        clips: float32 [B, 3, T, H, W] in [-1, 1], whose principal components are used.
    """
    vae = AutoencoderKLWan(**VAE_CONFIG)
    _write_transform(vae, clips)
    _write_position(vae)
    content = encode_clip(vae, clips)[:, :CONTENT_CHANNELS]
    deviation = content.transpose(0, 1).reshape(CONTENT_CHANNELS, -1).std(dim=1)
    # Between whitened and unscaled: whitening gives invisible detail the weight of colour.
    scales = deviation.max() * (deviation / deviation.max()).sqrt()
    position_scales = [1.0] * (LATENT_CHANNELS - CONTENT_CHANNELS)
    vae.register_to_config(
        latents_mean=[0.0] * LATENT_CHANNELS,
        latents_std=[*(float(scale) for scale in scales), *position_scales],
    )
    _prepare_decoder(vae)
    return vae


def _write_transform(vae: AutoencoderKLWan, clips: Tensor) -> None:
    encoder = vae.encoder
    _zero_residuals(encoder)
    _clear(encoder.conv_in)
    encoder.conv_in.weight[:12, :, 2, 1, 1] = torch.eye(12)
    first, halve, second, quarter, last = encoder.down_blocks
    hidden = first(encoder.conv_in(wan.patchify(clips, 2)))
    _write_downsampling(halve, hidden, channels=12, kept=_FIRST_KEPT)
    hidden = _halve(halve, hidden)
    _pass_through(second.conv_shortcut, 2 * _FIRST_KEPT)
    hidden = second(hidden)
    _write_downsampling(quarter, hidden, channels=2 * _FIRST_KEPT, kept=_SECOND_KEPT)
    hidden = _halve(quarter, hidden)
    features = hidden.permute(0, 2, 3, 4, 1).reshape(-1, 2 * _SECOND_KEPT)
    basis = _principal(features, CONTENT_CHANNELS).T / 8
    _clear(last.conv_shortcut)
    last.conv_shortcut.weight[:CONTENT_CHANNELS, :, 0, 0, 0] = basis
    last.conv_shortcut.weight[CONTENT_CHANNELS:_CONSTANT_CHANNEL, :, 0, 0, 0] = -basis
    last.conv_shortcut.bias[_CONSTANT_CHANNEL] = _CONSTANT
    encoder.norm_out.gamma.fill_(1.0)
    _clear(encoder.conv_out)
    index, scale = torch.arange(CONTENT_CHANNELS), _norm_of_constant(vae)
    encoder.conv_out.weight[index, index, 2, 1, 1] = 1 / scale
    encoder.conv_out.weight[index, CONTENT_CHANNELS + index, 2, 1, 1] = -1 / scale
    index = torch.arange(LATENT_CHANNELS)
    _clear(vae.quant_conv)
    vae.quant_conv.weight[index, index, 0, 0, 0] = 1.0
    vae.quant_conv.bias[LATENT_CHANNELS:] = -10.0


def _write_position(vae: AutoencoderKLWan) -> None:
    """Set the residual blocks at the lowest resolution to move steps by one or two cells each."""
    encoder = vae.encoder
    blocks = [encoder.down_blocks[-1], *encoder.mid_block.resnets]
    gray = torch.zeros(1, 3, 29, 128, 128)
    level = encoder.conv_in(wan.patchify(gray, 2))
    for block in encoder.down_blocks[:-1]:
        level = _halve(block, level) if isinstance(block, wan.WanResample) else block(level)
    done = 0
    for number, block in enumerate(blocks):
        _clear(block.conv1)
        _clear(block.conv2)
        block.conv1.bias[_CONSTANT_CHANNEL] = _CONSTANT
        before = functional.silu(block.norm1(level))
        if number:
            _move(block.conv1, before, done, done + 1)
        inside = functional.silu(block.norm2(block.conv1(before)))
        if number:
            _keep(block.conv2, inside, done + 1)
        _move(block.conv2, inside, done + bool(number), done + bool(number) + 1)
        done += 1 + bool(number)
        level = block(level)
    _write_ramps(encoder.conv_out, functional.silu(encoder.norm_out(level)))


def _move(conv: Any, source: Tensor, source_step: int, target_step: int) -> None:
    """Write step `target_step` of each kind as step `source_step` moved; step 0 is the constant."""
    for kind, move in enumerate(_MOVES):
        channel = _step_channel(kind, source_step)
        conv.weight[(_step_channel(kind, target_step), channel, *move)] = _STEP_HEIGHT / _height(
            source, channel
        )


def _keep(conv: Any, source: Tensor, step: int) -> None:
    for kind in range(len(_MOVES)):
        channel = _step_channel(kind, step)
        conv.weight[channel, channel, 2, 1, 1] = _STEP_HEIGHT / _height(source, channel)


def _write_ramps(conv: Any, source: Tensor) -> None:
    """Sum steps to ramps from -1 to 1: columns and rows over 12 cells, latent frames over five."""
    across, down, time = range(CONTENT_CHANNELS, LATENT_CHANNELS)
    cells = _RAMP_HEIGHT / 5.5
    targets = ((across, cells), (across, -cells), (down, cells), (down, -cells), (time, _RAMP_HEIGHT / 2))
    for kind, (target, height) in enumerate(targets):
        for step in range(1, _STEPS + 1):
            moved = step == _STEPS
            channel = _step_channel(kind, step - moved)
            place = _MOVES[kind] if moved else (2, 1, 1)
            # Ramps from opposite borders meet in the middle of 12 cells, where both contribute half.
            share = 0.5 if moved and target != time else 1.0
            conv.weight[(target, channel, *place)] += share * height / _height(source, channel)
    conv.bias[time] = -_RAMP_HEIGHT


def _step_channel(kind: int, step: int) -> int:
    return _CONSTANT_CHANNEL if step == 0 else _FIRST_STEP + (step - 1) * len(_MOVES) + kind


def _height(hidden: Tensor, channel: int) -> Tensor:
    """The value of a step in the middle of the last frame, where it is not zero."""
    return hidden[0, channel, -1, hidden.shape[3] // 2, hidden.shape[4] // 2]


def _write_downsampling(block: Any, hidden: Tensor, channels: int, kept: int) -> None:
    """Write principal components of 2 x 2 blocks, then mean and half difference of frame pairs."""
    batch, _, frames, height, width = hidden.shape
    blocks = hidden[:, :channels].reshape(batch, channels, frames, height // 2, 2, width // 2, 2)
    blocks = blocks.permute(0, 2, 3, 5, 1, 4, 6).reshape(-1, channels * 4)
    chosen = torch.randperm(len(blocks), generator=torch.Generator().manual_seed(0))[:200_000]
    convolution = block.resample[1]
    _clear(convolution)
    basis = _principal(blocks[chosen], kept)
    convolution.weight[:kept, :channels, :2, :2] = basis.T.reshape(kept, channels, 2, 2)
    _clear(block.time_conv)
    index = torch.arange(kept)
    block.time_conv.weight[index, index, 1:, 0, 0] = 0.5
    block.time_conv.weight[kept + index, index, 1, 0, 0] = -0.5
    block.time_conv.weight[kept + index, index, 2, 0, 0] = 0.5


def _halve(block: Any, hidden: Tensor) -> Tensor:
    batch, _, frames = hidden.shape[:3]
    hidden = (
        block.resample(hidden.transpose(1, 2).flatten(0, 1)).unflatten(0, (batch, frames)).transpose(1, 2)
    )
    return torch.cat([hidden[:, :, :1], block.time_conv(hidden)], dim=2)


def _principal(features: Tensor, count: int) -> Tensor:
    """Principal directions [D, count] of uncentred features, so that zero is mapped to zero."""
    values, directions = torch.linalg.eigh(features.double().T @ features.double() / len(features))
    log.info(
        "kept %.5f of the energy of %d coefficients", float(values[-count:].sum() / values.sum()), len(values)
    )
    return directions[:, -count:].flip(1).float()


def _pass_through(conv: Any, channels: int) -> None:
    _clear(conv)
    conv.weight[:channels, :channels, 0, 0, 0] = torch.eye(channels)


def _norm_of_constant(vae: AutoencoderKLWan) -> float:
    """Scale of the last norm, which the constant channel determines."""
    width = vae.encoder.norm_out.gamma.numel()
    return math.sqrt(width) / _CONSTANT


def _zero_residuals(encoder: Any) -> None:
    for module in encoder.modules():
        if isinstance(module, wan.WanResidualBlock):
            _clear(module.conv1)
            _clear(module.conv2)
        if isinstance(module, wan.WanAttentionBlock):
            _clear(module.to_qkv)
            _clear(module.proj)


def _prepare_decoder(vae: AutoencoderKLWan) -> None:
    """Set residual blocks to identities, and remove position channels from the decoder's input."""
    _clear(vae.post_quant_conv)
    index = torch.arange(CONTENT_CHANNELS)
    vae.post_quant_conv.weight[index, index, 0, 0, 0] = 1.0
    for module in vae.decoder.modules():
        if isinstance(module, wan.WanResidualBlock):
            _clear(module.conv2)
        if isinstance(module, wan.WanAttentionBlock):
            _clear(module.proj)


def _clear(module: Any) -> None:
    module.weight.zero_()
    if module.bias is not None:
        module.bias.zero_()
