from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Annotated, Any

import pytest

from wangp_cli.runtime.intake import TaskLine, read_lines
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.extract_frame import ExtractFrame
from wangp_cli.tasks.fields import Input


def archive(folder: Path, queue: Any, **media: bytes) -> Path:
    file = folder / "queue.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        if queue is not None:
            opened.writestr("queue.json", json.dumps(queue))
        for name, content in media.items():
            opened.writestr(name.replace("__", "."), content)
    return file


def item(number: int, **params: Any) -> dict[str, Any]:
    return {"id": number, "params": {"model_type": "i2v", "settings_version": 2.5, "prompt": "a"} | params}


def lines(file: Path) -> list[TaskLine]:
    return list(read_lines(file, stdin=io.BytesIO(), work=file.parent / "work"))


def error(line: TaskLine) -> str:
    assert line.error is not None
    return line.error.message


def test_each_task_gets_its_media_in_a_folder_of_its_own(tmp_path: Path) -> None:
    shared = "task1_image_start_0.png"
    queue = [
        item(1, image_prompt_type="S", image_start=shared),
        item(2, image_prompt_type="S", image_start=[shared]),
        item(3, image_prompt_type="S", image_start="task3_image_start_0.png"),
        item(4),
    ]
    first, second, third, fourth = lines(archive(tmp_path, queue, task1_image_start_0__png=b"picture"))
    assert first.values is not None
    assert second.values is not None
    assert Path(first.values["image_start"]).read_bytes() == b"picture"
    assert Path(second.values["image_start"]).read_bytes() == b"picture"
    assert first.values["image_start"] != second.values["image_start"]
    assert "not among the media" in error(third)
    assert fourth.task_id == "4"
    written = [file for file in (tmp_path / "work").rglob("*") if file.is_file()]
    assert len(written) == 2


@pytest.mark.parametrize(
    "name",
    ["../outside.png", "/etc/passwd", "a/b.png", "queue.json", "https://x.org/a.png", "..\\a.png", "x.sh"],
)
def test_only_media_of_the_archive_can_be_named(tmp_path: Path, name: str) -> None:
    file = archive(tmp_path, [item(1, image_prompt_type="S", image_start=name)])
    with zipfile.ZipFile(file, "a") as opened:
        for member in ("../outside.png", "a/b.png", "x.sh"):
            opened.writestr(member, b"x")
    (line,) = lines(file)
    assert "not among the media" in error(line)
    assert not (tmp_path / "outside.png").exists()


def test_a_link_inside_is_refused(tmp_path: Path) -> None:
    file = archive(tmp_path, [item(1, image_prompt_type="S", image_start="task1_image_start_0.png")])
    member = zipfile.ZipInfo("task1_image_start_0.png")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "a") as opened:
        opened.writestr(member, "/etc/passwd")
    assert "no plain file" in error(lines(file)[0])


def test_a_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    (line,) = lines(archive(tmp_path, [item(1)], task1_image_start_0__png=bytes(3_000_000)))
    assert "times its size" in error(line)


def test_limits_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = archive(tmp_path, [item(1)], task1_image_start_0__png=b"picture")
    monkeypatch.setattr("wangp_cli.runtime.intake.queue_zip.MAX_TOTAL", 50)
    assert "more than" in error(lines(file)[0])
    monkeypatch.setattr("wangp_cli.runtime.intake.queue_zip.MAX_MEMBERS", 1)
    assert "2 files" in error(lines(file)[0])


def test_what_is_no_queue_is_one_error(tmp_path: Path) -> None:
    assert "has no queue.json" in error(lines(archive(tmp_path, None))[0])
    (tmp_path / "queue.zip").write_bytes(b"PK\x03\x04 and then nothing")
    assert "damaged" in error(lines(tmp_path / "queue.zip")[0])


def test_a_damaged_medium_is_the_error_of_its_task(tmp_path: Path) -> None:
    queue = [item(1, image_prompt_type="S", image_start="task1_image_start_0.png"), item(2)]
    file = archive(tmp_path, queue, task1_image_start_0__png=bytes(range(256)) * 40)
    with zipfile.ZipFile(file) as opened:
        offset = (
            opened.getinfo("task1_image_start_0.png").header_offset + 30 + len("task1_image_start_0.png") + 60
        )
    raw = bytearray(file.read_bytes())
    raw[offset : offset + 20] = bytes(20)
    file.write_bytes(raw)
    first, second = lines(file)
    assert "damaged" in error(first)
    assert second.error is None


def test_media_of_a_task_type_of_the_session_are_copied(tmp_path: Path) -> None:
    class Dub(ExtractFrame):
        """A task with a field that no task of wangp has."""

        narration: Annotated[Path | None, Input(("audio",))] = None

    task = {"type": "dub", "video": "task1_video_0.mp4", "narration": "task1_narration_0.wav"}
    file = archive(tmp_path, [task], task1_video_0__mp4=b"video", task1_narration_0__wav=b"audio")
    [line] = read_lines(file, stdin=io.BytesIO(), work=tmp_path / "work", tasks={**TASKS, "dub": Dub})
    assert line.values is not None
    assert Path(line.values["narration"]).read_bytes() == b"audio"
