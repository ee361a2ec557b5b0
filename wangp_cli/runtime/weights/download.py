"""Download one file: resumable, with its checksum verified, renamed when it is complete."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wangp_cli.errors import ModelError, first_line
from wangp_cli.files.atomic import rename_durably
from wangp_cli.files.folders import check_free_space

CHUNK = 1 << 20
SPARE_BYTES = 64 << 20
"""Bytes that stay free on the disk."""
REPORT_SECONDS = 0.5
"""Time between reports of progress."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ATTEMPTS = 5
"""Attempts in a row that receive no byte, after which the download fails."""


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file to download.

    Args:
        url: https; http only with a checksum or from this machine.
        path: where to save it.
        size: bytes, if known.
        sha256: SHA-256 of its content, if known.
        blob: git blob id (SHA-1), the checksum that a hub has of small files.
        version: ETag or modification time, in place of an unknown checksum.
        headers: headers of the request.
    """

    url: str
    path: Path
    size: int | None = None
    sha256: str | None = None
    blob: str | None = None
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_checksum(self) -> bool:
        """Whether a checksum is known, so that changed content is detected."""
        return bool(self.sha256 or self.blob)

    @property
    def partial(self) -> Path:
        """The partial file; its name contains the expected content, so another version starts at byte 0."""
        version = hashlib.sha256(f"{self.url} {self.version}".encode()).hexdigest()
        content = self.sha256 or self.blob or version
        return self.path.with_name(f".{self.path.name}.{content[:12]}.part")

    @property
    def partial_bytes(self) -> int:
        """Size of the partial file in bytes."""
        return self.partial.stat().st_size if self.partial.is_file() else 0


def download(remote: RemoteFile, report: Callable[[int], None]) -> str:
    """Download a file, or resume its download.

    Args:
        remote: the file and its destination.
        report: called regularly with the bytes downloaded; an error of it interrupts the download, which can
            be resumed.

    Returns:
        SHA-256 of the file.

    Raises:
        ModelError: the connection fails repeatedly, the size or checksum is wrong, or the address is
            insecure and no checksum is known.
        huggingface_hub.errors.HfHubHTTPError: the server responds with an error status.
    """
    if not remote.has_checksum:
        check_address(remote.url)
    remote.path.parent.mkdir(parents=True, exist_ok=True)
    if remote.size is not None and remote.partial_bytes > remote.size:
        remote.partial.unlink()
    failures = 0
    while remote.size is None or remote.partial_bytes < remote.size:
        before = remote.partial_bytes
        try:
            _stream(remote, report)
            break
        except _transport_errors() as error:
            failures = 1 if remote.partial_bytes > before else failures + 1
            if failures >= ATTEMPTS:
                raise ModelError(
                    f"cannot get {remote.path.name}: {first_line(error)}", hint="try again; it resumes"
                ) from error
            time.sleep(0.2 * 2**failures)
    remote.partial.touch()
    digest = _check(remote)
    rename_durably(remote.partial, remote.path)
    return digest


def _stream(remote: RemoteFile, report: Callable[[int], None]) -> None:
    """Append the rest of a file to its partial file, or write it from the start without range support."""
    from huggingface_hub.utils import get_session, hf_raise_for_status

    size = remote.partial_bytes
    headers = dict(remote.headers) | {"Accept-Encoding": "identity"}
    if size:
        headers["Range"] = f"bytes={size}-"
    with get_session().stream("GET", remote.url, headers=headers, timeout=30) as response:
        if response.status_code == 416:  # Range not satisfiable: the partial file is complete.
            return
        hf_raise_for_status(response)
        if not remote.has_checksum:
            check_address(str(response.url))
        resumes = response.status_code == 206
        with open(remote.partial, "ab" if resumes else "wb", opener=_open_no_link) as file:
            size = size if resumes else 0
            reported = time.monotonic()
            # Chunks as they arrive: a larger one would be lost when the connection breaks.
            for chunk in response.iter_bytes():
                file.write(chunk)
                size += len(chunk)
                if time.monotonic() - reported > REPORT_SECONDS:
                    reported = time.monotonic()
                    report(size)


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def check_download_space(folder: Path, needed: int, *, hint: str) -> None:
    """Check that the disk of a folder has space for a download and `SPARE_BYTES`.

    Args:
        folder: destination; it need not exist.
        needed: bytes still to download.
        hint: hint of the error.

    Raises:
        NoSpaceError: names the free and the needed bytes.
    """
    check_free_space(folder, needed, spare=SPARE_BYTES, hint=hint)


def check_address(url: str) -> None:
    """Refuse addresses over an insecure connection.

    Raises:
        ModelError: it is neither https nor on this machine.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() != "https" and parts.hostname not in LOOPBACK:
        raise ModelError(f"{parts.scheme}://{parts.hostname} is refused, only https is allowed")


def request_file_facts(url: str, path: Path, sha256: str | None = None) -> RemoteFile:
    """A file at a URL with its size and version from the headers of a GET request.

    Raises:
        ModelError: the connection fails, or the server responds with an error status.
    """
    from huggingface_hub.utils import get_session

    check_address(url)
    shown = url.partition("?")[0]
    try:
        headers = {"Accept-Encoding": "identity"}
        with get_session().stream("GET", url, headers=headers, timeout=30) as response:
            code, response_headers = response.status_code, response.headers
    except _transport_errors() as error:
        raise ModelError(f"{shown} cannot be fetched: {first_line(error)}", hint="try again") from None
    if code >= 400:
        hint = "the address may need a token" if code in (401, 403) else None
        raise ModelError(f"{shown} cannot be fetched: the server answers {code}", hint=hint)
    length = response_headers.get("Content-Length", "")
    version = response_headers.get("ETag") or response_headers.get("Last-Modified") or ""
    return RemoteFile(
        url=url,
        path=path,
        size=int(length) if length.isdigit() else None,
        sha256=sha256.lower() if sha256 else None,
        version=version,
    )


def _transport_errors() -> tuple[type[Exception], ...]:
    """The transport error of the HTTP client of huggingface_hub, which is httpx or httpx2."""
    from huggingface_hub.utils import get_session

    package: Any = import_module(type(get_session()).__module__.partition(".")[0])
    return (package.TransportError,)


def _check(remote: RemoteFile) -> str:
    """Verify size and checksum of a partial file; gives its SHA-256. A wrong checksum deletes it."""
    size = remote.partial_bytes
    if remote.size is not None and size != remote.size:
        raise ModelError(
            f"{remote.path.name} has {size} bytes, {remote.size} were expected", hint="try again; it resumes"
        )
    sha256, blob = checksums(remote.partial)
    if (remote.sha256 or sha256) != sha256 or (remote.blob or blob) != blob:
        remote.partial.unlink()
        raise ModelError(
            f"{remote.path.name} has another checksum than expected",
            hint="try again, or another mirror",
        )
    return sha256


def checksums(file: Path) -> tuple[str, str]:
    """SHA-256 and git blob id of a file."""
    sha256, blob = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    blob.update(f"blob {file.stat().st_size}\0".encode())
    with file.open("rb") as data:
        while chunk := data.read(CHUNK):
            sha256.update(chunk)
            blob.update(chunk)
    return sha256.hexdigest(), blob.hexdigest()
