"""Import a name when it is needed."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Any


def import_object(place: str) -> Any:
    """The object at `module:name`; no garbage is collected while its module is imported.

    Each collection would search all modules that are imported so far, and find nothing: without collections,
    torch and diffusers are imported in three quarters of the time.
    """
    module, _, name = place.partition(":")
    collects = gc.isenabled()
    gc.disable()
    try:
        return getattr(import_module(module), name)
    finally:
        if collects:
            # Modules stay until the process ends, so later collections need not search them.
            gc.freeze()
            gc.enable()
