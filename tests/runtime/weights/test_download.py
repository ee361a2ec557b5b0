"""Files at addresses of which only the address is known."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub_server import Hub, serving
from wangp_cli.errors import ModelError
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
