"""Tables of the job store, and the SQLite file that holds them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    create_engine,
    event,
    false,
    literal,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from wangp_cli.errors import ConflictError, NoSpaceError
from wangp_cli.runtime.jobs.migrations import SCHEMA_VERSION, migrate

STATES = ("blocked", "ready", "running", "done", "dead", "cancelled")
BUSY_SECONDS = 30

metadata = MetaData()
jobs = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("task_id", String, nullable=False, unique=True),
    Column("digest", String, nullable=False),
    Column("affinity", String),
    Column("priority", Integer, nullable=False, default=0),
    Column("state", String, CheckConstraint(f"state in {STATES}"), nullable=False),
    Column("held", Boolean, nullable=False, default=False),
    Column("run_at", Float, nullable=False, default=0.0),
    Column("attempt", Integer, nullable=False, default=0),
    Column("token", Integer, nullable=False, default=0),
    Column("worker", String),
    Column("lease_until", Float),
    Column("payload", JSON, nullable=False),
    Column("files", JSON),
    Column("result", JSON),
    Column("error", JSON),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    # A reused id would let the worker of a deleted job finish the new one.
    sqlite_autoincrement=True,
)
dependencies = Table(
    "dependency",
    metadata,
    Column("child", String, primary_key=True),
    Column("parent", String, primary_key=True),
)
Index("dependency_parent", dependencies.c.parent)
# Rendered as a constant: a bound parameter would hide the partial indexes from the planner.
READY = and_(jobs.c.state == literal("ready", literal_execute=True), jobs.c.held == false())
Index(
    "job_ready",
    jobs.c.priority.desc(),
    jobs.c.id,
    sqlite_where=READY,
    postgresql_where=READY,
)
Index(
    "job_ready_affinity",
    jobs.c.affinity,
    jobs.c.priority.desc(),
    jobs.c.id,
    sqlite_where=READY,
    postgresql_where=READY,
)
RUNNING = jobs.c.state == literal("running", literal_execute=True)
Index("job_running", jobs.c.lease_until, sqlite_where=RUNNING, postgresql_where=RUNNING)
about = Table("about", metadata, Column("name", String, primary_key=True), Column("value", JSON))


def open_database(path: Path) -> Engine:
    """Open the SQLite file of a job store; create it, or migrate it from an older schema version.

    Raises:
        ConflictError: the file has a newer schema version, or is not a job store.
        NoSpaceError: the file cannot be written.
    """
    # `default=str` stores paths as strings, which any program can read.
    engine = create_engine(f"sqlite:///{path}", json_serializer=partial(json.dumps, default=str))
    _use_immediate_transactions(engine)
    try:
        with engine.begin() as connection:
            version = migrate(connection, metadata, about)
    except OperationalError as error:
        raise NoSpaceError(f"output_dir: {path} cannot be written: {error.orig}") from None
    except DatabaseError as error:
        raise ConflictError(f"{path} is not a job store: {error.orig}", hint="move it away") from None
    if version != SCHEMA_VERSION:
        raise ConflictError(
            f"{path} was made by another version of wangp", hint="finish it with that version"
        )
    return engine


def _use_immediate_transactions(engine: Engine) -> None:
    """Take SQLite's write lock when a transaction begins.

    A deferred transaction fails at once, without waiting, if another one has written before its first write.
    """

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_SECONDS * 1000}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
