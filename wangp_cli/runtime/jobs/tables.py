"""Where jobs are kept: the tables, and the SQLite file of a batch."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

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
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from wangp_cli.errors import ConflictError, NoSpaceError

STATES = ("blocked", "ready", "running", "done", "dead", "cancelled")
SCHEMA_VERSION = 1
BUSY_SECONDS = 30

metadata = MetaData()
jobs = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String, nullable=False, unique=True, key="task_id"),
    Column("digest", String, nullable=False),
    Column("affinity", String),
    Column("state", String, CheckConstraint(f"state in {STATES}"), nullable=False),
    Column("run_at", Float, nullable=False, default=0.0),
    Column("attempt", Integer, nullable=False, default=0),
    Column("token", Integer, nullable=False, default=0),
    Column("said", JSON, nullable=False),
    Column("files", JSON),
    Column("result", JSON),
    Column("error", JSON),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    # An id that is used again would let a worker of its former job finish the new one.
    sqlite_autoincrement=True,
)
READY = jobs.c.state == "ready"
Index("job_ready", jobs.c.id, sqlite_where=READY, postgresql_where=READY)
Index("job_ready_affinity", jobs.c.affinity, jobs.c.id, sqlite_where=READY, postgresql_where=READY)
about = Table("about", metadata, Column("name", String, primary_key=True), Column("value", JSON))


def open_database(path: Path) -> Engine:
    """The database in a SQLite file, made if it is not there.

    Raises:
        ConflictError: the file is of another version, or none of ours.
        NoSpaceError: the file cannot be written.
    """
    # Paths become texts; a value must be readable by any program.
    engine = create_engine(f"sqlite:///{path}", json_serializer=partial(json.dumps, default=str))
    _use_immediate_transactions(engine)
    try:
        metadata.create_all(engine)
        with engine.begin() as connection:
            found = connection.execute(select(about.c.value).where(about.c.name == "schema"))
            version = found.scalar_one_or_none()
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
    return engine


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
