"""The statements of the engine, built once so that their compiled form is reused.

States stand in them as literals, not as parameters, so that the partial indexes serve them. A parameter that
is compared or set has a name of its own, for SQLAlchemy keeps the columns' names to itself.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    union_all,
    update,
)

from gateway.store.dialect import Upsert, database_now
from gateway.store.lane_tables import job, job_event, lane, node, schedule

NOW = database_now()
READY: ColumnElement[str] = literal_column("'ready'")
RUNNING: ColumnElement[str] = literal_column("'running'")
DEAD: ColumnElement[str] = literal_column("'dead'")
OF_LANE = job.c.lane == lane.c.id
HEAD = (
    select(job.c.id)
    .where(OF_LANE, job.c.state == READY, or_(job.c.run_at <= bindparam("now"), job.c.attempts > 0))
    .order_by(job.c.id)
    .limit(1)
)
RUNNING_NOW = select(func.count()).select_from(job).where(OF_LANE, job.c.state == RUNNING)
HELD = and_(job.c.id == bindparam("held_id"), job.c.token == bindparam("held_token"), job.c.state == RUNNING)
UNLEASED = {"token": null(), "owner": null(), "lease_until": null()}

INSPECT = (
    select(
        lane,
        RUNNING_NOW.scalar_subquery().label("running"),
        HEAD.scalar_subquery().label("head"),
        HEAD.with_only_columns(job.c.run_at).scalar_subquery().label("head_at"),
    )
    .where(lane.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(lane.c.served_at, lane.c.id)
)
DUE = (
    select(job.c.id)
    .where(job.c.lane == bindparam("lane"), job.c.state == READY, job.c.run_at <= bindparam("now"))
    .order_by(job.c.run_at, job.c.id)
    .limit(bindparam("limit"))
)
EARLIEST = (
    select(job.c.lane, func.min(job.c.run_at).label("at"))
    .where(job.c.lane.in_(bindparam("lanes", expanding=True)), job.c.state == READY)
    .group_by(job.c.lane)
)
LEASE = (
    update(job)
    .where(job.c.id.in_(bindparam("ids", expanding=True)), job.c.state == READY)
    .values(
        state=RUNNING,
        attempts=job.c.attempts + 1,
        token=bindparam("new_token"),
        owner=bindparam("new_owner"),
        lease_until=bindparam("new_lease"),
    )
    .returning(job)
)
PUT_BACK = (
    update(lane)
    .where(lane.c.id == bindparam("lane_id"))
    .values(
        next_at=bindparam("new_next_at"),
        served_at=bindparam("new_served_at"),
        open_at=bindparam("new_open_at"),
    )
)
LOOK_AT_LANE = update(lane).where(lane.c.id == bindparam("lane")).values(next_at=0.0)

OPEN_LANE = Upsert(
    lane,
    lambda new: new.values(max_running=1, paused=0, open_at=0.0, served_at=0.0).on_conflict_do_update(
        index_elements=[lane.c.id],
        set_={
            "next_at": case(
                (
                    or_(lane.c.next_at.is_(None), lane.c.next_at > new.excluded.next_at),
                    new.excluded.next_at,
                ),
                else_=lane.c.next_at,
            )
        },
    ),
)
ADD_JOB = Upsert(
    job,
    lambda new: (
        new.values(state="ready", attempts=0, created_at=NOW)
        .on_conflict_do_nothing(index_elements=[job.c.uniq])
        .returning(job.c.id)
    ),
)
BY_UNIQ = select(job.c.id).where(job.c.uniq == bindparam("uniq"))

FINISH = update(job).where(HELD).values(state="done", done_at=NOW, error=null(), **UNLEASED)
TRY_AGAIN = (
    update(job)
    .where(HELD)
    .values(
        state="ready",
        run_at=NOW + bindparam("wait_s", type_=Float),
        max_attempts=bindparam("new_max"),
        error=bindparam("new_error"),
        **UNLEASED,
    )
)
BURY = (
    update(job)
    .where(HELD)
    .values(
        state="dead",
        done_at=NOW,
        reason=bindparam("new_reason"),
        error=bindparam("new_error"),
        **UNLEASED,
    )
)
RELEASE = update(job).where(HELD).values(state="ready", **UNLEASED)
HOLD = update(job).where(HELD).values(lease_until=NOW + bindparam("lease_s", type_=Float))
RENEW = (
    update(job)
    .where(job.c.owner == bindparam("held_owner"), job.c.state == RUNNING)
    .values(lease_until=NOW + bindparam("lease_s", type_=Float))
)
CANCEL = (
    update(job)
    .where(job.c.uniq == bindparam("name"), job.c.state.in_(("ready", "running")))
    .values(state="cancelled", done_at=NOW, **UNLEASED)
    .returning(job.c.id, job.c.lane, job.c.attempts)
)
HURRY = (
    update(job)
    .where(
        job.c.lane == bindparam("of_lane"),
        job.c.state == READY,
        job.c.id <= bindparam("up_to"),
        or_(job.c.id == bindparam("up_to"), job.c.attempts > 0),
    )
    .values(run_at=0.0)
)
UNNAME = (
    update(job)
    .where(job.c.uniq == bindparam("name"), job.c.state.not_in(("ready", "running")))
    .values(uniq=job.c.uniq + ":" + cast(job.c.id, String))
)
REPLAY = (
    update(job)
    .where(job.c.id == bindparam("dead_id"), job.c.state == DEAD)
    .values(state="ready", run_at=0.0, attempts=0, done_at=null(), reason=null())
    .returning(job.c.lane)
)
NOTE = insert(job_event).values(at=NOW)

SET_NODE = Upsert(
    node,
    lambda new: new.values(started_at=NOW, heartbeat_at=NOW).on_conflict_do_update(
        index_elements=[node.c.id],
        set_={
            "owner": new.excluded.owner,
            "heartbeat_at": new.excluded.heartbeat_at,
            "started_at": case(
                (node.c.owner == new.excluded.owner, node.c.started_at), else_=new.excluded.started_at
            ),
        },
    ),
)
SET_SCHEDULE = Upsert(
    schedule,
    lambda new: new.values(next_at=0.0).on_conflict_do_update(
        index_elements=[schedule.c.id],
        set_={name: new.excluded[name] for name in ("every_s", "lane", "kind", "payload")},
    ),
)
DUE_SCHEDULES = select(schedule).where(schedule.c.next_at <= NOW)
MOVE_SCHEDULE = (
    update(schedule)
    .where(schedule.c.id == bindparam("schedule_id"), schedule.c.next_at == bindparam("was"))
    .values(next_at=NOW + schedule.c.every_s)
)
COUNT_BY_LANE = union_all(
    *(
        select(job.c.lane, state.label("state"), func.count().label("n"))
        .where(job.c.state == state)
        .group_by(job.c.lane)
        for state in (READY, RUNNING, DEAD)
    )
)
DEAD_JOBS = (
    select(job)
    .where(job.c.state == DEAD)
    .order_by(job.c.done_at.desc(), job.c.id.desc())
    .limit(bindparam("limit"))
)
FORGETTABLE = (
    select(job.c.id)
    .where(job.c.done_at < bindparam("before"), job.c.state != DEAD)
    .order_by(job.c.done_at)
    .limit(bindparam("limit"))
)


def eligible(of_pool: ColumnElement[bool]) -> Select[Any]:
    """The lanes of a pool that are to be looked at, the longest unserved first, locked; `limit` of them."""
    return (
        select(lane.c.id, NOW.label("now"))
        .where(of_pool, lane.c.paused == 0, lane.c.next_at <= NOW, lane.c.open_at <= NOW)
        .order_by(lane.c.served_at, lane.c.id)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
    )


def next_due(of_pool: ColumnElement[bool]) -> Select[Any]:
    """Seconds until the next lane of a pool is to be looked at; null when none is."""
    due_at = case((lane.c.open_at > lane.c.next_at, lane.c.open_at), else_=lane.c.next_at)
    return select(func.min(due_at) - NOW).where(of_pool, lane.c.paused == 0, lane.c.next_at.is_not(None))
