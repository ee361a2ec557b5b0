"""A small Hugging Face hub on loopback: lists repositories, serves ranges of files, and fails on request."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LARGE = (".safetensors", ".gguf")
"""Suffixes of files with a SHA-256; others have only a git blob name."""


@dataclass
class Hub:
    """Repositories with their files, and the faults to simulate.

    Attributes:
        repositories: content of each file.
        commits: the newest commit of each repository.
        asked: path and range of every request for a file.
        cut_after: the connection is cut after so many bytes of a response.
        cuts: how often.
        changed: files that come with another content than listed.
        gated: repositories whose files are refused.
        files: content of other addresses, by path.
        moved: addresses that other addresses lead to, by path.
        tokens: what requests said who they are.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    cut_after: int | None = None
    cuts: int = 0
    changed: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    tokens: set[str | None] = field(default_factory=set)
    ranges: bool = True
    url: str = ""

    def add(self, name: str, folder: Path) -> None:
        """Put a folder's files into a repository."""
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        self.put(name, {file.relative_to(folder).as_posix(): file.read_bytes() for file in files})

    def put(self, name: str, files: dict[str, bytes]) -> None:
        """Put files into a repository, as a new commit."""
        self.repositories[name] = self.repositories.get(name, {}) | files
        digest = hashlib.sha1("".join(sorted(map(str, self.repositories[name].items()))).encode())
        self.commits[name] = digest.hexdigest()

    def listing(self, name: str) -> dict[str, Any]:
        """The hub's JSON about a repository."""
        siblings = []
        for path, data in self.repositories[name].items():
            entry: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": blob(data)}
            if path.endswith(LARGE):
                entry["lfs"] = {
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "size": len(data),
                    "pointerSize": 134,
                }
            siblings.append(entry)
        return {"id": name, "modelId": name, "sha": self.commits[name], "siblings": siblings}

    def downloads(self) -> list[str]:
        """The requested files, in order."""
        return [path for path, _ in self.asked]


def blob(data: bytes) -> str:
    """The git blob name of a content."""
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve until the block ends."""
    server = serve(hub)
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def serve(hub: Hub) -> ThreadingHTTPServer:
    """Start serving; the caller shuts it down."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            hub.tokens.add(self.headers.get("Authorization"))
            if path in hub.moved:
                self._send(302, b"", {"Location": hub.moved[path]})
            elif path in hub.files:
                hub.asked.append((path, self.headers.get("Range")))
                self._content(hub.files[path])
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
                self._list(match[1], match[2])
            elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self._file(match[1], match[3])
            else:
                self._refuse(404, "EntryNotFound")

        def _list(self, name: str, revision: str | None) -> None:
            if name not in hub.repositories:
                self._refuse(404, "RepoNotFound")
            elif revision not in (None, "main", hub.commits[name]):
                self._refuse(404, "RevisionNotFound")
            else:
                self._send(200, json.dumps(hub.listing(name)).encode(), {"Content-Type": "application/json"})

        def _file(self, name: str, path: str) -> None:
            asked = self.headers.get("Range")
            hub.asked.append((path, asked))
            if name in hub.gated:
                self._refuse(403, "GatedRepo")
                return
            data = hub.repositories[name][path]
            if path in hub.changed:
                data = bytes([data[0] ^ 1]) + data[1:]
            self._content(data)

        def _content(self, data: bytes) -> None:
            asked = self.headers.get("Range")
            start = int(asked[6:].rstrip("-")) if asked and hub.ranges else 0
            more = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
            more["ETag"] = f'"{blob(data)}"'
            self._send(206 if start else 200, data[start:], more)

        def _refuse(self, code: int, kind: str) -> None:
            self._send(code, b"{}", {"X-Error-Code": kind, "X-Error-Message": kind})

        def _send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(code)
            for key, value in (headers | {"Content-Length": str(len(data))}).items():
                self.send_header(key, value)
            self.end_headers()
            if hub.cuts and hub.cut_after is not None and len(data) > hub.cut_after:
                hub.cuts -= 1
                self.wfile.write(data[: hub.cut_after])
                self.close_connection = True
                return
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
