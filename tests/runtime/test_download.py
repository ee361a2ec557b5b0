"""Downloads: resumed, checked, whole or not there."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Site, serving
from wangp_cli.errors import Cancelled, ModelError, NoSpaceError
from wangp_cli.runtime.download import Remote, download

CONTENT = os.urandom(300_000)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(files={"/a.bin": CONTENT})) as site:
        yield site


def remote(site: Site, path: str = "/a.bin", **more: object) -> Remote:
    return Remote(url=site.url + path, **more)  # type: ignore[arg-type]


def leftovers(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_a_file_arrives_whole_and_once(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = download(remote(site), tmp_path / "x" / "a.bin", lambda *at: seen.append(at))
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert leftovers(target.parent) == {"a.bin"}
    download(remote(site), target)
    assert len(site.asked) == 1


def test_a_broken_connection_is_taken_up_where_it_stopped(site: Site, tmp_path: Path) -> None:
    site.cut = [100_000, 50_000]
    assert download(remote(site), tmp_path / "a.bin").read_bytes() == CONTENT
    assert [headers.get("Range") for _, headers in site.asked] == [None, "bytes=100000-", "bytes=150000-"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_later_try_resumes_unless_the_file_or_the_server_changed(
    site: Site, tmp_path: Path, ranges: bool
) -> None:
    site.cut = [100_000, 0]
    with pytest.raises(ModelError, match="cannot be fetched") as caught:
        download(remote(site), tmp_path / "a.bin")
    assert "goes on" in str(caught.value.hint)
    assert not (tmp_path / "a.bin").exists()
    changed = os.urandom(200_000)
    site.files["/a.bin"] = changed
    site.ranges = ranges
    assert download(remote(site), tmp_path / "a.bin").read_bytes() == changed


def test_stopping_keeps_what_is_here(site: Site, tmp_path: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        if done:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        download(remote(site), tmp_path / "a.bin", stop)
    assert leftovers(tmp_path) == {".a.bin.partial", ".a.bin.etag"}
    assert download(remote(site), tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    (tmp_path / ".a.bin.partial").write_bytes(CONTENT + b"more")
    (tmp_path / ".a.bin.etag").write_text(f'"{hashlib.sha256(CONTENT).hexdigest()[:16]}"')
    assert download(remote(site), tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="was promised"):
        download(remote(site, sha256="0" * 64), tmp_path / "a.bin")
    assert leftovers(tmp_path) <= {".a.bin.etag"}
    right = hashlib.sha256(CONTENT).hexdigest()
    assert download(remote(site, sha256=right.upper()), tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(("status", "hint"), [(404, "address"), (401, "login"), (500, "")])
def test_a_refusal_is_told(site: Site, tmp_path: Path, status: int, hint: str) -> None:
    site.status["/a.bin"] = status
    with pytest.raises(ModelError, match=f"{status} ") as caught:
        download(Remote(url=f"{site.url}/a.bin?token=secret"), tmp_path / "a.bin")
    assert hint in (caught.value.hint or "")
    assert "secret" not in caught.value.message


def test_only_safe_addresses_are_followed(site: Site, tmp_path: Path) -> None:
    site.moved["/b.bin"] = "http://example.org/b.bin"
    for url in (f"{site.url}/b.bin", "http://example.org/b.bin", "ftp://127.0.0.2/b.bin"):
        with pytest.raises(ModelError, match="only https is"):
            download(Remote(url=url), tmp_path / "b.bin")


def test_another_host_is_told_no_secret(site: Site, tmp_path: Path) -> None:
    with serving(Site(files={"/c.bin": b"c"})) as other:
        site.moved["/c.bin"] = f"{other.url}/c.bin"
        download(remote(site, "/c.bin", headers={"Authorization": "Bearer x"}), tmp_path / "c.bin")
        assert "Authorization" in site.asked[0][1]
        assert "Authorization" not in other.asked[0][1]


def test_a_full_disk_is_seen_before(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(NoSpaceError, match="GB free"):
        download(remote(site), tmp_path / "a.bin")
