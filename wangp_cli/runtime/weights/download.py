"""Download one file: resumable, with its checksum verified, renamed when it is complete."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from wangp_cli.errors import ModelError, NoSpaceError
from wangp_cli.files.atomic import reason_of, rename_durably
from wangp_cli.files.folders import check_free_space, make_folder
from wangp_cli.runtime.weights.http import LEAST_BYTES, InterruptedTransferError, Reply, StatusError, get

CHUNK = 1 << 20
SPARE_BYTES = 64 << 20
"""Bytes that stay free on the disk."""
REPORT_SECONDS = 0.5
"""Time between reports of progress."""
LARGEST_UNKNOWN = 64 << 30
"""Most bytes of a file whose size the server does not tell."""
SPACE_HINT = "free some space, or name a folder on a larger disk; it resumes"
ATTEMPTS = 5
"""Attempts in a row that receive nearly nothing, after which the download fails."""


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
        StatusError: the server responds with an error status.
        NoSpaceError: the disk is full or the folder cannot be written; it names the file.
    """
    try:
        make_folder(remote.path.parent)
        if remote.size is not None and remote.partial_bytes > remote.size:
            remote.partial.unlink()
        _stream_with_retries(remote, report)
        digest = _check(remote)
        rename_durably(remote.partial, remote.path)
    except OSError as error:
        raise NoSpaceError(f"{remote.path} cannot be written: {reason_of(error)}", hint=SPACE_HINT) from None
    return digest


def _stream_with_retries(remote: RemoteFile, report: Callable[[int], None]) -> None:
    """Download the rest of a file; attempts that receive little count as failures in a row."""
    failures = 0
    while remote.size is None or remote.partial_bytes < remote.size:
        before = remote.partial_bytes
        try:
            _stream(remote, report)
            break
        except InterruptedTransferError as error:
            failures = 1 if remote.partial_bytes - before >= LEAST_BYTES else failures + 1
            if failures >= ATTEMPTS:
                raise ModelError(f"cannot get {remote.path.name}: {error.message}", hint=error.hint) from None
            time.sleep(0.2 * 2**failures)
    # An empty file is never requested.
    os.close(os.open(remote.partial, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666))


def _stream(remote: RemoteFile, report: Callable[[int], None]) -> None:
    """Append the rest of a file to its partial file, or write it from the start without range support."""
    size = remote.partial_bytes
    headers = dict(remote.headers) | ({"Range": f"bytes={size}-"} if size else {})
    try:
        with get(remote.url, headers, any_http=remote.has_checksum) as reply:
            resumes = reply.status == 206 and size > 0
            with open(remote.partial, "ab" if resumes else "wb", opener=_open_no_link) as file:
                _write(reply, file, remote, size if resumes else 0, report)
    except StatusError as error:
        if error.status != 416 or not size:
            raise
        # Range not satisfiable: the partial file is complete, or none of this file.
        if remote.size is not None:
            remote.partial.unlink()
            raise InterruptedTransferError(f"{remote.path.name} cannot be resumed") from None


def _write(
    reply: Reply, file: BinaryIO, remote: RemoteFile, size: int, report: Callable[[int], None]
) -> None:
    """Append the content of a reply, but no more than was announced and than the disk can hold."""
    limit = LARGEST_UNKNOWN if remote.size is None else remote.size
    reported = time.monotonic()
    for chunk in reply.chunks():
        size += len(chunk)
        if size > limit:
            file.close()
            remote.partial.unlink()
            raise ModelError(
                f"{remote.path.name}: the server sends more than the {limit} bytes that it announced",
                hint="try again, or another mirror",
            )
        file.write(chunk)
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            if remote.size is None:
                check_download_space(remote.path.parent, 1, hint=SPACE_HINT)
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


def request_file_facts(url: str, path: Path, sha256: str | None = None) -> RemoteFile:
    """A file at a URL with its size and version from the headers of a GET request.

    Raises:
        ModelError: the address is insecure, the connection fails or the server answers with an error status.
    """
    try:
        with get(url, {}) as reply:
            headers, size = reply.headers, reply.length
    except StatusError as error:
        hint = "the address may need a token" if error.status in (401, 403) else None
        raise ModelError(error.message, hint=hint) from None
    return RemoteFile(
        url=url,
        path=path,
        size=size,
        sha256=sha256.lower() if sha256 else None,
        version=headers.get("etag") or headers.get("last-modified") or "",
    )


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
