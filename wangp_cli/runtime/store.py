"""The job store: what is to do, what runs, what is done. It alone holds states.

One class over SQLAlchemy Core; a batch keeps its store as a SQLite file in its folder. Every change of a
running job carries the token it was claimed with, so that a worker that lost its job cannot finish it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.sql.dml import ReturningUpdate

from wangp_cli.errors import ConflictError, NoSpaceError, WangpError

State: TypeAlias = Literal["ready", "running", "done", "dead", "cancelled"]
STATES = ("blocked", "ready", "running", "done", "dead", "cancelled")
SCHEMA_VERSION = 1
BUSY_SECONDS = 30

metadata = MetaData()
jobs = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String, nullable=False, unique=True),
    Column("digest", String, nullable=False),
    Column("model", String),
    Column("state", String, CheckConstraint(f"state in {STATES}"), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("token", Integer, nullable=False, default=0),
    Column("said", JSON, nullable=False),
    Column("outputs", JSON),
    Column("result", JSON),
    Column("error", JSON),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
)
READY = jobs.c.state == "ready"
Index("job_ready", jobs.c.id, sqlite_where=READY, postgresql_where=READY)
Index("job_ready_model", jobs.c.model, jobs.c.id, sqlite_where=READY, postgresql_where=READY)
about = Table("about", metadata, Column("name", String, primary_key=True), Column("value", JSON))


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job to submit.

    Args:
        key: the task's id, unique in the store.
        digest: of everything that was said; the same key with another digest is a conflict.
        model: for orders that switch models least.
        said: what the worker needs to run it.
        outputs: the files it will write, as far as they are known.
    """

    key: str
    digest: str
    model: str | None
    said: Mapping[str, Any]
    outputs: list[str]


@dataclass(frozen=True, kw_only=True)
class StoredJob:
    """A job as the store has it. `token` proves that it is ours while it runs."""

    id: int
    key: str
    digest: str
    model: str | None
    state: State
    attempt: int
    token: int
    said: dict[str, Any]
    outputs: list[str] | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None


class LeaseLostError(WangpError):
    """The job is no longer ours."""

    kind = "lease_lost"


class Store:
    """Jobs in a database.

    Args:
        engine: from `open_store`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Statements are built once: building one costs more than running it.
        self._find = select(jobs).where(jobs.c.key.in_(bindparam("keys", expanding=True)))
        ready = select(jobs.c.id).where(jobs.c.state == "ready").order_by(jobs.c.id).limit(1)
        self._claim = _claim_of(ready)
        self._claim_same_model = _claim_of(ready.where(jobs.c.model == bindparam("wanted_model")))
        self._ours = update(jobs).where(
            jobs.c.id == bindparam("job_id"),
            jobs.c.token == bindparam("job_token"),
            jobs.c.state == "running",
        )

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def submit(self, batch: Sequence[NewJob]) -> list[StoredJob | ConflictError | None]:
        """Add jobs in one transaction.

        Returns:
            for each: None if it is new, the job that is already there with the same content, or a conflict
            where the key is there with other content.
        """
        with self._write() as connection:
            rows = connection.execute(self._find, {"keys": [new.key for new in batch]}).all()
            there: dict[str, Any] = {row.key: row for row in rows}
            answers: list[StoredJob | ConflictError | None] = []
            fresh = []
            for new in batch:
                row = there.get(new.key)
                if row is None:
                    values = {
                        "key": new.key,
                        "digest": new.digest,
                        "model": new.model,
                        "state": "ready",
                        "said": dict(new.said),
                        "outputs": new.outputs,
                        "created_at": time.time(),
                    }
                    fresh.append(values)
                    there[new.key] = SimpleNamespace(
                        id=0, attempt=0, token=0, result=None, error=None, **values
                    )
                    answers.append(None)
                elif row.digest != new.digest:
                    answers.append(
                        ConflictError(
                            f"task_id: {new.key!r} is taken by another request", hint="use another id"
                        )
                    )
                else:
                    answers.append(_job(row))
            if fresh:
                connection.execute(insert(jobs), fresh)
            return answers

    def claim(self, prefer_model: str | None = None) -> StoredJob | None:
        """Take the next ready job, one of `prefer_model` first; None if none is ready."""
        with self._write() as connection:
            row = None
            if prefer_model is not None:
                row = connection.execute(self._claim_same_model, {"wanted_model": prefer_model}).one_or_none()
            if row is None:
                row = connection.execute(self._claim).one_or_none()
            return _job(row) if row is not None else None

    def begin(self, job: StoredJob, outputs: list[str]) -> None:
        """Note the files that the running job will write, so that a crash leaves no stranger behind."""
        if outputs != job.outputs:
            self._change(job, outputs=outputs)

    def succeed(self, job: StoredJob, result: Mapping[str, Any]) -> None:
        """The job is done."""
        self._change(job, state="done", result=dict(result), error=None, finished_at=time.time())

    def fail(self, job: StoredJob, error: Mapping[str, Any], *, retry: bool) -> None:
        """The job failed: ready for another attempt, or dead."""
        self._change(job, state="ready" if retry else "dead", error=dict(error), finished_at=time.time())

    def cancel(self, job: StoredJob) -> None:
        """The running job was cancelled."""
        self._change(job, state="cancelled", finished_at=time.time())

    def release(self, job: StoredJob) -> None:
        """Give the job back untouched; the attempt does not count."""
        self._change(job, state="ready", attempt=jobs.c.attempt - 1)

    def waits(self, key: str) -> bool:
        """Whether a job of that key is ready to run."""
        with self._engine.connect() as connection:
            found = connection.execute(select(jobs.c.id).where(jobs.c.key == key, READY)).first()
            return found is not None

    def reopen(self, key: str) -> None:
        """Make a finished job ready again."""
        with self._write() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.key == key, jobs.c.state != "running")
                .values(state="ready", attempt=0, result=None, error=None)
            )

    def clear(self) -> None:
        """Forget every job."""
        with self._write() as connection:
            connection.execute(delete(jobs))

    def recover(self) -> list[StoredJob]:
        """Give back the jobs of a worker that is gone, and return them as they were."""
        with self._write() as connection:
            rows = connection.execute(select(jobs).where(jobs.c.state == "running")).all()
            back = {"state": "ready", "attempt": jobs.c.attempt - 1}
            connection.execute(update(jobs).where(jobs.c.state == "running").values(back))
            return [_job(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
            return dict.fromkeys(STATES, 0) | {state: count for state, count in rows}  # noqa: C416 - rows are no pairs

    def _change(self, job: StoredJob, **values: Any) -> None:
        key = {"job_id": job.id, "job_token": job.token}
        with self._write() as connection:
            if connection.execute(self._ours.values(**values), key).rowcount != 1:
                raise LeaseLostError(f"job {job.key!r} was taken over by another worker")

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            if "full" in str(error.orig) or "readonly" in str(error.orig):
                raise NoSpaceError(f"output_dir: the job store cannot be written: {error.orig}") from None
            raise


def _claim_of(ready: Select[Any]) -> ReturningUpdate[Any]:
    """Take the job that `ready` finds; on PostgreSQL rows that others are taking are passed over."""
    return (
        update(jobs)
        .where(jobs.c.id == ready.with_for_update(skip_locked=True).scalar_subquery())
        .values(state="running", attempt=jobs.c.attempt + 1, token=jobs.c.token + 1)
        .returning(jobs)
    )


def _job(row: Any) -> StoredJob:
    return StoredJob(
        id=row.id,
        key=row.key,
        digest=row.digest,
        model=row.model,
        state=row.state,
        attempt=row.attempt,
        token=row.token,
        said=row.said,
        outputs=row.outputs,
        result=row.result,
        error=row.error,
    )


def open_store(path: Path) -> Store:
    """The store in a SQLite file, made if it is not there.

    Raises:
        ConflictError: the file is of another version, or no store.
        NoSpaceError: the file cannot be written.
    """
    engine = create_engine(f"sqlite:///{path}")
    _use_immediate_transactions(engine)
    try:
        metadata.create_all(engine)
        with engine.begin() as connection:
            version = connection.execute(
                select(about.c.value).where(about.c.name == "schema")
            ).scalar_one_or_none()
            if version is None:
                connection.execute(insert(about).values(name="schema", value=SCHEMA_VERSION))
    except OperationalError as error:
        raise NoSpaceError(f"output_dir: {path} cannot be written: {error.orig}") from None
    except DatabaseError as error:
        raise ConflictError(f"{path} is not a job store: {error.orig}", hint="move it away") from None
    if version not in (None, SCHEMA_VERSION):
        raise ConflictError(
            f"{path} was made by another version of wangp", hint="finish it with that version"
        )
    return Store(engine)


def _use_immediate_transactions(engine: Engine) -> None:
    """A deferred transaction that turns to writing fails at once when another has written meanwhile."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_SECONDS * 1000}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
