"""Weights that are removed."""

from __future__ import annotations

from pathlib import Path

from wangp_cli.runtime.weights.receipt import Receipt
from wangp_cli.runtime.weights.remove import Removal, remove


def test_files_leave_with_their_receipt_and_empty_folders(tmp_path: Path) -> None:
    folder = tmp_path / "owner--name"
    gone, kept = folder / "vae" / "a.safetensors", folder / "transformer" / "b.safetensors"
    receipt = Receipt(repository="owner/name", revision="main")
    for path in (gone, kept):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"abc")
        receipt = receipt.with_file(path.relative_to(folder).as_posix(), 3, "0" * 64)
    receipt.save(folder)
    remove(Removal(gone=(gone,), kept={kept: "other"}, bytes=3), tmp_path)
    assert {path.name for path in folder.iterdir()} == {"transformer", "wangp.json"}
    assert kept.is_file()
    left = Receipt.of(folder)
    assert left is not None
    assert list(left.files) == ["transformer/b.safetensors"]
    remove(Removal(gone=(kept,), kept={}, bytes=3), tmp_path)
    assert not folder.exists()
