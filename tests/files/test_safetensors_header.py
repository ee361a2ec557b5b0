"""Headers of safetensors files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from wangp_cli.files.safetensors_header import read_header


def test_the_header_and_the_offset_of_the_tensors(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    save_file({"x": np.arange(6, dtype=np.float32).reshape(2, 3)}, file, metadata={"key": "value"})
    header, offset = read_header(file)
    assert header["__metadata__"] == {"key": "value"}
    assert header["x"]["shape"] == [2, 3]
    begin, end = header["x"]["data_offsets"]
    data = file.read_bytes()[offset + begin : offset + end]
    assert np.frombuffer(data, np.float32).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "a header of 0 bytes"),
        (b"\x02\0\0", "a header of 0 bytes"),
        (struct.pack("<Q", 1 << 40), "a header of 1099511627776 bytes"),
        (struct.pack("<Q", 2) + b"[]", "no object"),
        (struct.pack("<Q", 9) + b'{"a": NaN', "not JSON|NaN"),
        (struct.pack("<Q", 20) + b"{}", "a header of 20 bytes, of which 2 are there"),
    ],
)
def test_a_file_without_a_valid_header_is_an_error(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=fault):
        read_header(tmp_path / "a")
