"""Inference of MatAnyone: follow one object from frame to frame."""

# B batch (always 1 here), D channels of a feature, H height, W width

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from wangp_cli.networks.matanyone.blocks import STRIDE, WIDTH
from wangp_cli.networks.matanyone.memory import PixelMemory
from wangp_cli.networks.matanyone.network import FrameFeatures, MatAnyone


@dataclass(frozen=True, kw_only=True)
class FollowSettings:
    """How MatAnyone follows an object; the defaults are those it was published with.

    Args:
        warmup: how often the alpha of a key frame is refined before the frames after it.
        memory_every: each so many frames one enters the memory.
        memory_frames: frames in the memory, with the key frame, which stays.
        top_k: tokens of the memory that each pixel reads from.
    """

    warmup: int = 10
    memory_every: int = 5
    memory_frames: int = 5
    top_k: int = 30


class Follower:
    """Alpha of one object, frame by frame; memory does not grow with the number of frames.

    Args:
        network: in evaluation mode, with parameters that need no gradient.
        settings: how to follow.
    """

    _frame: FrameFeatures
    _alpha: Tensor
    _value: Tensor
    _sensory: Tensor
    _object: Tensor
    _age: int

    def __init__(self, network: MatAnyone, settings: FollowSettings) -> None:
        self._network = network
        self._settings = settings
        self._memory = PixelMemory(settings.memory_frames, settings.top_k)

    def start(self, image_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Alpha of a key frame; all that was known of earlier frames is forgotten.

        Args:
            image_B3HW: float32 RGB in [0, 1], of any size.
            mask_B1HW: float32 in [0, 1], of the same size.

        Returns:
            Float32 `[B, 1, H, W]` in [0, 1].
        """
        frame = self._network.encode_frame(_pad(image_B3HW))
        self._sensory = frame.key.new_zeros(1, WIDTH, *frame.key.shape[2:])
        self._remember_only(frame, _pad(mask_B1HW))
        for _ in range(self._settings.warmup + 1):
            alpha, self._sensory = self._network.decode(
                frame, self._value, self._object, self._sensory, self._alpha
            )
            self._remember_only(frame, alpha)
        return _crop(self._alpha, image_B3HW)

    def step(self, image_B3HW: Tensor) -> Tensor:
        """Alpha of the next frame, which has the size of the key frame: float32 `[B, 1, H, W]` in [0, 1]."""
        frame = self._network.encode_frame(_pad(image_B3HW))
        difference = self._memory.read(frame) - self._value
        change = self._network.change(self._frame, frame, self._alpha, difference)
        readout = self._value + change * difference
        alpha, self._sensory = self._network.decode(frame, readout, self._object, self._sensory, self._alpha)
        self._advance(frame, alpha)
        self._age += 1
        if self._age == self._settings.memory_every:
            self._age = 0
            self._update_sensory()
            self._object = self._object + self._network.object_summarizer(alpha, self._value)
            self._memory.add(frame, self._value)
        return _crop(alpha, image_B3HW)

    def _remember_only(self, frame: FrameFeatures, alpha_B1HW: Tensor) -> None:
        """Make this frame the only one in the pixel and object memory; the sensory memory goes on."""
        self._advance(frame, alpha_B1HW)
        self._age = 0
        self._update_sensory()
        self._object = self._network.object_summarizer(alpha_B1HW, self._value)
        self._memory.restart(frame, self._value)

    def _advance(self, frame: FrameFeatures, alpha_B1HW: Tensor) -> None:
        """Make this frame the one before the next."""
        self._frame, self._alpha = frame, alpha_B1HW
        self._value = self._network.encode_alpha(frame, alpha_B1HW)

    def _update_sensory(self) -> None:
        self._sensory = self._network.mask_encoder.update_sensory(self._value, self._sensory)


def _margins(height: int, width: int) -> tuple[int, int, int, int]:
    """Left, right, top and bottom pixels up to a multiple of the stride, as equal as possible."""
    across, down = -width % STRIDE, -height % STRIDE
    return across // 2, across - across // 2, down // 2, down - down // 2


def _pad(image_BCHW: Tensor) -> Tensor:
    return functional.pad(image_BCHW, _margins(*image_BCHW.shape[2:]))


def _crop(alpha_B1HW: Tensor, image_B3HW: Tensor) -> Tensor:
    height, width = image_B3HW.shape[2:]
    left, _, top, _ = _margins(height, width)
    return alpha_B1HW[:, :, top : top + height, left : left + width]
