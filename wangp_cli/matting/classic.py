"""The matting engine that needs no weights: key masks follow the optical flow and the colours of the clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch.nn import functional

from wangp_cli.errors import RequestError
from wangp_cli.matting.colour_model import ColourModel
from wangp_cli.matting.guided_filter import guided_filter
from wangp_cli.matting.key_masks import check_key_masks
from wangp_cli.matting.matter import Alpha, Mask
from wangp_cli.matting.propagate import CONTRAST, EPSILON, RADIUS, AlphaEstimate, Propagation
from wangp_cli.media.clip import Frames, single_frames
from wangp_cli.media.spool import Spool, write_spool
from wangp_cli.media.tensors import from_batch, to_batch

LARGEST_SHORTER_SIDE = 256
"""Pixels; larger frames are followed at this size, and the edges of alpha are found in the full frames."""
_LEAST_TRUST = 0.05
_CERTAIN = 0.02
"""Alpha below it is none, alpha as close to 1 is all."""
BACKWARD_FRAMES = 120
"""They wait on disk, and their estimates in memory: 30 MB at the usual size."""


class ClassicMatter:
    """Follows an object forwards from each key mask and backwards from the next one, and mixes both.

    Args:
        device: where it computes, such as `cpu` or `cuda`.
        work_dir: folder for frames that wait for the way back from a key mask; None for the system's.
        max_size: largest shorter side at which objects are followed, in pixels; None for the usual.
        backward_frames: most frames before a key mask that are also followed backwards from it.
        check: called before each of those, which give no alpha yet; what it raises ends the work.
    """

    def __init__(
        self,
        device: str = "cpu",
        *,
        work_dir: Path | None = None,
        max_size: int | None = None,
        backward_frames: int = BACKWARD_FRAMES,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._check = check
        self._device, self._work_dir, self._backward_frames = device, work_dir, backward_frames
        self._max_size = max_size or LARGEST_SHORTER_SIDE

    def mattes(self, frames: Iterable[Frames], key_masks: Mapping[int, Mask]) -> Iterator[Alpha]:
        """Alpha of every frame; see `Matter`. Key masks themselves are returned unchanged."""
        single = single_frames(frames)
        first = next(single, None)
        if first is None:
            return
        check_key_masks(key_masks, first.shape[2], first.shape[1])
        clip = chain([first], single)
        keys = sorted(key_masks)
        colours = ColourModel(torch.device(self._device))
        frame = next(clip)
        colours.add(*self._key(frame, key_masks[0]))
        for start, end in zip(keys, [*keys[1:], None], strict=True):
            forward = Propagation(*self._key(frame, key_masks[start]), colours)
            yield key_masks[start][None, :, :, None]
            if end is None:
                yield from self._forwards(forward, clip)
                return
            between = _exactly(clip, end - start - 1, end)
            ahead = max(end - start - 1 - self._backward_frames, 0)
            yield from self._forwards(forward, islice(between, ahead))
            shape = (end - start - 1 - ahead, *first.shape[1:])
            with TemporaryDirectory(dir=self._work_dir) as folder:
                write_spool(path := Path(folder) / "frames", between, shape, "the clip")
                frame = next(_exactly(clip, 1, end))
                with Spool(path, shape) as waiting:
                    key = self._key(frame, key_masks[end])
                    colours.add(*key)
                    yield from self._both_ways(forward, Propagation(*key, colours), waiting)

    def _forwards(self, forward: Propagation, frames: Iterable[Frames]) -> Iterator[Alpha]:
        return (self._finished(frame, forward.step(self._small(frame)).alpha) for frame in frames)

    def _both_ways(self, forward: Propagation, backward: Propagation, frames: Spool) -> Iterator[Alpha]:
        """Alpha of the frames before a key frame, mixed from the way towards it and the way back from it.

        Args:
            forward: arrived at the frame before the first of `frames`.
            backward: at the key frame after the last of `frames`.
            frames: `[t, H, W, 3]`.
        """
        count = len(frames)
        returned = []
        for at in reversed(range(count)):
            self._check()
            returned.append(_packed(backward.step(self._small(frames[at : at + 1]))))
        for at in range(count):
            frame = frames[at : at + 1]
            there = forward.step(self._small(frame))
            yield self._finished(frame, _mix(there, _unpacked(returned.pop()), (at + 1) / (count + 1)))

    def _key(self, frame: Frames, mask: Mask) -> tuple[Tensor, Tensor]:
        return self._small(frame), self._small(mask[None, :, :, None])

    def _small(self, frame: Frames) -> Tensor:
        """A frame or mask as `[1, C, h, w]` at the size at which objects are followed."""
        pixels = to_batch(frame, self._device)
        scale = self._max_size / min(pixels.shape[2:])
        if scale >= 1:
            return pixels
        return functional.interpolate(pixels, [round(side * scale) for side in pixels.shape[2:]], mode="area")

    def _finished(self, frame: Frames, alpha: Tensor) -> Alpha:
        """Alpha at the size of the frame, float32 `[1, H, W, 1]`."""
        size = frame.shape[1:3]
        if alpha.shape[2:] != size:
            rough = guided_filter(to_batch(frame, self._device), alpha, RADIUS, EPSILON)
            edge = (0.5 + CONTRAST * (rough - 0.5)).clamp(0, 1)
            alpha = torch.where(
                _band(alpha, size), edge, functional.interpolate(alpha, size, mode="bilinear")
            )
        return from_batch(alpha)


def _exactly(clip: Iterator[Frames], count: int, key: int) -> Iterator[Frames]:
    """The next `count` frames, which a key mask at frame `key` needs.

    Raises:
        RequestError: the clip ends before them.
    """
    for _ in range(count):
        if (frame := next(clip, None)) is None:
            raise RequestError("mask", f"there is one at frame {key}, but the frames end before it")
        yield frame


def _packed(estimate: AlphaEstimate) -> Tensor:
    """Alpha and trust as uint8 `[2, 1, H, W]`, to wait in little memory."""
    return (torch.cat([estimate.alpha, estimate.trust]) * 255 + 0.5).byte()


def _unpacked(packed: Tensor) -> AlphaEstimate:
    alpha, trust = (packed.float() / 255).split(1)
    return AlphaEstimate(alpha=alpha, trust=trust)


def _mix(there: AlphaEstimate, back: AlphaEstimate, part: float) -> Tensor:
    """The mean of both ways, weighted by distance in time and by trust; `part` of the time is over."""
    of_there, of_back = (1 - part) * (there.trust + _LEAST_TRUST), part * (back.trust + _LEAST_TRUST)
    return (there.alpha * of_there + back.alpha * of_back) / (of_there + of_back)


def _band(alpha: Tensor, size: tuple[int, ...]) -> Tensor:
    """The pixels of the larger size at which an edge may be: bool `[1, 1, H, W]`."""
    highest = functional.max_pool2d(alpha, 5, stride=1, padding=2)
    lowest = -functional.max_pool2d(-alpha, 5, stride=1, padding=2)
    edge = ((highest > _CERTAIN) & (lowest < 1 - _CERTAIN)).float()
    return functional.interpolate(edge, size, mode="nearest") > 0
