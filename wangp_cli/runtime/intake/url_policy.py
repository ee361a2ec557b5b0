"""URL policy of task files: only hosts that the user allows, and no addresses of private networks."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from wangp_cli.errors import FetchError, RequestError
from wangp_cli.files.safe_text import quote_for_message

LONGEST = 4096
PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_HOST = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*")
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Host:
    """A host that the user allows: name or IP address, and a port if it is not the default one."""

    name: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Host:
        """From `HOST` or `HOST:PORT`; an IPv6 address stands in brackets.

        Raises:
            RequestError: the text is not a host.
        """
        try:
            parts = urlsplit(f"//{text.strip()}")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            name, port = "", None
        if "/" in text or "@" in text or not _is_host(name):
            raise RequestError(
                "--allow-url", f"{quote_for_message(text)} is no HOST or HOST:PORT, such as example.org"
            )
        return cls(name.rstrip("."), port)

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine."""
        ip = _parse_ip(self.name)
        return self.name == "localhost" or (ip is not None and ip.is_loopback)


@dataclass(frozen=True)
class FileUrl:
    """The URL of a file, split into parts once, so that no second parser can read it differently.

    Args:
        scheme: https, or http on this machine.
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
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{port}{self.target.partition('?')[0]}"

    def redirect(self, location: str) -> str:
        """The URL of a redirect."""
        return urljoin(str(self), location)


class UrlPolicy:
    """Allows URLs of some hosts.

    Args:
        hosts: if there are none, no URL is allowed.
    """

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self._hosts = frozenset(map(Host.parse, hosts))

    def __bool__(self) -> bool:
        return bool(self._hosts)

    def check(self, field: str, text: str) -> FileUrl:
        """Parse a URL and check that it is allowed.

        Raises:
            RequestError: its host is not allowed, or it is not a plain URL of a file.
        """
        if not self._hosts:
            raise RequestError(
                field,
                f"{quote_for_message(_without_secrets(text))} is an address, task files name local files",
                hint="--allow-url HOST lets them name files of a host; or fetch the file first",
            )
        address = self._parse(field, text)
        usual = PORTS[address.scheme]
        host = next(
            (h for h in self._hosts if (h.name, h.port or usual) == (address.host, address.port)), None
        )
        if host is None:
            port = "" if address.port == usual else f":{address.port}"
            raise RequestError(
                field,
                f"{quote_for_message(str(address))} is on a host that is not allowed",
                hint=f"--allow-url {address.host}{port} allows it",
            )
        if address.scheme != "https" and not host.is_loopback:
            raise RequestError(field, f"{quote_for_message(str(address))} is not https")
        return address

    def _parse(self, field: str, text: str) -> FileUrl:
        # Parsers differ over anything but plain ASCII without spaces and backslashes.
        if len(text) > LONGEST or not re.fullmatch(r"[!-\[\]-~]+", text):
            raise RequestError(
                field,
                f"{quote_for_message(_without_secrets(text))} is no plain address, other signs as %XX",
            )
        try:
            parts = urlsplit(text)
            scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
        except ValueError:
            scheme, host, port = "", "", None
        if scheme not in PORTS or not _is_host(host) or port == 0:
            raise RequestError(field, f"{quote_for_message(_without_secrets(text))} is no https address")
        if "@" in parts.netloc:
            raise RequestError(
                field, f"{quote_for_message(_without_secrets(text))} holds a name or a password"
            )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return FileUrl(scheme, host.rstrip("."), port or PORTS[scheme], target)


def resolve_host(address: FileUrl) -> list[Ip]:
    """The IP addresses of the host of a URL; only these may be connected to.

    A host name may resolve to public addresses only, so that its DNS cannot point into the network of this
    machine. An IP address that the user allowed as such is taken as it is.

    Raises:
        FetchError: the host is not found, or its name resolves to an address that is not public.
    """
    ip = _parse_ip(address.host)
    if ip is not None:
        return [ip]
    try:
        records = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchError(f"{address.host} is not found: {str(error)[:100]}") from None
    ips = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in records]
    is_loopback = Host(address.host).is_loopback
    for resolved in ips:
        if not (resolved.is_loopback if is_loopback else is_public(resolved)):
            raise FetchError(
                f"{address.host} resolves to {resolved}, which is not public", hint="fetch the file yourself"
            )
    return list(dict.fromkeys(ips))


def is_public(ip: Ip) -> bool:
    """Whether an IP address is public, also where it wraps an IPv4 address."""
    inner = _embedded_ipv4(ip)
    if inner is not None:
        return is_public(inner)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_private)


def _embedded_ipv4(ip: Ip) -> Ip | None:
    """The IPv4 address in an IPv6 one."""
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def _parse_ip(name: str) -> Ip | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_host(name: str) -> bool:
    return _parse_ip(name) is not None or bool(_HOST.fullmatch(name.rstrip(".")) and len(name) <= 253)


def _without_secrets(text: str) -> str:
    """A URL as it may be shown: without user name, password and query."""
    return re.sub(r"(?<=//)[^/@\s]*@", "", text.partition("?")[0])
