"""`wangp models add`, `convert` and `prepare`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import WanPipeline
from safetensors.torch import load_file
from typer.testing import CliRunner

from tests.conftest import Make, Result, Run
from tests.support import checkpoint_layouts, tiny
from wangp_cli.commands._models import models_context
from wangp_cli.commands._models_add import _single_match
from wangp_cli.commands.models import app
from wangp_cli.pipelines.base import Placement, Weights
from wangp_cli.pipelines.wan.load import load
from wangp_cli.runtime import bootstrap

Call = Callable[..., Result]


@pytest.fixture
def wangp(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`wangp models` in this process, of a user who knows a model like tiny_t2v by its network."""
    monkeypatch.setenv("WANGP_MODELS_DIR", str(tmp_path / "models"))
    network = checkpoint_layouts.network_of(tiny.transformer(), "small").model_dump(
        mode="json", exclude={"name"}
    )
    text = (config / "models" / "tiny.yaml").read_text()
    text = text.replace("architecture: t2v\n", "architecture: t2v\n    network: small\n")
    text = text.replace("family: wan\n", f"family: wan\nnetworks: {json.dumps({'small': network})}\n")
    (config / "models" / "tiny.yaml").write_text(text)

    def call(*arguments: object, code: int = 0, **more: Any) -> Result:
        done = CliRunner().invoke(app, list(map(str, arguments)), **more)
        assert done.exit_code == code, (done.exit_code, done.stdout, done.stderr)
        return Result(done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A transformer as WanGP quantises it."""
    [found], _ = checkpoint_layouts.quanto(tiny.transformer().state_dict(), tmp_path)
    return found


def test_a_file_is_recognised_added_used_and_converted(
    wangp: Call, file: Path, make: Make, tmp_path: Path
) -> None:
    added = wangp("add", "mine", file, "--json").json()
    assert added["like"] == "tiny_t2v"
    shown = wangp("show", "mine", "--json").json()
    assert (shown["status"], shown["present"]) == ("converted", True)
    assert shown["accepts"] == wangp("show", "tiny_t2v", "--json").json()["accepts"]
    frames = make("mine", dtype="float32").frames
    target = tmp_path / "converted"
    assert wangp("convert", "mine", target, "--dtype", "float32", "--json").json()["folder"] == str(target)
    stock = WanPipeline.from_pretrained(target)
    _, expected = checkpoint_layouts.quanto(tiny.transformer().state_dict(), tmp_path)
    assert all(torch.equal(value, expected[key]) for key, value in stock.transformer.state_dict().items())
    (Path(added["entry"]).with_name("again.yaml")).write_text(
        f"family: wan\nmodels: {{again: {{title: Again, architecture: t2v, source: {{folder: {target}}},"
        f" accepts: [], defaults: {json.dumps(shown['defaults'])}, text_length: {shown['text_length']}}}}}"
    )
    assert np.array_equal(make("again", dtype="float32").frames, frames)


def test_a_model_definition_of_wangp_is_added_with_its_loras_and_defaults(
    wangp: Call, file: Path, tmp_path: Path, config: Path
) -> None:
    model = {"name": "Fox", "architecture": "tiny_t2v", "URLs": [str(file)], "loras": ["a.safetensors"]}
    definition = tmp_path / "fox.json"
    definition.write_text(json.dumps({"model": model | {"new_key": 1}, "flow_shift": 2}))
    added = wangp("add", "fox", definition, "--json").json()
    assert (added["like"], len(added["notices"])) == ("tiny_t2v", 1)
    shown = wangp("show", "fox", "--json").json()
    assert (shown["title"], shown["defaults"]["flow_shift"], shown["present"]) == ("Fox", 2, True)
    assert shown["defaults"]["accelerator"] == "fox"
    session = models_context()
    variant = bootstrap.accelerators(session.folders).variant("fox", session.catalogue.get("fox"))
    assert [(lora.file, lora.strength) for lora in variant.loras] == [("a.safetensors", "1")]
    wangp("add", "fox", definition, "--overwrite")
    definition.write_text(json.dumps({"model": model | {"architecture": "hunyuan"}}))
    assert "no model here has" in wangp("add", "hare", definition, code=3).stderr
    assert not (config / "models" / "hare.yaml").exists()


def test_a_file_is_converted_without_an_entry(wangp: Call, file: Path, tmp_path: Path) -> None:
    wangp("convert", file, tmp_path / "made", "--like", "tiny_t2v")
    weights = load_file(tmp_path / "made" / "transformer" / "diffusion_pytorch_model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.bfloat16, torch.float32}
    assert not list((tmp_path / "made").rglob("rewritten.json"))
    assert "exists" in wangp("convert", file, tmp_path / "made", code=5).stderr
    wangp("convert", file, tmp_path / "made", "--overwrite")
    inside = file.rename(tmp_path / "made" / file.name)
    assert "is read" in wangp("convert", inside, tmp_path / "made", "--overwrite", code=5).stderr
    assert "already" in wangp("convert", "tiny_t2v", tmp_path / "other", code=2).stderr
    assert "no model" in wangp("convert", "nothing", tmp_path / "other", code=2).stderr


def test_what_is_no_model_is_not_replaced(
    wangp: Call, file: Path, tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    for place in ("mine", "mine/letter.txt"):
        options = (file, tmp_path / place, "--like", "tiny_t2v", "--overwrite")
        assert "is not a model in diffusers layout" in wangp("convert", *options, code=5).stderr
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "exists" in wangp("convert", file, "~/mine", "--like", "tiny_t2v", code=5).stderr
    others = config / "models" / "tiny.yaml"
    before = others.read_text()
    for more in ((), ("--overwrite",)):
        assert "another name" in wangp("add", "tiny", file, *more, code=5).stderr
        assert others.read_text() == before


def test_what_cannot_be_added_is_said(wangp: Call, file: Path, tmp_path: Path, config: Path) -> None:
    wangp("add", "mine", file)
    assert "--overwrite" in wangp("add", "mine", file, code=5).stderr
    wangp("add", "mine", file, "--overwrite")
    assert "another name" in wangp("add", "t2v", file, code=5).stderr
    assert "name" in wangp("add", "../x", file, code=2).stderr
    other = checkpoint_layouts.save(
        tmp_path / "other.safetensors", tiny.transformer(num_layers=1).state_dict()
    )
    assert "1 blocks, 48 wide, 16 channels" in wangp("add", "other", *other, code=3).stderr
    keys = checkpoint_layouts.original_names(tiny.transformer().state_dict())
    del keys["blocks.1.ffn.2.bias"]
    cut = checkpoint_layouts.save(tmp_path / "cut.safetensors", keys)
    assert "blocks.1.ffn.2.bias" in wangp("add", "cut", *cut, code=3).stderr
    assert "blocks.1.ffn.2.bias" in wangp("add", "cut", *cut, "--like", "tiny_t2v", code=3).stderr
    lora = checkpoint_layouts.save(tmp_path / "lora.safetensors", {"x.lora_A.weight": torch.zeros(2, 2)})
    assert "no Wan transformer" in wangp("add", "lora", *lora, code=3).stderr
    assert "is missing" in wangp("add", "gone", tmp_path / "gone.safetensors", code=3).stderr
    assert "--like" in wangp("add", "far", "hf://owner/name/x.safetensors", code=2).stderr
    wangp("add", "far", "hf://owner/name/x.safetensors", "--like", "tiny_t2v")
    pickled, _ = checkpoint_layouts.pickled(tiny.transformer().state_dict(), tmp_path)
    assert "--allow-pickle" in wangp("add", "pickled", *pickled, code=3).stderr
    wangp("add", "pickled", *pickled, "--allow-pickle")
    text = (config / "models" / "tiny.yaml").read_text()
    (config / "models" / "twin.yaml").write_text(text.replace("tiny_", "twin_"))
    assert "--like tiny_t2v" in wangp("add", "which", file, code=2).stderr


def interrupted(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let the disk fail when a file of weights takes its name, after some."""
    replace, count = os.replace, 0

    def fail(old: str, new: str, **folders: int) -> None:
        nonlocal count
        if new.endswith(".safetensors"):
            count += 1
            if count > after:
                raise OSError(28, "No space left on device")
        replace(old, new, **folders)

    monkeypatch.setattr(os, "replace", fail)


def test_an_interrupted_conversion_goes_on_and_nothing_half_made_is_seen(
    wangp: Call, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wangp_cli.pipelines.checkpoints.safetensors_writer.SHARD_BYTES", 50_000)
    target = tmp_path / "made"
    with monkeypatch.context() as broken:
        interrupted(broken, after=2)
        assert "cannot be written" in wangp("convert", file, target, "--like", "tiny_t2v", code=4).stderr
    assert not target.exists()
    [partial] = tmp_path.glob(".made.*.partial")
    kept = sorted((partial / "transformer").glob("*-of-*.safetensors"))
    times = {path.name: path.stat().st_mtime_ns for path in kept}
    assert len(kept) == 2
    wangp("convert", file, target, "--like", "tiny_t2v")
    assert not list(tmp_path.glob(".made.*"))
    for name, time in times.items():
        assert (target / "transformer" / name).stat().st_mtime_ns == time
    stock = WanPipeline.from_pretrained(target, dtype=torch.bfloat16)
    _, expected = checkpoint_layouts.quanto(tiny.transformer().state_dict(), tmp_path)
    for key, value in stock.transformer.state_dict().items():
        assert torch.equal(value, expected[key].to(value.dtype)), key


def test_prepared_weights_give_the_same_bits_and_are_mapped(
    wangp: Call, file: Path, make: Make, tmp_path: Path
) -> None:
    wangp("add", "mine", file)
    before = make("mine", dtype="bfloat16").frames
    folder = Path(wangp("prepare", "mine", "--json").json()["folder"])
    assert folder == tmp_path / "models" / "prepared" / "mine-bfloat16"
    marker = (folder / "rewritten.json").stat().st_mtime_ns
    wangp("prepare", "mine")
    assert (folder / "rewritten.json").stat().st_mtime_ns == marker
    made = make("mine", dtype="bfloat16", overwrite=True)
    assert np.array_equal(made.frames, before)
    place = Weights(folder=folder, mapped=True)
    wan = load(tiny.spec("t2v"), place, Placement(dtype="bfloat16"), [], tiny.Parts(), tiny.quiet)
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line]
    ranges = [tuple(int(side, 16) for side in line[0].split("-")) for line in maps]
    mapped = [
        any(low <= value.data_ptr() < high for low, high in ranges) for value in wan._networks[0].parameters()
    ]
    assert all(mapped)
    for value in wan._networks[0].parameters():
        assert value.data_ptr() % min(value.nbytes & -value.nbytes, 64) == 0
    # Weights that changed since are not taken from the old copy.
    shutil.copy2(file, file.with_suffix(".bak"))
    file.touch()
    found = make("mine", dtype="bfloat16", overwrite=True)
    assert np.array_equal(found.frames, before)
    removed = wangp("remove", "mine", "--yes", "--json").json()
    assert removed["bytes"] > 0
    assert not (tmp_path / "models" / "prepared").exists()
    assert file.is_file()


@pytest.mark.slow
def test_prepared_weights_serve_without_their_source(
    wangp: Call,
    tmp_path: Path,
    config: Path,
    run: Run,
) -> None:
    wangp("prepare", "tiny_t2v", "--dtype", "float32")
    text = (config / "models" / "tiny.yaml").read_text()
    folder = next(
        line.split("folder: ")[1].rstrip("}")
        for line in text.splitlines()
        if "tiny_t2v" in line and "folder" in line
    )
    (config / "models" / "tiny.yaml").write_text(text.replace(folder, str(tmp_path / "gone")))
    env = {"WANGP_CONFIG_DIR": str(config), "WANGP_MODELS_DIR": str(tmp_path / "models")}
    run("generate", "a circle", "-m", "tiny_t2v", "--dtype", "float32", "-o", "made.mkv", env=env, code=0)
    gone = run(
        "generate", "a circle", "-m", "tiny_t2v", "--dtype", "bfloat16", "-o", "b.mkv", env=env, code=3
    )
    assert "is missing" in gone.stderr
    assert "is missing" in wangp("prepare", "tiny_t2v", code=3).stderr


def test_too_little_room_is_said_before_anything_is_written(
    wangp: Call, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    refused = wangp("convert", file, tmp_path / "made", "--like", "tiny_t2v", code=4)
    assert "0.0 MB free" in refused.stderr
    assert not (tmp_path / "made").exists()


@pytest.mark.usefixtures("config")
def test_models_with_modules_are_not_what_a_file_alone_works_as() -> None:
    local = models_context()
    assert _single_match(local, {"t2v_14B"}, experts=1).name == "t2v"
    assert local.catalogue.get("uni3c_t2v").network == local.catalogue.get("t2v").network
