# ruff: noqa: N803, N806 (tensors carry their axes in their names)
"""A faster forward pass of WanVACETransformer3DModel for training on a CPU.

It computes the same function with the model's own parameters; matrix products are in bfloat16, other
operations in float32, and torch.compile fuses them. Latents are tokens of 2 x 2 cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from training.starter.autoencoder import CONTENT_CHANNELS, LATENT_CHANNELS

# B batch, N tokens, L words, D width of a token

_HALF = torch.bfloat16
Weights = tuple[Tensor, ...]


class FastDenoiser:
    """The forward pass of a denoiser on tokens.

    Args:
        model: WanVACETransformer3DModel with patches of 1 x 2 x 2.
        grid: latent frames, rows and columns.
        compiled: use torch.compile, which takes about half a minute and needs a C++ compiler.
    """

    def __init__(self, model: Any, grid: tuple[int, int, int], *, compiled: bool) -> None:
        self.model = model
        self.heads = int(model.config.num_attention_heads)
        cosine, sine = model.rope(torch.zeros(1, LATENT_CHANNELS, *grid))
        self.cosine, self.sine = cosine[..., 0::2].float(), sine[..., 1::2].float()
        self.run_block: Callable[..., Tensor] = torch.compile(_block, dynamic=False) if compiled else _block

    def __call__(
        self, noisy_BNC: Tensor, sigma_B: Tensor, words_BLC: Tensor, pad_BL: Tensor, control_BNC: Tensor
    ) -> Tensor:
        """The predicted velocity of the content channels, as tokens.

        Args:
            noisy_BNC: float32, content channels of the noisy latents, see `to_tokens`.
            sigma_B: noise level, 0 to 1.
            words_BLC: float32 output of the text encoder, zero where padded.
            pad_BL: attention bias of padding, see `networks.pad_bias`; 0 at words.
            control_BNC: float32, all channels of the control latents and the mask.
        """
        model = self.model
        content_weight = model.patch_embedding.weight[:, :CONTENT_CHANNELS].flatten(1)
        x_BND = _linear(noisy_BNC.to(_HALF), content_weight, model.patch_embedding.bias).float()
        control_weight = model.vace_patch_embedding.weight.flatten(1)
        control_BND = _linear(control_BNC.to(_HALF), control_weight, model.vace_patch_embedding.bias)
        embedder = model.condition_embedder
        time_BD = embedder.time_embedder(embedder.timesteps_proj(sigma_B * 1000))
        modulation = embedder.time_proj(functional.silu(time_BD)).unflatten(1, (6, -1))
        context_BLD = embedder.text_embedder(words_BLC).to(_HALF)
        first = model.vace_blocks[0]
        control_BND = _linear(control_BND, first.proj_in.weight, first.proj_in.bias).float() + x_BND
        shared = (context_BLD, modulation, self.cosine, self.sine, pad_BL, self.heads)
        hints = []
        for block in model.vace_blocks:
            control_BND = self.run_block(control_BND, *shared, _weights(block))
            hints.append(_linear(control_BND.to(_HALF), block.proj_out.weight, block.proj_out.bias).float())
        for number, block in enumerate(model.blocks):
            x_BND = self.run_block(x_BND, *shared, _weights(block))
            if number in model.config.vace_layers:
                x_BND = x_BND + hints[model.config.vace_layers.index(number)]
        shift, scale = (model.scale_shift_table + time_BD.unsqueeze(1)).chunk(2, dim=1)
        x_BND = _layer_norm(x_BND) * (1 + scale) + shift
        weight = model.proj_out.weight.unflatten(0, (4, LATENT_CHANNELS))[:, :CONTENT_CHANNELS]
        bias = model.proj_out.bias.unflatten(0, (4, LATENT_CHANNELS))[:, :CONTENT_CHANNELS]
        # The model's output has channels last in a token, the tokens here have them first.
        weight, bias = weight.transpose(0, 1).flatten(0, 1), bias.transpose(0, 1).flatten()
        return _linear(x_BND.to(_HALF), weight, bias).float()


def to_tokens(latents: Tensor) -> Tensor:
    """Latents [B, C, T, H, W] as tokens [B, T H W / 4, 4 C] of 2 x 2 cells."""
    batch, channels, frames, height, width = latents.shape
    cells = latents.reshape(batch, channels, frames, height // 2, 2, width // 2, 2)
    return cells.permute(0, 2, 3, 5, 1, 4, 6).reshape(batch, frames * height * width // 4, channels * 4)


def to_latents(tokens: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """Latents [B, C, T, H, W] from tokens; the inverse of `to_tokens`."""
    frames, height, width = grid
    cells = tokens.reshape(len(tokens), frames, height // 2, width // 2, -1, 2, 2)
    return cells.permute(0, 4, 1, 2, 5, 3, 6).reshape(len(tokens), -1, frames, height, width)


def _block(
    x_BND: Tensor,
    context_BLD: Tensor,
    modulation: Tensor,
    cosine: Tensor,
    sine: Tensor,
    pad_BL: Tensor,
    heads: int,
    weights: Weights,
) -> Tensor:
    table, norm_weight, norm_bias, in_weight, in_bias, out_weight, out_bias, *attention = weights
    shift, scale, gate, late_shift, late_scale, late_gate = (table + modulation).chunk(6, dim=1)
    normed = (_layer_norm(x_BND) * (1 + scale) + shift).to(_HALF)
    x_BND = x_BND + _attend(normed, normed, attention[:10], heads, rotation=(cosine, sine)).float() * gate
    normed = (_layer_norm(x_BND) * norm_weight + norm_bias).to(_HALF)
    x_BND = x_BND + _attend(normed, context_BLD, attention[10:], heads, bias_BL=pad_BL).float()
    normed = (_layer_norm(x_BND) * (1 + late_scale) + late_shift).to(_HALF)
    inner = functional.gelu(_linear(normed, in_weight, in_bias), approximate="tanh")
    return x_BND + _linear(inner, out_weight, out_bias).float() * late_gate


def _attend(
    x_BND: Tensor,
    context_BND: Tensor,
    weights: list[Tensor],
    heads: int,
    *,
    rotation: tuple[Tensor, Tensor] | None = None,
    bias_BL: Tensor | None = None,
) -> Tensor:
    q_weight, q_bias, k_weight, k_bias, v_weight, v_bias, o_weight, o_bias, q_norm, k_norm = weights
    query = _rms_norm(_linear(x_BND, q_weight, q_bias), q_norm).unflatten(2, (heads, -1))
    key = _rms_norm(_linear(context_BND, k_weight, k_bias), k_norm).unflatten(2, (heads, -1))
    value = _linear(context_BND, v_weight, v_bias).unflatten(2, (heads, -1)).transpose(1, 2)
    if rotation is not None:
        query, key = _rotate(query, *rotation), _rotate(key, *rotation)
    query = (query / math.sqrt(query.shape[-1])).to(_HALF).transpose(1, 2)
    scores = torch.matmul(query, key.to(_HALF).permute(0, 2, 3, 1)).float()
    if bias_BL is not None:
        scores = scores + bias_BL[:, None, None]
    mixed = torch.matmul(torch.softmax(scores, dim=-1).to(_HALF), value)
    return _linear(mixed.transpose(1, 2).flatten(2), o_weight, o_bias)


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.linear(x, weight.to(_HALF), bias.to(_HALF))


def _layer_norm(x: Tensor) -> Tensor:
    return functional.layer_norm(x, (x.shape[-1],), eps=1e-6)


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * weight


def _rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((first * cosine - second * sine, first * sine + second * cosine), dim=-1).flatten(-2)


def _weights(block: Any) -> Weights:
    up, down = block.ffn.net[0].proj, block.ffn.net[2]
    own = (
        block.scale_shift_table,
        block.norm2.weight,
        block.norm2.bias,
        up.weight,
        up.bias,
        down.weight,
        down.bias,
    )
    return (*own, *_attention_weights(block.attn1), *_attention_weights(block.attn2))


def _attention_weights(attention: Any) -> Weights:
    layers = (attention.to_q, attention.to_k, attention.to_v, attention.to_out[0])
    pairs = tuple(tensor for layer in layers for tensor in (layer.weight, layer.bias))
    return (*pairs, attention.norm_q.weight, attention.norm_k.weight)
