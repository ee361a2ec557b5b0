from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from wangp_cli.pipelines.checkpoints.convert_file import convert_file
from wangp_cli.pipelines.checkpoints.files import open_weights


def test_a_pickle_becomes_a_safetensors_file_with_the_same_tensors(tmp_path: Path) -> None:
    wide = torch.arange(12.0).view(3, 4)
    state = {"a": wide, "b": wide.T, "count": torch.tensor(7), "c": wide[1:]}
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    file = open_weights(tmp_path / "a.pth", allow_pickle=True)
    reports: list[tuple[str, int, int]] = []
    target = tmp_path / "new" / "a.safetensors"
    convert_file(file, target, None, lambda *report: reports.append(report))
    written = load_file(target)
    assert all(torch.equal(written[key], value) for key, value in state.items())
    assert written["count"].dtype == torch.int64
    assert reports[-1] == ("a.safetensors", 136, 136)

    convert_file(file, target, torch.float16, lambda *_: None)
    assert {key: value.dtype for key, value in load_file(target).items()} == {
        "a": torch.float16, "b": torch.float16, "c": torch.float16, "count": torch.int64,
    }  # fmt: skip


def test_a_file_of_the_same_shapes_is_written_again(tmp_path: Path) -> None:
    target = tmp_path / "a.safetensors"
    for value in (1.0, 2.0):
        torch.save({"x": torch.full((4,), value)}, tmp_path / "a.pt")
        convert_file(open_weights(tmp_path / "a.pt", allow_pickle=True), target, None, lambda *_: None)
        assert load_file(target)["x"].tolist() == [value] * 4
