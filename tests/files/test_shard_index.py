"""Indexes of weights in several files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wangp_cli.files.shard_index import shards_of


def index(folder: Path, *names: object) -> Path:
    file = folder / "model.safetensors.index.json"
    file.write_text(json.dumps({"weight_map": {str(number): name for number, name in enumerate(names)}}))
    return file


def test_each_file_is_named_once(tmp_path: Path) -> None:
    names = ["b.safetensors", "a.safetensors", "b.safetensors"]
    assert shards_of(index(tmp_path, *names)) == [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/b", "..", "", ".", "..\\x", "x\x00y", "x\ny", 5, None, ["x"]]
)
def test_a_name_that_is_no_file_of_the_folder_is_refused(tmp_path: Path, name: object) -> None:
    with pytest.raises(ValueError, match=r"no file of its folder|has no weight_map|NUL"):
        shards_of(index(tmp_path, "a.safetensors", name))


def test_a_link_out_of_the_folder_is_refused_but_for_the_blobs_of_a_hub_cache(tmp_path: Path) -> None:
    folder, outside = tmp_path / "snapshots", tmp_path / "outside"
    folder.mkdir()
    outside.write_bytes(b"")
    (folder / "a.safetensors").symlink_to(outside)
    with pytest.raises(ValueError, match=r"a.safetensors links to a file outside"):
        shards_of(index(folder, "a.safetensors"))
    (blob := tmp_path / "blobs" / ("0a" * 32)).parent.mkdir()
    blob.write_bytes(b"")
    (folder / "b.safetensors").symlink_to(blob)
    (folder / "inner").write_bytes(b"")
    (folder / "c.safetensors").symlink_to(folder / "inner")
    names = ["b.safetensors", "c.safetensors"]
    assert shards_of(index(folder, *names)) == [folder / name for name in names]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 5}', '{"weight_map": {}}', "[" * 9000])
def test_a_damaged_index_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.index.json").write_text(text)
    with pytest.raises(ValueError, match=r"\w"):
        shards_of(tmp_path / "a.index.json")
