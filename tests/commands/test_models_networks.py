"""`wangp models` on RIFE: from the hub, from a file, converted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from typer.testing import CliRunner

from tests.conftest import Result
from tests.support.hub_server import Hub, serving
from tests.support.rife import official_state, randomize
from wangp_cli.commands.models import app
from wangp_cli.networks.rife.ifnet_v3 import IFNetV3
from wangp_cli.networks.rife.ifnet_v4 import IFNetV4

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def pickled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the layout of `flownet.pkl` of RIFE 3, in half precision."""
    path = tmp_path_factory.mktemp("rife") / "flownet.pkl"
    torch.save(official_state(randomize(IFNetV3()).half()), path)
    return path


@pytest.fixture
def wangp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`wangp models` in this process, of a user without settings."""
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANGP_MODELS_DIR", str(tmp_path / "models"))

    def call(*arguments: object, code: int = 0) -> Result:
        done = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})
        assert done.exit_code == code, (done.exit_code, done.stdout, done.stderr)
        return Result(done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that the settings name."""
    with serving(Hub()) as hub:
        monkeypatch.setenv("WANGP_HUB_ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield hub


def test_a_pickle_of_a_repository_is_fetched_verified_and_removed(
    wangp: Call, hub: Hub, pickled: Path, tmp_path: Path
) -> None:
    hub.put("DeepBeepMeep/Wan2.1", {"flownet.pkl": pickled.read_bytes(), "rife4.26.pkl": b"not this one"})
    wangp("fetch", "rife-v3")
    assert hub.downloads() == ["flownet.pkl"]
    facts = wangp("show", "rife-3", "--json").json()
    assert (facts["present"], facts["parameters"]) == (True, {"network": 3_038_015})
    assert [finding["state"] for finding in wangp("verify", "rife-3", "--json").json()] == ["ok", "readable"]
    file = tmp_path / "models" / "DeepBeepMeep--Wan2.1" / "flownet.pkl"
    file.write_bytes(file.read_bytes()[:-1])
    assert "flownet.pkl is changed" in wangp("verify", "rife-3", code=3).stderr
    wangp("fetch", "rife-3")
    wangp("remove", "rife-3", "--yes")
    assert not file.parent.exists()


def test_a_safetensors_file_of_comfyui_is_loaded_by_verify(wangp: Call, hub: Hub) -> None:
    name, path = "Comfy-Org/frame_interpolation", "frame_interpolation/rife_v4.26.safetensors"
    state = IFNetV4().half().state_dict()
    state = {re.sub(r"^block(\d)", r"blocks.\1", key): value for key, value in state.items()}
    hub.put(name, {path: save(state)})
    wangp("fetch", "rife-4.26")
    assert wangp("verify", "rife-4.26", "--json").json()[-1]["state"] == "readable"
    hub.put(name, {path: save(IFNetV3().half().state_dict() | {"block0.conv0.0.0.bias": torch.ones(3)})})
    wangp("fetch", "rife-4.26", "--update")
    refused = wangp("verify", "rife-4.26", code=3).stderr
    assert "block0.conv0.0.0.bias is (3,), expected (45,)" in refused


def test_the_licence_of_weights_is_told_when_they_are_fetched(wangp: Call, hub: Hub) -> None:
    hub.put("PeiqingYang/MatAnyone", {"model.safetensors": save({"x": torch.ones(1)})})
    assert "for non-commercial use only" in wangp("fetch", "matanyone").stderr
    assert "non-commercial" in wangp("list", "--kind", "matting").stdout
    added = wangp("add", "mine", "hf://owner/name/matanyone.pth", "--like", "matanyone", "--allow-pickle")
    assert "licence of matanyone: S-Lab-1.0 (non-commercial), for non-commercial use only" in added.stderr
    assert wangp("show", "mine", "--json").json()["licence"] == "S-Lab-1.0 (non-commercial)"


def test_a_file_is_added_as_the_tool_that_it_is(wangp: Call, pickled: Path, tmp_path: Path) -> None:
    assert "is a pickle" in wangp("add", "mine", pickled, code=3).stderr
    assert "mine works as rife-3" in wangp("add", "mine", pickled, "--allow-pickle").stdout
    facts = wangp("show", "mine", "--json").json()
    assert (facts["kind"], facts["architecture"], facts["licence"]) == ("interpolator", "rife3", "MIT")
    assert (facts["present"], facts["source"]["file"]) == (True, [str(pickled)])
    assert [finding["state"] for finding in wangp("verify", "mine", "--json").json()] == ["readable"]
    added = wangp(
        "add", "mine", pickled, "--allow-pickle", "--like", "rife-3", "--overwrite", "--json"
    ).json()
    assert added["like"] == "rife-3"
    assert "were not fetched" in wangp("remove", "mine", "--yes", code=3).stderr
    assert "one file or folder" in wangp("add", "x", pickled, pickled, "--like", "rife-3", code=2).stderr
    second = ("--second", pickled, "--allow-pickle")
    assert "which has one network" in wangp("add", "x", pickled, *second, code=2).stderr


def test_a_file_of_another_network_is_not_added_as_a_tool(wangp: Call, tmp_path: Path) -> None:
    save_file({"decoder.conv1.weight": torch.ones(1)}, tmp_path / "vae.safetensors")
    refused = wangp("add", "mine", tmp_path / "vae.safetensors", "--like", "rife-4.26", code=3)
    assert "is a VAE, not RIFE" in refused.stderr
    assert not (tmp_path / "config" / "models" / "mine.yaml").exists()


def test_a_place_that_cannot_be_added_is_told(wangp: Call, pickled: Path, tmp_path: Path) -> None:
    assert "absent.pkl is missing" in wangp("add", "x", tmp_path / "absent.pkl", code=3).stderr
    (tmp_path / "RIFE.zip").write_bytes(b"PK")
    assert "unpack it" in wangp("add", "x", tmp_path / "RIFE.zip", code=3).stderr
    refused = wangp("add", "x", pickled, "--like", "sam2.1-tiny", "--allow-pickle", code=2).stderr
    assert "'sam2.1-tiny' is a folder of several files" in refused


def test_a_pickle_is_converted_to_safetensors(wangp: Call, pickled: Path, tmp_path: Path) -> None:
    target = tmp_path / "rife3.safetensors"
    assert "is a pickle" in wangp("convert", pickled, target, code=3).stderr
    assert "suffix .safetensors" in wangp("convert", pickled, tmp_path / "x", "--allow-pickle", code=2).stderr
    assert wangp("convert", pickled, target, "--allow-pickle").stdout.strip() == str(target)
    source, written = torch.load(pickled, weights_only=True), load_file(target)
    assert source.keys() == written.keys()
    assert all(torch.equal(source[key], written[key]) for key in source)
    assert "--overwrite" in wangp("convert", pickled, target, "--allow-pickle", code=5).stderr
    options = ("--allow-pickle", "--overwrite", "--dtype", "float32", "--json")
    told = json.loads(wangp("convert", pickled, target, *options).stdout)
    assert told == {"file": str(target), "bytes": target.stat().st_size}
    with safe_open(target, framework="pt") as file:
        assert file.get_tensor("module.block0.conv1.0.bias").dtype == torch.float32
    wangp("add", "mine", target)
    assert "name another file" in wangp("convert", "mine", target, "--overwrite", code=5).stderr


def test_a_damaged_pickle_is_not_converted(wangp: Call, tmp_path: Path) -> None:
    state = official_state(IFNetV3())
    del state["module.block1.conv2.2.bias"]
    buffer = BytesIO()
    torch.save(state, buffer)
    (tmp_path / "a.pkl").write_bytes(buffer.getvalue())
    refused = wangp("convert", tmp_path / "a.pkl", tmp_path / "a.safetensors", "--allow-pickle", code=3)
    assert "no complete RIFE 3: block1.conv2.2.bias is absent" in refused.stderr
    assert not (tmp_path / "a.safetensors").exists()


def test_a_folder_of_a_tool_is_not_converted(wangp: Call, tmp_path: Path) -> None:
    refused = wangp("convert", "sam2.1-tiny", tmp_path / "a.safetensors", code=2)
    assert "is a folder in the layout of its library" in refused.stderr
