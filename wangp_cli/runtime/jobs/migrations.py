"""Schema versions of the job store, and the migrations between them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, MetaData, Table, insert, inspect, select, update

MIGRATIONS: Sequence[Sequence[str]] = (
    # From 1 to 2: leases, priorities, dependencies. `blocked` used to mean held back by a batch.
    (
        "ALTER TABLE job RENAME COLUMN key TO task_id",
        "ALTER TABLE job RENAME COLUMN said TO payload",
        "ALTER TABLE job ADD COLUMN priority INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE job ADD COLUMN held BOOLEAN NOT NULL DEFAULT 0",
        "ALTER TABLE job ADD COLUMN worker VARCHAR",
        "ALTER TABLE job ADD COLUMN lease_until FLOAT",
        "UPDATE job SET state = 'ready', run_at = 0 WHERE state = 'blocked'",
        # Version 1 had no leases: whoever opens such a store holds its lock, so that no worker is left.
        "UPDATE job SET lease_until = 0 WHERE state = 'running'",
        "DROP INDEX job_ready",
        "DROP INDEX job_ready_affinity",
        "CREATE INDEX job_ready ON job (priority DESC, id) WHERE state = 'ready' AND held = 0",
        "CREATE INDEX job_ready_affinity ON job (affinity, priority DESC, id)"
        " WHERE state = 'ready' AND held = 0",
        "CREATE INDEX job_running ON job (lease_until) WHERE state = 'running'",
        "CREATE TABLE dependency"
        " (child VARCHAR NOT NULL, parent VARCHAR NOT NULL, PRIMARY KEY (child, parent))",
        "CREATE INDEX dependency_parent ON dependency (parent)",
    ),
)
"""The statements from each version to the next; the first entry leads from version 1 to 2."""
SCHEMA_VERSION = 1 + len(MIGRATIONS)


def migrate(connection: Connection, metadata: MetaData, about: Table) -> int:
    """Create the tables, or bring those of an older version up to date, in the transaction of `connection`.

    Returns:
        the schema version of the store; one above `SCHEMA_VERSION` is left as it is.
    """
    tables = inspect(connection)
    if not tables.has_table("job"):
        metadata.create_all(connection)
        connection.execute(insert(about).values(name="schema", value=SCHEMA_VERSION))
        return SCHEMA_VERSION
    name = about.c.name == "schema"
    # Version 1 wrote its number after the tables: a store that was interrupted there has none.
    stored = connection.execute(select(about.c.value).where(name)).scalar_one_or_none()
    version = 1 if stored is None else stored
    if not isinstance(version, int):
        raise ValueError(f"the schema version is {version!r}")
    if version >= SCHEMA_VERSION:
        return version
    for statements in MIGRATIONS[version - 1 :]:
        for statement in statements:
            connection.exec_driver_sql(statement)
    if stored is None:
        connection.execute(insert(about).values(name="schema", value=SCHEMA_VERSION))
    else:
        connection.execute(update(about).where(name).values(value=SCHEMA_VERSION))
    return SCHEMA_VERSION
