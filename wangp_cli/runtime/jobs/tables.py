"""Tables of the job store."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    false,
    literal,
)

STATES = ("blocked", "ready", "running", "done", "dead", "cancelled")

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
