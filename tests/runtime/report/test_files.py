"""The files of tools in the report: pairs, archives, folders of frames, and inputs beside results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.browser import Browser, browser
from tests.support.report_pages import clip, history, line, written
from wangp_cli.files.checksum import bytes_of, sha256_of
from wangp_cli.media.image_sequence import ArchiveWriter, FolderWriter

__all__ = ["browser"]


def artifact(path: Path, role: str, **facts: Any) -> dict[str, Any]:
    return {"path": str(path), "role": role, "sha256": sha256_of(path), "bytes": bytes_of(path)} | facts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of a matte, and an input beside it."""
    run = tmp_path / "run"
    clip(tmp_path / "input.mp4")
    clip(run / "a.mp4")
    clip(run / "a_alpha.mp4")
    frames = np.full((3, 48, 64, 4), 128, np.uint8)
    with ArchiveWriter(run / "a.zip") as archive:
        archive.add(frames)
        archive.finish()
    (run / "a_frames").mkdir()
    writer = FolderWriter(run / "a_frames")
    writer.add(frames)
    writer.finish()
    return run


@pytest.fixture
def page(folder: Path) -> tuple[Path, dict[str, Any], dict[str, int]]:
    matte = [
        artifact(folder / "a.mp4", "mask_foreground"),
        artifact(folder / "a_alpha.mp4", "mask_alpha"),
        artifact(folder / "a.zip", "rgba_archive", frames=3),
        artifact(folder / "a_frames", "result", frames=3, mime="inode/directory"),
    ]
    large = [artifact(folder / "a_alpha.mp4", "video")]
    request = {
        "type": "upscale",
        "video": "../input.mp4",
        "image_start": "a_frames/frame_000000.png",
        "prompt": None,
        "model": None,
    }
    found = history(
        folder,
        line("matte", folder, artifacts=matte),
        line("large", folder, artifacts=large, request=request, inputs={"engines": {"engine": "classic"}}),
    )
    return written(folder, found)


def test_files_have_roles_and_links_that_suit_them(
    page: tuple[Path, dict[str, Any], dict[str, int]],
) -> None:
    _, data, counts = page
    matte, large = data["tasks"]
    shown = [(one["kind"], one["role"], one["url"], one.get("preview")) for one in matte["results"]]
    assert shown == [
        ("video", "mask_foreground", "a.mp4", None),
        ("video", "mask_alpha", "a_alpha.mp4", None),
        ("archive", "rgba_archive", "a.zip", None),
        ("folder", "result", "a_frames", "a_frames/frame_000000.png"),
    ]
    assert (counts["linked"], counts["missing"]) == (5, 0)
    assert "inputs" not in matte
    assert large["tool"] == "upscale, classic"
    assert [(one["role"], one["url"]) for one in large["inputs"]] == [
        ("input", "../input.mp4"),
        ("image_start", "a_frames/frame_000000.png"),
    ]


def test_a_folder_that_moved_with_the_run_is_found_and_one_that_is_gone_is_missing(
    folder: Path, tmp_path: Path
) -> None:
    made = artifact(folder / "a_frames", "result", mime="inode/directory")
    one = line("a", folder, artifacts=[made])
    moved = folder.rename(tmp_path / "moved")
    [entry] = history(moved, one).entries
    assert entry.results[0].file == moved / "a_frames"
    (moved / "a_frames").rename(tmp_path / "elsewhere")
    [entry] = history(moved, one).entries
    assert (entry.results[0].kind, entry.results[0].file) == ("folder", None)


@pytest.mark.parametrize("name", [None, 5, ["x" * 5000], "", "gone.mp4", "../../../../etc/passwd"])
def test_inputs_that_are_not_there_are_not_shown(folder: Path, name: object) -> None:
    [entry] = history(folder, line("a", folder, request={"type": "extract-frame", "video": name})).entries
    assert entry.inputs == ()


def test_pairs_play_side_by_side_and_an_archive_is_saved(
    page: tuple[Path, dict[str, Any], dict[str, int]], browser: Browser
) -> None:
    steps = """
    const card = (name) => $.querySelector(`[data-task=${name}]`);
    const all = (name, where) => [...card(name).querySelectorAll(where)];
    const sources = (name) => all(name, "video, img").map((one) => one.getAttribute("src"));
    const words = (name, where) => all(name, where).map((one) => one.textContent);
    await until(() => $.querySelectorAll("video[data-state=ready]").length === 4);
    const told = [words("matte", ".results button"), sources("matte"), words("matte", ".word"),
      sources("large"), words("large", ".word"), card("large").querySelector(".prompt").textContent];
    const link = card("matte").querySelector("a.open");
    for (const index of [2, 3]) {
      card("matte").querySelectorAll(".results button")[index].click();
      told.push([link.textContent, link.getAttribute("href"), link.getAttribute("download")]);
    }
    await until(() => card("matte").querySelector("img[data-state=ready]"));
    told.push(sources("matte"));
    return told;
    """
    assert browser.ask(page[0], steps) == [
        ["foreground", "alpha", "archive", "frames"],
        ["a.mp4", "a_alpha.mp4"],
        ["foreground", "alpha"],
        ["../input.mp4", "a_alpha.mp4"],
        ["input", "result"],
        "a_alpha.mp4",
        ["Save file", "a.zip", "a.zip"],
        ["Open folder", "a_frames", None],
        ["a_frames/frame_000000.png"],
    ]
