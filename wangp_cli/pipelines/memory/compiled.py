"""Compile the repeated blocks of a transformer with torch."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import Any

from wangp_cli.errors import ResourceError

COMPILERS = ("g++", "c++", "clang++")


def check(device: str) -> None:
    """Refuse to compile on a device without a compiler.

    Raises:
        ResourceError: the compiler is missing, which the hint installs, or the device is `mps`.
    """
    if device.startswith("cuda") and importlib.util.find_spec("triton") is None:
        raise ResourceError("compile: triton is not installed", hint="pip install triton")
    if device == "mps":
        raise ResourceError("compile: is not supported on mps", hint="leave --compile out")
    if device == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))):
        raise ResourceError("compile: there is no C++ compiler", hint="apt install g++")


def compile_blocks(network: Any) -> None:
    """Compile the blocks of a transformer at their first call; equal blocks share one compilation."""
    import torch._dynamo

    # LoRAs are hooks on layers: without this, one added or removed after the first call has no effect.
    torch._dynamo.config.skip_nnmodule_hook_guards = False
    network.compile_repeated_blocks()
