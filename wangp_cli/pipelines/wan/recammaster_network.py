"""ReCamMaster's network: a Wan transformer with camera poses in its self-attention."""

from __future__ import annotations

from functools import wraps
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanAttnProcessor
from torch import nn

POSE = 12
"""Values of a pose: a matrix `[3, 4]`, row by row."""


class ReCamTransformer3DModel(WanTransformer3DModel):  # type: ignore[misc] # diffusers has no types here
    """A Wan transformer that re-renders a video from another camera.

    Its input are the latent frames of the new video followed by those of the source. The self-attention of
    every block has two more layers: `cam_encoder` projects a pose to the width of the tokens, to which it is
    added, and `projector` projects the output. They are initialised to change nothing.

    Source: Bai et al. 2025, arXiv:2503.11647, and its published code for Wan 2.1.
    """

    # diffusers takes the configuration from the names of the arguments.
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
        """`WanTransformer3DModel.forward` with camera poses.

        Args:
            hidden_states: `[B, C, 2 * t, h, w]`, the new video, then the source.
            args: of `WanTransformer3DModel.forward`.
            camera: `[B, t, 12]`, the pose of each latent frame, used for both videos.
            options: of `WanTransformer3DModel.forward`.
        """
        self._camera.poses = torch.cat([camera, camera], dim=1)
        try:
            return super().forward(hidden_states, *args, **options)
        finally:
            self._camera.poses = None


class CameraAttention(WanAttnProcessor):  # type: ignore[misc] # diffusers has no types here
    """Self-attention of tokens with the pose of their latent frame added.

    Attributes:
        poses: `[B, frames, 12]`, set during a forward pass of the network.
    """

    poses: torch.Tensor | None = None

    def __call__(self, attn: Any, hidden_states: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        """Attention output of the layer for `[B, frames * N, D]`, of the same shape."""
        assert self.poses is not None
        poses = attn.cam_encoder(self.poses.to(hidden_states.dtype))
        tokens = hidden_states.shape[1] // poses.shape[1]
        hidden_states = hidden_states + poses.repeat_interleave(tokens, dim=1)
        output: torch.Tensor = attn.projector(super().__call__(attn, hidden_states, *args, **options))
        return output
