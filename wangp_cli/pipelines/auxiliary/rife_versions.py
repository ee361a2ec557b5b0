"""Tell the versions of RIFE apart by the keys and shapes of their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, takewhile

V3, V4, V4_LITE, V4_HEAVY, V4_26_HEAVY = "3", "4.25 or 4.26", "4.25.lite", "4.25.heavy", "4.26.heavy"
"""The versions that there are networks of; 4.25 and 4.26 are of one architecture."""
BY_SIZES = {
    ((192, 128, 96, 64, 32), 15, 28): V4,
    ((192, 128, 96, 64, 24), 15, 28): V4_LITE,
    ((384, 256, 192, 128, 64), 15, 28): V4_HEAVY,
    ((192, 128, 96, 64, 32), 39, 52): V4_26_HEAVY,
    ((192, 128, 96, 64), 15, 20): "4.7, 4.8 or 4.9",
    ((192, 128, 96, 64), 23, 28): "4.10 to 4.19, or 4.24",
    ((128, 96, 64, 48), 15, 20): "4.12.lite to 4.17.lite",
    ((384, 192, 96, 48), 23, 28): "4.20",
    ((256, 192, 96, 48), 23, 36): "4.21, 4.22 or 4.23",
    ((192, 128, 64, 32), 15, 28): "4.22.lite",
}
"""Versions by the widths of the blocks, the input channels of the first block, and those of the others."""
FIRST_SIZES = ((192, 128, 96, 64), 7, 12)
"""Sizes of 4.0 to 4.6, which differ in other layers."""
FIRST_BY_OUTPUTS = {5: "4.2, 4.3 or 4.4", 20: "4.5", 24: "4.6"}
"""Versions of those sizes by the output channels of a block."""
FIRST_CONVOLUTION, LAST_CONVOLUTION = "block0.conv0.0.0.weight", "block0.lastconv.0.weight"


def rife_version(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """The version of a checkpoint, such as "4.6"; "" for an unknown one, None for no RIFE network at all.

    Args:
        shapes: of the network's tensors by key, without prefixes and keys of training.
    """
    if FIRST_CONVOLUTION not in shapes:
        return None
    if "block0.convblock0.0.0.weight" in shapes:
        return V3
    sizes = _sizes(shapes)
    if sizes != FIRST_SIZES:
        return BY_SIZES.get(sizes, "")
    if "block0.conv0.0.1.weight" in shapes:  # A slope of PReLU, where later versions have LeakyReLU.
        return "4.0 or 4.1"
    last = shapes.get("block0.lastconv.weight") or shapes.get(LAST_CONVOLUTION) or (0, 0)
    return FIRST_BY_OUTPUTS.get(last[1], "")


def _sizes(shapes: Mapping[str, tuple[int, ...]]) -> tuple[tuple[int, ...], int, int]:
    blocks = takewhile(lambda block: f"{block}.conv0.1.0.weight" in shapes, map("block{}".format, count()))
    widths = tuple(shapes[f"{block}.conv0.1.0.weight"][0] for block in blocks)
    later = shapes.get("block1.conv0.0.0.weight", (0, 0))
    return widths, shapes[FIRST_CONVOLUTION][1], later[1]
