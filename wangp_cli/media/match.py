"""Colour transfer between clips, saturation and brightness.

Colours are compared in CIE L*a*b* under D65, from sRGB by IEC 61966-2-1: distances there are close to
perceived differences, and lightness is separate from hue.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames, as_float, as_type
from wangp_cli.media.mask import LUMA
from wangp_cli.media.spool import Spool

_TO_XYZ = np.array(
    [[0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]]
)
_WHITE = _TO_XYZ.sum(axis=1)
_TO_CONES = (_TO_XYZ / _WHITE[:, None]).T.astype(np.float32)
_FROM_CONES = np.linalg.inv(_TO_XYZ / _WHITE[:, None]).T.astype(np.float32)
_KNEE = 6 / 29

_LEAST_GAIN = np.array([0.1, 0.4, 0.4])
"""Least gain in L*, a* and b*; the greatest is its inverse."""
_NOISE = 3.0
"""Added to standard deviations as independent noise, so that the gain of nearly uniform frames is about 1."""
_MOST_PIXELS = 2**20
"""Most pixels that are compared in place; of more, evenly spaced ones."""
_PIXELS_OF_SEARCH = 4096
_SAMPLES = 64
"""Pairs of pixels whose change is tried."""
_OUTLIER = 6.0
"""L*a*b* distance above which a pixel is not explained by a change."""
_MOST_DRIFT = 20.0
"""Largest usual L*a*b* distance that is taken for a drift of colours."""


def to_lab(frames: Frames) -> NDArray[np.float32]:
    """RGB to CIE L*a*b*.

    Args:
        frames: `[..., 3]`, any dtype of `Frames`.

    Returns:
        float32 `[..., 3]`; L* in [0, 100], a* and b* about [-110, 110].
    """
    values = as_float(frames)
    linear = np.where(
        values <= 0.04045,
        values / np.float32(12.92),
        ((values + np.float32(0.055)) / np.float32(1.055)) ** 2.4,
    )
    cones = linear.astype(np.float32) @ _TO_CONES
    bent = np.where(cones > _KNEE**3, np.cbrt(cones), cones / np.float32(3 * _KNEE**2) + np.float32(4 / 29))
    x, y, z = bent[..., 0], bent[..., 1], bent[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def from_lab(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIE L*a*b* to RGB; colours outside sRGB are clipped.

    Args:
        lab: float32 `[..., 3]`.

    Returns:
        float32 `[..., 3]` in [0, 1].
    """
    y = (lab[..., 0] + 16) / np.float32(116)
    bent = np.stack([y + lab[..., 1] / np.float32(500), y, y - lab[..., 2] / np.float32(200)], axis=-1)
    cones = np.where(bent > _KNEE, bent**3, np.float32(3 * _KNEE**2) * (bent - np.float32(4 / 29)))
    linear = (cones @ _FROM_CONES).clip(0, 1)
    values = np.where(
        linear <= 0.0031308,
        linear * np.float32(12.92),
        np.float32(1.055) * linear ** (1 / 2.4) - np.float32(0.055),
    )
    return values.astype(np.float32).clip(0, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ColourStatistics:
    """Mean and standard deviation of L*, a* and b*: float64 `[3]` each."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ColourTransfer:
    """An affine change of colours in L*a*b*: `gain * lab + offset`, float64 `[3]` each."""

    gain: NDArray[np.float64]
    offset: NDArray[np.float64]


def colour_statistics(frames: Iterable[Frames], where: NDArray[np.bool_] | None = None) -> ColourStatistics:
    """Mean and standard deviation of the colours of all frames together.

    Args:
        frames: `[T, H, W, C]` RGB or RGBA, any dtype of `Frames`.
        where: bool `[T, H, W]`, the pixels to use, at least one; None uses all.
    """
    total, squares, count = np.zeros(3), np.zeros(3), 0
    for index, frame in enumerate(frames):
        pixels = frame.reshape(-1, frame.shape[2]) if where is None else frame[where[index]]
        lab = to_lab(pixels[:, :3])
        total += lab.sum(axis=0, dtype=np.float64)
        squares += np.square(lab, dtype=np.float64).sum(axis=0)
        count += len(lab)
    mean = total / count
    return ColourStatistics(mean=mean, spread=np.sqrt(np.maximum(squares / count - mean**2, 0)))


def colour_transfer(source: ColourStatistics, target: ColourStatistics) -> ColourTransfer:
    """The change that gives `source` the mean of `target`, and its standard deviation within limits.

    Source: Reinhard et al. 2001, Color Transfer between Images, with limits on the gain.
    """
    gain = np.hypot(target.spread, _NOISE) / np.hypot(source.spread, _NOISE)
    gain = gain.clip(_LEAST_GAIN, 1 / _LEAST_GAIN)
    return ColourTransfer(gain=gain, offset=target.mean - gain * source.mean)


@dataclass(frozen=True, kw_only=True, eq=False)
class RedrawnColours:
    """What known frames that a model generated again tell of its colours.

    Args:
        change: from generated to known colours.
        distance: usual L*a*b* distance of a generated pixel from the known one.
    """

    change: ColourTransfer
    distance: float

    @property
    def is_drawn_badly(self) -> bool:
        """Whether the frames differ by more than colours drift in one run."""
        return self.distance > _MOST_DRIFT


def compare_redrawn(
    generated: Frames | Spool, known: Frames, where: NDArray[np.bool_] | None = None
) -> RedrawnColours:
    """The change from frames that a model generated to the known frames that it was given to generate again.

    Pixels are compared in place, and what the model drew wrong does not count: the change is that of the
    pixels that agree on one. So a shape at a wrong place or a badly drawn frame does not tint the others.

    Args:
        generated: `[T, H, W, 3]` RGB, any dtype of `Frames`.
        known: the same frames as they should be, of the same shape.
        where: bool `[T, H, W]`, the pixels to use, at least one; None uses all.

    Source: Fischler and Bolles 1981, Random Sample Consensus, of `colour_transfer`.
    """
    step = -(-known[..., 0].size // _MOST_PIXELS)
    source, target = _lab_pixels(generated, where, step), _lab_pixels(known, where, step)
    distance = float(np.median(np.linalg.norm(target - source, axis=1)))
    rng = np.random.default_rng(0)
    some = rng.choice(len(source), _PIXELS_OF_SEARCH)
    samples = [some, *rng.choice(some, (_SAMPLES, 2))]
    changes = (_change(source[sample], target[sample]) for sample in samples)
    best = max(changes, key=lambda change: (_errors(change, source[some], target[some]) < _OUTLIER).sum())
    errors = _errors(best, source, target)
    # Of frames that no change explains, the better half decides.
    near = errors <= max(float(np.median(errors)), _OUTLIER)
    return RedrawnColours(change=_change(source[near], target[near]), distance=distance)


def _change(source: NDArray[np.float64], target: NDArray[np.float64]) -> ColourTransfer:
    """The change from some pixels `[N, 3]` to others."""
    return colour_transfer(_statistics(source), _statistics(target))


def _errors(
    change: ColourTransfer, source: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """L*a*b* distances that a change leaves, `[N]`."""
    return np.asarray(np.linalg.norm(source * change.gain + change.offset - target, axis=1))


def _lab_pixels(frames: Frames | Spool, where: NDArray[np.bool_] | None, step: int) -> NDArray[np.float64]:
    """Every `step`-th used pixel of each frame in L*a*b*: float64 `[N, 3]`."""
    pixels = (
        frame.reshape(-1, frame.shape[2]) if where is None else frame[where[index]]
        for index, frame in enumerate(frames)
    )
    return np.concatenate([to_lab(own[::step, :3]) for own in pixels]).astype(np.float64)


def _statistics(lab: NDArray[np.float64]) -> ColourStatistics:
    return ColourStatistics(mean=lab.mean(axis=0), spread=lab.std(axis=0))


WeightedTransfer = tuple[ColourTransfer, NDArray[np.float64]]
"""A change of colours and its weight in each frame, `[T]`, 0 to 1."""


def transfers_between(
    frames: int, front: ColourTransfer, back: ColourTransfer, strength: float = 1.0
) -> list[WeightedTransfer]:
    """Two changes with weights that go from the first to the second over `frames` frames.

    Args:
        frames: number of frames.
        front: change of the first frame.
        back: change of the last frame.
        strength: factor of all weights, 0 to 1.
    """
    weights = transfer_weights(frames) * strength
    return [(front, weights[:, 0]), (back, weights[:, 1])]


def transfer_weights(frames: int) -> NDArray[np.float64]:
    """Weights of the front change, of the back change and of no change, per frame: float64 `[frames, 3]`.

    The weight of no change is up to 1/4, in the middle, where neither end tells the right colours. Five
    frames have (1, 0, 0), (.656, .219, .125), (.375, .375, .25), (.219, .656, .125), (0, 1, 0).
    """
    time = np.linspace(0, 1, frames) if frames > 1 else np.zeros(frames)
    own = np.minimum(time, 1 - time) / 2
    return np.stack([(1 - time) * (1 - own), time * (1 - own), own], axis=1)


def apply_transfers(frames: Frames, transfers: Sequence[WeightedTransfer]) -> Frames:
    """Frames with a weighted sum of colour changes.

    Args:
        frames: `[T, H, W, C]` RGB or RGBA, any dtype of `Frames`.
        transfers: weights of a frame sum to 1 or less; the rest is the weight of its own colours.

    Returns:
        `[T, H, W, C]`, same dtype; frames whose weights are all 0 are copied bit for bit.
    """
    result = frames.copy()
    for index, frame in enumerate(frames):
        weighted = [(transfer, float(weights[index])) for transfer, weights in transfers]
        if not any(weight for _, weight in weighted):
            continue
        gain = 1 + sum(weight * (transfer.gain - 1) for transfer, weight in weighted)
        offset = sum(weight * transfer.offset for transfer, weight in weighted)
        lab = to_lab(frame[..., :3]) * np.asarray(gain, np.float32) + np.asarray(offset, np.float32)
        result[index, ..., :3] = as_type(from_lab(lab), frames.dtype)
    return result


def adjust(frames: Frames, *, saturation: float = 1.0, brightness: float = 0.0) -> Frames:
    """Frames with other saturation and brightness.

    Args:
        frames: `[T, H, W, C]` RGB or RGBA, any dtype of `Frames`.
        saturation: 0 is grey by BT.709 luma, 1 changes nothing.
        brightness: values are multiplied by `1 + brightness`; 0 changes nothing, -1 is black.

    Returns:
        `[T, H, W, C]`, same dtype; the frames themselves where nothing changes.
    """
    if saturation == 1 and brightness == 0:
        return frames
    values = as_float(frames).copy()
    colour = values[..., :3]
    if saturation != 1:
        grey = (colour @ LUMA)[..., None].astype(np.float32)
        colour = grey + (colour - grey) * np.float32(saturation)
    values[..., :3] = (colour * np.float32(1 + brightness)).clip(0, 1)
    return as_type(values, frames.dtype)
