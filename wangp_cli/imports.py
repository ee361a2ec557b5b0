"""Import a name when it is needed."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

from wangp_cli.errors import Cancelled

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def import_object(place: str) -> Any:
    """The object at `module:name`; no garbage is collected while its module is imported.

    Each collection would search all modules that are imported so far, and find nothing: without collections,
    torch and diffusers are imported in three quarters of the time.

    Raises:
        Cancelled: a signal came during the import, and its handler returned.
    """
    module, _, name = place.partition(":")
    if module in sys.modules:
        return getattr(import_module(module), name)
    collects = gc.isenabled()
    gc.disable()
    try:
        with _stopped_by_signals():
            return getattr(import_module(module), name)
    finally:
        if collects:
            gc.enable()


class _Stopped(BaseException):
    """A signal came; no `except Exception` of a library catches it."""


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """A context that a signal leaves at once, after its handler; imports have no place to ask for one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        handler = before[signal.Signals(number)]
        assert callable(handler)
        handler(number, frame)
        raise _Stopped

    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, handle)
    try:
        yield
    except _Stopped:
        raise Cancelled("stopped by a signal") from None
    finally:
        for number, handler in before.items():
            # The handler of a run replaces itself at its first signal.
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)
