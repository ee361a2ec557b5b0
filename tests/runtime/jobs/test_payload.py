"""The layers that a job keeps in its payload."""

from __future__ import annotations

from typing import Any

import pytest

from wangp_cli.errors import ConflictError
from wangp_cli.runtime.jobs.payload import pack, unpack
from wangp_cli.value_layers import Layer

LAYERS = [
    Layer(kind="command", values={"type": "travel"}),
    Layer(kind="preset", name="look.yaml of mine", values={"steps": 4}),
    Layer(kind="line", name="3 of my tasks.jsonl", values={"seed": 7}, checksums={"/a.png": "0" * 64}),
    Layer(kind="flag", values={"output_dir": "/x"}),
]


def test_layers_come_back_from_a_store() -> None:
    assert unpack({"layers": pack(LAYERS)}) == LAYERS


def test_layers_of_a_store_without_kinds_are_read() -> None:
    old = [
        {key: value for key, value in packed.items() if key != "kind"} | {"name": str(layer.origin)}
        for packed, layer in zip(pack(LAYERS), LAYERS, strict=True)
    ]
    assert unpack({"layers": old}) == LAYERS


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        7,
        "text",
        {},
        {"layers": 5},
        {"layers": [5]},
        {"layers": [{}]},
        {"layers": [{"kind": "flag", "strange": 1}]},
        {"layers": [{"kind": "flag", "values": 5}]},
        {"layers": [{"kind": "flag", "values": {}, "notices": 5}]},
    ],
)
def test_a_damaged_payload_is_a_conflict(payload: Any) -> None:
    with pytest.raises(ConflictError, match="the job store is damaged"):
        unpack(payload)
