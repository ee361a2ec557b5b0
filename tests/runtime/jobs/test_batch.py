"""The worker and the admission of a batch, in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.support import noop
from tests.support.events import check_event
from wangp_cli.pipelines import registry
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.stream import Event
from wangp_cli.runtime.intake import TaskLine
from wangp_cli.runtime.intake.task_line import digest_of
from wangp_cli.runtime.jobs.admission import Admission, AdmissionRules, LineResult
from wangp_cli.runtime.jobs.store import JobStore, open_store
from wangp_cli.runtime.jobs.worker import Worker
from wangp_cli.runtime.session import Session
from wangp_cli.value_layers import Layer


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: list[Event]) -> Iterator[Session]:
    for name, value in noop.register(tmp_path / "config").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(registry, "ADAPTERS", MappingProxyType({"wan": "tests.support.noop:load"}))
    found = bootstrap.start([events.append])
    yield found
    found.pool.close()


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return open_store(tmp_path / "jobs.sqlite")


def rules(folder: Path, **more: object) -> AdmissionRules:
    flags = Layer(kind="flag", values={"type": "generate", "model": "noop", "output_dir": folder})
    return AdmissionRules(folder=folder, defaults=[flags], roots=[folder], **more)  # type: ignore[arg-type]


def line(number: int = 1, **values: object) -> TaskLine:
    values = {"prompt": "a", "seed": 1} | values
    name = values.get("task_id")
    task_id = name if isinstance(name, str) else None
    return TaskLine(
        number=number, source="tasks.jsonl", values=values, task_id=task_id, digest=digest_of(values)
    )


def admit(session: Session, folder: Path, *lines: TaskLine, **more: object) -> list[LineResult]:
    return Admission(rules(folder, **more), session).admit(lines)


def test_a_disk_that_was_away_is_tried_again_after_a_pause(
    session: Session, store: JobStore, tmp_path: Path, events: list[Event]
) -> None:
    [admitted] = admit(session, tmp_path / "out", line(prompt="flaky"))
    assert admitted.job is not None
    store.submit([admitted.job])
    worker = Worker(store=store, session=session, retries=1, pause=60)
    job = store.claim()
    assert job is not None
    outcome = worker.work(job)
    assert outcome.retry is not None
    assert 30 <= outcome.retry.delay_seconds <= 90
    assert store.claim() is None
    second = store.claim_task(job.task_id)
    assert second is not None
    assert worker.work(second).status == "completed"
    for event in events:
        check_event(json.loads(event.line()))
    started = [event for event in events if event.type == "task.started"]
    assert [(event.type, event.attempt) for event in started] == [
        ("task.started", 1),
        ("task.started", 2),
    ]
    assert sum(event.type == "task.accepted" for event in events) == 1


def test_what_cannot_pass_is_not_tried_again(session: Session, store: JobStore, tmp_path: Path) -> None:
    [admitted] = admit(session, tmp_path / "out", line(prompt="crash"))
    assert admitted.job is not None
    store.submit([admitted.job])
    job = store.claim()
    assert job is not None
    assert Worker(store=store, session=session, retries=5).work(job).status == "failed"
    assert store.counts()["dead"] == 1


def test_every_shard_gives_a_line_the_same_name(session: Session, tmp_path: Path) -> None:
    lines = [line(number) for number in range(1, 7)]
    whole = [one.task_id for one in admit(session, tmp_path / "whole", *lines)]
    first = [one.task_id for one in admit(session, tmp_path / "parts", *lines, shard=(1, 2))]
    second = [one.task_id for one in admit(session, tmp_path / "parts", *lines, shard=(2, 2))]
    assert (first, second) == (whole[::2], whole[1::2])


def test_affinity_is_of_what_must_be_loaded(session: Session, tmp_path: Path) -> None:
    lines = [line(1, seed=1), line(2, seed=2), line(3, vae_tiling=256), line(4, model="noop2")]
    found = [one.job.affinity for one in admit(session, tmp_path, *lines) if one.job]
    assert found[0] == found[1]
    assert len(set(found)) == 3


@pytest.mark.parametrize("where", ["link", "link/deeper"])
def test_a_link_out_of_the_folder_is_not_followed(session: Session, tmp_path: Path, where: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    [admitted] = admit(session, tmp_path / "out", line(output_dir=where))
    assert admitted.error is not None
    assert "leads out" in admitted.error.message
