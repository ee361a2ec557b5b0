"""Files of jobs after the fact, and the layers that a job keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wangp_cli.files.checksum import sha256_of
from wangp_cli.runtime.jobs.admission import pack
from wangp_cli.runtime.jobs.cleanup import is_intact, unpack
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


def artifact(path: Path, role: str) -> dict[str, Any]:
    path.write_text(role)
    return {"role": role, "path": str(path), "sha256": sha256_of(path)}


def test_a_job_is_intact_without_its_intermediates_but_not_without_its_result(tmp_path: Path) -> None:
    part, result = tmp_path / "segment_000.mkv", tmp_path / "a.mkv"
    manifest = {"artifacts": [artifact(result, "video"), artifact(part, "intermediate")]}
    part.unlink()
    assert is_intact(manifest)
    result.unlink()
    assert not is_intact(manifest)
