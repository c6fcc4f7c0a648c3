"""The durable engine: lanes of jobs, run by threads, lost by no crash.

A lane is a partner's queue in one direction, `partner:direction`. With `max_running` 1, the default, it is
first in, first out, and a job waiting for its next attempt holds back its own lane and no other; with more it
is unordered. A job enqueued for later joins its lane's queue when its time comes.

Rules
- `enqueue` takes the caller's connection and never commits: the job is there when the transaction is.
- A claim is one short transaction. It locks the lanes it looks at and counts what runs there under that lock.
- Whoever completes a job must first show the token of its claim; if another has taken the job since, nothing
  the late one wanted to record is recorded. So effects inside the completing transaction happen exactly
  once, and effects outside it (a send) at least once.
- Attempts are counted at the claim, so a job that kills its process reaches the dead letters too.
- Leases end by the database's clock. Where one process runs all jobs it takes over at once what its
  predecessor left; where several do, a lease must have ended.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from queue import SimpleQueue
from typing import Any, BinaryIO, NamedTuple, TypeVar

from sqlalchemy import Connection, Row, and_, delete, select, update

from gateway.errors import DeadReason, GatewayError
from gateway.store import Store, StoreCorrupt, StoreFatal, StoreUnavailable, after_commit
from gateway.store import lane_sql as sql
from gateway.store.lane_tables import job, job_event, lane, schedule

log = logging.getLogger(__name__)

ANY = "*"  # the pool of the directions that have none of their own
POOLS: Mapping[str, int] = {"in": 4, "out": 16, ANY: 4}
MAX_ATTEMPTS = 32  # about a day with the default back-off

_POLL_S = 0.2  # how soon what another process enqueued is seen
_TICK_S = 1.0  # how often leases and schedules are looked at
_OUTAGE_S = 0.5  # how long to wait while the store is unavailable
_TEXT_LENGTH = 4000  # characters kept of a failure, which may quote a partner


class Job(NamedTuple):
    """A claimed job, as its handler sees it. `attempt` counts from 1."""

    id: int
    lane: str
    kind: str
    payload: dict[str, Any]
    uniq: str | None
    attempt: int
    max_attempts: int
    token: str


class Done(NamedTuple):
    """The job is done. `commit` records its effects, in the transaction that completes it."""

    commit: Callable[[Connection], None] | None = None


class Retry(GatewayError):
    """Try again later: after `after_s` seconds, or by the back-off. `free` when it was no real attempt."""

    temporary = True

    def __init__(self, reason: str, after_s: float | None = None, *, free: bool = False) -> None:
        super().__init__(reason)
        self.after_s = after_s
        self.free = free


class Dead(GatewayError):
    """Give the job up: it becomes a dead letter under `reason`, a stable id, and can be replayed."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Fenced(GatewayError):
    """Another has taken the job since it was claimed; what was to be recorded was not."""


T = TypeVar("T")
Handler = Callable[[Job], Done]
OnDead = Callable[[Connection, Job, str, str], None]  # connection, job, reason id, message


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after the n-th failed attempt: min(cap, base * 2^(n-1)), 20 % more or less."""

    base_s: float = 2.0
    cap_s: float = 3600.0

    def after(self, attempt: int) -> float:
        """Seconds to wait after this attempt, counted from 1."""
        wait_s = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 40))
        return wait_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, keeps no secret


class LaneState(NamedTuple):
    """One lane for the operator: counts of jobs, and seconds until its next may begin, None if it is idle."""

    id: str
    ready: int
    running: int
    dead: int
    paused: bool
    blocked_s: float | None


class DeadJob(NamedTuple):
    """One dead letter for the operator; `at` is when it was given up."""

    id: int
    lane: str
    kind: str
    payload: dict[str, Any]
    reason: str
    message: str
    attempts: int
    at: datetime


class Engine:
    """The lanes of one store. Any process may enqueue; the one that calls `run` does the work.

    `node_id` is a stable name of this node. A lease lasts `lease_s` and is renewed every `heartbeat_s`.
    """

    def __init__(
        self,
        store: Store,
        node_id: str,
        *,
        backoff: Backoff = Backoff(),
        lease_s: float = 30.0,
        heartbeat_s: float = 10.0,
    ) -> None:
        self._store = store
        self._node = node_id
        self._owner = f"{node_id}/{secrets.token_hex(4)}"
        self._backoff = backoff
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._handlers: Mapping[str, Handler] = {}
        self._on_dead: Mapping[str, OnDead] = {}
        self._pools: dict[str, _Pool] = {}
        self._claiming: list[threading.Thread] = []
        self._working: list[threading.Thread] = []
        self._stopping = threading.Event()  # claim nothing more
        self._abandoned = threading.Event()  # do not even wait for the store any more
        self._runner_lock: BinaryIO | None = None

    # What a caller's transaction may do to jobs and lanes.

    def enqueue(
        self,
        conn: Connection,
        *,
        lane: str,
        kind: str,
        payload: dict[str, Any],
        uniq: str | None = None,
        run_at: datetime | None = None,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> int:
        """Add a job to a lane, in the caller's transaction; its id. `payload` is JSON.

        With `uniq` a job of that name, whatever became of it, makes this a no-op that returns its id.
        `run_at` is an aware time before which it does not run.
        """
        at = run_at.timestamp() if run_at is not None else 0.0
        # The lane first: its lock puts concurrent callers in order before they number their jobs.
        self._open_lane(conn, lane, at)
        values = {
            "lane": lane,
            "kind": kind,
            "payload": payload,
            "uniq": uniq,
            "run_at": at,
            "max_attempts": max_attempts,
        }
        added: int | None = conn.execute(sql.ADD_JOB.on(conn), values).scalar()
        if added is None:
            return int(conn.execute(sql.BY_UNIQ, {"uniq": uniq}).scalar_one())
        after_commit(conn, partial(self._wake, lane))
        return added

    def cancel(self, conn: Connection, *, uniq: str) -> bool:
        """Take back the job of this name; whether it was still ready or running.

        One that runs is fenced: it may end, and records nothing.
        """
        row = conn.execute(sql.CANCEL, {"name": uniq}).one_or_none()
        if row is None:
            return False
        self._note(conn, row.id, "cancel", row.attempts, "")
        self._look_at(conn, row.lane)
        return True

    def hurry(self, conn: Connection, *, uniq: str) -> bool:
        """Let the job of this name begin now, though its time has not come; whether it had not ended yet.

        It keeps the attempts it has had, and its place in its lane: what waits before it for a next attempt
        begins now, too.
        """
        row = conn.execute(select(job.c.id, job.c.lane, job.c.state).where(job.c.uniq == uniq)).one_or_none()
        if row is None or row.state not in {"ready", "running"}:
            return False
        conn.execute(sql.HURRY, {"of_lane": row.lane, "up_to": row.id})
        self._look_at(conn, row.lane)
        return True

    def unname(self, conn: Connection, *, uniq: str) -> None:
        """Let a new job have the name of one that has ended; the old one stays as history."""
        conn.execute(sql.UNNAME, {"name": uniq})

    def replay(self, conn: Connection, job_id: int) -> bool:
        """Give a dead letter new attempts; whether it was one."""
        row = conn.execute(sql.REPLAY, {"dead_id": job_id}).one_or_none()
        if row is None:
            return False
        self._note(conn, job_id, "replay", 0, "")
        self._look_at(conn, row.lane)
        return True

    def set_lane(
        self, conn: Connection, lane_id: str, *, max_running: int = 1, rate_per_s: float | None = None
    ) -> None:
        """Say how many jobs of a lane run at once (1 keeps their order), and how many may begin a second."""
        if max_running < 1 or (rate_per_s is not None and rate_per_s <= 0):
            raise ValueError("a lane runs at least one job, at a rate above zero; to stop it, pause it")
        self._open_lane(conn, lane_id, 0.0)
        values = {"max_running": max_running, "rate_per_s": rate_per_s}
        conn.execute(update(lane).where(lane.c.id == lane_id).values(**values))
        after_commit(conn, partial(self._wake, lane_id))

    def pause_lane(self, conn: Connection, lane_id: str) -> None:
        """Begin no more jobs of this lane; what runs, ends. Jobs may still be enqueued."""
        self._open_lane(conn, lane_id, 0.0)
        conn.execute(update(lane).where(lane.c.id == lane_id).values(paused=1))

    def resume_lane(self, conn: Connection, lane_id: str) -> None:
        """Go on after `pause_lane`."""
        conn.execute(update(lane).where(lane.c.id == lane_id).values(paused=0))
        self._look_at(conn, lane_id)

    def _open_lane(self, conn: Connection, lane_id: str, next_at: float) -> None:
        """Have the lane looked at by then; one that is new gets the defaults."""
        values = {"id": lane_id, "direction": _direction(lane_id), "next_at": next_at}
        conn.execute(sql.OPEN_LANE.on(conn), values)

    def _look_at(self, conn: Connection, lane_id: str) -> None:
        """Have a known lane looked at as soon as the transaction is over."""
        conn.execute(sql.LOOK_AT_LANE, {"lane": lane_id})
        after_commit(conn, partial(self._wake, lane_id))

    def set_schedule(
        self,
        conn: Connection,
        schedule_id: str,
        *,
        every_s: float,
        lane: str,
        kind: str,
        payload: dict[str, Any],
    ) -> None:
        """Enqueue such a job now and every `every_s` seconds; replaces the schedule of the same id.

        Occasions missed while nothing ran are made up for once.
        """
        values = {"id": schedule_id, "every_s": every_s, "lane": lane, "kind": kind, "payload": payload}
        conn.execute(sql.SET_SCHEDULE.on(conn), values)

    def drop_schedule(self, conn: Connection, schedule_id: str) -> None:
        """Enqueue no more of it."""
        conn.execute(delete(schedule).where(schedule.c.id == schedule_id))

    def forget(self, conn: Connection, before: datetime, limit: int = 1000) -> int:
        """Delete jobs done or cancelled before a time, the oldest first; how many. Dead letters stay."""
        ids = conn.execute(sql.FORGETTABLE, {"before": before.timestamp(), "limit": limit}).scalars().all()
        conn.execute(delete(job_event).where(job_event.c.job.in_(ids)))
        conn.execute(delete(job).where(job.c.id.in_(ids)))
        return len(ids)

    # What a handler may do before it is done.

    def checkpoint(self, claimed: Job, fn: Callable[[Connection], T]) -> T:
        """Record how far a running job came, in a transaction of its own; what `fn` returned, once durable.

        The next attempt finds it. Raises Fenced, without running `fn`, when another has taken the job; so a
        checkpoint right before a send keeps a late owner from sending.
        """

        def record(conn: Connection) -> T:
            held = {"held_id": claimed.id, "held_token": claimed.token, "lease_s": self._lease_s}
            if conn.execute(sql.HOLD, held).rowcount != 1:
                raise Fenced(f"job {claimed.id}")
            return fn(conn)

        return self._store.write(record)

    # What an operator wants to see.

    def lanes(self, conn: Connection) -> list[LaneState]:
        """Every lane, by id."""
        counts = {(row.lane, row.state): row.n for row in conn.execute(sql.COUNT_BY_LANE)}
        return [
            LaneState(
                row.id,
                counts.get((row.id, "ready"), 0),
                counts.get((row.id, "running"), 0),
                counts.get((row.id, "dead"), 0),
                bool(row.paused),
                None if row.next_at is None else max(0.0, max(row.next_at, row.open_at) - row.now),
            )
            for row in conn.execute(select(lane, sql.NOW.label("now")).order_by(lane.c.id))
        ]

    def dead(self, conn: Connection, limit: int = 100) -> list[DeadJob]:
        """The dead letters among the jobs, the latest first."""
        return [
            DeadJob(
                row.id,
                row.lane,
                row.kind,
                row.payload,
                row.reason,
                row.error,
                row.attempts,
                datetime.fromtimestamp(row.done_at, UTC),
            )
            for row in conn.execute(sql.DEAD_JOBS, {"limit": limit})
        ]

    # Running.

    def run(
        self,
        handlers: Mapping[str, Handler],
        *,
        on_dead: Mapping[str, OnDead] | None = None,
        pools: Mapping[str, int] = POOLS,
        wait_s: float = 5.0,
    ) -> None:
        """Start the threads that carry out jobs, by `handlers[job.kind]`, and return.

        `pools` says how many jobs of lanes of each direction run at once on this node; `"*"` is for all other
        directions. A pool of its own keeps slow partners' sends from holding up intake. `on_dead[job.kind]`
        runs in the transaction that makes a job a dead letter. Raises RunnerExists when another process still
        runs the jobs after `wait_s` seconds.
        """
        self._handlers, self._on_dead = handlers, on_dead or {}
        self._runner_lock = self._store.sole_runner(wait_s)
        self._store.write(self._begin)
        named = [name for name in pools if name != ANY]
        self._pools = {name: _Pool(name, size, named) for name, size in pools.items()}
        self._claiming = [self._start("engine-keeper", self._keep)]
        for name, pool in self._pools.items():
            self._claiming.append(self._start(f"engine-{name}-claim", self._claim_for, pool))
            for number in range(pools[name]):
                self._working.append(self._start(f"engine-{name}-{number}", self._work_for, pool))

    def drain(self, timeout_s: float) -> bool:
        """Begin nothing more, and wait for what runs; whether all ended in time.

        What did not end keeps its lease and is taken over by the next to run.
        """
        until = time.monotonic() + timeout_s
        self._stopping.set()
        for pool in self._pools.values():
            pool.wake.set()
        for thread in self._claiming:
            thread.join(max(0.0, until - time.monotonic()))
        for pool in self._pools.values():  # only now: what was claimed last still gets its thread
            pool.close()
        for thread in self._working:
            thread.join(max(0.0, until - time.monotonic()))
        self._abandoned.set()
        ended = not any(thread.is_alive() for thread in self._claiming + self._working)
        if self._runner_lock is not None:
            self._runner_lock.close()
            self._runner_lock = None
        return ended

    def _start(self, name: str, target: Callable[..., None], *args: Any) -> threading.Thread:
        thread = threading.Thread(target=target, name=name, args=args, daemon=True)
        thread.start()
        return thread

    def _wake(self, lane_id: str) -> None:
        pool = self._pools.get(_direction(lane_id)) or self._pools.get(ANY)
        if pool is not None:  # this process may run no jobs
            pool.wake.set()

    def _begin(self, conn: Connection) -> None:
        conn.execute(sql.SET_NODE.on(conn), {"id": self._node, "owner": self._owner})
        if self._runner_lock is not None:  # no one else can be running any
            self._take_over(conn, job.c.state == sql.RUNNING)

    # Claiming.

    def _claim_for(self, pool: _Pool) -> None:
        """The loop of the thread that claims for a pool."""
        outage = False
        while not self._stopping.is_set():
            pool.wake.clear()
            free = pool.free()
            if free == 0:
                pool.wake.wait()
                continue
            try:
                claim = self._store.write(partial(self._claim, pool=pool, free=free))
            except StoreFatal:
                log.critical("the store failed; no more jobs begin")
                return
            except StoreUnavailable as error:
                if not outage:
                    log.warning("no jobs begin while the store is unavailable: %s", error)
                outage = True
                self._stopping.wait(_OUTAGE_S)
                continue
            except Exception:
                log.exception("claiming jobs failed")
                self._stopping.wait(_OUTAGE_S)
                continue
            outage = False
            for claimed in claim.jobs:
                pool.take(claimed)
            if claim.due_s > 0:
                pool.wake.wait(min(_POLL_S, claim.due_s))

    def _claim(self, conn: Connection, pool: _Pool, free: int) -> _Claim:
        """Claim up to `free` jobs of the pool's lanes, the longest unserved lane first. One transaction."""
        limit = 2 * free + 32
        eligible = conn.execute(pool.eligible, {"limit": limit}).all()
        if not eligible:
            return _Claim([], self._due_s(conn, pool))
        now: float = eligible[0].now
        chosen: list[int] = []
        lanes: list[dict[str, Any]] = []  # what is to be written back
        unknown: list[dict[str, Any]] = []  # those of them whose next time hangs on their other jobs
        for row in conn.execute(sql.INSPECT, {"ids": [row.id for row in eligible], "now": now}):
            if len(chosen) == free:
                break
            slots = min(row.max_running - row.running, free - len(chosen), 1 if row.rate_per_s else free)
            next_at = None
            picked: Sequence[int] = []
            if slots > 0 and row.max_running > 1:
                picked = conn.execute(sql.DUE, {"lane": row.id, "now": now, "limit": slots}).scalars().all()
            elif slots > 0 and row.head is not None:
                if row.head_at <= now:
                    picked = [row.head]
                else:
                    next_at = row.head_at  # it waits for its next attempt, and the lane with it
            back = {
                "lane_id": row.id,
                "new_next_at": next_at,
                "new_served_at": now if picked else row.served_at,
                "new_open_at": now + 1 / row.rate_per_s if picked and row.rate_per_s else row.open_at,
            }
            lanes.append(back)
            if next_at is None and row.running + len(picked) < row.max_running:
                unknown.append(back)
            chosen += picked
        jobs = self._lease(conn, chosen, now) if chosen else []
        if unknown:
            found = conn.execute(sql.EARLIEST, {"lanes": [back["lane_id"] for back in unknown]})
            earliest = {row.lane: row.at for row in found}
            for back in unknown:
                back["new_next_at"] = earliest.get(back["lane_id"])
        conn.execute(sql.PUT_BACK, lanes)
        all_served = len(jobs) < free and len(eligible) < limit
        return _Claim(jobs, self._due_s(conn, pool) if all_served else 0.0)

    def _due_s(self, conn: Connection, pool: _Pool) -> float:
        """Seconds until the next lane of the pool is due."""
        due_s: float | None = conn.execute(pool.next_due).scalar()
        return _POLL_S if due_s is None else due_s

    def _lease(self, conn: Connection, chosen: Sequence[int], now: float) -> list[Job]:
        values = {
            "ids": chosen,
            "new_token": secrets.token_hex(8),
            "new_owner": self._owner,
            "new_lease": now + self._lease_s,
        }
        return sorted(map(_job, conn.execute(sql.LEASE, values)))

    # Carrying out.

    def _work_for(self, pool: _Pool) -> None:
        """The loop of one thread of a pool."""
        while (claimed := pool.jobs.get()) is not None:
            try:
                self._carry_out(claimed)
            except (StoreUnavailable, StoreFatal):
                log.warning("job %d stays leased, for the store is gone", claimed.id)
            except Fenced:
                log.warning("job %d (%s in %s) was taken by another", claimed.id, claimed.kind, claimed.lane)
            except BaseException:  # whatever a handler raises, its thread goes on
                log.exception("job %d could not be settled and stays leased", claimed.id)
            finally:
                pool.give_back()

    def _carry_out(self, claimed: Job) -> None:
        """Run the handler and record the outcome. Raises Fenced, StoreUnavailable, StoreFatal."""
        try:
            if (handler := self._handlers.get(claimed.kind)) is None:
                raise Dead("NO_HANDLER", f"this program has no handler for jobs of kind {claimed.kind!r}")
            done = handler(claimed)
            self._record(lambda conn: self._finish(conn, claimed, done))
        except (Fenced, StoreFatal):
            raise
        except Dead as verdict:
            reason, message = verdict.reason, str(verdict)
            self._record(lambda conn: self._bury(conn, claimed, reason, message))
        except Retry as verdict:
            text, after_s, forgive = str(verdict), verdict.after_s, int(verdict.free)
            self._record(lambda conn: self._try_again(conn, claimed, text, after_s, forgive=forgive))
        except StoreUnavailable as error:
            # Ours and temporary: it costs the job no attempt.
            text = str(error)
            self._record(lambda conn: self._try_again(conn, claimed, text, _OUTAGE_S, forgive=1))
        except StoreCorrupt as error:
            # Trying again mends no payload, and would hold up the lane.
            text = str(error)
            self._record(lambda conn: self._bury(conn, claimed, DeadReason.STORE_CORRUPT, text))
        except Exception as error:
            log.exception("job %d (%s in %s) failed", claimed.id, claimed.kind, claimed.lane)
            text = f"{type(error).__name__}: {error}"
            self._record(lambda conn: self._try_again(conn, claimed, text, None))

    def _record(self, fn: Callable[[Connection], None]) -> None:
        """Write an outcome, waiting out an outage. The fence makes it safe to try again."""
        while True:
            try:
                return self._store.write(fn)
            except StoreUnavailable:
                if self._abandoned.wait(_OUTAGE_S):
                    raise

    def _finish(self, conn: Connection, claimed: Job, done: Done) -> None:
        self._fence(conn, claimed, sql.FINISH, {})
        if done.commit is not None:
            done.commit(conn)

    def _try_again(
        self, conn: Connection, claimed: Job, text: str, after_s: float | None, *, forgive: int = 0
    ) -> None:
        """Back to ready, or to the dead letters when it was the last attempt."""
        if claimed.attempt >= claimed.max_attempts + forgive:
            message = f"given up after {claimed.attempt} attempts: {text}"
            self._bury(conn, claimed, DeadReason.DELIVERY_EXHAUSTED, message)
            return
        wait_s = self._backoff.after(claimed.attempt) if after_s is None else after_s
        values = {
            "wait_s": wait_s,
            "new_error": text[:_TEXT_LENGTH],
            "new_max": claimed.max_attempts + forgive,
        }
        self._fence(conn, claimed, sql.TRY_AGAIN, values)
        self._note(conn, claimed.id, "retry", claimed.attempt, text)

    def _bury(self, conn: Connection, claimed: Job, reason: str, message: str) -> None:
        """To the dead letters, with what the kind wants done about it."""
        self._fence(conn, claimed, sql.BURY, {"new_reason": str(reason), "new_error": message[:_TEXT_LENGTH]})
        self._note(conn, claimed.id, "dead", claimed.attempt, f"{reason}: {message}")
        if (on_dead := self._on_dead.get(claimed.kind)) is None:
            return
        try:
            with conn.begin_nested():
                on_dead(conn, claimed, str(reason), message)
        except Exception as error:
            # The dead letter must stand, or the job would be run again for ever.
            log.exception("what follows the end of job %d failed", claimed.id)
            self._note(conn, claimed.id, "dead", claimed.attempt, f"its follow-up failed: {error}")

    def _fence(self, conn: Connection, claimed: Job, change: Any, values: Mapping[str, object]) -> None:
        """Change the job if the claim still holds, and have its lane looked at. Raises Fenced."""
        held = {"held_id": claimed.id, "held_token": claimed.token}
        if conn.execute(change, held | dict(values)).rowcount != 1:
            raise Fenced(f"job {claimed.id}")
        self._look_at(conn, claimed.lane)

    def _note(self, conn: Connection, job_id: int, what: str, attempt: int, text: str) -> None:
        conn.execute(sql.NOTE, {"job": job_id, "what": what, "attempt": attempt, "text": text[:_TEXT_LENGTH]})

    # Keeping.

    def _keep(self) -> None:
        """The loop of the thread that renews leases, takes over ended ones, and minds the schedules."""
        beat_at = time.monotonic() + self._heartbeat_s
        while not self._stopping.wait(_TICK_S):
            beats = time.monotonic() >= beat_at
            try:
                self._store.write(partial(self._tick, beats=beats))
            except StoreFatal:
                return
            except StoreUnavailable:  # renewed first thing when it is back
                continue
            except Exception:
                log.exception("renewing leases failed")
                continue
            if beats:
                beat_at = time.monotonic() + self._heartbeat_s

    def _tick(self, conn: Connection, beats: bool) -> None:
        if beats:
            # First, so that a process that was stopped for long keeps what no other has taken meanwhile.
            conn.execute(sql.RENEW, {"held_owner": self._owner, "lease_s": self._lease_s})
            conn.execute(sql.SET_NODE.on(conn), {"id": self._node, "owner": self._owner})
        self._take_over(conn, and_(job.c.state == sql.RUNNING, job.c.lease_until < sql.NOW))
        for row in conn.execute(sql.DUE_SCHEDULES).all():
            moved = conn.execute(sql.MOVE_SCHEDULE, {"schedule_id": row.id, "was": row.next_at}).rowcount
            if moved:
                self.enqueue(conn, lane=row.lane, kind=row.kind, payload=row.payload)

    def _take_over(self, conn: Connection, which: Any) -> None:
        """Make jobs whose owner is gone ready again; one out of attempts becomes a dead letter."""
        for row in conn.execute(select(job).where(which).limit(1000).with_for_update(skip_locked=True)).all():
            lost = _job(row)
            if lost.attempt >= lost.max_attempts:
                message = f"each of {lost.attempt} attempts ended with the process that made it"
                self._bury(conn, lost, DeadReason.DELIVERY_EXHAUSTED, message)
            else:
                self._fence(conn, lost, sql.RELEASE, {})
                self._note(conn, lost.id, "takeover", lost.attempt, f"{row.owner} is gone")


class _Claim(NamedTuple):
    """What a claim came to; `due_s` until there is more to claim, 0 where there may be now."""

    jobs: list[Job]
    due_s: float


class _Pool:
    """The threads of one or more directions: what they are to do, and how many are free."""

    def __init__(self, name: str, size: int, others: Sequence[str]) -> None:
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.wake = threading.Event()  # a job may have become due, or a thread free
        self._size = size
        self._busy = 0
        self._lock = threading.Lock()
        mine = lane.c.direction.not_in(others) if name == ANY else lane.c.direction == name
        self.eligible = sql.eligible(mine)
        self.next_due = sql.next_due(mine)

    def free(self) -> int:
        """How many more jobs it can take."""
        with self._lock:
            return self._size - self._busy

    def take(self, claimed: Job) -> None:
        """Hand a job to a free thread."""
        with self._lock:
            self._busy += 1
        self.jobs.put(claimed)

    def give_back(self) -> None:
        """A thread is free again."""
        with self._lock:
            self._busy -= 1
        self.wake.set()

    def close(self) -> None:
        """Let every thread end after what it does."""
        for _ in range(self._size):
            self.jobs.put(None)


def _direction(lane_id: str) -> str:
    return lane_id.rpartition(":")[2]


def _job(row: Row[Any]) -> Job:
    return Job(row.id, row.lane, row.kind, row.payload, row.uniq, row.attempts, row.max_attempts, row.token)
