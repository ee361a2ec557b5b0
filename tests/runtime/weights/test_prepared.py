"""Prepared weights and the files that they were made of."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import tiny
from wangp_cli.pipelines.base import Weights
from wangp_cli.runtime.weights import prepared


def test_prepared_weights_are_those_of_unchanged_files_in_one_dtype(tmp_path: Path) -> None:
    spec, source = tiny.spec("t2v"), Weights(folder=tmp_path / "source")
    source.folder.mkdir()
    (source.folder / "a.safetensors").write_bytes(b"1")
    folder = prepared.folder_of(spec, tmp_path, "bfloat16")
    assert not prepared.is_prepared(folder)
    assert prepared.find(spec, tmp_path, "bfloat16", source) is None
    folder.mkdir(parents=True)
    marker = {"of": prepared.fingerprint(source), "dtype": "bfloat16"}
    (folder / prepared.MARKER).write_text(json.dumps(marker))
    assert prepared.is_prepared(folder)
    assert prepared.find(spec, tmp_path, "bfloat16", source) == Weights(folder=folder, mapped=True)
    assert prepared.find(spec, tmp_path, "float16", source) is None
    (source.folder / "a.safetensors").write_bytes(b"12")
    assert prepared.find(spec, tmp_path, "bfloat16", source) is None
    assert prepared.find(spec, tmp_path, "bfloat16", None) is not None
