from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.report_pages import NASTY, clip, history, line, written
from wangp_cli.errors import ConflictError, RequestError
from wangp_cli.runtime.history.log import HISTORY, append_lines
from wangp_cli.runtime.report import page as pages
from wangp_cli.runtime.report.page import Page
from wangp_cli.runtime.report.read_history import read_history


def test_the_last_line_of_a_task_counts_and_torn_and_foreign_lines_are_counted(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        line("a", tmp_path, status="error", error="out of memory"),
        line("b", tmp_path, status="error", error={"kind": "oom", "message": "no memory", "hint": "--size"}),
        '{"torn": ',
        "[1]",
        '{"task_id": 5, "request": {}}',
        '{"task_id": "x"}',
        "",
        '{"task_id": "n", "request": {"seed": NaN}}',
        "[" * 10_000,
        line("a", tmp_path, seconds=2.5),
    )
    assert [(e.task_id, e.status, e.attempts, e.seconds) for e in found.entries] == [
        ("b", "failed", 1, None),
        ("a", "done", 2, 2.5),
    ]
    assert found.entries[0].failure is not None
    assert (found.entries[0].failure.message, found.entries[0].failure.hint) == ("no memory", "--size")
    assert found.entries[1].failure is None
    assert found.skipped == 6


def test_rejected_lines_and_notices_are_in_the_report(tmp_path: Path) -> None:
    error = {"kind": "request", "message": "fraems: there is no such key", "hint": "did you mean frames?"}
    rejected = {"status": "rejected", "error": error}
    found = history(
        tmp_path,
        {"task_id": "a", "line": 1} | rejected,
        {"task_id": None, "line": 2, "notices": ["size: put on the grid", 5]} | rejected,
        {"task_id": None, "line": 3} | rejected,
        line("a", tmp_path, notices=["frames: snapped\x1b from 20"]),
        {"task_id": 5, "status": "rejected", "error": error},
        {"task_id": "b", "status": "rejected", "error": "text"},
    )
    assert [(entry.task_id, entry.status, entry.notices) for entry in found.entries] == [
        ("line 2", "rejected", ("size: put on the grid", "5")),
        ("line 3", "rejected", ()),
        ("a", "done", ("frames: snapped\\x1b from 20",)),
    ]
    assert found.entries[0].failure is not None
    assert found.entries[0].failure.hint == "did you mean frames?"
    assert found.skipped == 2
    page, *_ = written(tmp_path, found)
    assert "there is no such key" in page.read_text()
    assert "size: put on the grid" in page.read_text()


def test_values_of_the_wrong_type_are_left_out(tmp_path: Path) -> None:
    strange: dict[str, Any] = {"prompt": ["x"], "seed": True, "size": {}, "steps": None}
    found = history(
        tmp_path,
        line("a", tmp_path, request=strange, seconds=-1, artifacts=[5, {}, {"path": 3}], origin=[]),
        line("b", tmp_path, artifacts="x", seconds="5", output_dir=None, error=5, status=["x"]),
    )
    first, second = found.entries
    assert (first.prompt, first.seed, first.size, first.seconds, first.results) == ("", None, None, None, ())
    assert (first.command, second.status, second.results) == (None, "done", ())


def test_no_history_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"cannot read .*run_history.jsonl: No such file") as caught:
        read_history(tmp_path / HISTORY, tmp_path)
    assert caught.value.hint is not None
    assert "--manifest-path" in caught.value.hint


def test_strangers_texts_stay_inside_the_data(tmp_path: Path) -> None:
    lines = [line(f"t{i}", tmp_path, request={"prompt": text}) for i, text in enumerate(NASTY)]
    path, data, _ = written(tmp_path, history(tmp_path, *lines))
    text = path.read_text(encoding="utf-8")
    assert text.count("</script>") == 2
    assert "<!--" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert [task["prompt"] for task in data["tasks"]][:3] == NASTY[:3]


def test_links_are_relative_and_encoded_and_have_no_scheme(tmp_path: Path) -> None:
    names = ["a #1?.mp4", "javascript:alert(1).mp4", "100% ü.mp4", "sub/b.mp4"]
    made = clip(tmp_path / "run" / "seed.mp4")
    files = [tmp_path / "run" / name for name in names]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        shutil.copy(made, file)
    html = made.with_name("evil.html")
    html.write_text("x", encoding="utf-8")
    found = history(tmp_path / "run", line("a", tmp_path / "run", *files, html))
    _, data, counts = written(tmp_path / "run", found)
    assert [result.get("url") for result in data["tasks"][0]["results"]] == [
        "a%20%231%3F.mp4",
        "javascript%3Aalert%281%29.mp4",
        "100%25%20%C3%BC.mp4",
        "sub/b.mp4",
        None,
    ]
    assert (counts["linked"], counts["missing"]) == (5, 0)


def test_a_moved_or_copied_folder_shows_its_own_files(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    file = clip(old / "a.mp4")
    history(old, line("a", old, file))
    shutil.copytree(old, new)
    assert read_history(new / HISTORY, new).entries[0].results[0].file == new / "a.mp4"
    shutil.rmtree(old)
    assert read_history(new / HISTORY, new).entries[0].results[0].file == new / "a.mp4"


def test_a_file_of_the_same_name_from_another_folder_is_not_taken(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    file, wrong = clip(one / "a.mp4"), clip(other / "a.mp4")
    wrong.write_bytes(bytes(file.stat().st_size))
    history(other, line("a", one, file))
    assert read_history(other / HISTORY, other).entries[0].results[0].file == file


def test_embedding_takes_small_files_of_the_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = tmp_path / "run"
    inside, large, outside = (
        clip(run_dir / "a.mp4"),
        clip(run_dir / "b.mp4"),
        clip(tmp_path / "private.mp4"),
    )
    large.write_bytes(large.read_bytes() + bytes(9000))
    (run_dir / "link.mp4").symlink_to(outside)
    files = [inside, large, outside, run_dir / "link.mp4"]
    monkeypatch.setattr(pages, "LARGEST_EMBEDDED", 8000)
    _, data, counts = written(run_dir, history(run_dir, line("a", run_dir, *files)), embed=True)
    kinds = [result["url"].startswith("data:video/mp4;base64,") for result in data["tasks"][0]["results"]]
    assert kinds == [True, False, False, False]
    assert (counts["embedded"], counts["linked"]) == (1, 3)


def test_a_page_that_exists_is_kept_unless_told(tmp_path: Path) -> None:
    found = history(tmp_path, line("a", tmp_path))
    page = Page(path=tmp_path / "report.html", run_dir=tmp_path)
    page.write(found, overwrite=False)
    assert page.is_report()
    with pytest.raises(ConflictError, match="exists"):
        page.write(found, overwrite=False)
    assert [file.name for file in tmp_path.glob(".*")] == []


@pytest.mark.parametrize("name", [b"a@data@b", b"caf\xe9 $x ${title}", b"<b>&amp;\x1b"])
def test_any_name_of_a_folder_gives_a_page(tmp_path: Path, name: bytes) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
    clip(folder / "a.mp4")
    append_lines(folder / HISTORY, [line("a", folder, folder / "a.mp4")])
    found = read_history(folder / HISTORY, folder)
    assert (found.skipped, [entry.results[0].file for entry in found.entries]) == (0, [folder / "a.mp4"])
    page = Page(path=folder / "report.html", run_dir=folder)
    assert page.write(found, overwrite=False)["linked"] == 1
    assert page.path.read_text(encoding="utf-8").count('{"tasks":[') == 1


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_a_history_that_is_no_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "h.jsonl"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
    with pytest.raises(RequestError, match="no regular file"):
        read_history(path, tmp_path)
