"""A session with the model that computes nothing, and lines that are admitted as jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import noop
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.events.stream import Event
from wangp_cli.runtime.intake import TaskLine
from wangp_cli.runtime.intake.task_line import digest_of
from wangp_cli.runtime.jobs.admission import Admission, LineResult
from wangp_cli.runtime.jobs.rules import AdmissionRules
from wangp_cli.runtime.jobs.stored_job import NewJob
from wangp_cli.runtime.session import Session
from wangp_cli.value_layers import Layer

Admit = Callable[..., list[LineResult]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment in which the model `noop` is known."""
    return noop.register(tmp_path / "config") | {"HOME": str(tmp_path)}


@pytest.fixture
def events() -> list[Event]:
    """The events of the session."""
    return []


@pytest.fixture
def session(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, events: list[Event]
) -> Iterator[Session]:
    """A session whose models compute nothing."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = bootstrap.start([events.append], adapters=noop.ADAPTERS)
    yield found
    found.pool.close()


@pytest.fixture
def admit(session: Session, tmp_path: Path) -> Admit:
    """Admit lines of these values; results go to `folder`, and further arguments are rules."""

    def call(*lines: dict[str, object], folder: Path = tmp_path / "out", **more: object) -> list[LineResult]:
        flags = Layer(kind="flag", values={"type": "generate", "model": "noop", "output_dir": folder})
        rules = AdmissionRules(folder=folder, defaults=[flags], roots=[folder], **more)  # type: ignore[arg-type]
        return Admission(rules, session).admit(map(_line, range(1, len(lines) + 1), lines))

    return call


def _line(number: int, values: dict[str, object]) -> TaskLine:
    values = {"prompt": "a", "seed": 1} | values
    name = values.get("task_id")
    task_id = name if isinstance(name, str) else None
    digest = digest_of(values)
    return TaskLine(number=number, source="tasks.jsonl", values=values, task_id=task_id, digest=digest)


@pytest.fixture
def job_of(admit: Admit) -> Callable[..., NewJob]:
    """The job of a line of these values."""

    def call(**values: object) -> NewJob:
        [result] = admit(values)
        assert result.job is not None, result.error
        return result.job

    return call
