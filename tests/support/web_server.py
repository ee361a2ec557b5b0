"""A small web server on loopback with correct, broken and hostile answers."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CERTIFICATE = Path(__file__).parent / "media.test.pem"
"""A self-signed certificate for `media.test` with its key; both protect nothing."""
Answer = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Calls the answer of the requested path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, dict(self.headers)))
        server.answers.get(self.path.partition("?")[0], gone)(self)

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""


def sends(content: bytes, **headers: str) -> Answer:
    """Answer with a file."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def status(code: int, location: str = "") -> Answer:
    """Answer with a status and a redirect."""

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        if location:
            handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


gone = status(404)


def breaks_off(handler: Handler) -> None:
    """Send less than the Content-Length."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"\x89PNG")
    handler.close_connection = True


def endless(handler: Handler) -> None:
    """Send for ever, slowly, without a Content-Length."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        while True:
            handler.wfile.write(b"x" * 1000)
            time.sleep(0.02)
    except OSError:
        return


@contextmanager
def trickles(*pieces: bytes) -> Iterator[str]:
    """Serve connections that get the first piece at once, then the second again and again; gives the host."""
    listener = socket.create_server(("127.0.0.1", 0))
    closed = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=send, args=(connection,), daemon=True).start()

    def send(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(pieces[0])
            while not closed.wait(0.05):
                connection.sendall(pieces[1])

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        closed.set()
        listener.close()


class Site:
    """A server; `answers` by path, `asked` are the requests it got."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.answers: dict[str, Answer] = server.answers
        self.asked: list[tuple[str, dict[str, str]]] = server.asked
        self.port: int = server.server_address[1]

    @property
    def host(self) -> str:
        """The host and port for `--allow-url`."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str, scheme: str = "http") -> str:
        """The URL of a path."""
        return f"{scheme}://{self.host}{path}"


@contextmanager
def site(*, tls: bool = False) -> Iterator[Site]:
    """Run a server until the block ends."""
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers, server.asked, server.daemon_threads = {}, [], True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Site(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
