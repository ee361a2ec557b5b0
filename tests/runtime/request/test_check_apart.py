"""Results never replace what the run reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.request.check_apart import check_files_apart
from wangp_cli.runtime.session import Session
from wangp_cli.tasks.edit import Edit
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.join import Join

LINKS: dict[str, Callable[[Path, Path], object]] = {
    "itself": lambda _, link: link,
    "symlink": lambda target, link: link.symlink_to(target),
    "hard link": os.link,
}


@pytest.fixture
def session(home: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("HOME", str(home))
    return bootstrap.start([])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.mp4"
    path.write_bytes(b"video")
    return path


def check(task: Any, session: Session, *loras: Path) -> None:
    check_files_apart(task, [task.output], loras, session)


@pytest.mark.parametrize("link", LINKS)
def test_no_input_is_replaced_by_a_result(link: str, session: Session, source: Path, tmp_path: Path) -> None:
    output = source if link == "itself" else tmp_path / "link.mp4"
    LINKS[link](source, output)
    options: dict[str, Any] = {"model": "m", "output": output, "overwrite": True}
    for task in (
        Generate(prompt="p", video_guide=source, **options),
        Generate(prompt="p", image_refs=(tmp_path / "other.png", source), **options),
        Generate(prompt="p", audio_source=source, skip_existing=True, **options),
        Edit(prompt=("p",), video=source, portions=("1-2",), **options),
        Join(prompt=("p",), clips=(tmp_path / "other.mp4", source), **options),
    ):
        with pytest.raises(RequestError, match=r"output: .* is the input of \w+, which is never replaced"):
            check(task, session)
    with pytest.raises(RequestError, match="the input of loras"):
        check(Generate(prompt="p", **options), session, source)


def test_files_beside_a_result_replace_no_input_either(
    session: Session, source: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"model": "m", "prompt": ("p",), "portions": ("1-2",), "overwrite": True}
    beside = tmp_path / "a_visualization.mp4"
    beside.write_bytes(b"video")
    check(Edit(video=beside, output=tmp_path / "a.mp4", **options), session)
    with pytest.raises(RequestError, match=r"a_visualization.mp4 is the input of video"):
        check(Edit(video=beside, output=tmp_path / "a.mp4", visualize=True, **options), session)
    kept = tmp_path / "a_intermediates" / "segment_000.mkv"
    kept.parent.mkdir()
    kept.write_bytes(b"video")
    with pytest.raises(RequestError, match=r"video: .* lies in .*a_intermediates"):
        check(Edit(video=kept, output=tmp_path / "a.mp4", keep_intermediates=True, **options), session)
    tasks = tmp_path / "b.json"
    tasks.write_text("[]")
    task = Generate(prompt="p", model="m", output=tmp_path / "b.mp4", metadata_mode="sidecar", overwrite=True)
    with pytest.raises(RequestError, match=r"output: .*b.json is a file that this run reads"):
        check(task, replace(session, files_used=(tasks,)))


def test_neither_history_nor_events_replace_an_input(session: Session, source: Path, tmp_path: Path) -> None:
    task = Generate(prompt="p", model="m", video_guide=source, output=tmp_path / "a.mp4")
    with pytest.raises(RequestError, match=r"manifest_path: .* is the input of video_guide"):
        check(task, replace(session, manifest_path=source))
    with pytest.raises(RequestError, match=r"events_file: .* is the input of video_guide"):
        check(task, replace(session, events_file=source))
