"""`wangp models fetch`, `verify`, `remove` and `path`, against a small hub."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conftest import Result, Run
from tests.support import checkpoint_layouts, tiny
from tests.support.hub_server import Hub, serve
from wangp_cli.commands.models import app

ENTRIES = """family: wan
networks:
  small: {network}
models:
  whole:
    title: All of a repository
    architecture: t2v
    source: {{repository: owner/whole{revision}}}
    accepts: [negative, lora]
    defaults: {{size: 32x32, frames: 5, fps: "16", steps: 2, guidance_scale: 1.0, flow_shift: 3.0}}
    text_length: 24
  filed:
    title: A file, and the other parts of another model
    architecture: t2v
    network: small
    source: {{file: "hf://other/files/deep/small.safetensors", components: whole}}
    accepts: [negative, lora]
    defaults: {{size: 32x32, frames: 5, fps: "16", steps: 2, guidance_scale: 1.0, flow_shift: 3.0}}
    text_length: 24
  later:
    title: Not yet
    source: {{repository: owner/whole}}
    accepts: []
    status: unsupported
    status_note: it is early
  lost:
    title: A file that is not there
    architecture: t2v
    network: small
    source: {{file: "hf://other/files/gone.safetensors", components: whole}}
    accepts: []
"""
Call = Callable[..., Result]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with a whole tiny model, and the same transformer as one file."""
    found = Hub()
    found.add("owner/whole", tiny.save("t2v", tmp_path / "origin"))
    found.put("owner/whole", {"README.md": b"not needed", "unused.safetensors": b"not needed"})
    [file], _ = checkpoint_layouts.plain(tiny.transformer().state_dict(), tmp_path)
    found.put("other/files", {"deep/small.safetensors": file.read_bytes(), "deep/large.safetensors": b"no"})
    server = serve(found)
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The folder of weights."""
    return tmp_path / "models"


def write_entries(config: Path, revision: str = "") -> None:
    """The catalogue of a user; `revision` is that of the whole repository."""
    network = checkpoint_layouts.network_of(tiny.transformer()).model_dump_json(exclude={"name"})
    (config / "models").mkdir(parents=True, exist_ok=True)
    (config / "models" / "mine.yaml").write_text(ENTRIES.format(network=network, revision=revision))


@pytest.fixture
def environment(hub: Hub, tmp_path: Path, models: Path) -> dict[str, str]:
    """Of a user whose catalogue names repositories of that hub."""
    write_entries(tmp_path / "config")
    return {
        "WANGP_CONFIG_DIR": str(tmp_path / "config"),
        "WANGP_MODELS_DIR": str(models),
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": hub.url,
    }


@pytest.fixture
def shell(run: Run, environment: dict[str, str]) -> Call:
    """The real command line, in a process of its own."""
    return lambda *arguments, env=None, **more: run(*arguments, env=environment | (env or {}), **more)


@pytest.fixture
def wangp(environment: dict[str, str], hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`wangp models` in this process, which is quicker."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    def call(*arguments: object, code: int = 0, **more: Any) -> Result:
        env = environment | {"WANGP_HUB_ENDPOINT": hub.url} | more.pop("env", {})
        done = CliRunner().invoke(app, list(map(str, arguments)), env=env, **more)
        result = Result(done.exit_code, done.stdout, done.stderr)
        assert done.exit_code == code, (done.exit_code, done.stdout, done.stderr)
        return result

    return call


@pytest.mark.slow
def test_a_model_is_fetched_checked_used_and_removed(
    shell: Call, wangp: Call, hub: Hub, models: Path
) -> None:
    fetched = shell("models", "fetch", "whole", "--json", code=0)
    steps = [event["data"] for event in fetched.events if event["type"] == "download.progress"]
    assert steps[-1]["done"] == steps[-1]["total"] == len(hub.downloads())
    assert steps[-1]["bytes"] == steps[-1]["bytes_total"] > 0
    assert [step["bytes"] for step in steps] == sorted(step["bytes"] for step in steps)
    assert hub.downloads()[-1] == "model_index.json"
    assert not {"README.md", "unused.safetensors"} & set(hub.downloads())
    record = json.loads((models / "owner--whole" / "wangp.json").read_text())
    assert (record["repository"], record["revision"]) == ("owner/whole", hub.commits["owner/whole"])
    assert set(record["files"]) == set(hub.downloads())
    found = wangp("verify", "whole", "--json", code=0).json()
    assert {finding["state"] for finding in found} == {"ok", "readable"}
    env = {"WANGP_MODELS_DIR": ""}
    shell("generate", "a circle", "-m", "whole", "-o", "made.mkv", "--models-dir", models, env=env, code=0)
    gone = wangp("remove", "whole", "--yes", "--json", code=0).json()
    assert len(gone["removed"]) == len(record["files"])
    assert not (models / "owner--whole").exists()


def test_what_is_here_is_not_fetched_again(wangp: Call, hub: Hub, models: Path) -> None:
    told = wangp("fetch", "whole", code=0).stderr.splitlines()
    assert re.fullmatch(r"fetch whole: \d+\.\d MB", told[0])
    assert re.match(r"\d+\.\d MB in \d+ s", told[-2])
    assert told[-1] == "next: wangp generate 'a red circle' --model whole"
    hub.asked.clear()
    assert wangp("fetch", "whole", code=0).stdout.strip() == str(models / "owner--whole")
    assert hub.asked == []
    (models / "owner--whole" / "wangp.json").unlink()
    wangp("fetch", "whole", code=0)
    assert hub.asked == []
    assert "vae/diffusion_pytorch_model.safetensors" in (models / "owner--whole" / "wangp.json").read_text()


def test_a_cut_connection_goes_on_at_the_byte_where_it_was_cut(wangp: Call, hub: Hub, models: Path) -> None:
    hub.cut_after, hub.cuts = 50_000, 2
    wangp("fetch", "whole", code=0)
    assert [asked for _, asked in hub.asked if asked] == ["bytes=50000-", "bytes=100000-"]
    wangp("verify", "whole", code=0)
    assert not list(models.rglob("*.part"))


def test_a_fetch_that_was_given_up_goes_on_later(wangp: Call, hub: Hub, models: Path) -> None:
    hub.cut_after, hub.cuts = 0, 1000
    refused = wangp("fetch", "whole", code=3)
    assert "it resumes" in refused.stderr
    assert not (models / "owner--whole" / "model_index.json").exists()
    data = hub.repositories["owner/whole"]["vae/diffusion_pytorch_model.safetensors"]
    content = hashlib.sha256(data).hexdigest()[:12]
    part = models / "owner--whole" / "vae" / f".diffusion_pytorch_model.safetensors.{content}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(data[:1000])
    hub.cuts = 0
    hub.asked.clear()
    wangp("fetch", "whole", code=0)
    assert ("vae/diffusion_pytorch_model.safetensors", "bytes=1000-") in hub.asked


def test_a_server_without_ranges_starts_again(wangp: Call, hub: Hub) -> None:
    hub.cut_after, hub.cuts, hub.ranges = 100_000, 1, False
    wangp("fetch", "whole", code=0)
    wangp("verify", "whole", code=0)


@pytest.mark.parametrize("file", ["vae/diffusion_pytorch_model.safetensors", "transformer/config.json"])
def test_a_file_with_another_checksum_is_never_put_in_place(
    wangp: Call, hub: Hub, models: Path, file: str
) -> None:
    hub.changed.add(file)
    refused = wangp("fetch", "whole", code=3)
    assert "another checksum" in refused.stderr
    assert not (models / "owner--whole" / file).exists()
    assert not (models / "owner--whole" / "model_index.json").exists()
    hub.changed.clear()
    wangp("fetch", "whole", code=0)


def test_a_file_model_fetches_only_what_it_needs(wangp: Call, hub: Hub, models: Path) -> None:
    paths = wangp("fetch", "filed", code=0).stdout.split()
    assert paths == [
        str(models / "other--files" / "deep" / "small.safetensors"),
        str(models / "owner--whole"),
    ]
    assert "deep/large.safetensors" not in hub.downloads()
    assert not [file for file in hub.downloads() if file.startswith("transformer/")]
    entries = {entry["name"]: entry["present"] for entry in wangp("--json", code=0).json()}
    assert (entries["filed"], entries["whole"]) == (True, False)
    wangp("verify", "filed", code=0)
    wangp("fetch", "whole", code=0)
    removed = wangp("remove", "whole", "--yes", "--json", code=0).json()
    assert {Path(path).parent.name for path in removed["removed"]} == {"transformer"}
    assert set(removed["kept"].values()) == {"filed"}
    wangp("verify", "filed", code=0)
    wangp("remove", "filed", "whole", "--yes", code=0)
    assert not models.exists() or not any(models.iterdir())


def test_a_revision_holds_and_an_update_is_asked_for(
    wangp: Call, hub: Hub, models: Path, tmp_path: Path
) -> None:
    wangp("fetch", "whole", code=0)
    first = hub.commits["owner/whole"]
    hub.put("owner/whole", {"vae/config.json": hub.repositories["owner/whole"]["vae/config.json"] + b"\n"})
    second = hub.commits["owner/whole"]
    record = models / "owner--whole" / "wangp.json"
    refused = wangp("fetch", "whole", code=3)  # This hub knows its newest commit alone.
    assert "no such revision" in refused.stderr
    assert json.loads(record.read_text())["revision"] == first
    hub.asked.clear()
    wangp("fetch", "whole", "--update", code=0)
    assert hub.downloads() == ["vae/config.json"]
    assert json.loads(record.read_text())["revision"] == second
    write_entries(tmp_path / "config", ", revision: v9")
    assert "no such revision" in wangp("fetch", "whole", code=3).stderr
    write_entries(tmp_path / "config", f", revision: {second}")
    wangp("fetch", "whole", code=0)


@pytest.mark.parametrize(
    ("damage", "state", "said"),
    [
        (lambda file: file.unlink(), "missing", "missing"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "changed", "bytes"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1] + b"\0"), "changed", "changed"),
    ],
)
def test_verify_finds_damage(
    wangp: Call, models: Path, damage: Callable[[Path], None], state: str, said: str
) -> None:
    wangp("fetch", "whole", code=0)
    file = models / "owner--whole" / "transformer" / "diffusion_pytorch_model.safetensors"
    damage(file)
    result = wangp("verify", "whole", "--json", code=3)
    assert {"path": str(file), "state": state} in [
        {key: finding[key] for key in ("path", "state")} for finding in json.loads(result.stdout)
    ]
    assert said in result.stderr
    wangp("fetch", "whole", code=0)
    wangp("verify", "whole", code=0)


def test_weights_that_were_not_fetched_are_read_and_never_removed(wangp: Call, tmp_path: Path) -> None:
    own = Path(shutil.copytree(tmp_path / "origin", tmp_path / "own"))
    (tmp_path / "config" / "models" / "own.yaml").write_text(
        "family: wan\nmodels: {own: {title: Own, architecture: t2v, accepts: [],"
        f" source: {{folder: {own}}}}}}}"
    )
    assert wangp("verify", "own", "--json", code=0).json()[-1]["state"] == "readable"
    assert "not fetched" in wangp("remove", "own", "--yes", code=3).stderr
    assert wangp("path", "own", code=0).stdout.strip() == str(own)
    assert wangp("verify", "starter", "--json", code=0).json()[-1]["state"] == "readable"
    file = own / "transformer" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    assert "is broken" in wangp("verify", "own", code=3).stderr


def test_remove_asks_and_a_no_removes_nothing(wangp: Call, models: Path) -> None:
    wangp("fetch", "whole", code=0)
    for answer in ("n\n", ""):
        assert "nothing was removed" in wangp("remove", "whole", code=2, input=answer).stderr
    assert (models / "owner--whole" / "model_index.json").is_file()
    wangp("remove", "whole", code=0, input="y\n")
    assert not (models / "owner--whole").exists()


def test_what_a_hub_refuses_is_said_clearly(wangp: Call, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no file gone.safetensors" in wangp("fetch", "lost", code=3).stderr
    hub.gated.add("owner/whole")
    gated = wangp("fetch", "whole", code=3).stderr
    assert "accept its licence" in gated
    assert "hf auth login" in gated
    del hub.repositories["owner/whole"]
    assert "not on the hub" in wangp("fetch", "whole", code=3).stderr
    hub.asked.clear()
    assert "offline" in wangp("fetch", "whole", "--offline", code=3).stderr
    assert "offline" in wangp("fetch", "whole", code=3, env={"WANGP_OFFLINE": "true"}).stderr
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "offline" in wangp("fetch", "whole", code=3).stderr
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert hub.asked == []
    nobody = {"WANGP_HUB_ENDPOINT": "http://127.0.0.1:9"}
    hub.put("owner/whole", {})
    assert "cannot fetch owner/whole" in wangp("fetch", "whole", code=3, env=nobody).stderr
    assert "no repository" in wangp("fetch", "starter", code=3).stderr
    assert "it is early" in wangp("fetch", "later", code=3).stderr


def test_a_mirror_of_the_settings_is_asked(wangp: Call, hub: Hub, models: Path, tmp_path: Path) -> None:
    (tmp_path / "config" / "settings.yaml").write_text(f"hub_endpoint: {hub.url}\n")
    elsewhere = tmp_path / "elsewhere"
    wangp("fetch", "whole", "--models-dir", elsewhere, env={"WANGP_HUB_ENDPOINT": ""})
    assert (elsewhere / "owner--whole" / "model_index.json").is_file()
    assert not models.exists()
    shown = wangp("show", "whole", "--json", "--models-dir", elsewhere, code=0).json()
    assert shown["present"] is True


def test_too_little_room_is_said_before_anything_is_fetched(
    hub: Hub, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wangp_cli.errors import NoSpaceError
    from wangp_cli.models import ModelSpec, Source
    from wangp_cli.runtime.weights import download, fetch
    from wangp_cli.runtime.weights.hub import Hub as Where

    spec = ModelSpec(
        name="x", title="x", family="wan", architecture="t2v", accepts=frozenset(),
        source=Source(repository="owner/whole"),
    )  # fmt: skip
    monkeypatch.setattr(download, "SPARE_BYTES", 1 << 60)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(NoSpaceError, match="GB free"):
        fetch.fetch(spec, models, Where(endpoint=hub.url), print)
    assert hub.asked == []


def test_two_fetches_do_not_write_into_one_folder(hub: Hub, wangp: Call, models: Path) -> None:
    from filelock import FileLock

    (models / "owner--whole").mkdir(parents=True)
    with FileLock(models / "owner--whole" / ".wangp.lock"):
        assert "another process" in wangp("fetch", "whole", code=5).stderr
