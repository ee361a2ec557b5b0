"""The SQLite file of a job store: open it, begin transactions, and name what is wrong with it."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import DatabaseError, DBAPIError

from wangp_cli.errors import ConflictError, NoSpaceError, WangpError
from wangp_cli.runtime.jobs.migrations import SCHEMA_VERSION, migrate
from wangp_cli.runtime.jobs.tables import about, dependencies, jobs, metadata

LOCKED_SECONDS = 600.0
"""How long to wait for a program that has locked the file, such as a backup."""
TRY_SECONDS = 1.0
"""How long SQLite waits at once; signals are handled between two tries."""
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNWRITABLE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)
_READ_ONLY = "read_only"
log = logging.getLogger(__name__)


def open_database(path: Path) -> Engine:
    """Open the SQLite file of a job store; create it, or migrate it from an older schema version.

    Raises:
        ConflictError: the file has a newer schema version, is damaged, or is not a job store.
        NoSpaceError: the file cannot be written.
    """
    # `default=str` stores paths as strings, which any program can read.
    engine = create_engine(f"sqlite:///{path}", json_serializer=partial(json.dumps, default=str))
    _set_up_transactions(engine)
    try:
        with store_errors(path):
            # The file may be locked, so that not even its format can be read yet.
            with _read(engine) as connection:
                _check_whole(connection, path)
            with engine.begin() as connection:
                version = migrate(connection, metadata, about)
                if version == SCHEMA_VERSION:
                    _check_schema(connection, path)
    except BaseException:
        engine.dispose()
        raise
    if version != SCHEMA_VERSION:
        engine.dispose()
        raise ConflictError(
            f"{path} was made by another version of wangp", hint="finish it with that version"
        )
    return engine


@contextmanager
def transaction(engine: Engine, path: Path | None = None, *, read_only: bool = False) -> Iterator[Connection]:
    """A transaction, which is committed at the end of the block unless it raises.

    Args:
        engine: of the database.
        path: of its file, for messages.
        read_only: take no write lock, so that others may write meanwhile.

    Raises:
        ConflictError: another program keeps the file locked, or the file is damaged.
        NoSpaceError: it cannot be written.
    """
    with store_errors(path), _read(engine) if read_only else engine.begin() as connection:
        yield connection


@contextmanager
def _read(engine: Engine) -> Iterator[Connection]:
    with engine.connect().execution_options(**{_READ_ONLY: True}) as connection:
        yield connection


@contextmanager
def store_errors(path: Path | None) -> Iterator[None]:
    """Raise errors of the database as errors that say what to do."""
    name = str(path) if path is not None else "the job store"
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        raise _known_error(error, name) from None
    except ValueError as error:
        # A column that should hold JSON.
        raise _damaged(name, str(error)) from None


def _known_error(error: DBAPIError | sqlite3.Error, name: str) -> WangpError:
    original: Any = error.orig if isinstance(error, DBAPIError) else error
    # The low byte is the kind of error, the high ones say more about it.
    code = (getattr(original, "sqlite_errorcode", None) or 0) & 0xFF
    if code in _LOCKED:
        return ConflictError(
            f"{name} is locked by another program", hint="wait for it or stop it, then --resume"
        )
    if code in _UNWRITABLE or (not code and not isinstance(error, DatabaseError)):
        return NoSpaceError(
            f"output_dir: {name} cannot be written: {original}", hint="free some space, then --resume"
        )
    return _damaged(name, str(original))


def _damaged(name: str, why: str) -> ConflictError:
    return ConflictError(
        f"{name} is not a job store, or damaged: {why}",
        hint="move it away; with --skip-existing, tasks whose files exist are not run again",
    )


def _check_whole(connection: Connection, path: Path) -> None:
    """Check every page of the file: damage would be met only in the middle of the run."""
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise _damaged(str(path), str(found))


def _check_schema(connection: Connection, path: Path) -> None:
    """Check that the tables have our columns."""
    there = inspect(connection)
    for table in (jobs, dependencies):
        known = there.get_columns(table.name) if there.has_table(table.name) else []
        columns = {column["name"] for column in known}
        if missing := [column.name for column in table.columns if column.name not in columns]:
            raise _damaged(str(path), f"{table.name} has no {missing[0]}")


def _set_up_transactions(engine: Engine) -> None:
    """Begin transactions that write with SQLite's write lock.

    A deferred transaction fails at once, without waiting, if another one has written before its first write.
    """

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={TRY_SECONDS * 1000:.0f}")
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            _wait_for_lock(partial(connection.execute, f"PRAGMA {pragma}"))

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        raw: Any = connection.connection.driver_connection
        if connection.get_execution_options().get(_READ_ONLY):
            _wait_for_lock(partial(_begin_reading, raw))
        else:
            _wait_for_lock(partial(raw.execute, "BEGIN IMMEDIATE"))


def _begin_reading(raw: Any) -> None:
    raw.execute("BEGIN")
    try:
        # Only the first read takes the snapshot.
        raw.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.Error:
        raw.execute("ROLLBACK")
        raise


def _wait_for_lock(call: Callable[[], object]) -> None:
    """Call until the file is not locked any more."""
    until, told = time.monotonic() + LOCKED_SECONDS, False
    while True:
        try:
            call()
            return
        except sqlite3.OperationalError as error:
            locked = (error.sqlite_errorcode or 0) & 0xFF in _LOCKED
            if not locked or time.monotonic() >= until:
                raise
        if not told:
            log.warning("the job store is locked by another program; waiting for it")
            told = True
