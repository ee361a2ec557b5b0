"""URLs, parsed once and strictly, so that no second parser can read them differently."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from wangp_cli.files.safe_text import quote_for_message

LONGEST = 4096
PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*")
_NUMBER = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)")
"""A name whose last part is a number: 127.1, 0x7f.1, 2130706433."""
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class FileUrl:
    """The URL of a file, split into parts.

    Args:
        scheme: https or http.
        host: in lower case, without brackets.
        port: the default one where the URL has none.
        target: path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    def __str__(self) -> str:
        """The URL without its query, which may hold a secret."""
        return f"{self.origin}{self.target.partition('?')[0]}"

    @property
    def full(self) -> str:
        """The URL with its query."""
        return f"{self.origin}{self.target}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, the port only if it is not the default one."""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        return is_loopback(self.host)

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read or change what is sent: https, or this machine."""
        return self.scheme == "https" or self.is_loopback

    def redirect(self, location: str) -> str:
        """The URL of a redirect."""
        return urljoin(self.full, location)


def parse_url(text: str) -> FileUrl:
    """Parse the https or http URL of a file.

    Raises:
        ValueError: it is none, or holds a name, a password or anything that parsers read differently.
    """
    shown = quote_for_message(without_secrets(text))
    # Parsers differ over anything but plain ASCII without spaces and backslashes.
    if len(text) > LONGEST or not re.fullmatch(r"[!-\[\]-~]+", text):
        raise ValueError(f"{shown} is no plain address, other signs as %XX")
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in PORTS or not is_host(host) or port == 0:
        raise ValueError(f"{shown} is no https address")
    if "@" in parts.netloc:
        raise ValueError(f"{shown} holds a name or a password")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return FileUrl(scheme, host.rstrip("."), port or PORTS[scheme], target)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its address or as `localhost`."""
    ip = parse_ip(host)
    return host == "localhost" or (ip is not None and ip.is_loopback)


def is_host(name: str) -> bool:
    """Whether a name is an IP address in its usual form, or may be the name of a host."""
    return parse_ip(name) is not None or bool(_HOST.fullmatch(name.rstrip(".")) and len(name) <= 253)


def is_disguised_ip(host: str) -> bool:
    """Whether a resolver reads a host as an IPv4 address although it is none in its usual form."""
    return parse_ip(host) is None and bool(_NUMBER.fullmatch(host))


def parse_ip(name: str) -> Ip | None:
    """The IP address that a host is, if it is one."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def without_secrets(text: str) -> str:
    """A URL as it may be shown: without user name, password and query."""
    return re.sub(r"(?<=//)[^/@\s]*@", "", text.partition("?")[0])
