"""`wangp loras`: what is in the folder, what it fits, and why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from tests.conftest import Run
from tests.support.hub_server import Hub, serving
from tests.support.lora_hub import HUB, tensors


@pytest.fixture
def folder(home: Path) -> Path:
    """The LoRA folder, with two LoRAs of full size in name, one of them broken, and one for a tiny model."""
    folder = home / ".local/share/wangp/loras"
    (folder / "wan").mkdir(parents=True)
    save_file(tensors(width=5120), folder / "wan" / "ink.safetensors", metadata={"trigger_word": "inkwash"})
    save_file(tensors(), folder / "tiny.safetensors")
    (folder / "cut.safetensors").write_bytes(save(tensors())[:-8])
    return folder


def test_the_folder_is_listed_with_what_fits(run: Run, folder: Path) -> None:
    cut, tiny, ink = run("loras", "--json", code=0).json()
    assert (cut["name"], tiny["name"], ink["name"]) == (
        "cut.safetensors",
        "tiny.safetensors",
        "wan/ink.safetensors",
    )
    assert "is broken" in cut["error"]
    assert tiny["fits"] == []
    assert {"t2v_14B", "i2v_14B", "vace_14B"} <= set(ink["fits"])
    assert not any("1.3B" in name or "5B" in name for name in ink["fits"])
    assert (ink["kinds"], ink["ranks"], ink["trigger_words"]) == (["LoRA"], [2], ["inkwash"])
    table = run("loras", "list", code=0).stdout
    assert "wan/ink.safetensors" in table
    assert "inkwash" in table


def test_an_empty_folder_is_said_to_be_empty(run: Run) -> None:
    assert run("loras", code=0).stdout.startswith("no LoRAs are in ")
    assert run("loras", "--json", code=0).json() == []


def test_one_is_shown(run: Run, folder: Path) -> None:
    shown = run("loras", "show", "wan/ink", "--json", code=0).json()
    assert shown["path"] == str(folder / "wan/ink.safetensors")
    assert shown["metadata"] == {"trigger_word": "inkwash"}
    assert "inkwash" in run("loras", "show", "wan/ink", code=0).stdout
    assert "is broken" in run("loras", "show", "cut", code=3).stderr
    assert "is not on this machine" in run("loras", "show", "ada/ink", code=2).stderr


@pytest.mark.slow
def test_check_explains_every_key(run: Run, tiny_env: dict[str, str], folder: Path) -> None:
    assert (
        "tiny_t2v: fits; 1 layers"
        in run("loras", "check", "tiny", "-m", "tiny_t2v", env=tiny_env, code=0).stdout
    )
    strange = {"diffusion_model.blocks.7.self_attn.q.lora_A.weight": np.zeros((2, 48), np.float32)}
    save_file(tensors() | strange, folder / "more.safetensors")
    done = run("loras", "check", "more", "-m", "tiny_t2v", "--json", env=tiny_env, code=3)
    [fit] = done.json()
    assert fit["rejected"] == {next(iter(strange)): "the network has no block 7"}
    assert "does not fit tiny_t2v" in done.stderr


@pytest.mark.slow
def test_check_compares_with_the_networks_of_its_width(run: Run, folder: Path) -> None:
    done = run("loras", "check", "wan/ink", "--json", code=0)
    found = {fit["network"]: fit["fits"] for fit in done.json()}
    assert found["t2v_14B"]
    assert all(found.values())
    none = run("loras", "check", "tiny", code=3)
    assert "48 wide" in none.stderr
    assert "1536, 3072, 5120 wide" in none.stderr


def test_a_lora_is_fetched_into_the_folder(run: Run, folder: Path) -> None:
    with serving(Hub()) as hub:
        hub.put("ada/ink", {"ink.safetensors": save(tensors())})
        env = HUB | {"HF_ENDPOINT": hub.url}
        done = run("loras", "fetch", "ada/ink", env=env, code=0)
        assert done.stdout.strip() == str(folder / "ada--ink/ink.safetensors")
        assert run("loras", "fetch", "ada/gone", env=env, code=3).stdout == ""
    # What is here needs no network any more.
    assert run("loras", "fetch", "ada/ink", code=0).stdout == done.stdout
    assert "offline" in run("loras", "fetch", "ada/other", env={"HF_HUB_OFFLINE": "1"}, code=3).stderr


def test_accelerators_and_presets_of_wangp_are_listed(run: Run, folder: Path) -> None:
    (folder / "ink.lset").write_text('{"loras": ["ink.safetensors"], "loras_mult": "0.7"}')
    (folder / "broken.lset").write_text("no")
    found = run("loras", "presets", "--json", code=0).json()
    lightning = next(each for each in found["accelerators"] if each["name"] == "lightning")
    assert lightning["variants"][0]["values"]["steps"] == 4
    assert lightning["variants"][0]["source"]
    broken, ink = found["files"]
    assert "broken.lset" in broken["error"]
    assert ink["loras"] == ["ink.safetensors@0.7"]
    assert "lightx2v" in run("loras", "presets", code=0).stdout
    assert "lightx2v" in run("presets", code=0).stdout
