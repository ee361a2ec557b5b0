"""Depth Anything from a folder in the layout of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from wangp_cli.errors import ModelError
from wangp_cli.media.clip import Frames, as_uint8
from wangp_cli.pipelines.checkpoints.pretrained import (
    from_pretrained,
    load_errors,
    load_transformers_model,
    model_type,
)

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Weights
    from wangp_cli.tasks.runtime import Dtype

KIND = "depth_anything"


def load(spec: ModelSpec, weights: Weights, device: str, dtype: Dtype) -> DepthAnything:
    """Load a network and how it wants its pictures.

    Raises:
        ModelError: the folder holds another model, or its weights do not fit.
    """
    from transformers import DepthAnythingForDepthEstimation
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

    folder = weights.folder
    if (found := model_type(folder)) != KIND:
        raise ModelError(
            f"{folder} holds a model of type {found}, {KIND} is wanted",
            hint="a repository such as depth-anything/Depth-Anything-V2-Small-hf",
        )
    with load_errors(folder):
        processor = from_pretrained(DPTImageProcessorPil, folder)
    network = load_transformers_model(DepthAnythingForDepthEstimation, folder, getattr(torch, dtype), device)
    return DepthAnything(network, processor)


class DepthAnything:
    """Estimates depth; a `DepthNetwork`.

    Args:
        network: `DepthAnythingForDepthEstimation`.
        processor: resizes and normalises pictures for it.
    """

    def __init__(self, network: Any, processor: Any) -> None:
        self._network, self._processor = network, processor

    def depth(self, frames: Frames) -> NDArray[np.float32]:
        """The inverse depth of RGB frames `[t, H, W, 3]` in any unit, `[t, H, W]`; larger is nearer."""
        return np.stack([self._depth(frame) for frame in as_uint8(frames)])

    def _depth(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = self._processor(images=frame, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            small = self._network(pixels.to(self._network.device, self._network.dtype)).predicted_depth
            size = frame.shape[:2]
            depth = functional.interpolate(small[None].float(), size, mode="bicubic", align_corners=False)
        found: NDArray[np.float32] = depth[0, 0].cpu().numpy()
        return found
