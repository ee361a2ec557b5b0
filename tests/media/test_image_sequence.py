"""Frames as numbered PNG files, in folders and archives."""

from __future__ import annotations

import errno
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from tests.support.clips import moving
from tests.support.ffmpeg import ffmpeg
from wangp_cli.errors import GenerationError
from wangp_cli.media.clip import Frames
from wangp_cli.media.image_sequence import ArchiveWriter, FolderWriter, WrittenSequence, is_sequence
from wangp_cli.media.metadata import read_comment
from wangp_cli.media.stills import read_image

FRAMES = moving(5, channels=4)


def archive(path: Path) -> Path:
    with ArchiveWriter(path, comment="the request") as writer:
        writer.add(FRAMES[:3])
        writer.add(FRAMES[3:])
        writer.finish(5)
    return path


def test_a_folder_holds_every_frame_with_its_alpha(tmp_path: Path) -> None:
    writer = FolderWriter(tmp_path, comment="the request")
    writer.add(FRAMES[:3])
    writer.add(FRAMES[3:])
    assert writer.finish(5) == WrittenSequence(width=64, height=48, frames=5)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [f"frame_{number:06d}.png" for number in range(5)]
    assert np.array_equal(np.concatenate([read_image(file) for file in files]), FRAMES)
    assert [read_comment(file) for file in files[:2]] == ["the request", None]
    decoded = ffmpeg("-i", tmp_path / "frame_%06d.png", "-f rawvideo -pix_fmt rgba -")
    assert decoded == FRAMES.tobytes()


def test_sixteen_bits_are_kept_on_request(tmp_path: Path) -> None:
    deep = moving(1, channels=4, dtype=np.uint16)
    writer = FolderWriter(tmp_path, bits=16)
    writer.add(deep)
    writer.finish()
    assert np.array_equal(read_image(tmp_path / "frame_000000.png"), deep)


def test_an_archive_holds_the_same_files_and_is_the_same_each_time(tmp_path: Path) -> None:
    made = archive(tmp_path / "a.zip")
    with ZipFile(made) as opened:
        assert opened.testzip() is None
        opened.extractall(tmp_path / "out")
    frames = [read_image(file) for file in sorted((tmp_path / "out").iterdir())]
    assert np.array_equal(np.concatenate(frames), FRAMES)
    assert archive(tmp_path / "b.zip").read_bytes() == made.read_bytes()


def test_an_archive_that_is_not_finished_is_no_file(tmp_path: Path) -> None:
    def interrupted() -> None:
        with ArchiveWriter(tmp_path / "a.zip") as writer:
            writer.add(FRAMES)
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("pieces", "frames", "words"),
    [
        ([], None, "no frames"),
        ([FRAMES], 6, "5 frames were given, wanted 6"),
        ([FRAMES, moving(1, 32, 48, channels=4)], None, "frame 5 is"),
        ([np.full((1, 8, 8, 4), np.nan, np.float32)], None, "frame 0 has values that are not finite"),
    ],
)
def test_frames_that_make_no_sequence_are_refused(
    pieces: list[Frames], frames: int | None, words: str, tmp_path: Path
) -> None:
    def write() -> None:
        writer = FolderWriter(tmp_path)
        for piece in pieces:
            writer.add(piece)
        writer.finish(frames)

    with pytest.raises(GenerationError, match=words):
        write()


def test_only_a_folder_of_frames_alone_is_a_sequence(tmp_path: Path) -> None:
    writer = FolderWriter(tmp_path)
    writer.add(FRAMES)
    assert is_sequence(tmp_path)
    (tmp_path / "notes.txt").touch()
    assert not is_sequence(tmp_path)
