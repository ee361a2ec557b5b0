"""Fetch files of allowed hosts into a folder, named after their sha256."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wangp_cli import __version__
from wangp_cli.errors import Cancelled, FetchError, MediaError, RequestError
from wangp_cli.files.atomic import disk_error, rename_durably
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.net.deadline import Deadline
from wangp_cli.net.url import FileUrl
from wangp_cli.runtime.events.types import DownloadProgress, Emit
from wangp_cli.runtime.intake.paths import is_url, media_fields, split_lora
from wangp_cli.runtime.intake.url_policy import UrlPolicy, resolve_host
from wangp_cli.runtime.loras.source import find_source as find_lora
from wangp_cli.tasks import TASKS, TaskTypes

if TYPE_CHECKING:
    import ssl

    import httpx2

MAX_BYTES = 4 << 30
"""The largest file that is fetched: a LoRA of a large model has up to 2 GB."""
MAX_SECONDS = 1800.0
SILENT_SECONDS = 30.0
MAX_REDIRECTS = 3
ATTEMPTS = 3
PAUSE_SECONDS = 1.0
RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which another attempt may succeed."""
T = TypeVar("T")


class _RetryableError(FetchError):
    """Another attempt may succeed."""


@dataclass(kw_only=True)
class UrlFetcher:
    """Fetches the files of URLs, each once.

    Args:
        allowed: which URLs.
        folder: for the files; they are named after their sha256.
        loras: folder of LoRAs; they are fetched to where `wangp loras fetch` puts them, and are kept.
        emit: gets the progress of each file.
        stop: whether to stop fetching.
        tasks: the task types, whose fields may hold addresses.
        verify: the trusted certificates; by default those of the machine.
    """

    allowed: UrlPolicy
    folder: Path
    loras: Path | None = None
    emit: Emit | None = None
    stop: Callable[[], bool] = lambda: False
    verify: ssl.SSLContext | bool = True
    max_bytes: int = MAX_BYTES
    max_seconds: float = MAX_SECONDS
    pause: float = PAUSE_SECONDS
    tasks: TaskTypes = field(default_factory=lambda: TASKS)
    _files: dict[str, Path] = field(default_factory=dict)

    def fetch_urls(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Values with local files in place of URLs, and the URL of each such file.

        Raises:
            RequestError: a URL is not allowed, or its file is not a media file.
            FetchError: a file cannot be fetched.
            Cancelled: `stop` returned true.
        """
        local, addresses = dict(values), dict[str, str]()
        media = [
            (name, text) for name in sorted(media_fields(self.tasks)) for text in _urls_in(values.get(name))
        ]
        loras = [split_lora(text)[0] for text in _urls_in(values.get("loras"))] if self.allowed else []
        for done, (name, text) in enumerate(media):
            path = self._file(name, text, done, len(media) + len(loras))
            addresses[str(path)] = str(self.allowed.check(name, text))
            local[name] = _replace_url(local[name], text, str(path))
        for done, text in enumerate(loras, len(media)):
            self._fetch_lora(text, done, len(media) + len(loras))
        return local, addresses

    def _fetch_lora(self, text: str, done: int, total: int) -> None:
        """Fetch a LoRA to where its URL is looked up, unless it is there."""
        source = find_lora(text, self.loras) if self.loras else None
        if source and not source.is_local:
            address = self.allowed.check("loras", text)
            self._report(address, done, total)
            self._download("loras", address, source.path)
            self._report(address, done + 1, total)

    def _file(self, name: str, text: str, done: int, total: int) -> Path:
        address, known = self.allowed.check(name, text), self._files.get(text)
        if known is None or not known.is_file():
            self._report(address, done, total)
            known = self._files[text] = self._download(name, address)
            self._report(address, done + 1, total)
        return known

    def _report(self, address: FileUrl, done: int, total: int) -> None:
        if self.emit:
            self.emit(DownloadProgress(file=str(address), done=done, total=total))

    def _download(self, name: str, address: FileUrl, path: Path | None = None) -> Path:
        """Fetch the file of a URL to `path`, by default to its sha256 in the folder."""
        partial = (path.parent if path else self.folder) / f".{secrets.token_hex(16)}.partial"
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            with Deadline(self.max_seconds, self.stop) as deadline:
                sha256 = self._try(name, address, partial, deadline)
            suffix = _suffix(name, address, partial)
            path = path or self.folder / (sha256 + suffix)
            rename_durably(partial, path)
            return path
        except OSError as error:
            raise disk_error(error, partial) from None
        finally:
            partial.unlink(missing_ok=True)

    def _try(self, name: str, address: FileUrl, partial: Path, deadline: Deadline) -> str:
        """Write the file of a URL in several attempts; returns its sha256."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._write(name, address, partial, deadline)
            except _RetryableError as error:
                self._check_time(address, deadline)
                if attempt == ATTEMPTS or self.pause > deadline.seconds_left:
                    raise FetchError(error.message) from None
                self._wait(self.pause * 2 ** (attempt - 1), address, deadline)
        raise AssertionError

    def _check_time(self, address: FileUrl, deadline: Deadline) -> None:
        if self.stop():
            raise Cancelled("stopped while a file was fetched")
        if deadline.seconds_left <= 0:
            raise FetchError(f"{address} takes longer than {self.max_seconds:g} seconds")

    def _wait(self, seconds: float, address: FileUrl, deadline: Deadline) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._check_time(address, deadline)
            time.sleep(min(0.1, seconds))

    def _write(self, name: str, address: FileUrl, partial: Path, deadline: Deadline) -> str:
        """Write the file of a URL; returns its sha256."""
        digest, size = hashlib.sha256(), 0
        partial.unlink(missing_ok=True)
        with self._open(name, address, deadline) as response, partial.open("xb") as file:
            self._check_size(address, _content_length(response))
            for part in _read_chunks(response, address):
                self._check_time(address, deadline)
                size += len(part)
                self._check_size(address, size)
                digest.update(part)
                file.write(part)
            # A closed connection may look like the end of the file.
            if deadline.ended:
                self._check_time(address, deadline)
        if not size:
            raise FetchError(f"{address} is empty")
        return digest.hexdigest()

    def _check_size(self, address: FileUrl, size: int) -> None:
        if size > self.max_bytes:
            raise FetchError(f"{address} has more than {self.max_bytes >> 20} MiB")

    @contextmanager
    def _open(self, name: str, address: FileUrl, deadline: Deadline) -> Iterator[httpx2.Response]:
        """The response with the file, after redirects to allowed hosts."""
        import httpx2

        # No proxies and passwords of the environment: only the checked address is connected to.
        with httpx2.Client(verify=self.verify, trust_env=False, timeout=SILENT_SECONDS) as client:
            for _ in range(MAX_REDIRECTS + 1):
                with _connect(client, address, deadline) as response:
                    if response.status_code == 200:
                        yield response
                        return
                    location = response.headers.get("location", "")
                    if response.status_code not in (301, 302, 303, 307, 308) or not location:
                        error = _RetryableError if response.status_code in RETRYABLE_STATUSES else FetchError
                        raise error(f"{address} answers {response.status_code}")
                try:
                    address = self.allowed.check(name, address.redirect(location))
                except RequestError as error:
                    raise FetchError(f"{address} redirects: {error.message}", hint=error.hint) from None
        raise FetchError(f"{address} is behind more than {MAX_REDIRECTS} redirects")


@contextmanager
def _connect(client: httpx2.Client, address: FileUrl, deadline: Deadline) -> Iterator[httpx2.Response]:
    """The response of the first address of the host that can be reached."""
    import httpx2

    ips = resolve_host(address)
    for index, ip in enumerate(ips, start=1):
        host = f"[{ip}]" if ip.version == 6 else str(ip)
        request = client.build_request(
            "GET",
            f"{address.scheme}://{host}:{address.port}{address.target}",
            headers={
                "Host": str(address).split("/")[2],
                "User-Agent": f"wangp/{__version__}",
                "Accept": "*/*",
                # A compressed body could exceed the limit after it is unpacked.
                "Accept-Encoding": "identity",
            },
            extensions={"sni_hostname": address.host} | deadline.extensions,
        )
        try:
            response = client.send(request, stream=True, follow_redirects=False)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if "certificate" in str(error).lower():
                raise FetchError(f"{address} has no valid certificate: {_reason(error)}") from None
            if index == len(ips):
                raise _RetryableError(f"{address} cannot be reached: {_reason(error)}") from None
            continue
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _RetryableError(f"{address} does not respond: {_reason(error)}") from None
        try:
            yield response
        finally:
            response.close()
        return


def _content_length(response: httpx2.Response) -> int:
    """The length that the headers promise; 0 where they promise none."""
    text = response.headers.get("content-length", "")
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else 0


def _read_chunks(response: httpx2.Response, address: FileUrl) -> Iterator[bytes]:
    import httpx2

    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchError(f"{address} is compressed, which was not requested")
    try:
        # Parts as they come, so that a slow sender still meets the time limit.
        yield from response.iter_raw()
    except httpx2.HTTPError as error:
        raise _RetryableError(f"{address}: the transfer was interrupted: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return ascii(str(error) or type(error).__name__)[1:-1][:120]


def _suffix(name: str, address: FileUrl, file: Path) -> str:
    """The suffix of the content of a file, if that content fits the field."""
    from wangp_cli.media.sniff import LORA_SUFFIX, suffix_from_content

    try:
        suffix = suffix_from_content(file)
    except MediaError as error:
        raise RequestError(name, f"{quote_for_message(str(address))}: {error.message}") from None
    if (suffix == LORA_SUFFIX) != (name == "loras"):
        wanted = "safetensors are" if name == "loras" else "an image, a video or audio is"
        raise RequestError(
            name, f"{quote_for_message(str(address))}: its content is {suffix[1:]}, {wanted} wanted"
        )
    return suffix


def _urls_in(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [text for text in values if isinstance(text, str) and is_url(text)]


def _replace_url(value: Any, text: str, path: str) -> Any:
    if isinstance(value, list | tuple):
        return [path if item == text else item for item in value]
    return path
