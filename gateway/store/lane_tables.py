"""The tables of the engine: lanes, their jobs, and the nodes that run them.

Every time is a number of seconds since 1970 by the database's clock, because that is what they are compared
with; 0 stands for "at once", so that no clock takes part in first in, first out.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from gateway.store.tables import metadata

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself for INTEGER alone
Seconds = Float(53)

# A partner's queue in one direction. `next_at` is when to look at it next: maybe early, never late; null
# while it has nothing to begin. `open_at` is when its rate limit lets the next job through.
lane = Table(
    "lane",
    metadata,
    Column("id", String(96), primary_key=True),  # partner:direction
    Column("direction", String(32), nullable=False),
    Column("max_running", Integer, nullable=False),
    Column("rate_per_s", Seconds),
    Column("paused", Integer, nullable=False),  # 0 | 1
    Column("next_at", Seconds),
    Column("open_at", Seconds, nullable=False),
    Column("served_at", Seconds, nullable=False),  # the longest unserved is served first
    Index("ix_lane_next_at", "next_at"),
)

_READY = text("state = 'ready'")
_RUNNING = text("state = 'running'")
_DEAD = text("state = 'dead'")
_OVER = text("done_at IS NOT NULL")

job = Table(
    "job",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("lane", String(96), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("state", String(9), nullable=False),
    Column("run_at", Seconds, nullable=False),
    Column("attempts", Integer, nullable=False),  # counted when claimed: a job that kills its process counts
    Column("max_attempts", Integer, nullable=False),
    Column("token", String(16)),  # of the claim that runs it; whoever finishes must show it
    Column("owner", String(96)),  # node and incarnation
    Column("lease_until", Seconds),
    Column("payload", JSON, nullable=False),
    Column("reason", String(40)),  # a stable dead-letter reason id
    Column("error", Text),  # the last failure, in words
    Column("uniq", Text, unique=True),
    Column("created_at", Seconds, nullable=False),
    Column("done_at", Seconds),
    CheckConstraint("state IN ('ready', 'running', 'done', 'dead', 'cancelled')", name="state"),
    Index("ix_job_ready", "lane", "id", sqlite_where=_READY, postgresql_where=_READY),
    Index("ix_job_due", "lane", "run_at", "id", sqlite_where=_READY, postgresql_where=_READY),
    Index("ix_job_running", "lane", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
    Index("ix_job_dead", "done_at", sqlite_where=_DEAD, postgresql_where=_DEAD),
    Index("ix_job_done_at", "done_at", sqlite_where=_OVER, postgresql_where=_OVER),
)

# What did not go straight: failed attempts, takeovers, dead letters, replays, cancellations.
job_event = Table(
    "job_event",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("job", Id, nullable=False),
    Column("at", Seconds, nullable=False),
    Column("what", String(16), nullable=False),  # retry | takeover | dead | replay | cancel
    Column("attempt", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_job_event_job", "job"),
)

schedule = Table(
    "schedule",
    metadata,
    Column("id", String(96), primary_key=True),
    Column("lane", String(96), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("every_s", Seconds, nullable=False),
    Column("next_at", Seconds, nullable=False),
)

node = Table(
    "node",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(96), nullable=False),  # id and incarnation, as jobs carry it
    Column("started_at", Seconds, nullable=False),
    Column("heartbeat_at", Seconds, nullable=False),
)
