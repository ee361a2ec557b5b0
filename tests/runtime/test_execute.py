"""Run requests of task types that a session is handed: tools without a model, own stages, two models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.clips import numbered, numbers
from tests.support.event_checks import check_event
from tests.support.task_types import TASK_TYPES
from wangp_cli.commands._estimate import estimate_text
from wangp_cli.media.clip import Frames
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import read_image
from wangp_cli.media.write import write_video
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.stream import Event
from wangp_cli.runtime.execute import execute
from wangp_cli.runtime.intake.readers import read_lines
from wangp_cli.runtime.intake.settings_file import load_settings_file
from wangp_cli.runtime.jobs.admission import Admission
from wangp_cli.runtime.jobs.rules import AdmissionRules
from wangp_cli.runtime.jobs.store import JobStore
from wangp_cli.runtime.jobs.worker import Worker
from wangp_cli.runtime.request.resolve import resolve
from wangp_cli.runtime.session import Session
from wangp_cli.value_layers import Layer


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def session(
    tiny_models: Path, home: Path, monkeypatch: pytest.MonkeyPatch, events: list[Event]
) -> Iterator[Session]:
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tiny_models))
    monkeypatch.setenv("HOME", str(home))
    found = bootstrap.start([events.append], tasks=TASK_TYPES)
    yield found
    found.pool.close()


def flags(folder: Path, **values: object) -> list[Layer]:
    return [Layer(kind="flag", values={"output_dir": folder, **values})]


def write_clip(path: Path, frames: Frames) -> Path:
    write_video(path, [frames], fps=Fraction(16), codec="ffv1")
    return path


def history(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "manifests" / "run_history.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_tool_without_a_model_runs_is_announced_and_recorded(
    session: Session, events: list[Event], tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", numbered(6))
    outcome = execute(lambda: flags(tmp_path / "out", type="extract-frame", video=clip, frame=4), session)
    assert outcome.error is None
    assert outcome.manifest is not None
    [artifact] = outcome.artifacts
    path = Path(artifact.path)
    assert path == tmp_path / "out" / "clip_frame_4.png"
    assert numbers(read_image(path)) == [4]
    for event in events:
        check_event(json.loads(event.line()))
    assert [event.data["path"] for event in events if event.type == "artifact.created"] == [str(path)]
    assert history(path.parent) == [outcome.manifest]
    assert outcome.manifest["inputs"] == {
        "models": {},
        "checksums": {"../clip.mkv": outcome.manifest["inputs"]["checksums"]["../clip.mkv"]},
    }
    assert outcome.manifest["origin"]["frame"] == "flag"
    stages = [(event.data["stage"], event.data["label"]) for event in events if event.type == "task.stage"]
    assert stages == [("read", "reading"), ("write", "writing")]
    fractions = [event.data["fraction"] for event in events if event.type == "task.progress"]
    assert fractions == [0.6, 1.0]


def test_the_result_of_a_tool_given_back_as_settings_makes_it_again(session: Session, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", numbered(6))
    first = execute(lambda: flags(tmp_path / "out", type="extract-frame", video=clip, frame=2), session)
    layer = load_settings_file(Path(first.artifacts[0].path), session.tasks)
    again = execute(lambda: [layer, *flags(tmp_path / "out", name="again")], session)
    assert numbers(read_image(Path(again.artifacts[0].path))) == [2]


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"frame": -3}, "--frame", "-3, but the video has 2 frames in 0.12 s"),
        ({"prompt": "a"}, "--prompt", "there is no such key"),
        ({"output": "a.mp4"}, "--output", "does not end as the result of extract-frame does"),
        ({"video": "none.mkv"}, "--video", "none.mkv"),
    ],
)
def test_a_tool_is_checked_like_any_task(
    session: Session, tmp_path: Path, values: dict[str, object], field: str, message: str
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", numbered(2))
    given = {"type": "extract-frame", "video": clip} | values
    layer = Layer(kind="line", name="1 of a", values=given)
    outcome = execute(lambda: [layer, *flags(tmp_path / "out")], session)
    assert (outcome.status, outcome.exit_code) == ("rejected", 2)
    assert field.removeprefix("--") in str(outcome.error)
    assert message in str(outcome.error)


def test_flags_and_settings_of_renders_do_not_disturb_a_tool(session: Session, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", numbered(2))
    session = replace(
        session, settings=session.settings.model_copy(update={"dtype": "bfloat16", "model": "t2v"})
    )
    layers = flags(tmp_path / "out", steps=3, model="tiny_t2v", type="extract-frame", video=clip)
    assert execute(lambda: layers, session).status == "completed"


def test_a_line_of_a_batch_runs_a_tool(session: Session, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", numbered(6))
    lines = [{"type": "extract-frame", "video": "clip.mkv", "frame": frame} for frame in (1, 3)]
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    rules = AdmissionRules(
        folder=tmp_path / "out", defaults=flags(tmp_path / "out", model="tiny_t2v"), roots=[tmp_path]
    )
    read = read_lines(file, stdin=None, work=tmp_path / "work", tasks=session.tasks)
    admitted = Admission(rules, session).admit(read)
    assert [one.error for one in admitted] == [None, None]
    store = JobStore.open(tmp_path / "jobs.sqlite", worker="first")
    store.submit([one.job for one in admitted if one.job])
    worker = Worker(store=store, session=session)
    jobs = [job for job in (store.claim(), store.claim()) if job]
    ends = [end for _, end in worker.run_by_stage(jobs)]
    assert [end.status for end in ends] == ["completed", "completed"]
    found = sorted(numbers(read_image(Path(end.artifacts[0].path)))[0] for end in ends)
    assert found == [1, 3]


def test_a_line_of_a_tool_may_not_name_files_outside(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text(json.dumps({"type": "extract-frame", "video": "/etc/passwd"}) + "\n", encoding="utf-8")
    read = read_lines(file, stdin=None, work=tmp_path / "work", tasks=session.tasks)
    rules = AdmissionRules(folder=tmp_path / "out", defaults=flags(tmp_path / "out"), roots=[tmp_path])
    [admitted] = Admission(rules, session).admit(read)
    assert admitted.error is not None
    assert "outside" in str(admitted.error)


def test_an_estimate_shows_the_stages_that_a_task_declares(session: Session, tmp_path: Path) -> None:
    values = {"type": "enhanced", "model": "tiny_t2v", "prompt": "a", "frames": 5, "output_dir": tmp_path}
    request = resolve([Layer(kind="flag", values=values)], session)
    facts = json.loads(estimate_text(request, session, json=True))
    assert set(facts["stages"]) == {"prepare", "load", "encode", "denoise", "decode", "write"}
    others = sum(facts["stages"][name] for name in ("encode", "denoise", "decode", "write"))
    assert others == pytest.approx(facts["run_seconds"], abs=0.01)
    assert "for enhancing the prompt" in estimate_text(request, session, json=False)
    clip = write_clip(tmp_path / "clip.mkv", numbered(2))
    tool = resolve(flags(tmp_path, type="extract-frame", video=clip), session)
    assert json.loads(estimate_text(tool, session, json=True))["stages"] == {"read": 0.6, "write": 0.4}
    assert estimate_text(tool, session, json=False) == "extract-frame\nstages   read 60%, write 40%"


def test_a_task_uses_two_models_in_one_job(session: Session, events: list[Event], tmp_path: Path) -> None:
    values = {"type": "two-models", "first": "tiny_t2v", "second": "tiny_vace"}
    outcome = execute(lambda: flags(tmp_path / "out", **values), session)
    assert outcome.error is None
    assert outcome.manifest is not None
    assert outcome.manifest["inputs"]["models"] == {"first": "tiny_t2v", "second": "tiny_vace"}
    assert [event.data["model"] for event in events if event.type == "model.loaded"] == [
        "tiny_t2v",
        "tiny_vace",
    ]
    frames = read_video(Path(outcome.artifacts[0].path)).frames
    assert len(frames) == 10
    swapped = execute(
        lambda: flags(
            tmp_path / "out", name="swapped", **{**values, "first": "tiny_vace", "second": "tiny_t2v"}
        ),
        session,
    )
    other = read_video(Path(swapped.artifacts[0].path)).frames
    assert np.array_equal(other, np.concatenate([frames[5:], frames[:5]]))
    assert not np.array_equal(other, frames)


def test_a_task_whose_second_model_is_not_here_does_not_start(session: Session, tmp_path: Path) -> None:
    values = {"type": "two-models", "first": "tiny_t2v", "second": "t2v"}
    outcome = execute(lambda: flags(tmp_path / "out", **values), session)
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert "t2v" in str(outcome.error)


def test_a_model_of_another_kind_than_its_role_needs_is_refused(
    config: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = "models: {cutout: {title: Cut-out, kind: matting, source: {repository: a/b}}}"
    (config / "models" / "tools.yaml").write_text(entry + "\n", encoding="utf-8")
    session = bootstrap.start([], tasks=TASK_TYPES)
    values = {"type": "two-models", "first": "tiny_t2v", "second": "cutout"}
    outcome = execute(lambda: flags(tmp_path / "out", **values), session)
    assert (outcome.status, outcome.exit_code) == ("rejected", 2)
    assert "second: model 'cutout' is of kind matting, wanted video" in str(outcome.error).replace("--", "")
