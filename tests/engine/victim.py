"""A process that runs jobs until it is killed or all are done; its effects are rows of `event`.

    python victim.py DATABASE DOCUMENTS LANES STEPS

Each document is a chain of jobs in its partner's lane, each of which records itself in its completing
transaction and enqueues the next there. Prints `running` once it runs, and `done` at the end.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from gateway.engine import Done, Engine, Job
from gateway.store import Store
from gateway.store.tables import event


def main(path: Path, documents: int, lanes: int, steps: int) -> None:
    store = Store.open(path, blobs=path.parent / "blobs")
    engine = Engine(store, "victim")

    def step(this: Job) -> Done:
        time.sleep(0.002)
        number, at = this.payload["document"], this.payload["step"]

        def commit(conn: Connection) -> None:
            effect = {"at": datetime.now(UTC), "name": f"{this.lane} {at}", "text": str(number)}
            conn.execute(insert(event), effect)
            if at < steps:
                payload = {"document": number, "step": at + 1}
                engine.enqueue(conn, lane=this.lane, kind="step", payload=payload)

        return Done(commit)

    def begin(conn: Connection) -> None:
        for number in range(documents):
            lane = f"partner{number % lanes}:in"
            payload = {"document": number, "step": 1}
            engine.enqueue(conn, lane=lane, kind="step", payload=payload, uniq=f"document {number}")

    store.write(begin)
    engine.run({"step": step}, pools={"in": 4})
    print("running", flush=True)
    count = select(func.count()).select_from(event)
    while True:
        with store.read() as conn:
            if conn.execute(count).scalar_one() >= documents * steps:
                break
        time.sleep(0.02)
    engine.drain(10)
    store.close()
    print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
