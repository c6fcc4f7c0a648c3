"""kill -9, again and again: nothing lost, nothing doubled, every lane in order, and no lease waited for.

`TRADELANE_KILLS` says how many kills; the normal run does twelve.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.store import Store
from gateway.store.lane_tables import job, job_event
from gateway.store.tables import event

ROOT = Path(__file__).parent.parent.parent
KILLS = int(os.environ.get("TRADELANE_KILLS", "12"))
DOCUMENTS = 30 * KILLS
LANES = 6
STEPS = 5


def start(path: Path) -> subprocess.Popen[str]:
    victim = Path(__file__).parent / "victim.py"
    command = [sys.executable, victim, path, DOCUMENTS, LANES, STEPS]
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    return process


def end(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=60)
    return out


def test_no_kill_loses_doubles_or_reorders_anything(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    path = tmp_path / "kill.db"
    in_time = 0
    for _ in range(KILLS):
        process = start(path)
        time.sleep(chance.uniform(0.0, 0.25))
        in_time += process.poll() is None
        process.send_signal(signal.SIGKILL)
        end(process)
    assert in_time >= min(KILLS, 10), "the work ended before enough kills: the test proved nothing"
    last = start(path)
    assert end(last) == "done\n"
    assert last.returncode == 0

    with Store.open(path, blobs=tmp_path / "blobs") as store, store.read() as conn:
        effects = conn.execute(select(event.c.name, event.c.text).order_by(event.c.id)).all()
        states = Counter(conn.execute(select(job.c.state)).scalars())
        taken_over = conn.execute(select(job_event.c.id).where(job_event.c.what == "takeover")).all()
        assert conn.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    expected = {
        (f"partner{number % LANES}:in {step}", str(number))
        for number in range(DOCUMENTS)
        for step in range(1, STEPS + 1)
    }
    assert {tuple(effect) for effect in effects} == expected  # nothing lost
    assert len(effects) == len(expected)  # nothing doubled
    assert states == {"done": DOCUMENTS * STEPS}
    by_step: dict[str, list[int]] = defaultdict(list)
    for name, text in effects:
        by_step[name].append(int(text))
    for name, numbers in by_step.items():
        assert numbers == sorted(numbers), f"{name} is out of order"
    assert len(taken_over) >= 5


DIE_ONCE = """
import os, signal, sys, threading, time
from datetime import UTC, datetime
from pathlib import Path
from sqlalchemy import insert, select
from gateway.engine import Done, Engine
from gateway.store import Store, after_commit
from gateway.store.lane_tables import job
from gateway.store.tables import event

path, point = Path(sys.argv[1]), sys.argv[2]
store = Store.open(path, blobs=path.parent / "blobs")
engine = Engine(store, "node")

def die(here):
    if here == point:
        os.kill(os.getpid(), signal.SIGKILL)

def handler(this):
    die("when claimed")
    def commit(conn):
        row = {"at": datetime.now(UTC), "name": this.kind, "text": str(this.attempt)}
        conn.execute(insert(event), row)
        if this.kind == "first":
            engine.enqueue(conn, lane=this.lane, kind="second", payload={})
        die("before the commit")
        after_commit(conn, lambda: die("after the commit"))
    return Done(commit)

def begin(conn):
    engine.enqueue(conn, lane="acme:in", kind="first", payload={}, uniq="only")

store.write(begin)
engine.run({"first": handler, "second": handler})
until = time.monotonic() + 20
while time.monotonic() < until:
    with store.read() as conn:
        if conn.execute(select(job.c.id).where(job.c.kind == "second", job.c.state == "done")).all():
            break
    time.sleep(0.01)
engine.drain(10)
store.close()
"""


@pytest.mark.parametrize(
    ("point", "attempts"),
    [("when claimed", "2"), ("before the commit", "2"), ("after the commit", "1"), ("nowhere", "1")],
)
def test_a_death_at_each_step_of_a_job_is_made_good_at_the_next_start(
    tmp_path: Path, point: str, attempts: str
) -> None:
    path = tmp_path / "die.db"
    command = [sys.executable, "-c", DIE_ONCE, str(path)]
    first = subprocess.run([*command, point], cwd=ROOT, check=False, timeout=60)
    assert first.returncode == (0 if point == "nowhere" else -signal.SIGKILL)
    assert subprocess.run([*command, "nowhere"], cwd=ROOT, check=False, timeout=60).returncode == 0
    with Store.open(path, blobs=tmp_path / "blobs") as store, store.read() as conn:
        effects = conn.execute(select(event.c.name, event.c.text).order_by(event.c.id)).all()
        states = Counter(conn.execute(select(job.c.state)).scalars())
    assert [tuple(effect) for effect in effects] == [("first", attempts), ("second", "1")]
    assert states == {"done": 2}
