"""JSON-RPC server of a running command, on a unix socket and, if requested, on a port of the loopback."""

from __future__ import annotations

import contextlib
import errno
import hmac
import math
import os
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from wangp_cli.errors import ConflictError, ResourceError
from wangp_cli.files.atomic import write_atomic
from wangp_cli.runtime.control import registry
from wangp_cli.runtime.control.rpc import MAX_LINE, answer, is_hello
from wangp_cli.runtime.control.state import Control
from wangp_cli.runtime.events.stream import Event

HELLO_SECONDS = 5.0
MAX_CONNECTIONS = 32
LONGEST_PATH = 107
EXHAUSTED = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED, errno.EPROTO, errno.EINTR}
)
"""errno of a call that may be accepted later, or of one that is lost alone."""
EXHAUSTED_SECONDS = 0.1
"""Bytes that Linux keeps for the path of a socket, without its final zero."""


class ControlServer:
    """Answers requests to a run, each connection in a thread of its own.

    Args:
        control: what the answers act on.
        run: name of the run.
        folders: where the socket may be; the first usable one is taken.
        port: also listen on this port of the loopback, 0 for any; clients need the token of a private file.

    Raises:
        ConflictError: the port is in use, or another process runs under this name.
        ResourceError: no folder can hold the socket.
    """

    def __init__(
        self, control: Control, run: str, folders: Sequence[Path], *, port: int | None = None
    ) -> None:
        self._control = control
        self._token = secrets.token_hex(32)
        self._closing = False
        self._noted: set[Path | str] = set()
        self._open: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        folder, self._listener = _listen(run, folders)
        self.record = registry.Record(folder=folder, run=run, pid=os.getpid())
        self._listeners = [self._listener]
        try:
            if port is not None:
                self._listen_on_port(port)
            self.record.write()
        except (OSError, ConflictError):
            self.close()
            raise
        for listener in self._listeners:
            threading.Thread(target=self._accept, args=(listener,), name="wangp-control", daemon=True).start()

    @property
    def port(self) -> int | None:
        """The port of the loopback, if it listens on one."""
        return self.record.port

    def note(self, event: Event) -> None:
        """Learn from events which folders the run writes to, so that it can be found by them."""
        if event.type == "task.accepted":
            request = event.data["request"]
            folder = Path(request["output"]).parent if request.get("output") else request.get("output_dir")
            if folder and folder not in self._noted and not self._closing:
                self._noted.add(folder)
                self.record.add_folder(Path(folder))

    def close(self) -> None:
        """Stop answering and remove the files of the run."""
        with self._lock:
            self._closing = True
            sockets = [*self._listeners, *self._open]
        for connection in sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self.record.remove()

    def _listen_on_port(self, port: int) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listeners.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConflictError(
                f"control_port: {port} of 127.0.0.1 cannot be used: {error.strerror}",
                hint="--control-port 0 takes a free one",
            ) from None
        listener.listen()
        self.record.port = listener.getsockname()[1]
        write_atomic(self.record.token, self._token + "\n", mode=0o600)

    def _accept(self, listener: socket.socket) -> None:
        needs_token = listener.family == socket.AF_INET
        while not self._closing:
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    return
                # Descriptors or memory are short for now; callers wait in the queue.
                time.sleep(EXHAUSTED_SECONDS)
                continue
            with self._lock:
                # Counted for each listener: other users at the port cannot use up those of the socket.
                full = list(self._open.values()).count(listener) >= MAX_CONNECTIONS
                if not (full or self._closing):
                    self._open[connection] = listener
            if full or self._closing:
                connection.close()
                continue
            serve = self._serve_with_token if needs_token else self._serve_peer
            try:
                threading.Thread(target=self._run, args=(serve, connection), daemon=True).start()
            except RuntimeError:
                # No more threads: this caller is refused, others are not.
                connection.close()
                with self._lock:
                    self._open.pop(connection, None)

    def _run(self, serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
        # A peer that goes away, at any moment, ends its own connection and nothing else.
        with connection, contextlib.suppress(OSError):
            serve(connection)
        with self._lock:
            self._open.pop(connection, None)

    def _serve_peer(self, connection: socket.socket) -> None:
        """Serve a connection of a user who may control the run."""
        if may_control(peer_uid(connection)):
            self._serve(connection, bytearray(), strict=False)

    def _serve_with_token(self, connection: socket.socket) -> None:
        """Serve a connection whose first line is `hello` with the token."""
        buffer = bytearray()
        line = read_line(connection, buffer, until=time.monotonic() + HELLO_SECONDS)
        if line is None or not is_hello(line, lambda token: hmac.compare_digest(token, self._token)):
            return
        connection.settimeout(None)
        answered = answer(self._control, self.record.run, line)
        if answered.reply:
            connection.sendall(answered.reply)
        self._serve(connection, buffer, strict=True)

    def _serve(self, connection: socket.socket, buffer: bytearray, *, strict: bool) -> None:
        """Answer line by line until the first malformed one, which `strict` does not answer."""
        while (line := read_line(connection, buffer)) is not None:
            answered = answer(self._control, self.record.run, line)
            if answered.reply and not (answered.malformed and strict):
                connection.sendall(answered.reply)
            if answered.malformed:
                return


def read_line(connection: socket.socket, buffer: bytearray, *, until: float = math.inf) -> bytes | None:
    """The next line, without its end; None at the end of the connection, or if it is too long.

    Raises:
        OSError: the connection broke, or no line came before the monotonic time `until`.
    """
    while (end := buffer.find(b"\n")) < 0:
        if len(buffer) > MAX_LINE:
            return None
        if until < math.inf:
            connection.settimeout(max(0.001, until - time.monotonic()))
        piece = connection.recv(65536)
        if not piece:
            return None
        buffer += piece
    line = bytes(buffer[:end])
    del buffer[: end + 1]
    return line if len(line) <= MAX_LINE else None


def peer_uid(connection: socket.socket) -> int | None:
    """The user id of the peer of a unix socket; None where the system cannot tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, 12))
    return int(uid)


def may_control(uid: int | None) -> bool:
    """Whether a user may steer the run: only the one who started it, and root."""
    # Where the system cannot tell the peer, only this user can enter the folder of the socket.
    return uid is None or uid in (0, os.geteuid())


def _listen(run: str, folders: Sequence[Path]) -> tuple[Path, socket.socket]:
    reasons = []
    for folder in folders:
        path = folder / f"{run}.sock"
        if len(os.fsencode(path)) > LONGEST_PATH:
            reasons.append(f"{folder} has too long a name")
            continue
        try:
            registry.make_private(folder)
            return folder, _bind(path)
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror or error}")
    raise ResourceError(f"control: no folder for its socket: {'; '.join(reasons)}", hint="--no-control")


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with registry.locked(path.parent):
            registry.sweep(path.parent)
            if path.exists():
                raise ConflictError(f"control: another process runs as {path.stem}")
            # The folder is private: nobody can come between these two.
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen()
    except (OSError, ConflictError):
        listener.close()
        raise
    return listener
