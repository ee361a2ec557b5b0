"""Download one file: resumable, checked, moved into place when it is complete."""

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
"""Room that is left on the disk."""
SECONDS_BETWEEN = 0.5
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ATTEMPTS = 5
"""In a row without a new byte, before it is given up."""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file to get.

    Args:
        url: https; plain http where a checksum is known, or from this machine.
        path: where it goes.
        size: bytes, if known.
        sha256: of its content, if known.
        blob: its name in git, the SHA-1 that small files of a hub are known by.
        version: what the server calls this content, where no checksum is known.
        headers: of the request.
    """

    url: str
    path: Path
    size: int | None = None
    sha256: str | None = None
    blob: str | None = None
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def checked(self) -> bool:
        """Whether a checksum is known, so that a changed content is detected."""
        return bool(self.sha256 or self.blob)

    @property
    def part(self) -> Path:
        """The file while it is not whole; of another name when its content is to be another."""
        named = hashlib.sha256(f"{self.url} {self.version}".encode()).hexdigest()
        content = self.sha256 or self.blob or named
        return self.path.with_name(f".{self.path.name}.{content[:12]}.part")

    @property
    def waiting(self) -> int:
        """Bytes that were downloaded before."""
        return self.part.stat().st_size if self.part.is_file() else 0


def download(remote: Remote, report: Callable[[int], None]) -> str:
    """Get a file.

    Args:
        remote: what and where to.
        report: told how many bytes are here, often; what it raises ends the download, which can go on later.

    Returns:
        its SHA-256.

    Raises:
        ModelError: the connection fails again and again, what came is not what was promised, or anybody on
            the way could have changed it.
        huggingface_hub.errors.HfHubHTTPError: the server refuses.
    """
    if not remote.checked:
        check_address(remote.url)
    remote.path.parent.mkdir(parents=True, exist_ok=True)
    if remote.size is not None and remote.waiting > remote.size:
        remote.part.unlink()
    failures = 0
    while remote.size is None or remote.waiting < remote.size:
        before = remote.waiting
        try:
            _stream(remote, report)
            break
        except _transport() as error:
            failures = 1 if remote.waiting > before else failures + 1
            if failures >= ATTEMPTS:
                raise ModelError(
                    f"cannot get {remote.path.name}: {first_line(error)}", hint="try again; it goes on"
                ) from error
            time.sleep(0.2 * 2**failures)
    remote.part.touch()
    digest = _check(remote)
    rename_durably(remote.part, remote.path)
    return digest


def _stream(remote: Remote, report: Callable[[int], None]) -> None:
    from huggingface_hub.utils import get_session, hf_raise_for_status

    have = remote.waiting
    headers = dict(remote.headers) | {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with get_session().stream("GET", remote.url, headers=headers, timeout=30) as response:
        if response.status_code == 416:  # Nothing behind what is here: the end is reached.
            return
        hf_raise_for_status(response)
        if not remote.checked:
            check_address(str(response.url))
        goes_on = response.status_code == 206
        with open(remote.part, "ab" if goes_on else "wb", opener=_open_no_link) as part:
            have = have if goes_on else 0
            told = time.monotonic()
            # In pieces as they arrive: larger ones would be lost when the connection breaks.
            for chunk in response.iter_bytes():
                part.write(chunk)
                have += len(chunk)
                if time.monotonic() - told > SECONDS_BETWEEN:
                    told = time.monotonic()
                    report(have)


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def check_room(folder: Path, needed: int, *, hint: str) -> None:
    """Check that the disk of a folder has room for a download, and some to spare.

    Args:
        folder: where it goes; it need not exist yet.
        needed: bytes still to come.
        hint: where else it could go.

    Raises:
        NoSpaceError: naming what is free and what is needed.
    """
    check_free_space(folder, needed, spare=SPARE_BYTES, hint=hint)


def check_address(url: str) -> None:
    """Refuse addresses whose answer anybody on the way could change.

    Raises:
        ModelError: it is not https.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() != "https" and parts.hostname not in LOOPBACK:
        raise ModelError(f"{parts.scheme}://{parts.hostname} is not fetched from, only https is")


def describe(url: str, path: Path, sha256: str | None = None) -> Remote:
    """A file at a URL, its size and version as the server gives them.

    Raises:
        ModelError: there is no answer, or a refusal.
    """
    from huggingface_hub.utils import get_session

    check_address(url)
    shown = url.partition("?")[0]
    try:
        headers = {"Accept-Encoding": "identity"}
        with get_session().stream("GET", url, headers=headers, timeout=30) as response:
            code, found = response.status_code, response.headers
    except _transport() as error:
        raise ModelError(f"{shown} cannot be fetched: {first_line(error)}", hint="try again") from None
    if code >= 400:
        hint = "the address may need a token" if code in (401, 403) else None
        raise ModelError(f"{shown} cannot be fetched: the server answers {code}", hint=hint)
    length = found.get("Content-Length", "")
    version = found.get("ETag") or found.get("Last-Modified") or ""
    return Remote(
        url=url,
        path=path,
        size=int(length) if length.isdigit() else None,
        sha256=sha256.lower() if sha256 else None,
        version=version,
    )


def _transport() -> tuple[type[Exception], ...]:
    """What the hub's client raises when a connection fails; the client is of one of two packages."""
    from huggingface_hub.utils import get_session

    package: Any = import_module(type(get_session()).__module__.partition(".")[0])
    return (package.TransportError,)


def _check(remote: Remote) -> str:
    size = remote.waiting
    if remote.size is not None and size != remote.size:
        raise ModelError(
            f"{remote.path.name} has {size} bytes, {remote.size} were promised", hint="try again; it goes on"
        )
    sha256, blob = checksums(remote.part)
    if (remote.sha256 or sha256) != sha256 or (remote.blob or blob) != blob:
        remote.part.unlink()
        raise ModelError(
            f"{remote.path.name} came with another checksum than promised",
            hint="try again, or another mirror",
        )
    return sha256


def checksums(file: Path) -> tuple[str, str]:
    """SHA-256 of a file's content, and its name in git."""
    sha256, blob = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    blob.update(f"blob {file.stat().st_size}\0".encode())
    with file.open("rb") as data:
        while chunk := data.read(CHUNK):
            sha256.update(chunk)
            blob.update(chunk)
    return sha256.hexdigest(), blob.hexdigest()
