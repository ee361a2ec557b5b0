from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangp_cli.errors import FetchError, RequestError
from wangp_cli.runtime.intake.url_policy import UrlPolicy, is_public, resolve_host

NAMES = ["media.example.org", "media.example.org:8443", "other.example.org:8443"]
ALLOWED = UrlPolicy([*NAMES, "127.0.0.1:8000", "[::1]", "localhost"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://media.example.org/a.png", "https://media.example.org/a.png"),
        ("HTTPS://MEDIA.example.org:443/a/b%20c.png?x=1#y", "https://media.example.org/a/b%20c.png"),
        ("https://media.example.org.", "https://media.example.org/"),
        ("https://other.example.org:8443//a", "https://other.example.org:8443//a"),
        ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/a"),
        ("http://[::1]/a", "http://[::1]/a"),
        ("http://localhost/a", "http://localhost/a"),
    ],
)
def test_what_is_allowed_is_shown_without_its_query(text: str, shown: str) -> None:
    assert str(ALLOWED.check("images", text)) == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://example.org/a", "not allowed"),
        ("https://evil.org/?https://media.example.org/", "not allowed"),
        ("https://media.example.org.evil.org/a", "not allowed"),
        ("https://evilmedia.example.org/a", "not allowed"),
        ("https://media.example.org:22/a", "not allowed"),
        ("https://other.example.org/a", "not allowed"),
        ("http://127.0.0.1/a", "not allowed"),
        ("https://2130706433/a", "not allowed"),
        ("https://0x7f.1/a", "not allowed"),
        ("http://media.example.org/a", "not https"),
        ("https://media.example.org@evil.org/a", "password"),
        ("https://user:secret@media.example.org/a", "password"),
        ("https://media.example.org\\@evil.org/a", "no plain"),
        ("https://media.example.org/a b", "no plain"),
        ("https://media.example.org/\r\nHost: evil", "no plain"),
        ("https://mediа.example.org/a", "no plain"),  # noqa: RUF001 - that is the trick
        ("https:///a", "no https address"),
        ("https:media.example.org/a", "no https address"),
        ("https://media.example.org:99999/a", "no https address"),
        ("https://[::1/a", "no https address"),
        ("ftp://media.example.org/a", "no https address"),
        ("file:///etc/passwd", "no https address"),
        ("data:image/png;base64,AAAA", "no https address"),
        ("https://media.example.org/" + "a" * 5000, "no plain"),
    ],
)
def test_what_is_not_allowed_is_refused_by_its_field(text: str, words: str) -> None:
    with pytest.raises(RequestError, match="images") as caught:
        ALLOWED.check("images", text)
    assert words in caught.value.message
    assert "secret" not in caught.value.message
    assert caught.value.message.isprintable()


def test_without_an_allowed_host_no_address_is() -> None:
    with pytest.raises(RequestError, match="is an address") as caught:
        UrlPolicy().check("images", "https://media.example.org/a.png?token=1")
    assert "token" not in caught.value.message
    assert "--allow-url" in str(caught.value.hint)


@pytest.mark.parametrize(
    "host", ["", "https://a.org", "a.org/b", "u@a.org", "a b", "*.a.org", "a.org:x", "-a"]
)
def test_a_host_is_a_plain_name(host: str) -> None:
    with pytest.raises(RequestError, match="allow-url"):
        UrlPolicy([host])


@pytest.mark.parametrize(
    "number",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1",
        "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::",
    ],
)  # fmt: skip
def test_numbers_of_a_network_behind_are_not_public(number: str) -> None:
    assert not is_public(ipaddress.ip_address(number))


@pytest.mark.parametrize("number", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"])
def test_numbers_of_everybody_are_public(number: str) -> None:
    assert is_public(ipaddress.ip_address(number))


def answering(*numbers: str) -> Any:
    """What a resolver gives."""
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in numbers]


@pytest.mark.parametrize(
    "numbers", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["169.254.169.254"], ["::ffff:10.0.0.1"]]
)
def test_a_name_may_not_lead_into_the_network_behind(
    monkeypatch: pytest.MonkeyPatch, numbers: list[str]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering(*numbers))
    with pytest.raises(FetchError, match="not public"):
        resolve_host(ALLOWED.check("images", "https://media.example.org/a.png"))


def test_localhost_is_this_machine_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    address = ALLOWED.check("images", "http://localhost/a.png")
    assert all(number.is_loopback for number in resolve_host(address))
    monkeypatch.setattr(socket, "getaddrinfo", answering("1.1.1.1"))
    with pytest.raises(FetchError):
        resolve_host(address)


@given(st.text("htps:/.@?#[]%\\ media.exmplorg0179-\n", max_size=40))
def test_whatever_is_said_only_an_allowed_host_passes(text: str) -> None:
    try:
        address = ALLOWED.check("images", "https://" + text)
    except RequestError as error:
        assert error.message.isprintable()  # noqa: PT017 - both ends are right
        return
    assert address.host in ("media.example.org", "other.example.org", "localhost", "127.0.0.1", "::1")
