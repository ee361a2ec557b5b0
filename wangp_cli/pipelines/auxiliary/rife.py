"""RIFE as an interpolator: load an official checkpoint, and make frames between two frames."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Self

import torch
from torch import nn

from wangp_cli.errors import ModelError
from wangp_cli.media.clip import Frames
from wangp_cli.media.tensors import from_batch, to_batch
from wangp_cli.networks.rife.ifnet_v3 import IFNetV3
from wangp_cli.networks.rife.ifnet_v4 import IFNetV4, Sizes
from wangp_cli.pipelines.auxiliary.known_networks import ONLY_FOR_TRAINING
from wangp_cli.pipelines.auxiliary.rife_versions import (
    V3,
    V4,
    V4_26_HEAVY,
    V4_HEAVY,
    V4_LITE,
    rife_version,
)
from wangp_cli.pipelines.auxiliary.single_file import fill, open_single, other_network, plain_keys
from wangp_cli.pipelines.checkpoints.files import WeightFile

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Weights
    from wangp_cli.tasks.runtime import Dtype

BLOCK = re.compile(r"^blocks\.(\d)\.")
"""How conversions for ComfyUI name the blocks."""
FINEST = 1 / 64
"""RIFE 3 bisects until a frame is less than this away from the time that it is for."""


class RifeInterpolator(ABC):
    """A loaded RIFE network; an `Interpolator`.

    Args:
        network: the network.
        version: such as "4.25 or 4.26".
        scale: of the flow, a power of two: 0.5 for large frames, because it finds twice as large motion.
    """

    def __init__(self, network: nn.Module, version: str, scale: float = 1.0) -> None:
        self.network, self.version, self.scale = network, version, scale

    def with_scale(self, scale: float) -> Self:
        """The same network with another scale of the flow."""
        return type(self)(self.network, self.version, scale)

    def between(self, first: Frames, second: Frames, times: Sequence[float]) -> Iterator[Frames]:
        """The frames at the given times; see `Interpolator`."""
        device = next(self.network.parameters()).device
        for frame in self._between(to_batch(first, device), to_batch(second, device), times):
            yield from_batch(frame.clamp(0, 1))

    @abstractmethod
    def _between(
        self, first: torch.Tensor, second: torch.Tensor, times: Sequence[float]
    ) -> Iterator[torch.Tensor]:
        """Frames `[1, 3, H, W]` between two of them."""

    def _run(self, *inputs: object) -> torch.Tensor:
        with torch.inference_mode():
            frame: torch.Tensor = self.network(*inputs, scale=self.scale)
        return frame


class RifeV4(RifeInterpolator):
    """RIFE 4: makes the frame at any time."""

    def _between(
        self, first: torch.Tensor, second: torch.Tensor, times: Sequence[float]
    ) -> Iterator[torch.Tensor]:
        return (self._run(first, second, time) for time in times)


class RifeV3(RifeInterpolator):
    """RIFE 3: makes the frame in the middle; other times come from halves of halves."""

    def _between(
        self, first: torch.Tensor, second: torch.Tensor, times: Sequence[float]
    ) -> Iterator[torch.Tensor]:
        return self._within(first, second, times, 0, 1)

    def _within(
        self, first: torch.Tensor, second: torch.Tensor, times: Sequence[float], start: float, end: float
    ) -> Iterator[torch.Tensor]:
        """The frames at ascending times between two frames, which stand at times `start` and `end`."""
        if not times:
            return
        middle = (start + end) / 2
        frame = self._run(first, second)
        before = [time for time in times if time <= middle - FINEST]
        after = [time for time in times if time >= middle + FINEST]
        yield from self._within(first, frame, before, start, middle)
        for _ in range(len(times) - len(before) - len(after)):
            yield frame
        yield from self._within(frame, second, after, middle, end)


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    V3: IFNetV3,
    V4: IFNetV4,
    V4_LITE: partial(IFNetV4, Sizes(widths=(192, 128, 96, 64, 24), reductions=(32, 16, 8, 4, 1))),
    V4_HEAVY: partial(IFNetV4, Sizes(widths=(384, 256, 192, 128, 64))),
    V4_26_HEAVY: partial(IFNetV4, Sizes(head=16)),
}
"""Networks by the version of the checkpoint."""


def load(spec: ModelSpec, weights: Weights, device: str, dtype: Dtype) -> RifeInterpolator:
    """Load an official checkpoint of RIFE, or a conversion of it to safetensors.

    Raises:
        ModelError: the file cannot be read, is of another network or of a version that there is no code for,
            or lacks tensors.
    """
    file = open_single(weights)
    keys = inference_keys(file)
    version = _supported_version(file, keys)
    with torch.device("meta"):
        network = NETWORKS[version]()
    fill(network, file, keys, f"RIFE {version}", device, getattr(torch, dtype))
    kind = RifeV3 if version == V3 else RifeV4
    return kind(network.eval().requires_grad_(False), version)


def inference_keys(file: WeightFile) -> dict[str, str]:
    """Keys of a file by the names of the network's parameters; without those that only training uses."""
    names = {BLOCK.sub(r"block\1.", name): key for name, key in plain_keys(file).items()}
    return {name: key for name, key in names.items() if not name.startswith(ONLY_FOR_TRAINING)}


def _supported_version(file: WeightFile, keys: Mapping[str, str]) -> str:
    version = rife_version({name: file.tensor_info[key].shape for name, key in keys.items()})
    if version in NETWORKS:
        return str(version)
    hint = f"RIFE {V4}; `wangp models` lists what can be fetched"
    if version is None:
        raise other_network(file, keys, "RIFE", hint=hint)
    what = f"RIFE {version}" if version else "an unknown version of RIFE"
    raise ModelError(f"{file.path} is {what}, which is not supported", hint=hint)
