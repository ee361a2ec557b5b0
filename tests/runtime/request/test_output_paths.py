"""Output paths, decided before any model runs."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.support.task_types import Invert
from wangp_cli.errors import ConflictError, NoSpaceError, RequestError
from wangp_cli.runtime.request import output_paths
from wangp_cli.runtime.request.output_paths import (
    check_writable,
    expand_name,
    plan_outputs,
    plan_plain_outputs,
    plan_tool_outputs,
    result_files,
    slug,
)
from wangp_cli.tasks.extract_frame import ExtractFrame
from wangp_cli.tasks.generate import Generate
from wangp_cli.tasks.shape import ResultShape

SIZE = (64, 32)


def task(folder: Path, **values: Any) -> Generate:
    return Generate(model="m", prompt="A  Red, red Circle!", seed=7, output_dir=folder, **values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A  Red, red Circle!", "a-red-red-circle"),
        ("\u00c4rger \ufb01lm", "\u00e4rger-film"),
        ("word " * 20, "-".join(["word"] * 9)),
        ("...", "untitled"),
    ],
)
def test_free_text_becomes_a_slug_cut_at_a_word(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_a_name_is_made_of_values_of_the_task(tmp_path: Path) -> None:
    name = expand_name(task(tmp_path, name="{prompt}_{seed}_{index}_{frames}"), 1, {"frames": 5})
    assert name == "a-red-red-circle_8_002_5"


@pytest.mark.parametrize("name", ["{colour}", "../x", "a/b", ".hidden", "~x", " . ", "a:b"])
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError) as caught:
        expand_name(task(tmp_path, name=name), 0, {})
    assert caught.value.field == "name"


def test_one_frame_is_an_image_and_more_are_a_video(tmp_path: Path) -> None:
    suffixes = [plan_outputs(task(tmp_path), frames, SIZE, set())[0].suffix for frames in (1, 5)]
    assert suffixes == [".png", ".mp4"]


def test_several_results_of_one_output_are_numbered(tmp_path: Path) -> None:
    paths = plan_outputs(task(tmp_path, output=tmp_path / "x.mkv", count=2), 5, SIZE, set())
    assert [path.name for path in paths] == ["x_001.mkv", "x_002.mkv"]
    with pytest.raises(RequestError, match="several results one name"):
        plan_outputs(task(tmp_path, name="same", count=2), 5, SIZE, set())


def test_a_file_of_a_result_that_exists_is_a_conflict(tmp_path: Path) -> None:
    given = task(tmp_path, output=tmp_path / "x.mkv", metadata_mode="sidecar")
    assert [file.name for file in result_files(given, tmp_path / "x.mkv")] == ["x.mkv", "x.json"]
    (tmp_path / "x.json").touch()
    with pytest.raises(ConflictError, match=r"x\.json exists"):
        plan_outputs(given, 5, SIZE, set())
    assert plan_outputs(given.replace(overwrite=True), 5, SIZE, set()) == [tmp_path / "x.mkv"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"codec": "h264", "size": "63x32"}, "codec"),
        ({"codec": "prores", "crf": 20}, "crf"),
        ({"codec": "h264", "crf": 60}, "crf"),
        ({"codec": "vp9", "output": Path("x.mov")}, "codec"),
        ({"output": Path("x.txt")}, "output"),
        ({"output": Path("x.mkv"), "temporal_upsampling": "rife64"}, "output"),
        ({"codec": "av1", "temporal_upsampling": "rife64"}, "codec"),
    ],
)
def test_what_a_codec_cannot_write_is_refused(tmp_path: Path, values: dict[str, Any], field: str) -> None:
    given = task(tmp_path, **values)
    size = (63, 32) if given.size == "63x32" else SIZE
    with pytest.raises(RequestError) as caught:
        plan_outputs(given, 5, size, set())
    assert caught.value.field == field


@pytest.mark.parametrize(("alpha", "able"), [(False, "h264-444"), (True, "prores4444")])
def test_a_codec_for_odd_sizes_is_told_that_has_alpha_where_it_must(
    tmp_path: Path, *, alpha: bool, able: str
) -> None:
    given = Invert(video=Path("a.mkv"), codec="vp9", output=tmp_path / "x.webm")
    with pytest.raises(RequestError, match="takes even sizes, not 63x31") as caught:
        plan_tool_outputs(given, ResultShape((63, 31), 5, Fraction(8), alpha), set())
    assert caught.value.hint == f"--codec {able} or ffv1"


def test_a_tool_has_the_suffix_that_it_declares(tmp_path: Path) -> None:
    paths = plan_plain_outputs(ExtractFrame(video=Path("clip.mkv"), output_dir=tmp_path), set())
    assert paths == [tmp_path / "clip_frame_0.png"]


@pytest.mark.parametrize("field", ["output", "output_dir", "manifest_path"])
def test_a_folder_that_cannot_be_written_is_told_with_the_option_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    def fail(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Permission bits do not stop root.
    monkeypatch.setattr(output_paths, "TemporaryFile", fail)
    with pytest.raises(NoSpaceError, match=f"{field}: .* cannot be written") as caught:
        check_writable(field, tmp_path / "new", set())
    assert str(caught.value.hint).startswith(f"--{field.replace('_', '-')} ")


def test_a_folder_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writable: set[Path] = set()
    check_writable("output_dir", tmp_path, writable)
    monkeypatch.delattr(output_paths, "TemporaryFile")
    check_writable("output_dir", tmp_path, writable)
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="is a file"):
        check_writable("output_dir", tmp_path / "file", writable)


@pytest.mark.parametrize(
    ("content", "replaced"),
    [
        ('{"name": "mine"}', False),
        ("[1]", False),
        ("no JSON", False),
        ('{"wangp": {"request": {}}}', True),
        ('{"type": "WanGP v10 by DeepBeepMeep - Wan2.1"}', True),
    ],
)
@pytest.mark.parametrize("replaces", [{"overwrite": True}, {"skip_existing": True}])
def test_a_file_beside_a_result_is_replaced_only_if_it_is_a_sidecar(
    tmp_path: Path, content: str, replaced: bool, replaces: dict[str, bool]
) -> None:
    (tmp_path / "package.json").write_text(content)
    made = task(tmp_path, output=tmp_path / "package.mp4", metadata_mode="sidecar", **replaces)
    if replaced:
        assert plan_outputs(made, 5, SIZE, set()) == [tmp_path / "package.mp4"]
    else:
        with pytest.raises(ConflictError, match=r"package\.json exists and is no request"):
            plan_outputs(made, 5, SIZE, set())


def test_a_link_in_the_place_of_a_sidecar_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to(tmp_path / "gone")
    with pytest.raises(ConflictError, match=r"a\.json"):
        plan_outputs(task(tmp_path, name="a", metadata_mode="sidecar", overwrite=True), 5, SIZE, set())


@pytest.mark.parametrize(("name", "fault"), [("x" * 300, "is too long"), ("a\0b", "NUL")])
@pytest.mark.parametrize("field", ["output", "output_dir"])
def test_a_place_that_no_system_has_is_refused(tmp_path: Path, field: str, name: str, fault: str) -> None:
    place = {"output_dir": tmp_path} | {field: tmp_path / name / "a.mp4"}
    made = Generate(model="m", prompt="a", **place)
    with pytest.raises(RequestError, match=f"^{field}: .*{fault}"):
        plan_outputs(made, 5, SIZE, set())


def with_alpha(folder: Path, fps: int | None, **values: Any) -> str:
    """The ending of the result of a tool that has alpha."""
    tool = Invert(video=folder / "a.mp4", output_dir=folder, **values)
    shape = ResultShape(SIZE, frames=3, fps=Fraction(fps) if fps else None, alpha=True)
    return plan_tool_outputs(tool, shape, set())[0].suffix


def test_a_result_with_alpha_has_a_usual_ending_that_holds_it(tmp_path: Path) -> None:
    assert with_alpha(tmp_path, 8) == ".mov"
    assert with_alpha(tmp_path, 8, codec="vp9") == ".webm"
    assert with_alpha(tmp_path, None) == ".png"
    assert with_alpha(tmp_path, 8, output=tmp_path / "a.mkv") == ".mkv"


@pytest.mark.parametrize(
    ("values", "fps", "words"),
    [
        ({"codec": "h264"}, 8, "codec: h264 has no alpha channel"),
        ({"output": "a.mp4"}, 8, "output: '.mp4' has no alpha channel"),
        ({"output": "a.jpg"}, None, "'a.jpg' does not end as an image with alpha does"),
        ({"image_format": "jpg"}, None, "image_format: JPEG has no alpha channel"),
    ],
)
def test_what_holds_no_alpha_is_refused_by_name(
    tmp_path: Path, values: dict[str, Any], fps: int | None, words: str
) -> None:
    with pytest.raises(RequestError, match=re.escape(words)) as caught:
        with_alpha(tmp_path, fps, **values)
    assert caught.value.hint


class Frames(Invert):
    """A tool that writes a folder of frames beside its result."""

    def folders_beside(self, result: Path) -> tuple[Path, ...]:
        """One."""
        return (result.with_suffix(""),)


@pytest.mark.parametrize(
    ("names", "overwrite", "free"),
    [
        ([], False, True),
        (["frame_000000.png"], False, False),
        (["frame_000000.png"], True, True),
        (["frame_000000.png", "notes.txt"], True, False),
    ],
)
def test_a_folder_of_frames_is_checked_before_it_is_made(
    tmp_path: Path, names: list[str], overwrite: bool, free: bool
) -> None:
    (tmp_path / "a").mkdir()
    for name in names:
        (tmp_path / "a" / name).touch()
    tool = Frames(video=tmp_path / "v.mp4", output=tmp_path / "a.mkv", overwrite=overwrite)
    shape = ResultShape(SIZE, 3, Fraction(8))
    if free:
        assert plan_tool_outputs(tool, shape, set()) == [tmp_path / "a.mkv"]
        return
    with pytest.raises(ConflictError, match="/a exists"):
        plan_tool_outputs(tool, shape, set())
