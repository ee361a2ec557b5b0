"""Control pictures of files, from values to published results."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import Run
from tests.support.clips import moving
from tests.support.damaged_files import intra_clip, wipe
from tests.support.depth_anything import write_depth_anything
from tests.support.media_files import picture
from tests.support.planned_videos import clip
from wangp_cli.errors import DamagedMediaError, ModelError, RequestError
from wangp_cli.media.clip import as_uint8
from wangp_cli.media.facts import probe
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image
from wangp_cli.media.write import write_video
from wangp_cli.networks.line_art import LineArt
from wangp_cli.preprocess.canny import canny
from wangp_cli.preprocess.kinds import KINDS
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.outcome import Outcome
from wangp_cli.runtime.request.resolve import resolve
from wangp_cli.runtime.session import Session
from wangp_cli.tasks.control_pictures import READ_BY, PictureOptions
from wangp_cli.tasks.preprocess import Preprocess
from wangp_cli.value_layers import Layer
from wangp_cli.workflows.control_pictures import settings_of


@pytest.fixture
def session(home: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("HOME", str(home))
    return bootstrap.start([])


@pytest.fixture
def lossless(tmp_path: Path) -> Path:
    """A video of 6 frames at 16 fps, 64x48."""
    path = tmp_path / "in.mkv"
    write_video(path, [moving(6)], fps=Fraction(16), codec="ffv1")
    return path


def layers(**values: object) -> list[Layer]:
    return [Layer(kind="flag", values={"type": "preprocess", **values})]


def made(session: Session, **values: object) -> Outcome:
    return execute(lambda: layers(codec="ffv1", **values), session)


def manifest_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.error is None
    assert outcome.manifest is not None
    return outcome.manifest


def test_the_task_has_every_kind_and_every_setting() -> None:
    assert set(Preprocess.model_fields["kind"].annotation.__args__) == set(KINDS)  # type: ignore[union-attr]
    assert READ_BY.keys() == PictureOptions.model_fields.keys()
    assert settings_of(PictureOptions(pose_parts=("hands",))).pose_parts == ("hands",)
    assert settings_of(PictureOptions()) == type(settings_of(PictureOptions()))()


def test_edges_of_a_video_are_a_video_with_its_sound(session: Session, tmp_path: Path) -> None:
    source = clip(tmp_path, "a", 9, sound=True)
    manifest = manifest_of(made(session, kind="canny", video=source, output=tmp_path / "o.mkv"))
    [artifact] = manifest["artifacts"]
    assert (artifact["role"], artifact["frames"], artifact["fps"]) == ("video", 9, "16")
    assert probe(tmp_path / "o.mkv").audio_codec is not None
    edges = read_video(tmp_path / "o.mkv").frames
    assert np.array_equal(edges, as_uint8(canny(read_video(source).frames)))
    assert manifest["inputs"]["engines"] == {"engine": "classic"}


def test_an_image_gives_an_image(session: Session, tmp_path: Path) -> None:
    manifest = manifest_of(
        made(session, kind="gray", video=picture(tmp_path, "a", 1), output_dir=tmp_path, size="40x24")
    )
    assert Path(manifest["artifacts"][0]["path"]).name == "a_gray.png"
    grey = read_image(tmp_path / "a_gray.png")
    assert grey.shape == (1, 24, 40, 3)
    assert (grey == grey[..., :1]).all()
    # It has no engine, so none is named.
    assert manifest["inputs"]["engines"] == {}


def test_a_clip_that_is_read_whole_reports_each_frame_and_can_be_stopped(
    home: Path, lossless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    events: list[Any] = []

    def record(event: Any) -> None:
        events.append(event)
        if event.type == "task.progress" and event.data["stage"] == "analyse" and event.data["step"] == 3:
            told.control.cancel(str(event.task))

    told = replace(bootstrap.start([record]), progress_interval=0.0)
    outcome = made(told, kind="flow", video=lossless, output=lossless.with_name("o.mkv"))
    assert outcome.status == "cancelled"
    steps = [event.data["step"] for event in events if event.type == "task.progress"]
    assert steps == [1, 2, 3]


def test_size_and_rate_change_before_the_pictures_are_made(session: Session, lossless: Path) -> None:
    output = lossless.with_name("o.mkv")
    manifest_of(made(session, kind="canny", video=lossless, output=output, size="32x32", fps=8, fit="pad"))
    facts = probe(output)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (32, 32, 3, Fraction(8))
    # The bars above and below are edges, so they were there before.
    assert read_video(output).frames[0, 4].any()


@pytest.mark.parametrize("rate", [None, "4"])
def test_frames_before_damage_are_kept(session: Session, tmp_path: Path, rate: str | None) -> None:
    video = intra_clip(tmp_path / "a.mp4", 24)
    wipe(video, [20, 22])
    outcome = made(session, kind="gray", video=video, output=tmp_path / "b.mkv", fps=rate)
    assert isinstance(outcome.error, DamagedMediaError)
    assert "'a.mp4' is damaged at frame 20" in outcome.error.message
    assert probe(tmp_path / "b_partial.mkv").frames == (10 if rate else 20)


def test_motion_is_drawn_by_its_strength(session: Session, lossless: Path) -> None:
    pale, strong = (lossless.with_name(f"{strength}.mkv") for strength in (0.2, 1))
    for output in (pale, strong):
        strength = float(output.stem)
        manifest_of(made(session, kind="flow", video=lossless, output=output, motion_strength=strength))
    frames = read_video(strong).frames
    assert len(frames) == 6
    assert np.array_equal(frames[0], frames[1])
    assert frames.mean() < read_video(pale).frames.mean() < 255


def test_lines_are_drawn_by_the_network_of_the_catalogue(session: Session, lossless: Path) -> None:
    spec = session.catalogue.get("line-art")
    [name] = spec.source.file
    file = session.models_dir / name.removeprefix("hf://").replace("/", "--", 1)
    file.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(LineArt().state_dict(), file)
    scribble, edges = lossless.with_name("s.mkv"), lossless.with_name("e.mkv")
    manifest = manifest_of(made(session, kind="scribble", video=lossless, output=scribble))
    assert manifest["inputs"]["engines"] == {"engine": "line-art"}
    assert manifest["inputs"]["licences"] == {"line-art": "MIT"}
    manifest_of(made(session, kind="canny", engine="line-art", video=lossless, output=edges))
    drawn, found = read_video(scribble).frames, read_video(edges).frames
    assert np.array_equal(found, np.where(drawn < 127.5, 255, 0))
    # That the network is there does not change what canny is.
    manifest = manifest_of(made(session, kind="canny", video=lossless, output=edges, overwrite=True))
    assert manifest["inputs"]["engines"] == {"engine": "classic"}


def test_depth_and_poses_are_drawn_by_networks_of_a_user(
    home: Path, lossless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from tests.support.onnx_pose import write_detector, write_estimator

    write_depth_anything(home / "depth")
    detector, estimator = write_detector(home / "d.onnx"), write_estimator(home / "p.onnx")
    entries = {
        "my-depth": {"architecture": "depth_anything", "source": {"folder": str(home / "depth")}},
        "my-pose": {
            "architecture": "dwpose",
            "source": {"file": str(estimator), "modules": {"detector": [str(detector)]}},
        },
    }
    models = {name: {"title": name, "kind": "preprocessor", **entry} for name, entry in entries.items()}
    (home / "config" / "models").mkdir(parents=True)
    (home / "config" / "models" / "mine.yaml").write_text(json.dumps({"models": models}))
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(home / "config"))
    session = bootstrap.start([])
    for kind in ("depth", "pose"):
        output = lossless.with_name(f"{kind}.mkv")
        # Those of the catalogue are not here, so `auto` takes the user's.
        manifest = manifest_of(made(session, kind=kind, video=lossless, output=output))
        assert manifest["inputs"]["engines"] == {"engine": f"my-{kind}"}
        frames = read_video(output).frames
        assert frames.shape == (6, 48, 64, 3)
        # At this size limbs are finer than a pixel.
        assert np.ptp(frames) > (100 if kind == "depth" else 10)


@pytest.mark.parametrize(
    ("kind", "model"),
    [("depth", "depth-anything-v2-small"), ("pose", "dwpose"), ("scribble", "line-art")],
)
def test_kinds_that_need_weights_say_how_to_get_them(
    session: Session, lossless: Path, kind: str, model: str
) -> None:
    values = {"kind": kind, "video": lossless, "output_dir": lossless.parent / "out"}
    notices = resolve(layers(**values), session).document()["notices"]
    assert any(f"wangp models fetch {model}" in notice for notice in notices)
    outcome = made(session, **values)
    assert isinstance(outcome.error, ModelError)
    assert outcome.error.hint == f"wangp models fetch {model}"


def test_values_that_a_kind_does_not_read_are_told(session: Session, lossless: Path) -> None:
    request = resolve(
        layers(kind="gray", video=lossless, depth_contrast=2, engine="auto", fit="pad", output_dir="o"),
        session,
    )
    assert sorted(request.unused) == ["depth_contrast", "engine", "fit"]
    request = resolve(layers(kind="flow", video=lossless, motion_strength=2, output_dir="o"), session)
    assert request.unused == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "flow", "video": "a.png"}, "--video: an image, but flow is from one frame to the next"),
        ({"kind": "flow", "video": "one.mkv"}, "--video: a video of one frame, but flow"),
        ({"kind": "edges", "video": "a.png"}, "--kind: 'edges' is not one of"),
        ({"kind": "canny", "video": "a.png", "engine": "dwpose"}, "--engine: model 'dwpose' cannot do this"),
        ({"kind": "pose", "video": "a.png", "pose_parts": ["feet"]}, "--pose-part"),
        ({"kind": "depth", "video": "a.png", "depth_contrast": -1}, "--depth-contrast: -1"),
        ({"kind": "canny", "video": "missing.png"}, "--video: "),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(tmp_path, "a", 1)
    write_video(tmp_path / "one.mkv", [moving(1)], fps=Fraction(16), codec="ffv1")
    with pytest.raises(RequestError) as told:
        resolve(layers(**values), session)
    assert words in str(told.value)


@pytest.mark.slow
def test_a_batch_makes_many_and_resumes(run: Run, lossless: Path, tmp_path: Path) -> None:
    kinds = ["canny", "gray"]
    tasks = tmp_path / "tasks.jsonl"
    lines = [
        {"type": "preprocess", "kind": kind, "video": str(lossless), "output": f"{kind}.mkv"}
        for kind in kinds
    ]
    tasks.write_text("\n".join(map(json.dumps, lines)))
    done = run("batch", str(tasks), "--output-dir", "out")
    assert done.exit_code == 0, done.stderr
    assert [event["type"] for event in done.events].count("task.completed") == 2
    again = run("batch", str(tasks), "--output-dir", "out", "--resume")
    assert again.exit_code == 0
    assert "task.started" not in [event["type"] for event in again.events]
