"""Receipts of fetched files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wangp_cli.errors import ModelError
from wangp_cli.runtime.weights.receipt import RECEIPT, Receipt


def test_a_receipt_is_read_as_it_was_saved(tmp_path: Path) -> None:
    assert Receipt.of(tmp_path) is None
    receipt = Receipt(repository="owner/name", revision="main").with_file("vae/a.safetensors", 3, "0" * 64)
    receipt.save(tmp_path)
    assert Receipt.of(tmp_path) == receipt
    assert receipt.missing(tmp_path) == ["vae/a.safetensors"]


def test_a_receipt_without_one_of_its_files_is_incomplete() -> None:
    receipt = (
        Receipt(repository="a/b", revision="main", complete=True)
        .with_file("x", 1, "0")
        .with_file("y", 2, "1")
    )
    assert receipt.without(["z"]) == receipt
    less = receipt.without(["x"])
    assert (list(less.files), less.complete) == (["y"], False)


@pytest.mark.parametrize("text", ["{", "[]", '{"repository": "a/b"}'])
def test_a_broken_receipt_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / RECEIPT).write_text(text)
    with pytest.raises(ModelError, match=r"wangp\.json cannot be read"):
        Receipt.of(tmp_path)


@pytest.mark.parametrize("name", ["../../a", "/etc/passwd", "a/../../b", ".hidden"])
def test_a_receipt_that_names_files_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    entry = {"size": 1, "sha256": "0" * 64}
    text = json.dumps({"repository": "a/b", "revision": "c", "files": {"vae/a.json": entry, name: entry}})
    (tmp_path / RECEIPT).write_text(text)
    with pytest.raises(ModelError, match="names"):
        Receipt.of(tmp_path)
