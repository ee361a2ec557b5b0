"""URL policy of task files: only hosts that the user allows, and no addresses of private networks."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from wangp_cli.errors import FetchError, RequestError
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.net.url import PORTS, FileUrl, Ip, is_host, parse_ip, parse_url, without_secrets

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


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
        if "/" in text or "@" in text or not is_host(name):
            raise RequestError(
                "--allow-url", f"{quote_for_message(text)} is no HOST or HOST:PORT, such as example.org"
            )
        return cls(name.rstrip("."), port)


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
                f"{quote_for_message(without_secrets(text))} is an address, task files name local files",
                hint="--allow-url HOST lets them name files of a host; or fetch the file first",
            )
        try:
            address = parse_url(text)
        except ValueError as error:
            raise RequestError(field, str(error)) from None
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
        if address.scheme != "https" and not address.is_loopback:
            raise RequestError(field, f"{quote_for_message(str(address))} is not https")
        return address


def resolve_host(address: FileUrl) -> list[Ip]:
    """The IP addresses of the host of a URL; only these may be connected to.

    A host name may resolve to public addresses only, so that its DNS cannot point into the network of this
    machine. An IP address that the user allowed as such is taken as it is.

    Raises:
        FetchError: the host is not found, or its name resolves to an address that is not public.
    """
    ip = parse_ip(address.host)
    if ip is not None:
        return [ip]
    try:
        records = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchError(f"{address.host} is not found: {str(error)[:100]}") from None
    ips = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in records]
    for resolved in ips:
        if not (resolved.is_loopback if address.is_loopback else is_public(resolved)):
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
