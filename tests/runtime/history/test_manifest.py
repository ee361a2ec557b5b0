"""The request of a result as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.media_files import tone
from wangp_cli import __version__
from wangp_cli.files.checksum import sha256_of
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.history.manifest import (
    LOCAL_FIELDS,
    embedded_document,
    history_record,
    input_checksums,
    portable_request,
    versions,
)
from wangp_cli.runtime.loras.select import LoraUse
from wangp_cli.runtime.loras.source import LoraSource
from wangp_cli.runtime.request.request import Request
from wangp_cli.runtime.request.resolve import resolve
from wangp_cli.tasks.lora_strength import Strength
from wangp_cli.value_layers import Layer


@pytest.fixture
def settled(tiny_models: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    """A settled request of two results, with an audio file beside the folder of results."""
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tiny_models))
    monkeypatch.setenv("HOME", str(home))
    values = {
        "prompt": "a red circle",
        "model": "tiny_t2v",
        "seed": 7,
        "count": 2,
        "task_id": "one",
        "audio_source": tone(tmp_path / "tone.wav", 1),
        "output_dir": tmp_path / "out",
    }
    return resolve([Layer(kind="flag", values=values)], bootstrap.start([]))


def with_loras(request: Request, folder: Path) -> Request:
    """The request with an accelerator's LoRA, a file of the user and one of the hub."""
    uses = [
        LoraUse(
            source=LoraSource(name=name, path=folder / f"{number}.safetensors", repository=repository),
            strength=Strength.parse(strength),
            own=own,
        )
        for number, (name, repository, strength, own) in enumerate(
            [("fast", None, "0.9", False), ("/x/ink", None, "0.5", True), ("ada/ink", "ada/ink", "1;0", True)]
        )
    ]
    for use in uses:
        use.path.write_bytes(use.source.name.encode())
    return replace(request, loras=uses)


def test_a_portable_request_has_relative_paths_and_no_local_fields(settled: Request, tmp_path: Path) -> None:
    values = portable_request(settled.task, settled, tmp_path / "out")
    assert values["audio_source"] == "../tone.wav"
    assert not LOCAL_FIELDS & values.keys()
    fetched = replace(settled, addresses={str(tmp_path / "tone.wav"): "https://a.example/tone.wav"})
    values = portable_request(settled.task, fetched, tmp_path / "out")
    assert values["audio_source"] == "https://a.example/tone.wav"


def test_loras_keep_their_strengths_and_a_hub_reference_its_name(settled: Request, tmp_path: Path) -> None:
    values = portable_request(settled.task, with_loras(settled, tmp_path), tmp_path / "out")
    assert values["loras"] == ["../1.safetensors@0.5", "ada/ink@1;0"]
    assert values["lora_multipliers"] == "0.9 |"


def test_checksums_are_of_every_input_and_lora(settled: Request, tmp_path: Path) -> None:
    checksums = input_checksums(with_loras(settled, tmp_path), tmp_path / "out")
    names = ("tone.wav", "0.safetensors", "1.safetensors", "2.safetensors")
    assert checksums == {f"../{name}": sha256_of(tmp_path / name) for name in names}


def test_a_result_holds_the_request_that_makes_it_alone(settled: Request, tmp_path: Path) -> None:
    document = json.loads(embedded_document(settled, 1, tmp_path / "out", {"../tone.wav": "0"}))
    assert (document["seed"], document["prompt"]) == (8, "a red circle")
    assert document["wangp"]["version"] == __version__
    assert document["wangp"]["checksums"] == {"../tone.wav": "0"}
    assert (document["wangp"]["request"]["seed"], document["wangp"]["request"]["count"]) == (8, 1)
    assert document["wangp"]["origin"]["seed"] == "flag"


def test_a_record_of_the_history_tells_request_inputs_and_ending(settled: Request, tmp_path: Path) -> None:
    ending = {"run_id": "r", "checksums": {"../tone.wav": "0"}, "status": "error", "error": {"kind": "oom"}}
    record = history_record(settled, ending, 1.23456)
    assert (record["task_id"], record["status"], record["error"]) == ("one", "error", {"kind": "oom"})
    assert (record["seconds"], record["output_dir"]) == (1.235, str(tmp_path / "out"))
    assert record["inputs"]["checksums"] == {"../tone.wav": "0"}
    assert record["inputs"]["seeds"] == [7, 8]
    assert record["request"]["audio_source"] == "../tone.wav"
    assert record["versions"] == versions()
    assert ending["checksums"]  # The caller's own mapping is not changed.
