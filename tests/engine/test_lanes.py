"""The engine: order in a lane, effects once, one partner's trouble its own, and every job's end known."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from gateway.engine import Backoff, Dead, Done, Engine, Fenced, Job, Retry
from gateway.errors import DeadReason
from gateway.store import Store, StoreUnavailable, sqlite
from gateway.store.lane_tables import job, job_event, lane, node
from gateway.store.tables import event

Eventually = Callable[[Callable[[], bool]], None]


def put(store: Store, engine: Engine, lane_id: str, *payloads: Any, **options: Any) -> list[int]:
    def enqueue(conn: Connection) -> list[int]:
        return [
            engine.enqueue(conn, lane=lane_id, kind="work", payload={"n": payload}, **options)
            for payload in payloads
        ]

    return store.write(enqueue)


def rows(store: Store, statement: Any) -> list[Any]:
    with store.read() as conn:
        return list(conn.execute(statement).all())


def states(store: Store) -> Counter[str]:
    return Counter(row.state for row in rows(store, select(job.c.state)))


def effects(store: Store) -> list[str]:
    return [row.text for row in rows(store, select(event.c.text).order_by(event.c.id))]


def record(text: object) -> Done:
    """Done, with a row as its effect."""

    def commit(conn: Connection) -> None:
        conn.execute(insert(event), {"at": datetime.now(UTC), "name": "effect", "text": str(text)})

    return Done(commit)


def test_a_lane_keeps_the_order_of_its_jobs(store: Store, engine: Engine, eventually: Eventually) -> None:
    put(store, engine, "acme:in", *range(50))
    engine.run({"work": lambda this: record(this.payload["n"])})
    eventually(lambda: states(store) == {"done": 50})
    assert effects(store) == [str(number) for number in range(50)]


def test_a_job_that_fails_is_tried_again_before_those_behind_it(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    def handler(this: Job) -> Done:
        if this.payload["n"] == 1 and this.attempt < 4:
            raise Retry("not yet", after_s=0.02)
        return record(f"{this.payload['n']} at {this.attempt}")

    put(store, engine, "acme:out", 0, 1, 2)
    engine.run({"work": handler})
    eventually(lambda: states(store) == {"done": 3})
    assert effects(store) == ["0 at 1", "1 at 4", "2 at 1"]
    columns = job_event.c.what, job_event.c.attempt, job_event.c.text
    told = rows(store, select(*columns).order_by(job_event.c.id))
    assert [tuple(row) for row in told] == [("retry", attempt, "not yet") for attempt in (1, 2, 3)]


def test_a_lane_in_back_off_holds_back_no_other(store: Store, engine: Engine, eventually: Eventually) -> None:
    def handler(this: Job) -> Done:
        if this.lane == "dead:out":
            raise Retry("nobody is there", after_s=3600)
        return record(this.lane)

    put(store, engine, "dead:out", *range(10))
    put(store, engine, "live:out", *range(10))
    engine.run({"work": handler}, pools={"out": 1})
    eventually(lambda: states(store) == {"done": 10, "ready": 10})
    assert effects(store) == ["live:out"] * 10
    (dead,) = [state for state in store_lanes(store, engine) if state.id == "dead:out"]
    assert (dead.ready, dead.running) == (10, 0)
    assert dead.blocked_s is not None
    assert 3500 < dead.blocked_s <= 3600


def store_lanes(store: Store, engine: Engine) -> Any:
    with store.read() as conn:
        return engine.lanes(conn)


def test_an_ordered_lane_runs_one_job_at_a_time_and_a_wider_one_as_many_as_it_may(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    lock = threading.Lock()
    now: Counter[str] = Counter()
    most: Counter[str] = Counter()

    def handler(this: Job) -> Done:
        with lock:
            now[this.lane] += 1
            most[this.lane] = max(most[this.lane], now[this.lane])
        time.sleep(0.01)
        with lock:
            now[this.lane] -= 1
        return Done()

    store.write(lambda conn: engine.set_lane(conn, "wide:out", max_running=3))
    put(store, engine, "wide:out", *range(30))
    put(store, engine, "narrow:out", *range(30))
    engine.run({"work": handler}, pools={"out": 8})
    eventually(lambda: states(store) == {"done": 60})
    assert most == {"wide:out": 3, "narrow:out": 1}


def test_lanes_are_served_in_turn_however_deep_one_is(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    put(store, engine, "deep:in", *range(200))
    for number in range(4):
        put(store, engine, f"p{number}:in", *range(10))
    engine.run({"work": lambda this: record(this.lane)}, pools={"in": 1})
    eventually(lambda: states(store) == {"done": 240})
    first = Counter(effects(store)[:50])
    assert first == dict.fromkeys(["deep:in", "p0:in", "p1:in", "p2:in", "p3:in"], 10)


def test_slow_sends_do_not_hold_up_intake(store: Store, engine: Engine, eventually: Eventually) -> None:
    release = threading.Event()

    def handler(this: Job) -> Done:
        if this.lane.endswith(":out"):
            assert release.wait(10)
        return record(this.lane)

    for number in range(8):
        put(store, engine, f"slow{number}:out", 0)
    put(store, engine, "acme:in", *range(5))
    put(store, engine, "acme:erp", 0)
    engine.run({"work": handler}, pools={"out": 2, "in": 1, "*": 1})
    eventually(lambda: states(store)["done"] == 6)
    assert Counter(effects(store)) == {"acme:in": 5, "acme:erp": 1}
    assert states(store)["running"] == 2
    release.set()
    eventually(lambda: states(store) == {"done": 14})


def test_a_rate_spaces_the_beginnings_of_a_lanes_jobs(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    begun: list[float] = []

    def handler(this: Job) -> Done:
        begun.append(time.monotonic())
        return Done()

    store.write(lambda conn: engine.set_lane(conn, "erp:out", max_running=4, rate_per_s=20))
    put(store, engine, "erp:out", *range(6))
    engine.run({"work": handler})
    eventually(lambda: states(store) == {"done": 6})
    assert begun[-1] - begun[0] >= 5 * 0.05 - 0.02


def test_a_paused_lane_takes_jobs_and_begins_none_until_it_is_resumed(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    put(store, engine, "acme:out", 0)
    store.write(lambda conn: engine.pause_lane(conn, "acme:out"))
    put(store, engine, "other:out", 0)
    engine.run({"work": lambda this: record(this.lane)})
    eventually(lambda: states(store) == {"done": 1, "ready": 1})
    put(store, engine, "acme:out", 1)
    put(store, engine, "other:out", 1)
    eventually(lambda: states(store) == {"done": 2, "ready": 2})
    assert [state.paused for state in store_lanes(store, engine)] == [True, False]
    store.write(lambda conn: engine.resume_lane(conn, "acme:out"))
    eventually(lambda: states(store) == {"done": 4})


def test_a_lane_may_be_paused_before_its_first_job(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    store.write(lambda conn: engine.pause_lane(conn, "acme:out"))
    put(store, engine, "acme:out", 0)
    put(store, engine, "other:out", 0)
    engine.run({"work": lambda this: record(this.lane)})
    eventually(lambda: states(store) == {"done": 1, "ready": 1})
    assert effects(store) == ["other:out"]


def test_a_job_of_a_known_name_is_enqueued_once(store: Store, engine: Engine, eventually: Eventually) -> None:
    (first,) = put(store, engine, "acme:in", "a", uniq="message 1")
    assert put(store, engine, "acme:in", "b", uniq="message 1") == [first]
    engine.run({"work": lambda this: record(this.payload["n"])})
    eventually(lambda: states(store) == {"done": 1})
    assert put(store, engine, "acme:in", "c", uniq="message 1") == [first]
    put(store, engine, "acme:in", "d")
    eventually(lambda: states(store) == {"done": 2})
    assert effects(store) == ["a", "d"]


def test_a_job_exists_when_the_transaction_that_enqueued_it_does(store: Store, engine: Engine) -> None:
    def fail(conn: Connection) -> None:
        engine.enqueue(conn, lane="acme:in", kind="work", payload={})
        raise LookupError

    with pytest.raises(LookupError):
        store.write(fail)
    assert states(store) == {}


def test_a_job_for_later_waits_for_its_time_and_holds_up_nothing(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    put(store, engine, "acme:deadline", "later", run_at=datetime.now(UTC) + timedelta(hours=1))
    put(store, engine, "acme:deadline", "soon", run_at=soon)
    put(store, engine, "acme:deadline", "now")
    when: list[datetime] = []

    def handler(this: Job) -> Done:
        when.append(datetime.now(UTC))
        return record(this.payload["n"])

    engine.run({"work": handler})
    eventually(lambda: states(store) == {"done": 2, "ready": 1})
    assert effects(store) == ["now", "soon"]
    assert when[1] >= soon - timedelta(milliseconds=2)


def test_a_job_that_waits_is_hurried_and_keeps_its_attempts(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    attempts: list[int] = []

    def work(claimed: Job) -> Done:
        attempts.append(claimed.attempt)
        if claimed.attempt < 3:
            raise Retry("not yet", after_s=3600.0)
        return Done()

    put(store, engine, "acme:out", 1, uniq="only")
    put(store, engine, "acme:out", 2, uniq="later", run_at=datetime.now(UTC) + timedelta(hours=1))
    engine.run({"work": work})
    for done in (1, 2):
        eventually(lambda: len(attempts) == done and states(store)["ready"] == 2)  # noqa: B023
        assert store.write(lambda conn: engine.hurry(conn, uniq="only"))
    eventually(lambda: states(store) == {"done": 1, "ready": 1})
    assert attempts == [1, 2, 3]
    assert not store.write(lambda conn: engine.hurry(conn, uniq="only"))
    assert not store.write(lambda conn: engine.hurry(conn, uniq="nothing"))
    store.write(lambda conn: engine.hurry(conn, uniq="later"))
    eventually(lambda: len(attempts) == 4)


def test_what_waits_before_a_hurried_job_begins_too_and_keeps_its_place(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    ran: list[int] = []

    def work(claimed: Job) -> Done:
        ran.append(claimed.payload["n"])
        if claimed.payload["n"] == 1 and claimed.attempt == 1:
            raise Retry("not yet", after_s=3600.0)
        return Done()

    put(store, engine, "acme:out", 1)
    put(store, engine, "acme:out", 2, uniq="second")
    put(store, engine, "acme:out", 3)
    engine.run({"work": work})
    eventually(lambda: ran == [1] and states(store) == {"ready": 3})
    store.write(lambda conn: engine.hurry(conn, uniq="second"))
    eventually(lambda: states(store) == {"done": 3})
    assert ran == [1, 1, 2, 3]


def test_the_name_of_a_job_that_has_ended_can_be_given_again(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    ran: list[int] = []

    def work(claimed: Job) -> Done:
        ran.append(claimed.payload["n"])
        return Done()

    put(store, engine, "acme:out", 1, uniq="name", run_at=datetime.now(UTC) + timedelta(hours=1))
    store.write(lambda conn: engine.unname(conn, uniq="name"))
    put(store, engine, "acme:out", 2, uniq="name")  # it waits still, so it keeps its name
    engine.run({"work": work})
    store.write(lambda conn: engine.hurry(conn, uniq="name"))
    eventually(lambda: states(store) == {"done": 1})
    store.write(lambda conn: engine.unname(conn, uniq="name"))
    put(store, engine, "acme:out", 3, uniq="name")
    eventually(lambda: ran == [1, 3])
    assert len(rows(store, select(job.c.id))) == 2


def test_a_deadline_is_cancelled_with_the_transaction_that_records_the_answer(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    put(store, engine, "acme:deadline", "answered", uniq="mdn 1", run_at=soon)
    put(store, engine, "acme:deadline", "unanswered", uniq="mdn 2", run_at=soon)

    def answer(conn: Connection) -> bool:
        return engine.cancel(conn, uniq="mdn 1")

    assert store.write(answer)
    assert not store.write(answer)
    assert not store.write(lambda conn: engine.cancel(conn, uniq="never heard of"))
    engine.run({"work": lambda this: record(this.payload["n"])})
    eventually(lambda: states(store) == {"done": 1, "cancelled": 1})
    assert effects(store) == ["unanswered"]


def test_a_job_cancelled_while_it_runs_records_nothing(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    running, go = threading.Event(), threading.Event()

    def handler(this: Job) -> Done:
        if this.payload["n"] == "cancelled":
            running.set()
            assert go.wait(10)
        return record(this.payload["n"])

    put(store, engine, "acme:deadline", "cancelled", uniq="mdn 1")
    put(store, engine, "acme:deadline", "next")
    engine.run({"work": handler})
    assert running.wait(10)
    assert store.write(lambda conn: engine.cancel(conn, uniq="mdn 1"))
    go.set()
    eventually(lambda: states(store) == {"cancelled": 1, "done": 1})
    assert engine.drain(10)
    assert effects(store) == ["next"]


def test_the_last_failed_attempt_makes_a_dead_letter_with_its_follow_up(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    def handler(this: Job) -> Done:
        raise Retry("connection refused")

    def on_dead(conn: Connection, this: Job, reason: str, message: str) -> None:
        commit = record(f"{reason}: {message}").commit
        assert commit is not None
        commit(conn)

    (number,) = put(store, engine, "acme:out", {"kept": True}, max_attempts=3)
    engine.run({"work": handler}, on_dead={"work": on_dead})
    eventually(lambda: states(store) == {"dead": 1})
    assert effects(store) == ["DELIVERY_EXHAUSTED: given up after 3 attempts: connection refused"]
    with store.read() as conn:
        (letter,) = engine.dead(conn)
    assert (letter.id, letter.lane, letter.attempts) == (number, "acme:out", 3)
    assert letter.reason == DeadReason.DELIVERY_EXHAUSTED
    assert letter.payload == {"n": {"kept": True}}
    assert abs(datetime.now(UTC) - letter.at) < timedelta(minutes=1)


def test_a_dead_letter_is_replayed_with_new_attempts_and_its_payload(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    mended = threading.Event()

    def handler(this: Job) -> Done:
        if not mended.is_set():
            raise Dead("ERP_REFUSED", "no such customer")
        return record(f"{this.payload['n']} at {this.attempt}")

    (number,) = put(store, engine, "acme:erp", "order")
    engine.run({"work": handler})
    eventually(lambda: states(store) == {"dead": 1})
    mended.set()
    assert store.write(lambda conn: engine.replay(conn, number))
    assert not store.write(lambda conn: engine.replay(conn, number))
    eventually(lambda: states(store) == {"done": 1})
    assert effects(store) == ["order at 1"]
    told = rows(store, select(job_event.c.what, job_event.c.text).order_by(job_event.c.id))
    assert [tuple(row) for row in told] == [("dead", "ERP_REFUSED: no such customer"), ("replay", "")]


def test_a_follow_up_that_fails_leaves_the_dead_letter_and_nothing_of_its_own(
    store: Store, engine: Engine, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(this: Job) -> Done:
        raise Dead("MAPPING_FAILED", "no map")

    def on_dead(conn: Connection, this: Job, reason: str, message: str) -> None:
        commit = record("half").commit
        assert commit is not None
        commit(conn)
        raise LookupError("follow-up")

    put(store, engine, "acme:in", 0)
    engine.run({"work": handler}, on_dead={"work": on_dead})
    eventually(lambda: states(store) == {"dead": 1})
    assert effects(store) == []
    assert "what follows the end of job" in caplog.text


def test_an_unexpected_error_is_logged_and_tried_again(
    store: Store, engine: Engine, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(this: Job) -> Done:
        if this.attempt == 1:
            raise ZeroDivisionError("oops")
        return record("done")

    put(store, engine, "acme:in", 0)
    engine.run({"work": handler})
    eventually(lambda: states(store) == {"done": 1})
    assert "ZeroDivisionError: oops" in caplog.text
    (told,) = rows(store, select(job_event.c.text))
    assert told.text == "ZeroDivisionError: oops"


def test_effects_that_cannot_be_recorded_are_undone_and_the_job_is_tried_again(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    def handler(this: Job) -> Done:
        def commit(conn: Connection) -> None:
            conn.execute(insert(event), {"at": datetime.now(UTC), "name": "x", "text": f"{this.attempt}"})
            if this.attempt == 1:
                raise Retry("once more", after_s=0)

        return Done(commit)

    put(store, engine, "acme:in", 0)
    engine.run({"work": handler})
    eventually(lambda: states(store) == {"done": 1})
    assert effects(store) == ["2"]


def test_a_job_nobody_can_carry_out_is_a_dead_letter(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    put(store, engine, "acme:in", 0)
    engine.run({})
    eventually(lambda: states(store) == {"dead": 1})
    with store.read() as conn:
        assert engine.dead(conn)[0].message == "this program has no handler for jobs of kind 'work'"


def test_one_whose_lease_has_ended_is_fenced_and_its_effects_count_once(
    store: Store, eventually: Eventually
) -> None:
    """The late owner ends its work after another has taken the job: only one of the two is recorded."""
    engine = Engine(store, "node", lease_s=0.2, heartbeat_s=3600)
    late = threading.Event()
    ended: list[int] = []

    def handler(this: Job) -> Done:
        if this.attempt == 1:
            assert late.wait(10)
        ended.append(this.attempt)
        return record(f"attempt {this.attempt}")

    put(store, engine, "acme:in", 0)
    engine.run({"work": handler})
    eventually(lambda: states(store) == {"done": 1})
    late.set()
    assert engine.drain(10)
    assert ended == [2, 1]
    assert effects(store) == ["attempt 2"]
    (told,) = rows(store, select(job_event.c.what))
    assert told.what == "takeover"


def test_a_checkpoint_is_kept_when_the_attempt_fails_and_refused_to_a_late_owner(
    store: Store, eventually: Eventually
) -> None:
    engine = Engine(store, "node", backoff=Backoff(base_s=0.01), lease_s=0.2, heartbeat_s=3600)
    late, refused = threading.Event(), threading.Event()

    def note(text: str) -> Callable[[Connection], str]:
        def write(conn: Connection) -> str:
            conn.execute(insert(event), {"at": datetime.now(UTC), "name": "checkpoint", "text": text})
            return text

        return write

    def handler(this: Job) -> Done:
        if this.attempt == 1:
            assert engine.checkpoint(this, note("built")) == "built"
            raise Retry("no answer")
        if this.attempt == 2:
            assert late.wait(10)
            with pytest.raises(Fenced):
                engine.checkpoint(this, note("sent late"))
            refused.set()
        return record("sent")

    put(store, engine, "acme:out", 0)
    engine.run({"work": handler})
    eventually(lambda: states(store) == {"done": 1})
    late.set()
    assert refused.wait(10)
    assert engine.drain(10)
    assert effects(store) == ["built", "sent"]


def test_a_heartbeat_keeps_what_takes_longer_than_a_lease(store: Store, eventually: Eventually) -> None:
    engine = Engine(store, "node", lease_s=2.5, heartbeat_s=0.5)

    def handler(this: Job) -> Done:
        time.sleep(4)
        return record(this.attempt)

    put(store, engine, "acme:in", 0)
    engine.run({"work": handler})
    eventually(lambda: states(store) == {"done": 1})
    assert engine.drain(10)
    assert effects(store) == ["1"]
    (beat,) = rows(store, select(node))
    assert beat.heartbeat_at > beat.started_at + 1


def test_an_outage_of_the_store_delays_a_result_and_does_not_lose_or_repeat_it(
    tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_S", 0.05)
    carried_out: list[int] = []
    running, go = threading.Event(), threading.Event()

    def handler(this: Job) -> Done:
        carried_out.append(this.attempt)
        running.set()
        assert go.wait(10)
        return record("sent")

    with Store.open(tmp_path / "outage.db", blobs=tmp_path / "blobs") as store:
        engine = Engine(store, "node")
        put(store, engine, "acme:out", 0)
        engine.run({"work": handler})
        assert running.wait(10)
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            go.set()
            with pytest.raises(StoreUnavailable):
                put(store, engine, "acme:out", 1)
            time.sleep(0.3)
            assert states(store) == {"running": 1}
            other.execute("ROLLBACK")
        eventually(lambda: states(store) == {"done": 1})
        assert engine.drain(10)
        assert effects(store) == ["sent"]
        assert carried_out == [1]


def test_an_unavailable_store_costs_a_job_no_attempt(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    tries: list[int] = []

    def handler(this: Job) -> Done:
        tries.append(this.attempt)
        if len(tries) < 3:
            raise StoreUnavailable("the disk is full")
        return record("sent")

    put(store, engine, "acme:out", 0, max_attempts=1)
    engine.run({"work": handler})
    eventually(lambda: states(store) == {"done": 1})
    assert effects(store) == ["sent"]
    assert tries == [1, 2, 3]


def test_draining_ends_what_runs_and_begins_nothing_more(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    running, go = threading.Event(), threading.Event()

    def handler(this: Job) -> Done:
        running.set()
        assert go.wait(10)
        return record(this.payload["n"])

    put(store, engine, "acme:out", 0, 1)
    engine.run({"work": handler})
    assert running.wait(10)
    assert not engine.drain(0.05)
    go.set()
    assert engine.drain(10)
    assert states(store) == {"done": 1, "ready": 1}
    again = Engine(store, "node")
    again.run({"work": handler})
    eventually(lambda: states(store) == {"done": 2})
    assert again.drain(10)
    assert effects(store) == ["0", "1"]


def test_a_job_that_outlives_its_attempts_at_a_takeover_is_a_dead_letter(
    store: Store, eventually: Eventually
) -> None:
    """As after a crash: the row says running, and nobody runs it."""
    engine = Engine(store, "node")
    (poison,) = put(store, engine, "acme:in", "poison", max_attempts=2)
    put(store, engine, "b:in", "sound")
    claimed = {"state": "running", "token": "gone", "owner": "node/dead", "attempts": 2, "lease_until": 9e9}
    store.write(lambda conn: conn.execute(update(job).values(claimed)).rowcount)
    ends: list[tuple[int, str]] = []
    engine.run(
        {"work": lambda this: record(f"{this.payload['n']} at {this.attempt}")},
        on_dead={"work": lambda conn, this, reason, message: ends.append((this.id, message))},
    )
    eventually(lambda: states(store) == {"done": 1, "dead": 1})
    assert engine.drain(10)
    assert ends == [(poison, "each of 2 attempts ended with the process that made it")]
    assert effects(store) == ["sound at 3"]


def test_a_schedule_enqueues_at_once_and_again_until_it_is_dropped(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    def begin(conn: Connection) -> None:
        for every_s in (3600.0, 0.5):
            engine.set_schedule(
                conn, "poll acme", every_s=every_s, lane="acme:poll", kind="work", payload={"n": "poll"}
            )

    store.write(begin)
    engine.run({"work": lambda this: record(this.payload["n"])})
    eventually(lambda: len(effects(store)) >= 2)
    store.write(lambda conn: engine.drop_schedule(conn, "poll acme"))
    eventually(lambda: set(states(store)) == {"done"})
    count = len(effects(store))
    time.sleep(1.2)
    assert len(effects(store)) == count


def test_what_another_process_enqueues_is_seen(store: Store, engine: Engine, eventually: Eventually) -> None:
    engine.run({"work": lambda this: record(this.payload["n"])})
    with Store.open(store.path, blobs=store.blobs.root) as another:
        put(another, Engine(another, "cli"), "acme:out", "from outside")
    eventually(lambda: effects(store) == ["from outside"])


def test_jobs_of_the_past_are_forgotten_and_dead_letters_kept(
    store: Store, engine: Engine, eventually: Eventually
) -> None:
    def handler(this: Job) -> Done:
        if this.payload["n"] == "dead":
            raise Dead("ERP_REFUSED", "no")
        if this.attempt == 1:
            raise Retry("once", after_s=0)
        return Done()

    put(store, engine, "acme:in", "dead", "done")
    engine.run({"work": handler})
    eventually(lambda: states(store) == {"dead": 1, "done": 1})
    an_hour = timedelta(hours=1)
    assert store.write(lambda conn: engine.forget(conn, datetime.now(UTC) - an_hour)) == 0
    assert store.write(lambda conn: engine.forget(conn, datetime.now(UTC) + an_hour)) == 1
    assert states(store) == {"dead": 1}
    assert len(rows(store, select(job_event.c.id))) == 1


def test_a_lane_must_be_able_to_run_something(store: Store, engine: Engine) -> None:
    with pytest.raises(ValueError, match="to stop it, pause it"):
        store.write(lambda conn: engine.set_lane(conn, "acme:out", max_running=0))
    with pytest.raises(ValueError, match="to stop it, pause it"):
        store.write(lambda conn: engine.set_lane(conn, "acme:out", rate_per_s=0))
    assert rows(store, select(lane)) == []


@pytest.mark.parametrize(("attempt", "least", "most"), [(1, 1.6, 2.4), (4, 12.8, 19.2), (99, 2880, 4320)])
def test_back_off_doubles_to_its_cap_and_varies_by_a_fifth(attempt: int, least: float, most: float) -> None:
    waits = {Backoff().after(attempt) for _ in range(100)}
    assert least <= min(waits) < max(waits) <= most
    assert len(waits) > 90
