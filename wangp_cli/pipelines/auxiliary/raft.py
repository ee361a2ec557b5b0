"""RAFT as an estimator of optical flow: load its checkpoint, and give the flow between two frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from wangp_cli.errors import ModelError
from wangp_cli.media.clip import Frames
from wangp_cli.media.tensors import from_batch, to_batch
from wangp_cli.networks.raft.network import MULTIPLE, Raft
from wangp_cli.pipelines.auxiliary.single_file import fill, open_single, other_network, plain_keys

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Weights
    from wangp_cli.pipelines.checkpoints.files import WeightFile
    from wangp_cli.tasks.runtime import Dtype

ITERATIONS = 20
"""Refinements; more change little."""
LEAST = 64
"""Pixels of a side: smaller maps have no four levels."""
MOST_PIXELS = 1 << 20
"""Of a frame. Memory grows with the square of their number: this many take 1.4 GB in float32."""
FIRST_LAYER = "fnet.conv1.weight"


class RaftFlow:
    """A loaded RAFT network.

    Args:
        network: in evaluation mode, float32.
    """

    def __init__(self, network: Raft) -> None:
        self._network = network

    def __call__(self, first: Frames, second: Frames) -> NDArray[np.float32]:
        """The flow from one frame to the next.

        Frames of more than `MOST_PIXELS` are reduced for it, and the flow is enlarged.

        Args:
            first: `[H, W, 3]`, any dtype of `Frames`.
            second: of the same size.

        Returns:
            float32 `[H, W, 2]`, pixels to the right and down.
        """
        images = to_batch(np.stack([first, second]), next(self._network.parameters()).device)
        height, width = images.shape[2:]
        scale = min(math.sqrt(MOST_PIXELS / (height * width)), 1)
        if scale < 1:
            size = (int(height * scale), int(width * scale))
            images = functional.interpolate(images, size, mode="bilinear", antialias=True)
        flow = self._flow(images)
        if scale < 1:
            factors = flow.new_tensor([width / flow.shape[3], height / flow.shape[2]])
            flow = functional.interpolate(flow, (height, width), mode="bilinear") * factors[:, None, None]
        vectors: NDArray[np.float32] = from_batch(flow)[0]
        return vectors

    def _flow(self, images_23HW: torch.Tensor) -> torch.Tensor:  # noqa: N803 - axes
        height, width = images_23HW.shape[2:]
        down, across = (max(-side % MULTIPLE, LEAST - side) for side in (height, width))
        top, left = down // 2, across // 2
        padding = (left, across - left, top, down - top)
        padded = functional.pad(2 * images_23HW - 1, padding, mode="replicate")
        with torch.inference_mode():
            flow: torch.Tensor = self._network(padded[:1], padded[1:], ITERATIONS)
        return flow[:, :, top : top + height, left : left + width]


def load(spec: ModelSpec, weights: Weights, device: str, dtype: Dtype) -> RaftFlow:
    """Load a published checkpoint of the large RAFT, or a conversion of it to safetensors, in float32.

    Raises:
        ModelError: the file cannot be read, is of another network, or lacks tensors.
    """
    file = open_single(weights)
    keys = plain_keys(file)
    _check_kind(file, keys)
    with torch.device("meta"):
        network = Raft()
    fill(network, file, keys, "RAFT", device, torch.float32)
    return RaftFlow(network.eval().requires_grad_(requires_grad=False))


def _check_kind(file: WeightFile, keys: Mapping[str, str]) -> None:
    """Check that a file is of the large RAFT, whether complete or not.

    Raises:
        ModelError: it is of another network, which the message names.
    """
    hint = "use a file such as raft-things.pth"
    if any(key.startswith("feature_encoder.") for key in keys):
        raise ModelError(
            f"{file.path} is RAFT with the keys of torchvision, not those of its authors", hint=hint
        )
    if FIRST_LAYER not in keys:
        raise other_network(file, keys, "RAFT", hint=hint)
    if file.tensor_info[keys[FIRST_LAYER]].shape[0] == 32:
        raise ModelError(f"{file.path} is the small RAFT, not the large one", hint=hint)
