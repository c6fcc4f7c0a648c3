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
