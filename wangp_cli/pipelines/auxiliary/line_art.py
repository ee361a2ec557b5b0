"""Line drawings by the generator of Informative Drawings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from wangp_cli.media.clip import Frames
from wangp_cli.media.tensors import from_batch, to_batch
from wangp_cli.networks.line_art import LineArt
from wangp_cli.pipelines.auxiliary.single_file import fill, open_single, other_network, plain_keys

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Weights
    from wangp_cli.tasks.runtime import Dtype

TITLE = "network of Informative Drawings"
FIRST_LAYER = "model0.1.weight"
STRIDE = 4
"""Sides of pictures are multiples of it."""


def load(spec: ModelSpec, weights: Weights, device: str, dtype: Dtype) -> LineDrawer:
    """Load the published file, or a conversion of it to safetensors.

    Raises:
        ModelError: the file cannot be read, is of another network, or lacks tensors.
    """
    file = open_single(weights)
    keys = plain_keys(file)
    if FIRST_LAYER not in keys:
        raise other_network(file, keys, f"a {TITLE}")
    with torch.device("meta"):
        network = LineArt()
    fill(network, file, keys, TITLE, device, getattr(torch, dtype))
    return LineDrawer(network)


class LineDrawer:
    """Draws pictures as lines; a `LineNetwork`."""

    def __init__(self, network: LineArt) -> None:
        self._network = network.eval().requires_grad_(requires_grad=False)

    def lines(self, frames: Frames) -> NDArray[np.float32]:
        """The lines of RGB frames `[t, H, W, 3]`: `[t, H, W]` in [0, 1], 0 is a line, 1 is paper."""
        return np.concatenate([self._lines(frames[at : at + 1]) for at in range(len(frames))])

    def _lines(self, frame: Frames) -> NDArray[np.float32]:
        height, width = frame.shape[1:3]
        weight = next(self._network.parameters())
        with torch.inference_mode():
            padding = (0, -width % STRIDE, 0, -height % STRIDE)
            padded = functional.pad(to_batch(frame, weight.device), padding, mode="replicate")
            drawn = self._network(padded.to(weight.dtype))[:, :, :height, :width]
        return from_batch(drawn)[..., 0]
