"""`--estimate`: what a task will take, before anything is loaded."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Make, Run
from tests.support import checkpoint_layouts, tiny
from wangp_cli.commands._estimate import estimate_text
from wangp_cli.pipelines.memory import estimate
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.request.resolve import resolve
from wangp_cli.runtime.weights.sizes import parameters_in, part_sizes
from wangp_cli.value_layers import Layer


def estimated(tmp_path: Path, **said: Any) -> dict[str, Any]:
    """The estimate of a request, as `--json` prints it."""
    session = bootstrap.start([])
    values = {"type": "generate", "prompt": "x", "device": "cpu", "output_dir": tmp_path} | said
    request = resolve([Layer(kind="flag", values=values)], session)
    found: dict[str, Any] = json.loads(estimate_text(request, session, json=True))
    return found


def test_an_estimate_is_printed_and_nothing_is_made(run: Run, tmp_path: Path) -> None:
    printed = run("generate", "a red circle", "--estimate", "-o", "x.mp4", code=0).stdout
    for word in ("starter on", "profile", "transformer", "at the peak", "all here", "to load"):
        assert word in printed
    assert not (tmp_path / "x.mp4").exists()


def test_weights_are_counted_by_headers_and_not_read(make: Make, config: Path, tmp_path: Path) -> None:
    model = tiny.transformer()
    files, _ = checkpoint_layouts.quanto(model.state_dict(), tmp_path)
    checkpoint_layouts.add_entry(config, "filed", model, files)
    count = sum(value.numel() for value in model.parameters())
    plain = checkpoint_layouts.save(tmp_path / "plain.safetensors", model.state_dict())[0]
    assert parameters_in(plain) == count
    found = estimated(tmp_path, model="tiny_t2v")
    assert found["weights"]["transformer"] == 4 * count
    assert found["disk"]["to_fetch_bytes"] == 0
    assert estimated(tmp_path, model="tiny_t2v", dtype="bfloat16")["weights"]["transformer"] == 2 * count
    folder = next(Path(found["disk"]["folder"]).glob("transformer/*.safetensors"))
    folder_bytes = sum(file.stat().st_size for file in folder.parents[1].glob("*/*.safetensors"))
    assert found["disk"]["bytes"] == folder_bytes


def test_a_model_that_is_not_here_is_estimated_as_published(make: Make, config: Path, tmp_path: Path) -> None:
    found = estimated(tmp_path, model="vace_14B", dtype="bfloat16", profile="1")
    assert found["weights"]["transformer"] == 2 * 17_337_592_896
    assert found["disk"]["to_fetch_bytes"] == found["disk"]["bytes"] > 40e9
    whole, turns = (estimated(tmp_path, model="t2v", profile=profile)["device_bytes"] for profile in "13")
    assert whole > turns
    two = estimated(tmp_path, model="t2v_2_2", dtype="bfloat16")["weights"]
    assert two["transformer"] == two["transformer_2"] == 2 * 14_288_491_584
    small = estimated(tmp_path, model="t2v", transformer_quantization="int8")["weights"]
    assert small["transformer"] == 14_288_491_584


def test_more_work_is_estimated_to_take_more(make: Make, config: Path, tmp_path: Path) -> None:
    one = estimated(tmp_path, model="t2v_1.3B", frames=17)
    for changes in ({"frames": 81}, {"frames": 17, "size": "1280x720"}, {"frames": 17, "steps": 300}):
        assert estimated(tmp_path, model="t2v_1.3B", **changes)["run_seconds"] > 1.5 * one["run_seconds"]
    assert estimated(tmp_path, model="t2v_1.3B", frames=81)["device_bytes"] > one["device_bytes"]
    assert all(math.isfinite(one[name]) for name in ("load_seconds", "run_seconds"))


def test_a_damaged_header_counts_as_published(tmp_path: Path) -> None:
    for data in (b"", b"\xff" * 20, b"\2\0\0\0\0\0\0\0[]", b"\2\0\0\0\0\0\0\0{"):
        file = tmp_path / "bad.safetensors"
        file.write_bytes(data)
        assert parameters_in(file) is None


@pytest.mark.parametrize("device", ["cuda:7", "mps"])
def test_a_device_that_is_not_there_is_said(run: Run, device: str) -> None:
    assert device in run("generate", "x", "--estimate", "--device", device, code=4).stderr


def test_sizes_need_no_network_in_the_catalogue() -> None:
    session = bootstrap.start([])
    sizes = part_sizes(session.catalogue.get("starter"), session.models_dir)
    assert all(size.here and size.weights and size.bytes for size in sizes.values())


def test_weights_of_a_missing_local_folder_are_missing_and_not_to_fetch(config: Path, tmp_path: Path) -> None:
    entry = (
        "family: wan\nmodels:\n  away:\n    title: Away\n    architecture: t2v\n"
        f"    network: t2v_14B\n    accepts: [negative]\n    source: {{folder: {tmp_path / 'none'}}}\n"
    )
    (config / "models" / "away.yaml").write_text(entry, encoding="utf-8")
    disk = estimated(tmp_path, model="away")["disk"]
    assert (disk["to_fetch_bytes"], disk["missing_bytes"]) == (0, disk["bytes"])
    assert disk["bytes"] > 0
    session = bootstrap.start([])
    values = {"type": "generate", "prompt": "x", "model": "away", "device": "cpu", "output_dir": tmp_path}
    text = estimate_text(resolve([Layer(kind="flag", values=values)], session), session, json=False)
    assert "GB missing" in text
    assert "to fetch" not in text


def test_a_network_that_finishes_results_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A measured speed depends on what else the machine does.
    monkeypatch.setattr(estimate, "speed", lambda _placement: 1e12)
    values: dict[str, Any] = {"model": "t2v_1.3B", "steps": 1, "spatial_upsampling": "2"}
    plain = estimated(tmp_path, **values, upscaler="lanczos")
    found = estimated(tmp_path, **values, upscaler="realesrgan-x4")
    assert found["weights"]["upscaler"] == 4 * 16_697_987
    assert found["device_bytes"] == plain["device_bytes"] + found["weights"]["upscaler"]
    assert found["disk"]["to_fetch_bytes"] > plain["disk"]["to_fetch_bytes"]
    assert found["run_seconds"] > 1.5 * plain["run_seconds"]
