"""Weights compared with their receipts."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import load_file, save_file

from tests.support import tiny
from wangp_cli.models import Source
from wangp_cli.runtime.weights.receipt import Receipt
from wangp_cli.runtime.weights.verify import verify


def test_wrong_files_are_found_and_removed_from_the_receipt(tmp_path: Path) -> None:
    spec, folder = tiny.spec("t2v", source=Source(repository="owner/name")), tmp_path / "owner--name"
    (folder / "vae").mkdir(parents=True)
    receipt = Receipt(repository="owner/name", revision="main")
    for name, text in (("same", b"abc"), ("other", b"abd"), ("short", b"a"), ("gone", None)):
        path = f"vae/{name}.safetensors"
        receipt = receipt.with_file(path, 3, hashlib.sha256(b"abc").hexdigest())
        if text is not None:
            (folder / path).write_bytes(text)
    receipt.save(folder)
    reported: list[Path] = []
    found = {finding.path.stem: finding.state for finding in verify(spec, tmp_path, reported.append)}
    assert found == {
        "model_index": "missing", "same": "ok", "other": "changed", "short": "changed", "gone": "missing",
    }  # fmt: skip
    assert [path.stem for path in reported] == ["gone", "other", "same", "short"]
    left = Receipt.of(folder)
    assert left is not None
    assert list(left.files) == ["vae/same.safetensors"]


def test_files_without_a_checksum_are_read_for_values_that_are_not_finite(tmp_path: Path) -> None:
    folder = tiny.save("t2v", tmp_path)
    [file] = (folder / "transformer").glob("*.safetensors")
    weights = load_file(file)
    weights["proj_out.bias"][3] = float("nan")
    save_file(weights, file)
    readable, broken = verify(tiny.spec("t2v", source=Source(folder=folder)), tmp_path, lambda _: None)
    assert (readable.state, broken.path, broken.state) == ("readable", file, "broken")
    assert broken.note == "proj_out.bias has values that are not finite"


def test_weights_that_a_run_could_not_load_are_broken(tmp_path: Path) -> None:
    folder = tiny.save("t2v", tmp_path)
    spec = tiny.spec("t2v", source=Source(folder=folder))
    read: list[Path] = []
    [finding] = verify(spec, tmp_path, read.append)
    assert (finding.path, finding.state) == (folder, "readable")
    assert {path.parent.name for path in read} == {"text_encoder", "transformer", "vae"}
    [file] = (folder / "vae").glob("*.safetensors")
    weights = load_file(file)
    weights.popitem()
    save_file(weights, file)
    [finding] = verify(spec, tmp_path, print)
    assert (finding.path, finding.state) == (folder, "broken")
    assert "vae has 1 missing keys" in finding.note
