"""Listings and errors of a hub, also of one that lies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub_server import Hub as Server
from tests.support.hub_server import serving
from tests.support.web_server import sends, site, trickles
from wangp_cli.errors import ModelError
from wangp_cli.runtime.weights import http
from wangp_cli.runtime.weights.hub import Hub, files_of, hub_errors

COMMIT = "a" * 40
NAME = "vae/a.safetensors"


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[Any]:
    """List a repository on a server that answers with a given value."""
    with site() as web:

        def ask(answer: Any) -> Any:
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            web.answers["/api/models/a/b"] = sends(text)
            with hub_errors("a/b"):
                return files_of("a/b", None, tmp_path, Hub(endpoint=web.url("")))[1]

        yield ask


def entry(name: Any = NAME, **more: Any) -> dict[str, Any]:
    return {"rfilename": name, "size": 100, "blobId": "b" * 40} | more


def test_an_offline_hub_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a/b cannot be fetched: offline"), hub_errors("a/b"):
        files_of("a/b", None, tmp_path, Hub(endpoint="http://127.0.0.1:9", offline=True))


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), hub_errors("a/b"):
        raise ZeroDivisionError


def test_the_listing_of_an_honest_hub_is_taken(listed: Any, tmp_path: Path) -> None:
    large = entry("b.safetensors", lfs={"sha256": "C" * 64, "size": 100})
    files = listed({"sha": COMMIT, "siblings": [entry("deep/Å é.json"), large, entry("../x"), entry(".git")]})
    assert files["deep/Å é.json"].path == tmp_path / "deep/Å é.json"
    assert files["deep/Å é.json"].url.endswith(f"/a/b/resolve/{COMMIT}/deep/%C3%85%20%C3%A9.json")
    assert (files["b.safetensors"].sha256, files["b.safetensors"].blob) == ("c" * 64, None)


@pytest.mark.parametrize(
    "name",
    [
        "../a", "a/../../b", "/etc/passwd", "a//b", "a/", "", ".", "./a", "a/.", "a\0b", "a\nb", "a\x1bb",
        "a\u202eb", "a\\b", "C:\\a", "C:a", "con", "aux.json", "a./b", "a b /c", "a:b", "x" * 201,
        "d/" * 600 + "a", ".wangp.lock", "wangp.json", "WANGP.json", "~/a", "é" * 101, "\ud800",
    ],
)  # fmt: skip
def test_a_file_name_that_leads_elsewhere_is_refused(listed: Any, name: str) -> None:
    files = listed({"sha": COMMIT, "siblings": [entry(name)]})
    with pytest.raises(ModelError, match="malformed: the file name"):
        files[name]


@pytest.mark.parametrize(
    ("one", "other"), [("a.json", "A.JSON"), ("a/b", "a"), ("A/b", "a"), ("é.json", "e\u0301.json")]
)
def test_names_that_are_one_file_on_some_systems_are_refused(listed: Any, one: str, other: str) -> None:
    with pytest.raises(ModelError, match="file name"):
        listed({"sha": COMMIT, "siblings": [entry(one), entry(other)]})[one]


@pytest.mark.parametrize(
    "facts",
    [
        {"size": -1}, {"size": True}, {"size": 1e300}, {"size": 1 << 70}, {"size": "100"}, {"size": [1]},
        {"blobId": "../../x"}, {"blobId": "b" * 39}, {"blobId": 5}, {"blobId": "b" * 41},
        {"lfs": {"sha256": "c" * 63}}, {"lfs": {"sha256": "/" * 64}}, {"lfs": {"sha256": ["c"]}},
    ],
)  # fmt: skip
def test_malformed_sizes_and_checksums_are_refused(listed: Any, facts: dict[str, Any]) -> None:
    files = listed({"sha": COMMIT, "siblings": [entry(**facts)]})
    with pytest.raises(ModelError, match="malformed"):
        files[NAME]


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"{", b"[" * 100_000, b"[]", b"5", b"\xff", b'{"sha": 1e999, "siblings": []}',
        {"siblings": []}, {"sha": None}, {"sha": "../../x", "siblings": []}, {"sha": COMMIT, "siblings": 5},
        {"sha": COMMIT, "siblings": [5]}, {"sha": COMMIT, "siblings": [{}]},
        {"sha": COMMIT, "siblings": [{"rfilename": 5}]}, {"sha": COMMIT, "siblings": [{"rfilename": []}]},
        {"sha": COMMIT, "siblings": [entry(), entry()]},
    ],
)  # fmt: skip
def test_a_malformed_listing_is_refused(listed: Any, answer: Any) -> None:
    with pytest.raises(ModelError, match="malformed"):
        listed(answer)


def test_an_endless_or_slow_listing_ends(
    listed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wangp_cli.runtime.weights.hub.MAX_LISTING", 1 << 20)
    with pytest.raises(ModelError, match="more than 1 MiB"):
        listed(b" " * (1 << 21))
    monkeypatch.setattr(http, "PATIENCE_SECONDS", 0.2)
    for pieces in ((b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), (b"HTTP/1.1 200 OK\r\n\r\n", b" ")):
        with (
            trickles(*pieces) as host,
            pytest.raises(ModelError, match="too slow"),
            hub_errors("a/b"),
        ):
            files_of("a/b", None, tmp_path, Hub(endpoint=f"http://{host}"))


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.1", "http://0x7f.1", "http://2130706433", "http://0177.0.0.1", "https://127.1",
        "http://127.0.0.1@example.org", "https://user:secret@example.org", "ftp://127.0.0.1", "file:///etc",
        "http://[::1", "http://127.0.0.1:0", "http://127.0.0.1\\@example.org", "http://exa mple.org", "x",
    ],
)  # fmt: skip
def test_an_endpoint_that_is_read_differently_is_refused(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="only https is") as caught:
        files_of("a/b", None, tmp_path, Hub(endpoint=endpoint))
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "endpoint", ["http://192.0.2.1", "http://localhost.example.org", "http://[::ffff:127.0.0.1]"]
)
def test_the_token_is_sent_over_private_connections_only(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, str]] = []

    def refuse(url: str, headers: dict[str, str], **_: Any) -> Any:
        sent.append(headers)
        raise ModelError("not asked")

    monkeypatch.setattr("wangp_cli.runtime.weights.hub.get", refuse)
    for address in (
        endpoint,
        "https://example.org",
        "http://127.0.0.5:80",
        "http://[::1]",
        "http://localhost",
    ):
        with pytest.raises(ModelError, match="not asked"):
            files_of("a/b", None, tmp_path, Hub(endpoint=address))
    assert ["authorization" in headers for headers in sent] == [False, True, True, True, True]


def test_a_redirect_takes_the_token_to_no_other_host(tmp_path: Path) -> None:
    with serving(Server()) as hub, site() as web:
        hub.put("a/b", {"vae/a.json": b"{}"})
        web.answers["/there"] = sends(json.dumps(hub.listing("a/b")).encode())
        hub.moved["/api/models/a/b"] = web.url("/there")
        files_of("a/b", None, tmp_path, Hub(endpoint=hub.url))
        assert hub.tokens == {"Bearer hf_secret"}
        assert "Authorization" not in web.asked[0][1]
        hub.moved["/api/models/a/b"] = "http://example.org/a"
        hub.moved["/api/models/a/c"] = "/api/models/a/c"
        for name in ("a/b", "a/c"):
            with pytest.raises(ModelError, match="redirects"):
                files_of(name, None, tmp_path, Hub(endpoint=hub.url))
