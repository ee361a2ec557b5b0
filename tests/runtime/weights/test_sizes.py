"""Sizes of weights."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from wangp_cli.runtime.weights.sizes import parameters_in


def test_parameters_are_counted_by_the_header_alone(tmp_path: Path) -> None:
    tensors = {"a": [2, 3], "b": []}
    header = {key: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for key, shape in tensors.items()}
    header["__metadata__"] = {"format": "pt"}
    text = json.dumps(header).encode()
    file = tmp_path / "a.safetensors"
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    assert parameters_in(file) == 7


def test_what_is_no_safetensors_file_has_no_count(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"pickle")
    assert parameters_in(tmp_path / "a.bin") is None
    assert parameters_in(tmp_path / "none.safetensors") is None
