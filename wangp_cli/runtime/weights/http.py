"""GET requests to hubs and other servers of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wangp_cli import __version__
from wangp_cli.errors import ModelError, first_line
from wangp_cli.net.deadline import Deadline
from wangp_cli.net.url import FileUrl, is_disguised_ip, parse_url

if TYPE_CHECKING:
    import httpx2

PATIENCE_SECONDS = 60.0
"""Time in which the headers, and then each `LEAST_BYTES` of the content, must arrive."""
LEAST_BYTES = 1 << 16
SILENT_SECONDS = 30.0
MAX_REDIRECTS = 5
_SECRET_HEADERS = ("authorization", "cookie")


class InterruptedTransferError(ModelError):
    """The server cannot be reached, breaks off or is too slow; another attempt may succeed."""


class StatusError(ModelError):
    """The server answers with an error status.

    Args:
        status: of HTTP.
        reason: as a hub names it, such as `GatedRepo`; may be empty.
    """

    def __init__(self, url: FileUrl, status: int, reason: str) -> None:
        super().__init__(f"{url} cannot be fetched: the server answers {status}")
        self.status, self.reason = status, reason


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The reply to a request.

    Args:
        url: after redirects.
        status: below 400.
        headers: of the reply.
    """

    url: FileUrl
    status: int
    headers: Mapping[str, str]
    _response: httpx2.Response
    _deadline: Deadline

    @property
    def length(self) -> int | None:
        """The number of bytes that the headers promise."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None

    def chunks(self) -> Iterator[bytes]:
        """The content, in pieces as they arrive: larger ones would be lost when the connection breaks."""
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise ModelError(f"{self.url} is compressed, which was not requested")
        received = 0
        self._deadline.restart(PATIENCE_SECONDS)
        with _transport_errors(self.url, self._deadline):
            for chunk in self._response.iter_raw():
                received += len(chunk)
                if received >= LEAST_BYTES:
                    received = 0
                    self._deadline.restart(PATIENCE_SECONDS)
                yield chunk
        if self._deadline.ended:
            raise InterruptedTransferError(f"{self.url} is too slow", hint="try again; it resumes")

    def read(self, limit: int) -> bytes:
        """The whole content.

        Raises:
            ModelError: it has more than `limit` bytes.
        """
        content = bytearray()
        for chunk in self.chunks():
            content += chunk
            if len(content) > limit:
                raise ModelError(f"{self.url} sends more than {limit >> 20} MiB")
        return bytes(content)


@contextmanager
def get(url: str, headers: Mapping[str, str], *, any_http: bool = False) -> Iterator[Reply]:
    """Send a GET request and follow its redirects; passwords and tokens go to the first host only.

    Args:
        url: https, or http on this machine.
        headers: of the request.
        any_http: allow http to other hosts; for content with a known checksum.

    Raises:
        ModelError: the URL is insecure or malformed.
        StatusError: the server answers with an error status.
        InterruptedTransferError: it cannot be reached, or the headers do not arrive in time.
    """
    import httpx2

    address = check_address(url, any_http=any_http)
    own = {"user-agent": f"wangp/{__version__}", "accept-encoding": "identity"}
    headers = own | {name.lower(): value for name, value in headers.items()}
    with Deadline(PATIENCE_SECONDS) as deadline, httpx2.Client(timeout=SILENT_SECONDS) as client:
        for _ in range(MAX_REDIRECTS + 1):
            request = client.build_request(
                "GET", address.full, headers=headers, extensions=deadline.extensions
            )
            with _transport_errors(address, deadline):
                response = client.send(request, stream=True, follow_redirects=False)
            try:
                location = response.headers.get("location", "")
                if response.status_code not in (301, 302, 303, 307, 308) or not location:
                    if response.status_code >= 400:
                        reason = response.headers.get("x-error-code", "")
                        raise StatusError(address, response.status_code, reason)
                    yield Reply(
                        url=address,
                        status=response.status_code,
                        headers=response.headers,
                        _response=response,
                        _deadline=deadline,
                    )
                    return
            finally:
                response.close()
            before, address = address, _redirected(address, location, any_http=any_http)
            if address.origin != before.origin:
                headers = {name: value for name, value in headers.items() if name not in _SECRET_HEADERS}
    raise ModelError(f"{address} is behind more than {MAX_REDIRECTS} redirects")


def check_address(url: str, *, any_http: bool = False) -> FileUrl:
    """Parse a URL and refuse an insecure connection.

    Args:
        url: the URL.
        any_http: allow http to other hosts than this machine.

    Raises:
        ModelError: it is malformed, or neither https nor on this machine.
    """
    try:
        address = parse_url(url)
    except ValueError as error:
        raise ModelError(f"{error}, only https is allowed") from None
    if is_disguised_ip(address.host) or not (any_http or address.is_private):
        raise ModelError(f"{address.origin} is refused, only https is allowed")
    return address


def _redirected(address: FileUrl, location: str, *, any_http: bool) -> FileUrl:
    try:
        target = check_address(address.redirect(location), any_http=any_http and not address.is_private)
    except ModelError as error:
        raise ModelError(f"{address} redirects: {error.message}") from None
    if target.is_loopback and not address.is_loopback:
        raise ModelError(f"{address} redirects to this machine, which is refused")
    return target


@contextmanager
def _transport_errors(address: FileUrl, deadline: Deadline) -> Iterator[None]:
    import httpx2

    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = "it is too slow" if deadline.ended else first_line(error)
        raise InterruptedTransferError(
            f"{address} cannot be fetched: {reason}", hint="try again; it resumes"
        ) from None
