"""The layouts of files of the ESRGAN family: which network a file is of, and the names of its tensors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

EsrganNetwork = Literal["RRDBNet", "SRVGGNetCompact"]
PREFIXES = ("params_ema.", "params.", "module.")
"""What the keys of conversions to safetensors begin with."""
_NUMBERED = re.compile(r"model\.(\d{1,9})\.(weight|bias)")
_NUMBERED_BLOCK = re.compile(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)")
_NUMBERED_TRUNK = re.compile(r"model\.1\.sub\.\d+\.(weight|bias)")
_NAMED_BLOCK = re.compile(r"RRDB_trunk\.(\d+)\.RDB(\d)\.conv(\d)\.(weight|bias)")
_NAMED = {
    "trunk_conv": "conv_body",
    "upconv1": "conv_up1",
    "upconv2": "conv_up2",
    "upconv3": "conv_up3",
    "HRconv": "conv_hr",
}


def canonical_names(keys: Iterable[str]) -> dict[str, str]:
    """The keys of a file by the names of the network's parameters, in any of the layouts in use.

    The layouts of an RRDBNet are those of Real-ESRGAN, of ESRGAN with names (`RRDB_trunk`), and of ESRGAN
    with numbers (`model.1.sub`). Names of other networks come out without their prefix.
    """
    plain = {_without_prefix(key): key for key in keys}
    numbers = sorted({int(match[1]) for name in plain if (match := _NUMBERED.fullmatch(name))})
    return {_canonical(name, numbers): key for name, key in plain.items()}


def network_of(names: Iterable[str]) -> EsrganNetwork | None:
    """The network that has parameters of these names; None for another one."""
    found = set(names)
    if "conv_first.weight" in found and any(name.startswith("body.0.rdb1.") for name in found):
        # ESRGAN+ adds convolutions beside those of the dense blocks.
        return None if any(".conv1x1." in name for name in found) else "RRDBNet"
    # Only convolutions and the slopes of PReLU, numbered throughout.
    if "body.0.weight" in found and all(re.fullmatch(r"body\.\d+\.(weight|bias)", name) for name in found):
        return "SRVGGNetCompact"
    return None


def _without_prefix(key: str) -> str:
    for prefix in PREFIXES:
        key = key.removeprefix(prefix)
    return key


def _canonical(name: str, numbers: list[int]) -> str:
    """The name of a parameter as in files of Real-ESRGAN.

    Args:
        name: in any layout.
        numbers: of all numbered layers outside of the trunk, where the layout has such.
    """
    if block := (_NUMBERED_BLOCK.fullmatch(name) or _NAMED_BLOCK.fullmatch(name)):
        return f"body.{block[1]}.rdb{block[2]}.conv{block[3]}.{block[4]}"
    if trunk := _NUMBERED_TRUNK.fullmatch(name):
        return f"conv_body.{trunk[1]}"
    if layer := _NUMBERED.fullmatch(name):
        return f"{_numbered(numbers.index(int(layer[1])), len(numbers))}.{layer[2]}"
    part, _, rest = name.partition(".")
    return f"{_NAMED.get(part, part)}.{rest}"


def _numbered(place: int, count: int) -> str:
    """The name of a layer outside of the trunk, which are the first, those that double, and the last two."""
    if place == 0:
        return "conv_first"
    return {count - 2: "conv_hr", count - 1: "conv_last"}.get(place, f"conv_up{place}")
