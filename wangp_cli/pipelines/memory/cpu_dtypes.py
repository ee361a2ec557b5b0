"""16-bit dtypes on CPUs: without instructions for them, convolutions take more than 100 times as long."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wangp_cli.tasks.runtime import Dtype

CPUINFO = Path("/proc/cpuinfo")
INSTRUCTIONS: Mapping[Dtype, frozenset[str]] = {
    "bfloat16": frozenset({"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"}),
    "float16": frozenset({"avx512_fp16", "amx_fp16", "avx_ne_convert", "asimdhp"}),
}
"""CPU flags of which one suffices, by dtype: of x86, then of ARM."""
ACCELERATORS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""Device files of NVIDIA and AMD drivers, and of GPUs in WSL."""


def is_slow(dtype: str, cpuinfo: Path = CPUINFO) -> bool:
    """Whether this CPU lacks instructions for a dtype; False if that is unknown.

    Args:
        dtype: `float32`, `bfloat16` or `float16`.
        cpuinfo: the kernel's description of the CPU.
    """
    wanted = next((flags for name, flags in INSTRUCTIONS.items() if name == dtype), None)
    if wanted is None:
        return False
    with suppress(OSError), cpuinfo.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, flags = line.partition(":")
            if name.strip() in ("flags", "Features"):
                return not wanted & set(flags.split())
    return False


def is_cpu(device: str) -> bool:
    """Whether a device is the CPU, as far as that is known before torch is imported.

    Args:
        device: of a task; `auto` is the CPU where torch or the machine supports no other device.
    """
    if device != "auto":
        return device == "cpu"
    if sys.platform == "darwin":
        return False
    with suppress(PackageNotFoundError):
        if version("torch").endswith("+cpu"):
            return True
    return not any(map(Path.exists, map(Path, ACCELERATORS)))
