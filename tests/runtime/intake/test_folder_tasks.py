from __future__ import annotations

import os
from pathlib import Path

import pytest

from wangp_cli.errors import RequestError
from wangp_cli.runtime.intake import each_image, each_video
from wangp_cli.runtime.intake.folder_tasks import MAX_PROMPT


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def test_pictures_come_in_natural_order_as_start_pictures(tmp_path: Path) -> None:
    fill(tmp_path, "shot 10.png", "shot 9.PNG", "notes.md", ".hidden.png", "clip.mp4", "Shot 1.jpg")
    found = list(each_image(tmp_path, {"model": "i2v"}))
    assert [line.task_id for line in found] == ["Shot-1", "shot-9", "shot-10"]
    assert found[0].values == {
        "model": "i2v",
        "image_start": str(tmp_path / "Shot 1.jpg"),
        "task_id": "Shot-1",
    }


def test_a_text_beside_a_file_is_its_prompt(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "a.txt").write_text("\ufeffA quiet street\n", encoding="utf-8")
    (tmp_path / "c.txt").write_bytes(b"\xff")
    first, second, third = each_image(tmp_path, {"prompt": "usual"})
    assert first.values is not None
    assert second.values is not None
    assert first.values["prompt"] == "A quiet street"
    assert second.values["prompt"] == "usual"
    assert third.error is not None


def test_texts_beside_files_follow_the_rules_of_prompts(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "a-1.png", "b.png", "c.png")
    (tmp_path / "a.txt").write_text('# moods\n! {Mood}="calm","stormy"\na {Mood} sea', encoding="utf-8")
    (tmp_path / "b.txt").write_text("one\nline\n\n  # note\ntwo", encoding="utf-8")
    (tmp_path / "c.txt").write_text("# nothing", encoding="utf-8")
    lines = each_image(tmp_path, {"prompt": "usual"})
    assert [(line.task_id, (line.values or {})["prompt"]) for line in lines] == [
        ("a-1", "usual"),
        ("a-1-2", "a calm sea"),
        ("a-2", "a stormy sea"),
        ("b-1", "one\nline"),
        ("b-2", "two"),
        ("c", "usual"),
    ]


def test_a_mark_says_where_the_file_goes(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "a.jpg")
    found = list(each_image(tmp_path, {"image_refs": ["{file}", "logo.png"], "prompt": "x"}))
    assert [line.task_id for line in found] == ["a", "a-2"]
    assert found[0].values is not None
    assert found[0].values["image_refs"] == [str(tmp_path / "a.jpg"), "logo.png"]
    assert "image_start" not in found[0].values


def test_videos_are_control_videos(tmp_path: Path) -> None:
    (line,) = each_video(fill(tmp_path, "a.mov", "a.png"), {})
    assert line.values == {"video_guide": str(tmp_path / "a.mov"), "task_id": "a"}


def test_pictures_and_videos_of_cameras_and_the_web_are_found(tmp_path: Path) -> None:
    fill(tmp_path, "a.jfif", "b.AVIF", "c.heic", "d.apng", "e.gif", "f.MTS", "g.3gp", "h.wmv")
    assert [line.task_id for line in each_image(tmp_path, {})] == ["a", "b", "c"]
    assert [line.task_id for line in each_video(tmp_path, {})] == ["d", "e", "f", "g", "h"]


def test_a_folder_without_files_is_an_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(RequestError, match="each_image"):
            each_image(folder, {})


@pytest.mark.parametrize("kind", ["link", "folder link", "dangling", "pipe", "folder", "huge"])
def test_a_text_beside_a_file_is_opened_like_every_input(tmp_path: Path, kind: str) -> None:
    folder, secret = tmp_path / "in", tmp_path / "secret" / "a.txt"
    folder.mkdir()
    secret.parent.mkdir()
    secret.write_text("secret")
    text = fill(folder, "a.png") / "a.txt"
    match kind:
        case "link":
            text.symlink_to(secret)
        case "folder link":
            (folder / "up").symlink_to(secret.parent)
            text.symlink_to(folder / "up" / "a.txt")
        case "dangling":
            text.symlink_to(tmp_path / "gone")
        case "pipe":
            os.mkfifo(text)
        case "folder":
            text.mkdir()
        case "huge":
            with text.open("wb") as file:
                file.truncate(MAX_PROMPT + 1)
    (line,) = each_image(folder, {})
    assert line.values is None
    assert line.error is not None
    assert "prompt: cannot read" in line.error.message
    assert "secret" not in str(line.values)


def test_a_text_may_lie_in_another_folder_that_may_be_read(tmp_path: Path) -> None:
    folder, texts = tmp_path / "in", tmp_path / "texts"
    folder.mkdir()
    texts.mkdir()
    (texts / "a.txt").write_text("a circle")
    (fill(folder, "a.png") / "a.txt").symlink_to(texts / "a.txt")
    (line,) = each_image(folder, {}, [folder, texts])
    assert (line.values or {})["prompt"] == "a circle"
