"""`wangp models` on networks of tools, which are no diffusion models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from typer.testing import CliRunner

from tests.conftest import Make, Result
from tests.support.hub_server import Hub, serve
from wangp_cli.commands.models import app
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.weights.locate import locate

ENTRIES = """models:
  cutout:
    title: A matting network
    kind: matting
    parameters: 12
    source: {repository: owner/cutout}
    licence: MIT
    licence_note: none of its weights may be sold
  flow:
    title: A network between frames
    kind: interpolator
    source: {file: "hf://owner/several/flow/flow.safetensors"}
"""
WEIGHTS = save({"layer.weight": torch.zeros(3, 4)})
Call = Callable[..., Result]


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub with two networks in their authors' layouts."""
    found = Hub()
    layout = {
        "cutout.safetensors": WEIGHTS,
        "nets/config.json": b"{}",
        "run.py": b"1/0",
        "README.md": b"read me",
    }
    found.put("owner/cutout", layout)
    found.put("owner/several", {"flow/flow.safetensors": WEIGHTS, "flow/other.safetensors": b"no"})
    server = serve(found)
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The folder of weights."""
    return tmp_path / "models"


@pytest.fixture
def wangp(hub: Hub, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`wangp models` in this process, of a user whose catalogue has those networks."""
    config = tmp_path / "config"
    (config / "models").mkdir(parents=True)
    (config / "models" / "tools.yaml").write_text(ENTRIES)
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(config))
    monkeypatch.setenv("WANGP_MODELS_DIR", str(models))
    monkeypatch.setenv("WANGP_HUB_ENDPOINT", hub.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    def call(*arguments: object, code: int = 0) -> Result:
        done = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})
        assert done.exit_code == code, (done.exit_code, done.stdout, done.stderr)
        return Result(done.exit_code, done.stdout, done.stderr)

    return call


def facts(wangp: Call, name: str) -> dict[str, Any]:
    """What `wangp models show` says of one."""
    found: dict[str, Any] = wangp("show", name, "--json").json()
    return found


def test_a_matting_network_is_listed_fetched_verified_and_removed(
    wangp: Call, hub: Hub, models: Path
) -> None:
    folder = models / "owner--cutout"
    assert re.search(r"cutout +matting +A matting network +MIT +\S+ \S+ +to fetch", wangp().stdout)
    before = facts(wangp, "cutout")
    assert (before["kind"], before["present"], before["licence"]) == ("matting", False, "MIT")
    assert before["licence_note"] == "none of its weights may be sold"
    shown = wangp("show", "cutout").stdout
    assert "none of its weights may be sold" in shown
    assert not re.search("experts|phases|grid|text_length", shown)
    assert (before["parameters"], before["bytes"]) == ({"network": 12}, 48)
    assert "wangp models fetch cutout" in wangp("verify", "cutout", code=3).stderr

    wangp("fetch", "cutout")
    assert sorted(hub.downloads()) == ["cutout.safetensors", "nets/config.json"]
    after = facts(wangp, "cutout")
    assert (after["present"], after["weights"]) == (True, str(folder))
    assert (after["parameters"], after["bytes"]) == ({"network": 12}, len(WEIGHTS) + 2)
    states = [finding["state"] for finding in wangp("verify", "cutout", "--json").json()]
    assert states == ["ok", "ok", "readable"]

    wangp("remove", "cutout", "--yes")
    assert not folder.exists()
    assert not facts(wangp, "cutout")["present"]


def test_a_folder_of_transformers_is_fetched_without_other_forms_of_its_weights(
    wangp: Call, hub: Hub, models: Path
) -> None:
    names = ["config.json", "merges.txt", "model.safetensors", "processor_config.json", "tokenizer.json"]
    layout = {name: WEIGHTS if name.endswith("safetensors") else b"{}" for name in names}
    hub.put("facebook/sam3", layout | {"sam3.pt": b"no", "README.md": b"no"})
    wangp("fetch", "sam3")
    assert sorted(hub.downloads()) == names
    assert wangp("show", "sam3", "--json").json()["licence_note"]
    assert (models / "facebook--sam3" / "tokenizer.json").read_bytes() == b"{}"


def test_a_changed_file_is_found_and_fetched_again(wangp: Call, hub: Hub, models: Path) -> None:
    wangp("fetch", "cutout")
    file = models / "owner--cutout" / "cutout.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert "cutout.safetensors is changed" in wangp("verify", "cutout", code=3).stderr
    assert not facts(wangp, "cutout")["present"]
    hub.asked.clear()
    wangp("fetch", "cutout")
    assert hub.downloads() == ["cutout.safetensors"]
    assert file.read_bytes() == WEIGHTS


def test_a_fetch_that_broke_off_between_two_files_is_not_whole(wangp: Call, hub: Hub, models: Path) -> None:
    hub.gated.add("owner/cutout")
    wangp("fetch", "cutout", code=3)
    assert not facts(wangp, "cutout")["present"]
    hub.gated.clear()
    wangp("fetch", "cutout")
    receipt = models / "owner--cutout" / "wangp.json"
    data = json.loads(receipt.read_text())
    assert data["complete"]
    del data["files"]["nets/config.json"], data["complete"]
    receipt.write_text(json.dumps(data))
    assert not facts(wangp, "cutout")["present"]


def test_a_network_in_one_file_of_a_repository(wangp: Call, hub: Hub, models: Path) -> None:
    wangp("fetch", "flow")
    assert hub.downloads() == ["flow/flow.safetensors"]
    found = facts(wangp, "flow")
    assert (found["kind"], found["present"], found["parameters"]) == ("interpolator", True, {"network": 12})
    session = bootstrap.start([])
    place = locate(session.catalogue.get("flow"), session.models_dir)
    assert place.files == (("transformer", (models / "owner--several" / "flow" / "flow.safetensors",)),)
    wangp("remove", "flow", "--yes")
    assert not (models / "owner--several").exists()


def test_the_list_can_be_of_one_kind(wangp: Call) -> None:
    everything, some = wangp("list").stdout, wangp("list", "--kind", "interpolator").stdout
    assert everything.index("vace_14B") < everything.index("rife-4.26") < everything.index("cutout")
    assert "flow" in some
    assert not re.search("vace_14B|cutout|inputs", some)
    names = {entry["kind"] for entry in wangp("list", "--kind", "interpolator", "--json").json()}
    assert names == {"interpolator"}
    assert "invalid value for '--kind'" in wangp("list", "--kind", "x", code=2).stderr.lower()


def test_only_diffusion_models_are_prepared(wangp: Call) -> None:
    assert "is of kind matting" in wangp("prepare", "cutout", code=2).stderr


def test_a_network_of_a_tool_generates_nothing(make: Make, config: Path) -> None:
    (config / "models" / "tools.yaml").write_text(ENTRIES)
    error = make("cutout").outcome.error
    assert error is not None
    assert "'cutout' is of kind matting" in error.message


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{title: x, kind: mating, source: {folder: /x}}", "kind"),
        ("{title: x, source: {folder: /x}, accepts: []}", "family is missing"),
    ],
)
def test_a_wrong_entry_is_named(wangp: Call, tmp_path: Path, entry: str, words: str) -> None:
    (tmp_path / "config" / "models" / "wrong.yaml").write_text(f"models:\n  odd: {entry}\n")
    error = wangp(code=3).stderr
    assert "odd" in error
    assert words in error
