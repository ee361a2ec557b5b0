"""Sources of LoRAs: files, folders, the hub, addresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from tests.conftest import Make, Run
from tests.support.hub_server import Hub, serving
from tests.support.lora_hub import HUB, tensors
from wangp_cli.errors import RequestError
from wangp_cli.runtime.loras.source import fetch_source, find_source
from wangp_cli.runtime.weights.hub import Hub as HubSettings

PAGE = "https://huggingface.co/ada/ink"


@pytest.fixture
def folder(home: Path) -> Path:
    """The LoRA folder."""
    folder = home / ".local/share/wangp/loras"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with serving(Hub()) as hub:
        yield hub


@pytest.mark.parametrize("name", ["ink", "ink.safetensors", "sub/chalk", "sub", "{folder}/ink.safetensors"])
def test_what_is_here_is_found(folder: Path, name: str) -> None:
    (folder / "sub").mkdir()
    save_file(tensors(), folder / "ink.safetensors")
    save_file(tensors(), folder / "sub" / "chalk.safetensors")
    source = find_source(name.format(folder=folder), folder)
    assert source.is_local
    assert source.path.stem == ("chalk" if "sub" in name else "ink")


def test_the_usual_file_of_a_folder_is_taken(folder: Path) -> None:
    (folder / "style").mkdir()
    for name in ("adapter_model", "other"):
        save_file(tensors(), folder / "style" / f"{name}.safetensors")
    assert find_source("style", folder).path.name == "adapter_model.safetensors"
    (folder / "style" / "adapter_model.safetensors").rename(folder / "style" / "another.safetensors")
    with pytest.raises(RequestError, match=r"several LoRAs.*another\.safetensors, other"):
        find_source("style", folder)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("ada/ink", "ada--ink"),
        ("ada/ink:x/a.safetensors", "ada--ink/x/a.safetensors"),
        ("ada/ink:a.safetensors@v1.0", "ada--ink@v1.0/a.safetensors"),
        ("hf:ada/ink:a.safetensors", "ada--ink/a.safetensors"),
        (f"{PAGE}/resolve/main/x/a%20b.safetensors?download=true", "ada--ink/x/a b.safetensors"),
        ("https://huggingface.co/ada/ink/blob/v2/a.safetensors", "ada--ink@v2/a.safetensors"),
        ("HTTPS://huggingface.co/ada/ink/resolve/main/a.safetensors|wan", "ada--ink/a.safetensors"),
    ],
)  # fmt: skip
def test_the_hub_has_a_place_for_each_file(folder: Path, name: str, place: str) -> None:
    source = find_source(name, folder)
    assert source.path == folder / place
    assert source.repository == "ada/ink"
    assert not source.is_local


def test_addresses_that_end_alike_do_not_collide(folder: Path) -> None:
    names = [
        "https://a.example/high_noise_model.safetensors",
        "https://a.example/v2/high_noise_model.safetensors",
        "https://civitai.com/api/download/models/12?type=Model",
        "https://civitai.com/api/download/models/12?type=Other",
        "https://a.example/%2e%2e/x%2fy.safetensors",
    ]
    paths = [find_source(name, folder).path for name in names]
    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(folder) and ".." not in path.parts for path in paths)
    assert all(path.suffix == ".safetensors" for path in paths)


def test_a_file_of_the_same_name_serves_an_address_unless_many_have_that_name(folder: Path) -> None:
    for name in ("ink.safetensors", "high_noise_model.safetensors"):
        save_file(tensors(), folder / name)
    assert find_source("https://a.example/x/ink.safetensors", folder).path == folder / "ink.safetensors"
    assert not find_source("https://a.example/x/high_noise_model.safetensors", folder).is_local
    assert find_source("ada/other:x/ink.safetensors", folder).path == folder / "ink.safetensors"
    assert not find_source("ada/other:x/ink.safetensors@v2", folder).is_local
    assert not find_source("ada/other:x/high_noise_model.safetensors", folder).is_local


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "there is no file 'gone'"),
        ("a/b/c", "there is no file"),
        ("sub/gone.safetensors", "there is no file"),
        ("ada/ink:../a.safetensors", "leads out of the repository"),
        ("https://a.example/a.ckpt", "is a pickle"),
        ("http://a.example/a.safetensors", "only https is"),
    ],
)
def test_what_names_nothing_is_refused(folder: Path, name: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        find_source(name, folder)


def test_a_lora_of_an_address_is_fetched_once_and_comes_back(make: Make, hub: Hub) -> None:
    hub.files["/x/ink.safetensors"] = save(tensors())
    name = f"{hub.url}/x/ink.safetensors"
    plain = make(name="plain")
    first = make(loras=[f"{name}@0.5"], name="first")
    assert not np.array_equal(first.frames, plain.frames)
    told = [event.data for event in first.events if event.type == "download.progress"]
    assert (told[-1]["bytes"], told[-1]["bytes_total"]) == (len(hub.files["/x/ink.safetensors"]),) * 2
    assert [event.type for event in first.events].count("lora.loaded") == 1
    again = make(loras=[f"{name}@0.5"], name="again")
    assert np.array_equal(first.frames, again.frames)
    assert len(hub.asked) == 2  # What it is, and the file itself; nothing the second time.


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"<html>", "is no LoRA"), (save({"a": np.zeros(2)}), "is no LoRA"), (None, "404")],
)
def test_what_cannot_be_fetched_fails_the_task(
    make: Make, hub: Hub, home: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        hub.files["/ink.safetensors"] = content
    made = make(loras=[f"{hub.url}/ink.safetensors"])
    assert made.outcome.status == "failed"
    assert made.outcome.error is not None
    assert (made.outcome.error.exit_code, message in made.outcome.error.message) == (3, True)
    assert not list(home.rglob("ink*.safetensors"))


@pytest.mark.parametrize("name", ["ada/ink", "ada/ink:more/adapter_model.safetensors"])
def test_the_alphas_of_peft_are_fetched_with_a_lora(hub: Hub, folder: Path, name: str) -> None:
    config = b'{"lora_alpha": 4}'
    files = {"adapter_model.safetensors": save(tensors()), "adapter_config.json": config}
    hub.put("ada/ink", {f"more/{file}": content for file, content in files.items()} if ":" in name else files)
    source = fetch_source(
        find_source(name, folder), HubSettings(endpoint=hub.url, offline=False), lambda *_: None
    )
    assert source.path.name == "adapter_model.safetensors"
    assert source.path.with_name("adapter_config.json").read_bytes() == config


@pytest.mark.slow
def test_a_lora_of_the_hub_is_fetched_and_checked(
    run: Run, tiny_env: dict[str, str], hub: Hub, folder: Path
) -> None:
    hub.put("ada/ink", {
        "README.md": b"ink", "ink.safetensors": save(tensors()), "more/chalk.safetensors": save(tensors(1)),
    })  # fmt: skip
    env = tiny_env | HUB | {"HF_ENDPOINT": hub.url}
    common = ("generate", "a red circle", "--model", "tiny_t2v", "--seed", "7", "--json")
    several = run(*common, "--lora", "ada/ink@0.5", env=env, code=3)
    assert "ada/ink:FILE" in several.only("task.failed")["error"]["hint"]
    done = run(*common, "--lora", "ada/ink:more/chalk.safetensors@0.5", env=env, code=0)
    assert done.only("lora.loaded")["path"] == str(folder / "ada--ink/more/chalk.safetensors")
    request = done.only("task.completed")["manifest"]["request"]
    assert request["loras"] == ["ada/ink:more/chalk.safetensors@0.5"]
    assert hub.tokens == {"Bearer hf_secret"}
    missing = run(*common, "--overwrite", "--lora", "ada/gone", env=env, code=3)
    assert "ada/gone" in missing.only("task.failed")["error"]["message"]


def test_the_working_directory_is_searched_on_request_only(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.safetensors").touch()
    assert find_source("mine.safetensors", folder).path == Path("mine.safetensors")
    with pytest.raises(RequestError, match="there is no file"):
        find_source("mine.safetensors", folder, here=False)
    assert find_source(str(tmp_path / "mine.safetensors"), folder, here=False).is_local


@pytest.mark.parametrize("name", ["x" * 5000, "a/" + "b" * 300 + "/c"])
def test_a_name_that_no_system_has_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(RequestError, match="too long"):
        find_source(name, folder)
