"""Files at addresses of which only the address is known."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub_server import Hub, serving
from tests.support.web_server import endless, sends, site, status, trickles
from wangp_cli.errors import ModelError
from wangp_cli.runtime.weights import download as download_module
from wangp_cli.runtime.weights import http
from wangp_cli.runtime.weights.download import RemoteFile, download, request_file_facts

CONTENT = os.urandom(300_000)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with serving(Hub(files={"/a.bin": CONTENT})) as hub:
        yield hub


def quiet(here: int) -> None:
    """Progress that nobody reads."""


def test_size_and_version_are_asked_for(hub: Hub, tmp_path: Path) -> None:
    remote = request_file_facts(f"{hub.url}/a.bin?token=secret", tmp_path / "a.bin")
    assert remote.size == len(CONTENT)
    assert remote.version
    assert download(remote, quiet) == hashlib.sha256(CONTENT).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert remote.path.read_bytes() == CONTENT


def test_what_was_stopped_goes_on_unless_the_file_changed(hub: Hub, tmp_path: Path) -> None:
    url = f"{hub.url}/a.bin"
    remote = request_file_facts(url, tmp_path / "a.bin")
    remote.partial.write_bytes(CONTENT[:100_000])
    download(request_file_facts(url, tmp_path / "a.bin"), quiet)
    assert hub.asked[-1:] == [("/a.bin", "bytes=100000-")]
    assert remote.path.read_bytes() == CONTENT
    remote.path.rename(remote.partial)
    hub.files["/a.bin"] = changed = os.urandom(200_000)
    download(request_file_facts(url, tmp_path / "a.bin"), quiet)
    assert hub.asked[-1:] == [("/a.bin", None)]
    assert remote.path.read_bytes() == changed


def test_a_wrong_checksum_is_refused(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="another checksum"):
        download(request_file_facts(f"{hub.url}/a.bin", tmp_path / "a.bin", "0" * 64), quiet)
    assert list(tmp_path.iterdir()) == []
    right = hashlib.sha256(CONTENT).hexdigest().upper()
    download(request_file_facts(f"{hub.url}/a.bin", tmp_path / "a.bin", right), quiet)


def test_a_refusal_is_told_without_what_may_be_secret(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.bin cannot be fetched: the server answers 404") as caught:
        request_file_facts(f"{hub.url}/gone.bin?token=secret", tmp_path / "a.bin")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "address", ["http://example.org/b.bin", "ftp://127.0.0.2/b.bin", "file:///etc/passwd"]
)
def test_only_safe_addresses_are_asked(address: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="only https is"):
        request_file_facts(address, tmp_path / "b.bin")
    with pytest.raises(ModelError, match="only https is"):
        download(RemoteFile(url=address, path=tmp_path / "b.bin"), quiet)


def remote(url: str, folder: Path, **more: Any) -> RemoteFile:
    return RemoteFile(url=url, path=folder / "a.bin", sha256=hashlib.sha256(CONTENT).hexdigest(), **more)


def test_no_more_than_was_announced_is_written(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="more than the 100 bytes"):
        download(remote(f"{hub.url}/a.bin", tmp_path, size=100), quiet)
    assert list(tmp_path.iterdir()) == []
    partial = remote(f"{hub.url}/a.bin", tmp_path, size=100).partial
    partial.write_bytes(CONTENT[:90])
    with pytest.raises(ModelError, match="more than the 100 bytes"):
        download(remote(f"{hub.url}/a.bin", tmp_path, size=100), quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_unknown_size_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "LARGEST_UNKNOWN", 50_000)
    with site() as web:
        web.answers["/a.bin"] = endless
        wanted = request_file_facts(web.url("/a.bin"), tmp_path / "a.bin")
        with pytest.raises(ModelError, match="more than the 50000 bytes"):
            download(wanted, quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_trickle_counts_as_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PATIENCE_SECONDS", 0.15)
    monkeypatch.setattr(download_module, "ATTEMPTS", 2)
    headers = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"
    with trickles(headers, b"x") as host, pytest.raises(ModelError, match="too slow"):
        download(remote(f"http://{host}/a.bin", tmp_path, size=len(CONTENT)), quiet)


def test_a_partial_file_that_the_server_cannot_continue_is_started_again(hub: Hub, tmp_path: Path) -> None:
    with site() as web:
        web.answers["/a.bin"] = lambda handler: (
            status(416) if "Range" in handler.headers else sends(CONTENT)
        )(handler)
        wanted = remote(web.url("/a.bin"), tmp_path, size=len(CONTENT))
        wanted.partial.write_bytes(b"x" * 10)
        download(wanted, quiet)
    assert wanted.path.read_bytes() == CONTENT


def test_a_full_disk_names_the_file(hub: Hub, tmp_path: Path) -> None:
    code = f"""
import resource, signal
from pathlib import Path
from wangp_cli.runtime.weights.download import RemoteFile, download
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
remote = RemoteFile(url="{hub.url}/a.bin", path=Path("deep/a.bin").absolute(), sha256="{"0" * 64}")
download(remote, lambda _: None)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert f"NoSpaceError: {tmp_path}/deep/a.bin cannot be written: the disk is full" in done.stderr
