"""MatAnyone as a matting engine: load its checkpoint, and follow an object through a clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from wangp_cli.errors import GenerationError, ModelError, RequestError
from wangp_cli.matting.key_masks import check_key_masks
from wangp_cli.matting.matter import Alpha, Mask
from wangp_cli.media.clip import Frames, single_frames
from wangp_cli.media.tensors import from_batch, to_batch
from wangp_cli.networks.matanyone.follow import Follower, FollowSettings
from wangp_cli.networks.matanyone.network import MatAnyone
from wangp_cli.pipelines.auxiliary.single_file import fill, open_single, other_network, plain_keys

if TYPE_CHECKING:
    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Weights
    from wangp_cli.pipelines.checkpoints.files import WeightFile
    from wangp_cli.tasks.runtime import Dtype

MASK_LAYER = "mask_encoder.conv1.weight"
"""The layer that reads a frame and its mask."""


class MatAnyoneMatter:
    """A loaded MatAnyone network; a `Matter` that starts again at each key mask.

    Args:
        network: in evaluation mode, float32, with parameters that need no gradient.
        dtype: that most layers compute in; similarities, recurrent updates and heads stay in float32.
        settings: how to follow.
        max_size: shorter sides of larger frames are reduced to so many pixels, and alpha is enlarged again;
            None keeps all sizes.
    """

    def __init__(
        self,
        network: MatAnyone,
        dtype: Dtype,
        settings: FollowSettings = FollowSettings(),  # noqa: B008 - frozen
        max_size: int | None = None,
    ) -> None:
        self._network, self._dtype = network, dtype
        self._settings, self._max_size = settings, max_size

    def with_settings(self, settings: FollowSettings, max_size: int | None = None) -> MatAnyoneMatter:
        """The same network with other settings."""
        return MatAnyoneMatter(self._network, self._dtype, settings, max_size)

    def mattes(self, frames: Iterable[Frames], key_masks: Mapping[int, Mask]) -> Iterator[Alpha]:
        """Alpha of every frame; see `Matter`.

        Raises:
            RequestError: the key masks do not fit the frames.
            GenerationError: alpha is not finite.
        """
        follower = Follower(self._network, self._settings)
        count = 0
        for frame in single_frames(frames):
            if count == 0:
                check_key_masks(key_masks, frame.shape[2], frame.shape[1])
            yield self._alpha(follower, frame, key_masks.get(count))
            count += 1
        if late := [index for index in key_masks if index >= count]:
            raise RequestError(
                "mask", f"there is one at frame {max(late)}, but the frames end at {count - 1}"
            )

    def _alpha(self, follower: Follower, frame: Frames, mask: Mask | None) -> Alpha:
        height, width = frame.shape[1:3]
        size = self._size(height, width)
        image = _resize(self._tensor(frame), size, "area")
        with torch.autocast(image.device.type, getattr(torch, self._dtype), enabled=self._dtype != "float32"):
            if mask is None:
                alpha = follower.step(image)
            else:
                alpha = follower.start(image, _resize(self._tensor(mask[None, :, :, None]), size, "nearest"))
        if not torch.isfinite(alpha).all():
            raise GenerationError("alpha is not finite", hint="--dtype float32, or other weights")
        return from_batch(_resize(alpha, (height, width), "bilinear"))

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that the network sees."""
        shorter = min(height, width)
        if self._max_size is None or shorter <= self._max_size:
            return height, width
        return height * self._max_size // shorter, width * self._max_size // shorter

    def _tensor(self, values: Frames) -> torch.Tensor:
        device = next(self._network.parameters()).device
        return to_batch(values, device)


def load(spec: ModelSpec, weights: Weights, device: str, dtype: Dtype) -> MatAnyoneMatter:
    """Load a checkpoint of MatAnyone or MatAnyone 2, which are of one architecture.

    Raises:
        ModelError: the file cannot be read, is of another network, or lacks tensors.
    """
    file = open_single(weights)
    keys = plain_keys(file)
    _check_kind(file, keys)
    with torch.device("meta"):
        network = MatAnyone()
    fill(network, file, keys, "MatAnyone", device, torch.float32)
    network.eval().requires_grad_(requires_grad=False)
    # Frames come with channels last, and convolutions are a tenth faster if they stay so.
    return MatAnyoneMatter(network.to(memory_format=torch.channels_last), dtype)


def _check_kind(file: WeightFile, keys: Mapping[str, str]) -> None:
    """Check that a file is of MatAnyone for one object, whether complete or not.

    Raises:
        ModelError: it is of another network, which the message names.
    """
    hint = "`wangp models list` shows the networks for mattes"
    if MASK_LAYER not in keys:
        raise other_network(file, keys, "MatAnyone", hint=hint)
    if (channels := file.tensor_info[keys[MASK_LAYER]].shape[1]) != 4:
        raise ModelError(
            f"{file.path} is a network for several objects at a time, such as Cutie: its masks have"
            f" {channels - 3} channels, those of MatAnyone have 1",
            hint=hint,
        )
    if not any(key.startswith("temp_sparity.") for key in keys):
        raise ModelError(f"{file.path} is Cutie, which MatAnyone was made from, not MatAnyone", hint=hint)


def _resize(image: torch.Tensor, size: tuple[int, int], mode: str) -> torch.Tensor:
    return image if image.shape[2:] == size else functional.interpolate(image, size, mode=mode)
