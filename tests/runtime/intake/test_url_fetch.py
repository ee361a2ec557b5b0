from __future__ import annotations

import hashlib
import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.web_server import CERTIFICATE, Site, breaks_off, endless, sends, site, status, trickles
from wangp_cli.errors import Cancelled, FetchError, RequestError, WangpError
from wangp_cli.runtime.intake import url_policy
from wangp_cli.runtime.intake.url_fetch import UrlFetcher
from wangp_cli.runtime.intake.url_policy import UrlPolicy
from wangp_cli.runtime.loras.source import find_source

PNG = (Path(__file__).parents[3] / "docs" / "samples" / "circle-1.png").read_bytes()
SHA256 = hashlib.sha256(PNG).hexdigest()


@pytest.fixture
def web() -> Iterator[Site]:
    """A server that has a picture."""
    with site() as found:
        found.answers["/a.png"] = sends(PNG)
        yield found


def fetcher(folder: Path, *hosts: str, **more: Any) -> UrlFetcher:
    return UrlFetcher(allowed=UrlPolicy(hosts), folder=folder, pause=0.01, **more)


def test_a_file_is_fetched_once_and_named_after_what_it_holds(web: Site, tmp_path: Path) -> None:
    told: list[Any] = []
    one = fetcher(tmp_path / "f", web.host, emit=told.append)
    web.answers["/b"] = sends(PNG, Content_Type="text/html")
    values = {"images": [web.url("/a.png?token=1"), "/here.png", web.url("/b")], "prompt": web.url("/a.png")}
    found, addresses = one.fetch_urls(values)
    path = str(tmp_path / "f" / f"{SHA256}.png")
    assert found == {"images": [path, "/here.png", path], "prompt": web.url("/a.png")}
    assert addresses == {path: web.url("/b")}
    assert [(event.done, event.total) for event in told] == [(0, 2), (1, 2), (1, 2), (2, 2)]
    assert not any("token" in event.file for event in told)
    one.fetch_urls(values)
    assert [name for name, _ in web.asked] == ["/a.png?token=1", "/b"]
    headers = web.asked[0][1]
    assert (headers["Host"], headers["Accept-Encoding"]) == (web.host, "identity")
    assert not headers.keys() & {"Authorization", "Cookie", "Referer"}
    assert [file.name for file in (tmp_path / "f").iterdir()] == [f"{SHA256}.png"]


def test_a_lora_is_fetched_to_where_it_is_looked_for_and_stays(web: Site, tmp_path: Path) -> None:
    folder = tmp_path / "loras"
    folder.mkdir()
    (folder / "ink.safetensors").touch()
    web.answers["/more.safetensors"] = sends(b"\x10\0\0\0\0\0\0\0{}              ")
    loras = [web.url("/ink.safetensors@0.5"), web.url("/more.safetensors@1;0"), "here@1"]
    one = fetcher(tmp_path / "f", web.host, loras=folder)
    assert one.fetch_urls({"loras": loras}) == ({"loras": loras}, {})
    assert find_source(web.url("/more.safetensors"), folder).is_local
    one.fetch_urls({"loras": loras})
    assert [name for name, _ in web.asked] == ["/more.safetensors"]
    assert not (tmp_path / "f").exists()
    web.answers["/picture.safetensors"] = sends(PNG)
    with pytest.raises(RequestError, match=r"loras: .* its content is png"):
        one.fetch_urls({"loras": [web.url("/picture.safetensors")]})
    with pytest.raises(RequestError, match=r"image_start: .* its content is safetensors"):
        one.fetch_urls({"image_start": web.url("/more.safetensors")})
    fetcher(tmp_path / "f", loras=folder).fetch_urls({"loras": [web.url("/other.safetensors")]})
    assert web.asked[-1][0] == "/more.safetensors"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed_among_allowed_hosts(web: Site, tmp_path: Path, code: int) -> None:
    web.answers["/x"] = status(code, "/y")
    web.answers["/y"] = status(code, web.url("/a.png"))
    found, addresses = fetcher(tmp_path, web.host).fetch_urls({"image_start": web.url("/x")})
    assert Path(found["image_start"]).read_bytes() == PNG
    assert list(addresses.values()) == [web.url("/x")]


def test_no_redirect_leads_to_another_host(web: Site, tmp_path: Path) -> None:
    with site() as inner:
        inner.answers["/a.png"] = sends(PNG)
        for place in (
            inner.url("/a.png"),
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "//evil.org/a",
        ):
            web.answers["/x"] = status(302, place)
            with pytest.raises(FetchError, match="redirects"):
                fetcher(tmp_path, web.host).fetch_urls({"image_start": web.url("/x")})
        assert not inner.asked
    web.answers["/loop"] = status(302, "/loop")
    with pytest.raises(FetchError, match="redirects"):
        fetcher(tmp_path, web.host).fetch_urls({"image_start": web.url("/loop")})
    assert not [file for file in tmp_path.iterdir() if file.is_file()]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (status(404), FetchError, "answers 404"),
        (status(302), FetchError, "answers 302"),
        (status(503), FetchError, "answers 503"),
        (sends(b""), FetchError, "is empty"),
        (sends(PNG, Content_Encoding="gzip"), FetchError, "is compressed"),
        (sends(b"<!DOCTYPE html><p>log in"), RequestError, "a web page"),
        (sends(b"#EXTM3U\nhttp://169.254.169.254/"), RequestError, "its content is"),
        (sends(b"PNG" * 100), RequestError, "its content is"),
        (sends(b"x" * 5000), FetchError, "more than"),
        (breaks_off, FetchError, "was interrupted"),
        (endless, FetchError, "more than|longer than"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_leaves_nothing(
    web: Site, tmp_path: Path, answer: Any, error: type[WangpError], words: str
) -> None:
    web.answers["/x.png"] = answer
    one = fetcher(tmp_path, web.host, max_bytes=4000, max_seconds=5)
    with pytest.raises(error, match=words):
        one.fetch_urls({"image_start": web.url("/x.png")})
    assert not list(tmp_path.iterdir())


def test_no_link_is_written_through(web: Site, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    (tmp_path / f".{os.getpid()}.partial").symlink_to(theirs)
    found, _ = fetcher(tmp_path, web.host).fetch_urls({"image_start": web.url("/a.png")})
    assert Path(found["image_start"]).read_bytes() == PNG
    assert theirs.read_text() == "theirs"


def test_what_may_pass_is_tried_again(web: Site, tmp_path: Path) -> None:
    def at_last(handler: Any) -> None:
        (sends(PNG) if len(web.asked) == 3 else status(503))(handler)

    web.answers["/x"] = at_last
    found, _ = fetcher(tmp_path, web.host).fetch_urls({"image_start": web.url("/x")})
    assert Path(found["image_start"]).read_bytes() == PNG


def test_a_slow_file_is_given_up_and_a_signal_ends_it(web: Site, tmp_path: Path) -> None:
    web.answers["/x"] = endless
    with pytest.raises(FetchError, match="longer than"):
        fetcher(tmp_path, web.host, max_seconds=0.2).fetch_urls({"image_start": web.url("/x")})
    with pytest.raises(Cancelled):
        fetcher(tmp_path, web.host, stop=lambda: True).fetch_urls({"image_start": web.url("/x")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("scheme", "pieces"),
    [
        ("http", (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")),
        ("http", (b"HTTP/1.1 302 Found\r\nLocation: /", b"a")),
        ("http", (b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"x")),
        ("http", (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0")),
        ("http", (b"HTTP/1.0 200 OK\r\n\r\n" + PNG, b"x")),
        # The header of a TLS handshake record of 16 KiB.
        ("https", (b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0", b"\x00")),
    ],
)
def test_a_trickle_ends_in_time_wherever_it_is(
    tmp_path: Path, scheme: str, pieces: tuple[bytes, bytes]
) -> None:
    began = time.monotonic()
    with trickles(*pieces) as host, pytest.raises(FetchError, match="longer than"):
        fetcher(tmp_path, host, max_seconds=0.3).fetch_urls({"image_start": f"{scheme}://{host}/a.png"})
    assert time.monotonic() - began < 3
    assert not list(tmp_path.iterdir())


def test_a_signal_ends_slow_headers(tmp_path: Path) -> None:
    until = time.monotonic() + 0.2
    with trickles(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n") as host, pytest.raises(Cancelled):
        fetcher(tmp_path, host, stop=lambda: time.monotonic() > until).fetch_urls(
            {"image_start": f"http://{host}/a.png"}
        )


def test_nobody_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    with site() as closed:
        pass
    with pytest.raises(FetchError, match="cannot be reached"):
        fetcher(tmp_path, closed.host).fetch_urls({"image_start": closed.url("/a")})


def test_proxies_and_passwords_of_the_machine_are_not_used(
    web: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    fetcher(tmp_path / "f", web.host).fetch_urls({"image_start": web.url("/a.png")})
    assert "Authorization" not in web.asked[0][1]


def test_a_name_is_connected_to_by_the_number_that_was_checked_and_held_to_its_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = ssl.create_default_context(cafile=str(CERTIFICATE))
    numbers = [[(2, 1, 6, "", ("127.0.0.1", 0))], [(2, 1, 6, "", ("10.0.0.1", 0))]]
    asked: list[str] = []

    real = socket.getaddrinfo

    def resolve(host: str, *more: Any, **named: Any) -> Any:
        if host[0].isdigit():
            return real(host, *more, **named)
        # Whoever asked twice would be led elsewhere.
        asked.append(host)
        return numbers[min(len(asked) - 1, 1)]

    with site(tls=True) as web:
        web.answers["/a.png"] = sends(PNG)
        hosts = [f"media.test:{web.port}", f"evil.test:{web.port}"]
        url = f"https://media.test:{web.port}/a.png"
        monkeypatch.setattr("socket.getaddrinfo", resolve)
        monkeypatch.setattr(url_policy, "is_public", lambda _: True)
        with pytest.raises(FetchError, match="no valid certificate"):
            fetcher(tmp_path, *hosts).fetch_urls({"image_start": url})
        asked.clear()
        found, _ = fetcher(tmp_path, *hosts, verify=trusted).fetch_urls({"image_start": url})
        assert Path(found["image_start"]).read_bytes() == PNG
        assert asked == ["media.test"]
        assert web.asked[-1][1]["Host"] == f"media.test:{web.port}"
        asked.clear()
        with pytest.raises(FetchError, match="no valid certificate"):
            fetcher(tmp_path, *hosts, verify=trusted).fetch_urls(
                {"image_start": url.replace("media", "evil")}
            )
