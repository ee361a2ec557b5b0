"""Conversion of HDR and wide-gamut RGB to BT.709.

Light is relative to the white of SDR, which PQ and HLG show at 203 cd/m² (ITU-R BT.2408). The result has the
transfer of BT.1886, a power of 2.4, so SDR content that an HDR signal carries comes back with its own codes;
only codes above 0.97 are compressed, to make room for highlights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wangp_cli.media.clip import Frames
from wangp_cli.media.colour import PRIMARIES, TRANSFERS

_GAMMA = 2.4
_SDR_WHITE = 203.0
"""Luminance of SDR white in cd/m²."""
_KNEE = 0.97
_ROWS = 32
"""Rows converted at once, so that intermediate arrays stay in the cache of the processor."""

PQ = 16
HLG = 18
SRGB = 13
LINEAR = 8
_HDR = frozenset({PQ, HLG})
_OTHER_TRANSFERS = frozenset({4, 5, LINEAR, 9, 10, PQ, 17, HLG})
"""H.273 codes of transfers other than those of BT.709 and of sRGB, whose codes count as equal."""

_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    10: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3)),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
"""Chromaticities of red, green, blue and white by H.273 code: BT.709 and wide gamuts. Those of standard
definition (5, 6, 7, 22) are close to BT.709 and are not converted, which is the practice of broadcasting."""

_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""XYZ to the cone responses in which white points are adapted."""


def differs_from_bt709(transfer: int, primaries: int) -> bool:
    """Whether RGB with these H.273 codes needs `to_bt709`."""
    return transfer in _OTHER_TRANSFERS or (primaries in _PRIMARIES and primaries != 1)


def is_hdr(transfer: int) -> bool:
    """Whether a transfer has highlights above the white of SDR."""
    return transfer in _HDR


def primaries_of(chromaticities: Sequence[float]) -> int | None:
    """The H.273 code of white, red, green and blue, each as x and y; None of others."""
    for code, (red, green, blue, white) in _PRIMARIES.items():
        if len(chromaticities) == 8 and np.allclose(chromaticities, [*white, *red, *green, *blue], atol=2e-3):
            return code
    return None


def conversion_notice(transfer: int, primaries: int) -> str:
    """What `to_bt709` changes, for people."""
    names = [
        *([TRANSFERS[transfer]] if transfer in _OTHER_TRANSFERS else []),
        *([PRIMARIES[primaries]] if primaries in _PRIMARIES and primaries != 1 else []),
    ]
    how = "HDR is tone-mapped" if transfer in _HDR else "its colours are converted"
    return f"{how} to BT.709 from {' and '.join(names)}"


def to_bt709(pixels: Frames, transfer: int, primaries: int) -> Frames:
    """RGB of another transfer or gamut as BT.709; colours outside its gamut are clipped.

    Highlights of PQ and HLG roll off: of the code v of the brightest channel, the part above k = 0.97 becomes
    k + (1 - k) x / (1 + x) with x = (v - k) / (1 - k), and the other channels are scaled with it, which
    keeps hue and saturation. SDR white gives 0.985, 1000 cd/m² give 0.999.

    Args:
        pixels: uint8 or uint16 `[H, W, 3 or 4]`, full range; alpha is kept.
        transfer: code of ITU-T H.273.
        primaries: code of ITU-T H.273.

    Returns:
        Same shape and dtype.
    """
    light = _light_of_codes(transfer, pixels.dtype)
    matrix = None if primaries not in _PRIMARIES or primaries == 1 else _matrix_to_bt709(primaries)
    top = np.float32(np.iinfo(pixels.dtype).max)
    result = pixels.copy()
    for first in range(0, len(pixels), _ROWS):
        rows = pixels[first : first + _ROWS]
        channels = [light[rows[..., index]] for index in range(3)]
        if matrix is not None:
            channels = [sum(w * c for w, c in zip(weights, channels, strict=True)) for weights in matrix]
        codes = [_encode(np.maximum(channel, 0), transfer) for channel in channels]
        scale: Any = top
        if transfer in _HDR:
            scale = top * _highlight_gain(np.maximum(np.maximum(codes[0], codes[1]), codes[2]))
        for index, code in enumerate(codes):
            result[first : first + _ROWS, :, index] = np.minimum(code * scale + np.float32(0.5), top)
    return result


def _highlight_gain(peak: NDArray[np.float32]) -> NDArray[np.float32]:
    """The factor of all channels of a pixel by the code of its brightest one; 1 up to the knee."""
    knee = np.float32(_KNEE)
    over = np.maximum(peak - knee, 0) / (1 - knee)
    gain: NDArray[np.float32] = np.where(
        over > 0, (knee + (1 - knee) * over / (1 + over)) / np.maximum(peak, knee), np.float32(1)
    )
    return gain


def _encode(light: Any, transfer: int) -> Any:
    """Light to codes of BT.1886; of sRGB where the source has it, so that greys keep their codes."""
    if transfer != SRGB:
        return light ** np.float32(1 / _GAMMA)
    curve = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(light <= 0.0031308, light * np.float32(12.92), curve)


@lru_cache(maxsize=8)
def _light_of_codes(transfer: int, dtype: np.dtype[Any]) -> NDArray[np.float32]:
    """The light of every code of an integer dtype; 1 is SDR white."""
    codes = np.linspace(0, 1, np.iinfo(dtype).max + 1)
    light = {
        4: lambda v: v**2.2,
        5: lambda v: v**2.8,
        LINEAR: lambda v: v,
        9: lambda v: np.where(v > 0, 10 ** (2 * (v - 1)), 0),
        10: lambda v: np.where(v > 0, 10 ** (2.5 * (v - 1)), 0),
        SRGB: lambda v: np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4),
        PQ: _pq,
        17: lambda v: v**2.6 * 52.37 / 48,
        HLG: _hlg,
    }.get(transfer, lambda v: v**_GAMMA)
    table: NDArray[np.float32] = light(codes).astype(np.float32)
    return table


def _pq(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light of PQ codes. Source: SMPTE ST 2084, the EOTF."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = code ** (1 / m2)
    light: NDArray[np.float64] = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return light * 10_000 / _SDR_WHITE


def _hlg(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light of HLG codes on a display of 1000 cd/m².

    The system gamma of 1.2 is applied to each channel, as SDR cameras and displays do, and not to luminance:
    this is the scene-referred conversion of ITU-R BT.2408, which keeps the colours of SDR content.

    Source: ITU-R BT.2100, the inverse of the HLG OETF.
    """
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    light: NDArray[np.float64] = scene**1.2 * 1000 / _SDR_WHITE
    return light


@lru_cache(maxsize=8)
def _matrix_to_bt709(primaries: int) -> NDArray[np.float32]:
    """The 3x3 matrix from light of these primaries to BT.709, white to white."""
    source, target = _to_xyz(primaries), _to_xyz(1)
    white, wanted = _BRADFORD @ source.sum(axis=1), _BRADFORD @ target.sum(axis=1)
    adapt = np.linalg.inv(_BRADFORD) @ np.diag(wanted / white) @ _BRADFORD
    matrix: NDArray[np.float32] = (np.linalg.inv(target) @ adapt @ source).astype(np.float32)
    return matrix


def _to_xyz(primaries: int) -> NDArray[np.float64]:
    """The 3x3 matrix from light of these primaries to XYZ; white has Y = 1. Source: SMPTE RP 177."""
    columns = np.array([(x, y, 1 - x - y) for x, y in _PRIMARIES[primaries]]).T
    white = columns[:, 3] / columns[1, 3]
    scales: NDArray[np.float64] = np.linalg.solve(columns[:, :3], white)
    return columns[:, :3] * scales
