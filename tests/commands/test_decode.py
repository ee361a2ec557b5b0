"""Latents that were kept, and what is made of them later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Make, Run
from tests.support.latents import latents_of
from wangp_cli.commands.decode import values_of
from wangp_cli.errors import RequestError
from wangp_cli.media.read_video import read_video
from wangp_cli.pipelines.wan.pipeline import Wan
from wangp_cli.runtime.workspace.scratch import Scratch
from wangp_cli.runtime.workspace.segments_cache import FOLDER


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Decoding runs out of memory but for tiles of 128 pixels and less; the sides it was asked for."""
    asked: list[int | None] = []
    decode = Wan.decode

    def heavy(self: Any, latents: Any, progress: Any, tile: int | None = None) -> Any:
        asked.append(tile)
        if tile is None or tile > 128:
            raise MemoryError
        return decode(self, latents, progress, tile)

    monkeypatch.setattr(Wan, "decode", heavy)
    return asked


def test_a_result_leaves_no_latents(make: Make, tmp_path: Path) -> None:
    assert make().outcome.status == "completed"
    assert not (tmp_path / "made" / FOLDER).exists()


def test_a_failed_decode_is_tried_with_smaller_tiles(
    make: Make, tmp_path: Path, broken: list[int | None]
) -> None:
    outcome = make(size="192x192").outcome
    assert outcome.status == "completed", outcome.error
    assert broken == [None, 128]
    assert not kept(tmp_path / "made")


@pytest.mark.slow
def test_decode_finishes_what_failed_with_the_same_pixels(
    run: Run, tmp_path: Path, make: Make, tiny_env: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make(output=tmp_path / "whole.mkv", film_grain_intensity=0.1).path

    def away(*_: Any) -> Any:
        raise OSError(5, "the decoder is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Wan, "decode", away)
        assert make(output=tmp_path / "later.mkv").outcome.status == "failed"
    [file] = kept(tmp_path / FOLDER)
    # Finishing comes after the latents, so it may be chosen now.
    result = run("decode", file, "--film-grain-intensity", 0.1, "--json", code=0, env=tiny_env)
    assert result.only("artifact.created")["path"] == str(tmp_path / "later.mkv")
    assert [event["data"]["stage"] for event in result.events if event["type"] == "task.stage"] == [
        "load",
        "decode",
        "write",
    ]
    assert not file.exists()
    assert (read_video(whole).frames == read_video(tmp_path / "later.mkv").frames).all()


def test_a_file_without_latents_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"\x02" + b"\0" * 7 + b"{}")
    assert "holds no latents" in run("decode", "x.safetensors", code=2).stderr
    assert "cannot read" in run("decode", "gone.safetensors", code=2).stderr


def test_a_request_in_moved_latents_decides_neither_where_it_writes_nor_what_it_reads(
    run: Run, tmp_path: Path
) -> None:
    theirs, outside = tmp_path / "theirs", tmp_path / "moved" / "a.mp4"
    request = {"model": "starter", "prompt": "a", "output": str(theirs / "a.mp4"), "overwrite": True}
    file = latents_of(tmp_path / "moved", **request, image_start="/etc/hostname")
    assert "image_start: '/etc/hostname' is outside" in run("decode", file, code=2).stderr
    latents_of(tmp_path / "moved", **request)
    outside.write_text("mine")
    assert "a.mp4 exists" in run("decode", file, code=5).stderr
    assert outside.read_text() == "mine"
    assert not theirs.exists()


@pytest.mark.parametrize(
    ("folder", "output"),
    [("out/.wangp-work", "out/clip.mp4"), ("moved", "moved/clip.mp4")],
)
def test_the_result_goes_beside_the_latents_and_replaces_nothing(
    tmp_path: Path, folder: str, output: str
) -> None:
    file = latents_of(
        tmp_path / folder,
        output="/etc/cron.d/clip.mp4",
        output_dir="/etc",
        overwrite=True,
        skip_existing=True,
        keep_intermediates=True,
        task_id="../x",
    )
    expected = {"type": "generate", "seed": 7, "output": str(tmp_path / output)}
    assert values_of(file) == expected


@pytest.mark.parametrize("output", ["a\nb.mp4", ".hidden.mp4", "x" * 250 + ".mp4", "/etc/..", "con.mp4"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, output: str) -> None:
    with pytest.raises(RequestError, match="the name of the result"):
        values_of(latents_of(tmp_path, output=output))


def test_weights_of_dead_processes_go(tmp_path: Path) -> None:
    running = Scratch(tmp_path)
    dead, foreign = tmp_path / f"{0:032x}", tmp_path / "host-999999999"
    for place in (dead, foreign):
        place.mkdir()
    (dead / "lock").touch()
    (running.folder() / "weights").touch()
    Scratch(tmp_path).sweep()
    assert sorted(tmp_path.iterdir()) == sorted([running.folder(), foreign])
    assert (running.folder() / "weights").exists()


def test_memory_that_runs_out_is_tried_once_more_with_the_next_profile(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles: list[str] = []
    encode = Wan.encode

    def heavy(self: Any, *rest: Any) -> Any:
        profiles.append(self.placement.profile)
        if self.placement.profile == "1":
            raise MemoryError
        return encode(self, *rest)

    monkeypatch.setattr(Wan, "encode", heavy)
    made = make()
    assert made.outcome.status == "completed", made.outcome.error
    assert profiles == ["1", "3"]
    [retry] = [event.data for event in made.events if event.type == "task.retrying"]
    assert retry["change"] == "profile 3"
    assert made.outcome.manifest
    assert made.outcome.manifest["request"]["profile"] == "3"


def test_memory_that_runs_out_twice_is_a_clear_failure(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def heavy(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Wan, "encode", heavy)
    outcome = make().outcome
    assert outcome.error
    assert (outcome.status, outcome.error.kind, outcome.error.exit_code) == ("failed", "oom", 4)
    assert "--profile" in str(outcome.error.hint)
