"""The engine's figures on SQLite with synchronous=FULL: documents a second, claims beside a dead lane.

    python tests/bench/engine.py [documents]

Gates: 200 documents a second in one process; a claim for 8 live lanes beside 20,000 waiting jobs under 50 ms.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from gateway.engine import Backoff, Done, Engine, Job, Retry
from gateway.store import Store
from gateway.store.lane_tables import job
from gateway.store.tables import event

STEPS = 5
LANES = 16


def five_step_documents(folder: Path, documents: int) -> float:
    """Documents a second, each five jobs that leave a row of their own; a document's steps share a lane."""
    with Store.open(folder / "steps.db", blobs=folder / "blobs") as store:
        engine = Engine(store, "bench")
        finished = threading.Semaphore(0)
        now = datetime.now(UTC)

        def step(this: Job) -> Done:
            number, at = this.payload["document"], this.payload["step"]

            def commit(conn: Connection) -> None:
                conn.execute(insert(event), {"at": now, "name": f"step{at}", "text": str(number)})
                if at < STEPS:
                    payload = {"document": number, "step": at + 1}
                    engine.enqueue(conn, lane=this.lane, kind="step", payload=payload)
                else:
                    finished.release()

            return Done(commit)

        def begin(conn: Connection) -> None:
            for number in range(documents):
                lane = f"partner{number % LANES}:in"
                engine.enqueue(conn, lane=lane, kind="step", payload={"document": number, "step": 1})

        store.write(begin)
        started = time.perf_counter()
        engine.run({"step": step}, pools={"in": 8, "out": 16, "*": 4})
        for _ in range(documents):
            finished.acquire()
        took_s = time.perf_counter() - started
        assert engine.drain(10)
        with store.read() as conn:
            assert conn.execute(select(func.count()).select_from(event)).scalar() == documents * STEPS
        return documents / took_s


def claims_beside_a_dead_lane(folder: Path, waiting: int) -> list[float]:
    """Milliseconds from enqueue to handler, one job at a time over 8 lanes, beside a lane in back-off."""
    with Store.open(folder / f"dead{waiting}.db", blobs=folder / "blobs") as store:
        engine = Engine(store, "bench")
        begun = threading.Event()

        def dead(this: Job) -> Done:
            raise Retry("nobody is there", after_s=3600)

        def live(this: Job) -> Done:
            begun.set()
            return Done()

        def fill(conn: Connection) -> None:
            for number in range(waiting):
                engine.enqueue(conn, lane="dead:out", kind="dead", payload={"n": number})

        store.write(fill)
        engine.run({"dead": dead, "live": live}, pools={"out": 8})
        took_ms = []
        for number in range(200):
            begun.clear()
            started = time.perf_counter()
            lane = f"live{number % 8}:out"
            store.write(partial(engine.enqueue, lane=lane, kind="live", payload={}))
            begun.wait()
            took_ms.append((time.perf_counter() - started) * 1000)
        assert engine.drain(10)
        with store.read() as conn:
            assert conn.execute(select(func.count()).where(job.c.lane == "dead:out")).scalar() == waiting
        return took_ms


def sends_beside_a_dead_partner(folder: Path, dead: bool, for_s: float = 3.0) -> tuple[float, float]:
    """Sends a second, and the p95 of milliseconds waited, of 19 partners of 20 whose peer takes 20 ms.

    The 20th hangs for a second and fails, when `dead`; else it is like the others, and not counted.
    """
    with Store.open(folder / f"partners{dead}.db", blobs=folder / "blobs") as store:
        engine = Engine(store, "bench", backoff=Backoff(base_s=0.1, cap_s=1.0))
        waited_ms: list[float] = []

        def send(this: Job) -> Done:
            if dead and this.lane == "p0:out":
                time.sleep(1)
                raise Retry("timed out")
            time.sleep(0.02)
            if this.lane != "p0:out":
                waited_ms.append((time.perf_counter() - this.payload["at"]) * 1000)
            return Done()

        def arrive(conn: Connection) -> None:
            for number in range(20):
                payload = {"at": time.perf_counter()}
                engine.enqueue(conn, lane=f"p{number}:out", kind="send", payload=payload)

        engine.run({"send": send})
        started = time.perf_counter()
        while time.perf_counter() < started + for_s:
            store.write(arrive)
            time.sleep(0.05)
        rate = len(waited_ms) / (time.perf_counter() - started)
        engine.drain(2)
        return rate, statistics.quantiles(waited_ms, n=20)[-1]


def start_with_jobs(folder: Path, queued: int) -> float:
    """Seconds from opening a store with that many jobs queued to the first one running."""
    path = folder / "queued.db"
    with Store.open(path, blobs=folder / "blobs") as store:
        engine = Engine(store, "bench")
        later = datetime.now(UTC) + timedelta(hours=1)

        def fill(conn: Connection) -> None:
            for number in range(queued):
                engine.enqueue(conn, lane=f"p{number % 50}:out", kind="x", payload={}, run_at=later)
            engine.enqueue(conn, lane="now:out", kind="x", payload={})

        store.write(fill)
    started = time.perf_counter()
    begun = threading.Event()

    def handler(this: Job) -> Done:
        begun.set()
        return Done()

    with Store.open(path, blobs=folder / "blobs") as store:
        engine = Engine(store, "bench")
        engine.run({"x": handler})
        begun.wait()
        took_s = time.perf_counter() - started
        engine.drain(10)
    return took_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", nargs="?", type=int, default=1000)
    documents = parser.parse_args().documents
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rate = five_step_documents(folder, documents)
        print(f"five-step documents a second: {rate:.0f} (gate 200)")
        worst = 0.0
        for waiting in (10, 20_000):
            took_ms = claims_beside_a_dead_lane(folder, waiting)
            worst = statistics.median(took_ms)
            p95 = statistics.quantiles(took_ms, n=20)[-1]
            figures = f"median {worst:.1f} ms, p95 {p95:.1f} ms (gate 50)"
            print(f"enqueue to handler beside {waiting} waiting jobs of a dead lane: {figures}")
        rate_all, p95_all = sends_beside_a_dead_partner(folder, dead=False)
        rate_19, p95_19 = sends_beside_a_dead_partner(folder, dead=True)
        print(
            f"19 partners beside a dead one: {rate_19 / rate_all:.0%} of their throughput (gate 95 %), "
            f"p95 {p95_19:.0f} ms after {p95_all:.0f} ms"
        )
        print(f"first job after opening with 10,000 queued: {start_with_jobs(folder, 10_000):.2f} s (gate 5)")
    return 0 if rate >= 200 and worst < 50 else 1


if __name__ == "__main__":
    sys.exit(main())
