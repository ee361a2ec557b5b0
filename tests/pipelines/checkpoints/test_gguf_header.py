"""Headers of GGUF files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.support import checkpoint_layouts, tiny
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.checkpoints.files import open_weights

HUGE = 1 << 62


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def number_field(key: str, kind: int, code: str, value: int) -> bytes:
    return text(key) + struct.pack(f"<I{code}", kind, value)


def info(name: str = "x", sides: tuple[int, ...] = (4,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(sides)}QIQ", len(sides), *sides, kind, offset)


def file(
    *parts: bytes, tensors: int = 0, fields: int = 0, version: int = 3, data: bytes = bytes(64)
) -> bytes:
    header = b"GGUF" + struct.pack("<IQQ", version, tensors, fields) + b"".join(parts)
    return header + bytes(-len(header) % 32) + data


def array(kind: int, count: int, items: bytes = b"") -> bytes:
    return text("a") + struct.pack("<IIQ", 9, kind, count) + items


DAMAGED = {
    "empty": b"",
    "cut": b"GGUF",
    "a web page": b"<!DOCTYPE html>",
    "of another version": file(version=1),
    "of another byte order": file(version=3 << 24),
    "with more tensors than bytes": file(tensors=HUGE),
    "with more fields than bytes": file(fields=HUGE),
    "with an endless key": file(struct.pack("<Q", HUGE), fields=1),
    "with an endless array": file(array(4, HUGE), fields=1),
    "with endless texts": file(array(8, HUGE), fields=1),
    "with an array of arrays": file(array(9, 1), fields=1),
    "with an unknown value": file(text("a") + struct.pack("<I", 99), fields=1),
    "with an alignment of 0": file(number_field("general.alignment", 4, "I", 0), fields=1),
    "with an odd alignment": file(number_field("general.alignment", 4, "I", 24), fields=1),
    "with a key of no text": file(struct.pack("<Q", 1) + b"\xff" + struct.pack("<IB", 0, 0), fields=1),
    "with endless axes": file(text("x") + struct.pack("<I", 1 << 31), tensors=1),
    "with an endless side": file(info(sides=(HUGE,)), tensors=1),
    "with sides that overflow": file(info(sides=(1 << 32, 1 << 32)), tensors=1),
    "with an endless offset": file(info(offset=HUGE), tensors=1),
    "with an unknown type": file(info(kind=999), tensors=1),
    "with rows that are no blocks": file(info(sides=(7,), kind=8), tensors=1),
    "with a tensor twice": file(info() + info(), tensors=2),
    "with another original shape": file(
        text("comfy.gguf.orig_shape.x") + struct.pack("<IIQ2i", 9, 5, 2, 3, 3), info(), fields=1, tensors=1
    ),
    "with a negative shape": file(
        text("comfy.gguf.orig_shape.x") + struct.pack("<IIQ2i", 9, 5, 2, -2, -2), info(), fields=1, tensors=1
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_one_clear_message(tmp_path: Path, case: str) -> None:
    (tmp_path / "a.gguf").write_bytes(DAMAGED[case])
    with pytest.raises(ModelError, match=r"a.gguf is broken: ['\w]"):
        open_weights(tmp_path / "a.gguf")


def test_every_cut_of_a_file_is_refused_or_complete(tmp_path: Path) -> None:
    [path], _ = checkpoint_layouts.LAYOUTS["GGUF Q8_0"](tiny.transformer().state_dict(), tmp_path)
    data = path.read_bytes()
    for size in [*range(0, 3000, 211), len(data) // 2, len(data) - 1000]:
        path.write_bytes(data[:size])
        with pytest.raises(ModelError, match="is broken"):
            open_weights(path)


def test_scalars_and_other_fields_are_read_over(tmp_path: Path) -> None:
    fields = [
        number_field("general.alignment", 4, "I", 64),
        text("b") + struct.pack("<I", 8) + text("words"),
        array(8, 2, text("one") + text("two")),
        array(6, 3, struct.pack("<3f", 1, 2, 3)),
        number_field("c", 7, "B", 1),
    ]
    header = file(*fields, info(), tensors=1, fields=5, data=b"")
    numbers = struct.pack("<4f", 1, 2, 3, 4)
    (tmp_path / "a.gguf").write_bytes(header + bytes(-len(header) % 64) + numbers)
    opened = open_weights(tmp_path / "a.gguf")
    assert (opened.tensor_info["x"].dtype, opened.tensor_info["x"].shape) == ("F32", (4,))
    assert opened.tensor("x").tolist() == [1, 2, 3, 4]
