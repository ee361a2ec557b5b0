"""Networks of the ESRGAN family as upscalers: load a checkpoint in any layout, enlarge frames in tiles."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from wangp_cli.errors import ModelError
from wangp_cli.finishing.tiles import enlarge_in_tiles
from wangp_cli.media.clip import Frames, as_float, to_rgb
from wangp_cli.media.resize import fit
from wangp_cli.media.tensors import from_batch, to_batch
from wangp_cli.networks.esrgan.compact import SRVGGNetCompact, compact_sizes
from wangp_cli.networks.esrgan.layouts import EsrganNetwork, canonical_names, network_of
from wangp_cli.networks.esrgan.rrdbnet import RRDBNet, rrdb_sizes
from wangp_cli.pipelines.auxiliary.single_file import fill, open_single, other_network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Weights
    from wangp_cli.pipelines.checkpoints.files import WeightFile
    from wangp_cli.tasks.runtime import Dtype

TILE, LEAST_TILE = 256, 64
"""Pixels of a tile's side, and the fewest where memory runs out."""
OVERLAP = 16
"""Pixels around a tile that are computed with it: more change no visible pixel of Real-ESRGAN's networks."""
log = logging.getLogger(__name__)


class EsrganUpscaler:
    """A loaded network of the ESRGAN family; an `Upscaler`.

    Args:
        network: in evaluation mode.
        tile: pixels of the side of tiles.
    """

    def __init__(self, network: RRDBNet | SRVGGNetCompact, tile: int = TILE) -> None:
        self.scale: int = network.scale
        self._network, self._tile = network, tile

    def upscale(self, frame: Frames) -> Frames:
        """A larger frame; see `Upscaler`. Alpha, and one channel of grey, keep their channels."""
        values = as_float(frame)
        larger = self._enlarged(as_float(to_rgb(values[..., :3])))
        if values.shape[3] == 1:
            grey: Frames = larger.mean(axis=3, keepdims=True)
            return grey
        if values.shape[3] == 3:
            return larger
        alpha = fit(values[..., 3:], larger.shape[2], larger.shape[1], "stretch")
        return np.concatenate([larger, as_float(alpha)], axis=3)

    def _enlarged(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        weight = next(self._network.parameters())
        with torch.inference_mode():
            larger = self._in_tiles(to_batch(frame, weight.device).to(weight.dtype)).clamp(0, 1)
        return from_batch(larger)

    def _in_tiles(self, picture: torch.Tensor) -> torch.Tensor:
        while True:
            try:
                return enlarge_in_tiles(self._network, picture, self.scale, side=self._tile, overlap=OVERLAP)
            except torch.OutOfMemoryError:
                if self._tile <= LEAST_TILE:
                    raise
            # Outside of the handler: the error refers to the tensors that filled the memory.
            self._tile //= 2
            log.warning("upscaling ran out of memory, again with tiles of %d pixels", self._tile)


def load(spec: ModelSpec, weights: Weights, device: str, dtype: Dtype) -> EsrganUpscaler:
    """Load a checkpoint of an RRDBNet or SRVGGNetCompact, of any size that the tensors tell.

    Raises:
        ModelError: the file cannot be read, is of another network, or lacks tensors.
    """
    file = open_single(weights)
    names = canonical_names(file.tensor_info)
    kind = network_of(names)
    if kind is None:
        hint = "RRDBNet and SRVGGNetCompact are read: ESRGAN, Real-ESRGAN and models trained from them"
        raise other_network(file, names, "of the ESRGAN family", hint=hint)
    network = _empty(kind, file, names)
    fill(network, file, names, kind, device, getattr(torch, dtype))
    return EsrganUpscaler(network.eval().requires_grad_(False))


def _empty(kind: EsrganNetwork, file: WeightFile, names: Mapping[str, str]) -> RRDBNet | SRVGGNetCompact:
    """The network of a file on the meta device."""
    shapes = {name: file.tensor_info[key].shape for name, key in names.items()}
    try:
        with torch.device("meta"):
            if kind == "RRDBNet":
                return RRDBNet(rrdb_sizes(shapes))
            return SRVGGNetCompact(compact_sizes(shapes))
    except ValueError as error:
        raise ModelError(f"{file.path} is no {kind} that is supported: {error}") from None
