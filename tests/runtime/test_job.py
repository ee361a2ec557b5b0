"""Files that a workflow writes and publishes through its job."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
import soundfile

from tests.support.planned_videos import clip
from wangp_cli.errors import ConflictError
from wangp_cli.media.image_sequence import FolderWriter, is_sequence
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.job import Job
from wangp_cli.runtime.jobs.cleanup import is_intact
from wangp_cli.runtime.outcome import Outcome
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.fields import Flag, Input
from wangp_cli.tasks.stages import Stage
from wangp_cli.tasks.task import Task
from wangp_cli.value_layers import Layer


class SplitVideo(Task):
    """Write the audio of a video, and beside it a mask of its bright pixels and its frames as pictures."""

    run: ClassVar[str] = f"{__name__}:split_video"
    suffixes: ClassVar[tuple[str, ...]] = (".wav",)
    type: Literal["split-video"] = "split-video"
    video: Annotated[Path, Input(("video",)), Flag("Video to split.")]


def split_video(job: Job) -> Iterator[Stage]:
    """The workflow of `SplitVideo`."""
    task = job.request.task
    assert isinstance(task, SplitVideo)
    yield "write"
    [path] = job.request.outputs
    audio = read_audio(task.video)
    with job.new_file(path) as partial:
        soundfile.write(partial, audio.samples, audio.rate)
    job.publish(path, "audio", duration_s=audio.seconds)
    masks = path.with_suffix(".npz")
    with job.new_file(masks) as partial:
        np.savez(partial, mask=read_video(task.video).frames.mean(axis=3) > 127)
    job.publish(masks)
    frames = path.with_suffix("")
    with job.new_folder(frames, may_replace=is_sequence) as folder:
        writer = FolderWriter(folder)
        writer.add(read_video(task.video).frames)
        written = writer.finish()
    job.publish(frames, frames=written.frames)


@pytest.fixture
def split(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HOME", str(home))
    video = clip(tmp_path, "a", 9, sound=True)

    def call(events: list[Any], **values: object) -> Outcome:
        session = bootstrap.start([events.append], tasks={**TASKS, "split-video": SplitVideo})
        said = {"type": "split-video", "video": video, "output_dir": tmp_path / "out", "name": "a"} | values
        return execute(lambda: [Layer(kind="flag", values=said)], session)

    return call


def test_audio_an_archive_of_masks_and_a_folder_are_results(split: Any, tmp_path: Path) -> None:
    events: list[Any] = []
    outcome = split(events)
    assert outcome.error is None
    created = [event.data for event in events if event.type == "artifact.created"]
    assert [(Path(one["path"]).name, one["role"], one["mime"]) for one in created] == [
        ("a.wav", "audio", "audio/wav"),
        ("a.npz", "result", "application/zip"),
        ("a", "result", "inode/directory"),
    ]
    assert [one["path"] for one in outcome.manifest["artifacts"]] == [one["path"] for one in created]
    for one in created[:2]:
        assert one["sha256"] == hashlib.sha256(Path(one["path"]).read_bytes()).hexdigest()
    assert created[2]["bytes"] == sum(file.stat().st_size for file in (tmp_path / "out" / "a").iterdir())
    assert len(list((tmp_path / "out" / "a").iterdir())) == 9
    assert is_intact(outcome.manifest)
    (tmp_path / "out" / "a" / "frame_000003.png").unlink()
    assert not is_intact(outcome.manifest)
    assert len(read_audio(tmp_path / "out" / "a.wav").samples) == 9 * 1000
    assert np.load(tmp_path / "out" / "a.npz")["mask"].shape == (9, 32, 32)


def test_a_file_of_the_user_is_replaced_only_where_the_task_says_so(split: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    mine = tmp_path / "out" / "a.npz"
    mine.write_text("mine")
    assert isinstance(split([]).error, ConflictError)
    assert mine.read_text() == "mine"
    assert [path.name for path in (tmp_path / "out").glob(".*")] == []
    assert split([], overwrite=True).error is None
    assert np.load(mine)["mask"].any()


def test_only_a_folder_of_frames_is_replaced_and_only_where_the_task_says_so(
    split: Any, tmp_path: Path
) -> None:
    frames = tmp_path / "out" / "a"
    assert split([]).error is None
    for made in ("a.wav", "a.npz"):
        (tmp_path / "out" / made).unlink()
    assert isinstance(split([]).error, ConflictError)
    assert split([], overwrite=True).error is None
    (frames / "notes.txt").write_text("mine")
    assert isinstance(split([], overwrite=True).error, ConflictError)
    assert (frames / "notes.txt").read_text() == "mine"
    assert [path.name for path in (tmp_path / "out").glob(".*")] == []
