"""Compiling the repeated blocks of a transformer."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import Any

from wangp_cli.errors import ResourceError

COMPILERS = ("g++", "c++", "clang++")


def check(device: str) -> None:
    """Refuse to compile where the tools for it are missing.

    Raises:
        ResourceError: naming the package that gives them.
    """
    if device.startswith("cuda") and importlib.util.find_spec("triton") is None:
        raise ResourceError("compile: triton is not installed", hint="pip install triton")
    if device == "mps":
        raise ResourceError("compile: is not served on mps", hint="leave --compile out")
    if device == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))):
        raise ResourceError("compile: there is no C++ compiler", hint="apt install g++")


def compile_blocks(network: Any) -> None:
    """Compile the blocks of a diffusers transformer at their first call; one compilation serves them all."""
    import torch._dynamo

    # LoRAs are hooks on layers: without this, one added or removed after the first call has no effect.
    torch._dynamo.config.skip_nnmodule_hook_guards = False
    network.compile_repeated_blocks()
