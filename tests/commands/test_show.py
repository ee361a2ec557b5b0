"""`wangp show`."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from tests.conftest import Make, Run
from wangp_cli.commands.show import file_facts, opened, request_of, show, write_sheet
from wangp_cli.errors import ConflictError, MediaError, RequestError
from wangp_cli.media.image_sequence import ArchiveWriter, FolderWriter
from wangp_cli.media.stills import read_image, write_image
from wangp_cli.media.write import write_video


def test_show_tells_what_a_file_is_and_was_made_from(make: Make, run: Run, tmp_path: Path) -> None:
    path = make(codec="h264", fps="24000/1001").path
    shown = run("show", path, "--json", "--sheet", "sheet.png", code=0).json()
    assert shown["request"]["prompt"] == "a red circle"
    assert {key: shown["file"][key] for key in ("frames", "fps", "codec", "width", "primaries")} == {
        "frames": 5, "fps": "24000/1001", "codec": "h264", "width": 32, "primaries": "bt709",
    }  # fmt: skip
    assert shown["sheet"] == str(tmp_path / "sheet.png")
    assert read_image(tmp_path / "sheet.png").shape[2] > 32
    people = run("show", path, code=0).stdout
    assert "24000/1001" in people
    assert "a red circle" in people


def test_show_reads_the_request_beside_a_file(make: Make) -> None:
    path = make(metadata_mode="sidecar").path
    found = request_of(path)
    assert found is not None
    assert found.values["prompt"] == "a red circle"


def test_a_file_without_a_request_is_shown_as_well(tmp_path: Path, run: Run) -> None:
    clip = tmp_path / "clip.mp4"
    write_video(clip, [np.zeros((3, 32, 32, 3), np.uint8)], fps=Fraction(8), comment="hello")
    assert request_of(clip) is None
    assert file_facts(clip)["frames"] == 3
    assert "no request" in run("show", clip, code=0).stdout


def test_a_sheet_never_replaces_a_file_unasked(tmp_path: Path) -> None:
    clip, sheet = tmp_path / "clip.mp4", tmp_path / "sheet.png"
    write_video(clip, [np.zeros((3, 32, 32, 3), np.uint8)], fps=Fraction(8))
    sheet.write_text("mine")
    with pytest.raises(ConflictError):
        write_sheet(clip, sheet, overwrite=False)
    assert sheet.read_text() == "mine"
    write_sheet(clip, sheet, overwrite=True)
    with pytest.raises(RequestError, match="sheet"):
        write_sheet(clip, tmp_path / "sheet.txt", overwrite=False)
    (tmp_path / "link.png").hardlink_to(sheet)
    with pytest.raises(RequestError, match=r"sheet: .* is the file that is shown"):
        write_sheet(sheet, tmp_path / "link.png", overwrite=True)


def test_defaults_are_counted_and_unused_values_marked(tmp_path: Path, run: Run) -> None:
    document = {
        "request": {
            "prompt": "a circle",
            "negative_prompt": "blur",
            "steps": 3,
            "sampler": "euler",
            "nag_tau": 3.5,
        },
        "origin": {
            "prompt": "flag",
            "negative_prompt": "flag",
            "steps": "model x",
            "sampler": "default",
            "nag_tau": "default",
        },
        "unused": ["negative_prompt"],
    }
    image = tmp_path / "a.png"
    write_image(image, np.zeros((32, 32, 3), np.float32), comment=json.dumps({"wangp": document}))
    shown = run("show", image, code=0).stdout
    assert "blur (not used)" in shown
    assert "steps" in shown
    assert "sampler" not in shown
    assert "2 other values are defaults; --json shows all." in shown
    printed = run("show", image, "--json", code=0).json()
    assert (printed["request"], printed["unused"]) == (document["request"], ["negative_prompt"])


@pytest.mark.parametrize("name", ["gone.mp4", "notes.txt"])
def test_a_file_that_cannot_be_shown_is_named(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    assert name in run("show", name, code=2).stderr


@pytest.mark.parametrize("request_", [5, "a", ["a"], None])
def test_metadata_whose_request_is_no_object_is_shown_whole(tmp_path: Path, request_: object) -> None:
    picture = tmp_path / "a.png"
    comment = json.dumps({"wangp": {"request": request_}, "prompt": "a circle"})
    write_image(picture, np.zeros((32, 32, 3), np.float32), comment=comment)
    found = request_of(picture)
    assert found is not None
    assert found.values["prompt"] == "a circle"


def test_hostile_metadata_is_shown_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "[bold]a[/]\x1b]0;t\x07\x9b1m\u202e\nerror: forged[/nothing]" + "b" * 100_000
    picture = tmp_path / "a\x1b[2J.png"
    comment = json.dumps({"wangp": {"request": {hostile: hostile, "list": [hostile]}}})
    write_image(picture, np.zeros((32, 32, 3), np.float32), comment=comment)
    show(picture)
    shown = capsys.readouterr().out
    assert re.sub(r"[ -~\n]", "", shown) == ""
    assert "[bold]a[/]\\x1b]0;t\\x07\\x9b1m\\u202e" in shown
    assert not re.search(r"^error", shown, re.MULTILINE)
    assert len("".join(shown.split())) < 20_000


def test_frames_in_a_folder_or_an_archive_are_shown_as_one_result(tmp_path: Path, run: Run) -> None:
    comment = json.dumps({"wangp": {"request": {"type": "matanyone"}}})
    frames = np.full((3, 32, 48, 4), 90, np.uint8)
    folder, archive = tmp_path / "frames", tmp_path / "frames.zip"
    folder.mkdir()
    writer = FolderWriter(folder, comment=comment)
    writer.add(frames)
    writer.finish()
    with ArchiveWriter(archive, comment=comment) as zipped:
        zipped.add(frames)
        zipped.finish()
    for path, container in ((folder, "folder"), (archive, "zip")):
        shown = run("show", path, "--json", code=0).json()
        assert shown["request"] == {"type": "matanyone"}
        facts = {name: shown["file"][name] for name in ("path", "kind", "frames", "width", "container")}
        assert facts == {
            "path": str(path), "kind": "images", "frames": 3, "width": 48, "container": container,
        }  # fmt: skip


def test_an_archive_without_frames_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no archive")
    with ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("../frame_000000.png", b"elsewhere")
    for name, words in (("empty", "no frames"), ("text.zip", "as a ZIP archive"), ("other.zip", "no frames")):
        with pytest.raises(MediaError, match=words) as caught, opened(tmp_path / name):
            pass
        assert name in caught.value.message
