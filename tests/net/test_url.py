"""URLs."""

from __future__ import annotations

import pytest

from wangp_cli.net.url import is_disguised_ip, parse_url


def test_a_url_is_split_and_shown_without_its_query() -> None:
    url = parse_url("HTTPS://Example.org.:443/a%20b?token=1")
    assert (str(url), url.full) == ("https://example.org/a%20b", "https://example.org/a%20b?token=1")
    assert url.redirect("/c?d") == "https://example.org/c?d"
    assert str(parse_url("http://[::1]:8080/")) == "http://[::1]:8080/"


@pytest.mark.parametrize(
    ("text", "is_private"),
    [
        ("https://example.org/", True),
        ("http://example.org/", False),
        ("http://127.0.0.9/", True),
        ("http://[::1]/", True),
        ("http://localhost/", True),
        ("http://localhost.example.org/", False),
        ("http://127.1/", False),
        ("http://[::ffff:127.0.0.1]/", False),
        ("http://0.0.0.0/", False),
    ],
)
def test_only_https_and_this_machine_are_private(text: str, is_private: bool) -> None:
    assert parse_url(text).is_private is is_private


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "a.1"])
def test_a_number_that_is_no_plain_address_is_a_disguise(host: str) -> None:
    assert is_disguised_ip(host)
    assert not is_disguised_ip(f"{host}.org")
