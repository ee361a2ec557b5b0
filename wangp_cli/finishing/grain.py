"""Film grain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames, as_float, as_type

_STRENGTH = np.array([2, 1, 3], np.float32)
"""Of R, G and B: film is grainiest in the layer of blue, and finest in that of green."""


def add_grain(frame: Frames, index: int, *, seed: int, intensity: float, saturation: float = 0.5) -> Frames:
    """A frame with film grain: the same for the same seed and index, in any run.

    Args:
        frame: `[1, H, W, C]`, any dtype of `Frames`; alpha is kept.
        index: of the frame in its video; each has grain of its own.
        seed: of the noise.
        intensity: standard deviation of the grain of green, 0 to 1; 0 adds none.
        saturation: 0 is grey grain, 1 has independent grain in each colour.

    Returns:
        `[1, H, W, C]`, same dtype.

    Source: WanGP's film grain: normal noise, twice as strong in red and three times in blue.
    """
    if intensity == 0:
        return frame
    values = as_float(frame).copy()
    colours = min(values.shape[3], 3)
    noise = np.random.default_rng([seed, index]).standard_normal(
        (*values.shape[1:3], colours), dtype=np.float32
    )
    grain = _coloured(noise, saturation) if colours == 3 else noise
    values[0, ..., :colours] = (values[0, ..., :colours] + np.float32(intensity) * grain).clip(0, 1)
    return as_type(values, frame.dtype)


def _coloured(noise: NDArray[np.float32], saturation: float) -> NDArray[np.float32]:
    share = np.float32(saturation)
    mixed: NDArray[np.float32] = noise * _STRENGTH * share + noise[..., 1:2] * (1 - share)
    return mixed
