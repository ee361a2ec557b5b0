"""A tool that writes further files from the frames of its result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from zipfile import ZipFile

import numpy as np
import pytest

from tests.support.media_files import picture
from tests.support.planned_videos import clip
from wangp_cli.errors import GenerationError
from wangp_cli.media.clip import Frames, as_float
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.job import ToolJob
from wangp_cli.runtime.outcome import Outcome
from wangp_cli.runtime.session import Session
from wangp_cli.tasks import TASKS
from wangp_cli.tasks.fields import Flag, Input
from wangp_cli.tasks.render import Shape
from wangp_cli.tasks.stages import Stage
from wangp_cli.tasks.tool import ResultShape, Tool
from wangp_cli.value_layers import Layer
from wangp_cli.workflows.files_beside import FileBeside, write_beside
from wangp_cli.workflows.tool_stream import input_audio, stream_frames, write_result


class Split(Tool):
    """The input as it is, beside it its red channel and an archive of it upside down."""

    run: ClassVar[str] = f"{__name__}:split"
    type: Literal["split"] = "split"
    video: Annotated[Path, Input(("video", "image")), Flag("Video or image.")]
    broken: Annotated[bool, Flag("Fail after the first frame.")] = False

    def result_shape(self, inputs: Mapping[str, Sequence[Shape]]) -> ResultShape:
        """That of the input."""
        [video] = inputs["video"]
        return ResultShape((video.width, video.height), video.frames, video.fps)

    def files_beside(self, result: Path) -> tuple[Path, ...]:
        """The two further files."""
        return result.with_stem(f"{result.stem}_red"), result.with_suffix(".zip")


def split(job: ToolJob) -> Iterator[Stage]:
    """The workflow of `Split`."""
    task = job.request.task
    assert isinstance(task, Split)
    yield "process"
    red, turned = task.files_beside(job.request.outputs[0])

    def pieces() -> Iterator[tuple[Frames, Frames, Frames]]:
        for piece in stream_frames(job, task.video):
            for i in range(len(piece)):
                frame = piece[i : i + 1, ..., :3]
                yield frame, frame[..., :1], frame[:, ::-1]
                if task.broken:
                    raise GenerationError("broken")

    files = [FileBeside(red, "red"), FileBeside(turned, "archive")]
    write_result(job, write_beside(job, pieces(), files), input_audio(job, task.video))


@pytest.fixture
def session(home: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("HOME", str(home))
    return bootstrap.start([], tasks={**TASKS, "split": Split})


def made(session: Session, **values: Any) -> Outcome:
    return execute(lambda: [Layer(kind="flag", values={"type": "split", **values})], session)


def test_files_of_a_video_are_written_from_one_stream(session: Session, tmp_path: Path) -> None:
    video = clip(tmp_path, "a", 5, sound=True)
    outcome = made(session, video=video, output=tmp_path / "out" / "b.mkv", codec="ffv1")
    assert outcome.manifest is not None
    artifacts = {artifact["role"]: artifact for artifact in outcome.manifest["artifacts"]}
    assert list(artifacts) == ["red", "archive", "video"]
    assert {role: artifact["frames"] for role, artifact in artifacts.items()} == dict.fromkeys(artifacts, 5)
    assert (artifacts["red"]["fps"], artifacts["red"]["codec"]) == ("16", "ffv1")
    frames = read_video(video).frames
    red = read_video(artifacts["red"]["path"]).frames
    np.testing.assert_allclose(as_float(red[..., :1]), as_float(frames[..., :1]), atol=0.02)
    with ZipFile(artifacts["archive"]["path"]) as archive:
        assert len(archive.namelist()) == 5
        archive.extract("frame_000004.png", tmp_path)
    assert np.array_equal(read_image(tmp_path / "frame_000004.png")[0], frames[4, ::-1])


def test_of_an_image_they_are_images(session: Session, tmp_path: Path) -> None:
    image = picture(tmp_path, "a", 1)
    outcome = made(session, video=image, output=tmp_path / "b.png")
    assert outcome.error is None
    assert np.array_equal(read_image(tmp_path / "b_red.png")[..., 0], read_image(image)[..., 0])
    with ZipFile(tmp_path / "b.zip") as archive:
        assert archive.namelist() == ["frame_000000.png"]


def test_no_file_is_left_of_a_tool_that_fails(session: Session, tmp_path: Path) -> None:
    outcome = made(session, video=clip(tmp_path, "a", 5), output=tmp_path / "out" / "b.mkv", broken=True)
    assert isinstance(outcome.error, GenerationError)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifests"]
