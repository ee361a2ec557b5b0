"""The classes of networks by name: those of diffusers, and our own on top of them."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import Any

import diffusers

OWN = MappingProxyType({"ReCamTransformer3DModel": "wangp_cli.pipelines.wan.recammaster_network"})
"""The module of each class that is ours."""


def network_class(name: str) -> Any:
    """A class of networks."""
    return getattr(import_module(OWN[name]) if name in OWN else diffusers, name)
