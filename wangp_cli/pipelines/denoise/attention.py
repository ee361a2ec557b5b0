"""Attention backends of diffusers: which can run here, and the one of a run."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from typing import Any

from diffusers.models.attention_dispatch import AttentionBackendName, attention_backend

from wangp_cli.errors import ResourceError

log = logging.getLogger(__name__)

CPU = ("native", "flex", "_native_flash", "_native_math")
OTHER_DEVICES = ("_native_npu", "_native_xla")
PACKAGES = {
    "flash": "pip install flash-attn",
    "_flash": "build FlashAttention 3 from its sources",
    "sage": "pip install sageattention",
    "_sage": "pip install sageattention",
    "xformers": "pip install xformers",
}
"""How to install a backend, by the beginning of its name."""


def available(device: str) -> list[str]:
    """Names of the backends that can run on `device`.

    Backends that fetch their kernel from a hub are left out: they would run code from the network.
    """
    if device == "cpu":
        return [name for name in CPU if _usable(name)]
    names = [backend.value for backend in AttentionBackendName if not backend.value.endswith("_hub")]
    return [name for name in names if name not in OTHER_DEVICES and _usable(name)]


def check(name: str, device: str) -> None:
    """Check that a backend can run on a device.

    Raises:
        ResourceError: it is not for this device, or its package is missing.
    """
    if name in (names := available(device)):
        return
    package = next((PACKAGES[start] for start in PACKAGES if name.startswith(start)), None)
    here = f"here: --attention {', '.join(names)}"
    if package and device != "cpu":
        raise ResourceError(f"attention: {name!r} is not installed", hint=f"{package}; {here}")
    needs = f"; on a GPU: {package}" if package else ""
    raise ResourceError(f"attention: {name!r} does not run on {device}", hint=here + needs)


def using(name: str) -> AbstractContextManager[Any]:
    """A context in which models compute attention with the backend `name`.

    The choice is global to the process in diffusers, so the previous one is restored at the end.
    """
    context: AbstractContextManager[Any] = attention_backend(name)
    return context


def _usable(name: str) -> bool:
    try:
        with using(name):
            return True
    except (RuntimeError, ValueError) as error:
        log.debug("attention backend %s is not usable: %s", name, error)
        return False
