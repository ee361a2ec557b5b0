"""The links of chained Ogg files."""

from __future__ import annotations

from pathlib import Path

from wangp_cli.media.ogg import chain_links


def page(body: bytes, *, first: bool = False) -> bytes:
    return b"OggS\0" + bytes([2 * first]) + bytes(20) + bytes([1, len(body)]) + body


def test_links_begin_with_the_first_pages_of_their_streams(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    one = page(b"head", first=True) + page(b"other", first=True) + page(b"data") * 3
    two = page(b"head", first=True) + page(b"more data")
    path.write_bytes(one + two)
    assert chain_links(path) == [(0, len(one)), (len(one), len(one + two))]
    path.write_bytes(one + b"damage" + two)
    assert chain_links(path) == [(0, len(one + two) + 6)]


def test_other_files_have_no_links(tmp_path: Path) -> None:
    for content in (b"", b"Ogg", b"RIFF" + bytes(100)):
        (tmp_path / "a").write_bytes(content)
        assert chain_links(tmp_path / "a") == []
