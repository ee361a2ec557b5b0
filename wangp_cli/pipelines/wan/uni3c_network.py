"""Uni3C's control network, whose residuals are added to the blocks of a Wan transformer.

B batch, C channels, t latent frames, N tokens of the video, D width of a token of the transformer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from diffusers.models.transformers.transformer_wan import WanAttention, WanAttnProcessor, WanRotaryPosEmbed
from torch import nn

PATCH = (1, 2, 2)
HEAD = 64
INPUT_CHANNELS, GUIDE_CHANNELS = 20, 16
"""Channels it takes of the transformer's input, and channels of the guide."""
MASK_CHANNELS, MASK_WIDTH = 7, 256
MAX_POSITIONS = 1024


class ControlNetwork(nn.Module):  # type: ignore[misc] # torch has no types here
    """A small transformer whose sizes are taken from its checkpoint.

    Args:
        shapes: of the checkpoint's parameters, by name.

    Source: Cao et al. 2025, arXiv:2504.14899, and the Uni3C reference code.
    """

    _keep_in_fp32_modules = ("controlnet_patch_embedding",)

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        width, inner = (shapes.get(f"proj_out.0.{part}", (1,))[-1] for part in ("bias", "weight"))
        feed = shapes.get("controlnet_blocks.0.ffn.0.bias", (1,))[0]
        layers = sum(name.startswith("proj_out.") and name.endswith(".bias") for name in shapes)
        self.controlnet_patch_embedding = nn.Conv3d(INPUT_CHANNELS + GUIDE_CHANNELS, width, PATCH, PATCH)
        self.controlnet_mask_embedding = _MaskEmbedding(width)
        self.proj_in = nn.Linear(width, inner)
        self.controlnet_blocks = nn.ModuleList(_Block(inner, feed, width) for _ in range(layers))
        self.proj_out = nn.ModuleList(nn.Linear(inner, width) for _ in range(layers))
        self.rope = WanRotaryPosEmbed(HEAD, PATCH, MAX_POSITIONS)

    def forward(self, latents: torch.Tensor, time: torch.Tensor) -> list[torch.Tensor]:
        """The hidden states after each block, `[1, N, inner]`, before `proj_out`.

        Args:
            latents: float32 `[1, C, t, h, w]`: channels of the transformer's input, then of the guide.
            time: `[1, D]`, the transformer's embedding of the timestep.
        """
        tokens = self.controlnet_patch_embedding(latents).flatten(2).transpose(1, 2)
        tokens = self.proj_in(tokens.to(time.dtype))
        rotation = self.rope(latents)
        states = []
        for block in self.controlnet_blocks:
            tokens = block(tokens, time, rotation)
            states.append(tokens)
        return states


class _MaskEmbedding(nn.Module):  # type: ignore[misc] # torch has no types here
    """Layers for masks and camera rays, which are in the checkpoint but not used here."""

    def __init__(self, width: int) -> None:
        super().__init__()
        convolution = nn.Conv3d(MASK_CHANNELS, MASK_WIDTH, (4, 8, 8), (4, 8, 8))
        self.mask_proj = nn.Sequential(convolution, nn.GroupNorm(MASK_WIDTH // 8, MASK_WIDTH))
        self.mask_zero_proj = nn.Conv3d(MASK_WIDTH, width, PATCH, PATCH)


class _Block(nn.Module):  # type: ignore[misc] # torch has no types here
    def __init__(self, inner: int, feed: int, time: int) -> None:
        super().__init__()
        self.norm1 = _TimedNorm(time, inner)
        self.self_attn = WanAttention(inner, inner // HEAD, HEAD, eps=1e-6, processor=WanAttnProcessor())
        self.norm2 = _TimedNorm(time, inner)
        self.ffn = nn.Sequential(nn.Linear(inner, feed), nn.GELU("tanh"), nn.Linear(feed, inner))

    def forward(self, tokens: torch.Tensor, time: torch.Tensor, rotation: Any) -> torch.Tensor:
        normed, gate = self.norm1(tokens, time)
        tokens = tokens + gate * self.self_attn(normed, None, None, rotation)
        normed, gate = self.norm2(tokens, time)
        return tokens + gate * self.ffn(normed)


class _TimedNorm(nn.Module):  # type: ignore[misc] # torch has no types here
    def __init__(self, time: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(time, 3 * width)
        self.norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, tokens: torch.Tensor, time: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shift, scale, gate = self.linear(nn.functional.silu(time))[:, None].chunk(3, dim=2)
        return self.norm(tokens) * (1 + scale) + shift, gate


class ControlResiduals:
    """The residuals of a control network in one step, computed in its first pass and reused in the others.

    Args:
        control: the network.
        guide: float32 `[1, C, t, h, w]`, latents of the guide video.
        strength: weight of the residuals.
    """

    def __init__(self, control: ControlNetwork, guide: torch.Tensor, strength: float) -> None:
        self._control, self._guide, self._strength = control, guide, strength
        self._states: list[torch.Tensor] = []

    @contextmanager
    def added_to(self, network: Any, hidden_states: torch.Tensor) -> Iterator[None]:
        """A context in which the residuals are added to the outputs of a Wan transformer's blocks.

        Args:
            network: a transformer.
            hidden_states: float32 `[1, C, t, h, w]`, the transformer's input.
        """

        # In a hook of the network's own pass: offloaded weights are on the device only then.
        def run_control(_embedder: Any, _inputs: Any, embedded: tuple[torch.Tensor, ...]) -> None:
            if not self._states:
                self._states = self._control(self._control_input(hidden_states), embedded[0][:1])

        def add(layer: int, _block: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            return output + self._strength * self._control.proj_out[layer](self._states[layer]).to(output)

        with ExitStack() as stack:
            stack.callback(network.condition_embedder.register_forward_hook(run_control).remove)
            for layer, block in zip(range(len(self._control.proj_out)), network.blocks, strict=False):
                stack.callback(block.register_forward_hook(partial(add, layer)).remove)
            yield

    def _control_input(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Noisy latents, flags of known frames where the model has them, else zeros; then the guide."""
        first = hidden_states[:, :INPUT_CHANNELS]
        missing = INPUT_CHANNELS - first.shape[1]
        return torch.cat([first, first.new_zeros(1, missing, *first.shape[2:]), self._guide.to(first)], dim=1)
