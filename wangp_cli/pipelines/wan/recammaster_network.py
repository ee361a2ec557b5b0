"""ReCamMaster's network: a Wan transformer whose self-attention knows where the camera is."""

from __future__ import annotations

from functools import wraps
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanAttnProcessor
from torch import nn

POSE = 12
"""Numbers of a pose: three rows of a matrix `[3, 4]`."""


class ReCamTransformer3DModel(WanTransformer3DModel):  # type: ignore[misc] # diffusers has no types here
    """A Wan transformer that films a video again.

    It sees the latent frames of a new video and, behind them, those of a known one. The self-attention of
    every block has two more layers: `cam_encoder` brings a pose to the width of the tokens, to which it is
    added, and `projector` follows. New, they change nothing.

    Source: Bai et al. 2025, arXiv:2503.11647, and its published code for Wan 2.1.
    """

    # Its configuration is read off the names of its arguments.
    @wraps(WanTransformer3DModel.__init__)  # type: ignore[misc]
    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        width = self.config.num_attention_heads * self.config.attention_head_dim
        self._camera = CameraAttention()
        for block in self.blocks:
            block.attn1.cam_encoder = nn.Linear(POSE, width)
            block.attn1.projector = nn.Linear(width, width)
            nn.init.zeros_(block.attn1.cam_encoder.weight)
            nn.init.zeros_(block.attn1.cam_encoder.bias)
            nn.init.eye_(block.attn1.projector.weight)
            nn.init.zeros_(block.attn1.projector.bias)
            block.attn1.set_processor(self._camera)

    def forward(self, hidden_states: torch.Tensor, *args: Any, camera: torch.Tensor, **options: Any) -> Any:
        """As the plain network.

        Args:
            hidden_states: `[B, C, 2 * t, h, w]`, the new video and the known one behind it.
            args: as there.
            camera: `[B, t, 12]`, the pose of each latent frame; the known video is told the same ones.
            options: as there.
        """
        self._camera.poses = torch.cat([camera, camera], dim=1)
        try:
            return super().forward(hidden_states, *args, **options)
        finally:
            self._camera.poses = None


class CameraAttention(WanAttnProcessor):  # type: ignore[misc] # diffusers has no types here
    """Self-attention of tokens that know the pose of their frame.

    Attributes:
        poses: `[B, frames, 12]`, during a pass of the network.
    """

    poses: torch.Tensor | None = None

    def __call__(self, attn: Any, hidden_states: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        """What the layer answers to `[B, frames * N, D]`."""
        assert self.poses is not None
        seen = attn.cam_encoder(self.poses.to(hidden_states.dtype))
        tokens = hidden_states.shape[1] // seen.shape[1]
        seen = hidden_states + seen.repeat_interleave(tokens, dim=1)
        answer: torch.Tensor = attn.projector(super().__call__(attn, seen, *args, **options))
        return answer
