"""ReCamMaster's network built from diffusers' plain Wan network and hooks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from diffusers import WanTransformer3DModel


def plain_network(network: Any) -> Any:
    """The same weights in diffusers' own class, without those for the camera."""
    plain = WanTransformer3DModel.from_config(network.config).eval()
    plain.load_state_dict(network.state_dict(), strict=False)
    return plain


def add_camera(plain: Any, weights: dict[str, torch.Tensor], poses: torch.Tensor, tokens: int) -> None:
    """Add camera poses to a plain network frame by frame, by hooks around its self-attention."""
    for index, block in enumerate(plain.blocks):
        encoder, projector = (f"blocks.{index}.attn1.{name}" for name in ("cam_encoder", "projector"))

        def see(_: Any, args: Any, encoder: str = encoder) -> Any:
            seen = args[0].clone()
            for frame in range(2 * len(poses)):
                pose = poses[frame % len(poses)]
                added = weights[f"{encoder}.weight"] @ pose + weights[f"{encoder}.bias"]
                seen[:, frame * tokens : (frame + 1) * tokens] += added
            return seen, *args[1:]

        def project(_: Any, __: Any, output: torch.Tensor, projector: str = projector) -> torch.Tensor:
            return F.linear(output, weights[f"{projector}.weight"], weights[f"{projector}.bias"])

        block.attn1.register_forward_pre_hook(see)
        block.attn1.register_forward_hook(project)
