"""A web server on this machine for tests of downloads."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Site:
    """What a server offers, and what it was asked for.

    Args:
        files: content by path.
        cut: answers that break off after so many bytes, one for each; then answers are whole.
        ranges: whether parts can be asked for.
        status: answers with it, by path.
        repositories: files of the hub's repositories, by name.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    ranges: bool = True
    status: dict[str, int] = field(default_factory=dict)
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def content(self, path: str) -> bytes | None:
        """Of a file, or of the hub's answer about a repository."""
        if path in self.files:
            return self.files[path]
        if about := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/[^/]+)?", path):
            found = self.repositories.get(about[1])
            return None if found is None else json.dumps(listing(about[1], found)).encode()
        if file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            return self.repositories.get(file[1], {}).get(file[2])
        return None


def listing(repository: str, files: dict[str, bytes]) -> dict[str, Any]:
    """What the hub says about a repository."""
    return {
        "id": repository,
        "sha": "0" * 40,
        "siblings": [
            {
                "rfilename": name,
                "size": len(content),
                "lfs": {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                    "pointerSize": 134,
                },
            }
            for name, content in files.items()
        ],
    }


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve a site until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            site.asked.append((self.path, dict(self.headers)))
            if path in site.moved:
                self.send_response(302)
                self.send_header("Location", site.moved[path])
                self.end_headers()
                return
            content = site.content(path)
            if (status := site.status.get(path)) or content is None:
                self.send_error(status or 404)
                return
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = 0
            if wanted and site.ranges and self.headers.get("If-Range", tag) == tag:
                start = int(wanted[1])
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", tag)
            self.end_headers()
            body = content[start:]
            if site.cut and not path.startswith("/api/"):
                body = body[: site.cut.pop(0)]
            self.wfile.write(body)
            self.wfile.flush()

        do_HEAD = do_GET  # noqa: N815 - the name the server calls

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
