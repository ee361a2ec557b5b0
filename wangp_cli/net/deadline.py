"""End requests in time.

The time limits of HTTP clients count from one read to the next, so that they never end a trickle.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self

POLL_SECONDS = 0.1


class Deadline:
    """Closes the connections of requests when their time is up or the user stops.

    A context; requests take part in it by `extensions`, and must not use connections of earlier ones. Their
    reads and writes then fail, also in the middle of a TLS handshake or of headers, and `ended` tells why.

    Args:
        seconds: until the time is up.
        stop: whether the user stops.

    Attributes:
        ended: why the connections were closed; None while they were not.
    """

    def __init__(self, seconds: float, stop: Callable[[], bool] = lambda: False) -> None:
        self.ended: Literal["time", "stop"] | None = None
        self._until = time.monotonic() + seconds
        self._stop = stop
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="wangp-deadline", daemon=True)

    @property
    def extensions(self) -> dict[str, Any]:
        """Extensions of a request of httpx2."""
        return {"trace": self._trace}

    @property
    def seconds_left(self) -> float:
        """Seconds until the time is up; negative afterwards."""
        return self._until - time.monotonic()

    def restart(self, seconds: float) -> None:
        """Count the time from now."""
        self._until = time.monotonic() + seconds

    def __enter__(self) -> Self:
        """Start to watch the time."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to watch it."""
        self._closed.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def _trace(self, name: str, info: dict[str, Any]) -> None:
        """Remember each connection as soon as it is there, before its TLS handshake."""
        if name == "connection.connect_tcp.complete":
            with self._lock:
                # A descriptor of its own: TLS takes the other one over.
                self._connections.append(info["return_value"].get_extra_info("socket").dup())
                if self.ended:
                    self._shut()

    def _watch(self) -> None:
        while not self._closed.wait(min(POLL_SECONDS, max(0.0, self.seconds_left))):
            if self._stop() or self.seconds_left <= 0:
                with self._lock:
                    self.ended = "stop" if self._stop() else "time"
                    self._shut()
                return

    def _shut(self) -> None:
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
