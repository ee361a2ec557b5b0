"""Downloading one file: resumed where it stopped, checked, and there only when it is whole."""

from __future__ import annotations

import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from filelock import FileLock

from wangp_cli.errors import ModelError, NoSpaceError
from wangp_cli.runtime.inputs import sha256_of

CHUNK = 1 << 20
TRIES = 4
"""A connection that breaks off is taken up again so often, as long as each brings something."""
TIMEOUT_SECONDS = 30
LOOPBACK = ("127.0.0.1", "localhost", "::1")
Report = Callable[[int, int | None], None]
"""Told bytes that are here, and of how many where that is known; may raise to stop."""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file on the net.

    Args:
        url: https; plain http from this machine alone.
        headers: sent along, to its own host only.
        size: bytes, where known.
        sha256: in hex, where known.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    size: int | None = None
    sha256: str | None = None

    @property
    def shown(self) -> str:
        """The address without what may be a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{parts.path}"


def download(remote: Remote, target: Path, report: Report | None = None) -> Path:
    """Fetch a file to `target`, unless it is there.

    Raises:
        ModelError: it cannot be fetched, or is not what was promised; trying again resumes.
        NoSpaceError: the disk has no room for it.
    """
    check_address(remote.url)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            if not target.exists():
                _fetch(remote, target, report or _nobody)
    except OSError as error:
        raise NoSpaceError(f"{target} cannot be written: {(error.strerror or str(error)).lower()}") from None
    return target


def _nobody(done: int, total: int | None) -> None:
    """Reports that nobody reads."""


def check_address(url: str) -> None:
    """Refuse addresses whose answer anybody on the way could change.

    Raises:
        ModelError: it is not https.
    """
    parts = urlsplit(url)
    if parts.scheme.lower() != "https" and parts.hostname not in LOOPBACK:
        raise ModelError(f"{parts.scheme}://{parts.hostname} is not fetched from, only https is")


def _fetch(remote: Remote, target: Path, report: Report) -> None:
    partial = target.with_name(f".{target.name}.partial")
    for left in reversed(range(TRIES)):
        before = _size(partial)
        try:
            _receive(remote, partial, report)
            break
        except urllib.error.HTTPError as error:
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not before:
                raise _refused(remote, error) from None
            partial.unlink()
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            if not left or _size(partial) == before:
                reason = getattr(error, "reason", error)
                raise ModelError(
                    f"{remote.shown} cannot be fetched: {str(reason).lower() or 'no answer'}",
                    hint="try again; it goes on where it stopped",
                ) from None
    if remote.sha256 and (found := sha256_of(partial)) != remote.sha256.lower():
        partial.unlink()
        raise ModelError(f"{remote.shown} has the checksum {found}, {remote.sha256} was promised")
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    _mark(partial).unlink(missing_ok=True)


def _receive(remote: Remote, partial: Path, report: Report) -> None:
    """Fetch what is missing; the file may have changed since, then all of it."""
    here, mark = _size(partial), _mark(partial)
    headers = {"User-Agent": "wangp", **remote.headers}
    if here and mark.is_file():
        headers |= {"Range": f"bytes={here}-", "If-Range": mark.read_text(encoding="utf-8")}
    request = urllib.request.Request(remote.url, headers=headers)
    with _open(request) as answer:
        if answer.status != http.client.PARTIAL_CONTENT:
            here = 0
        length = answer.headers.get("Content-Length")
        total = here + int(length) if length and length.isdigit() else remote.size
        _check_room(partial.parent, (total or 0) - here)
        tag = answer.headers.get("ETag", "")
        if tag and not tag.startswith("W/"):
            mark.write_text(tag, encoding="utf-8")
        else:
            mark.unlink(missing_ok=True)
        with partial.open("ab" if here else "wb") as file:
            _copy(answer, file, here, total, report)
    if total is not None and (size := _size(partial)) != total:
        raise http.client.IncompleteRead(b"", total - size)


def _copy(answer: Any, file: IO[bytes], here: int, total: int | None, report: Report) -> None:
    report(here, total)
    while chunk := answer.read(CHUNK):
        file.write(chunk)
        here += len(chunk)
        report(here, total)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to safe addresses alone, and tells other hosts no secret."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        check_address(newurl)
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            following.remove_header("Authorization")
        return following


def _open(request: urllib.request.Request) -> Any:
    return urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT_SECONDS)


def _refused(remote: Remote, error: urllib.error.HTTPError) -> ModelError:
    hint = None
    if error.code in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        hint = "the host wants a login: `hf auth login` for the hub, or an address with a token"
    elif error.code == http.client.NOT_FOUND:
        hint = "look whether the address is right"
    return ModelError(
        f"{remote.shown} cannot be fetched: {error.code} {str(error.reason).lower()}", hint=hint
    )


def _check_room(folder: Path, needed: int) -> None:
    if (free := shutil.disk_usage(folder).free) < needed:
        raise NoSpaceError(f"{folder} has {free / 1e9:.1f} GB free, the file takes {needed / 1e9:.1f} GB")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _mark(partial: Path) -> Path:
    """Where the version of a file is kept of which a part is here."""
    return partial.with_suffix(".etag")


def every(seconds: float, report: Report) -> Report:
    """The same, told at most once in so many seconds, and of the end."""
    last = 0.0

    def tell(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= seconds or done == total:
            last = now
            report(done, total)

    return tell
