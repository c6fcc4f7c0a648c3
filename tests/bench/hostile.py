"""What hostile files cost: CPU time and memory of each operation on each of them, all files under 1 MiB.

    python tests/bench/hostile.py [PART OF A NAME]

Each figure is of a process of its own, after the first small files. Beyond 1 s or 64 MiB it is marked.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS / "x12"), str(TESTS / "edifact")]

import edifact_bombs  # noqa: E402
import edifact_support  # noqa: E402
import x12_bombs  # noqa: E402
import x12_support  # noqa: E402

from edi.problems import EdiError  # noqa: E402
from edi.tree import Interchange, Transaction  # noqa: E402
from gateway import edi  # noqa: E402

SECONDS, MEBIBYTES = 1.0, 64
BOMBS = {f"X12: {name}": (x12_bombs.bomb, name) for name in x12_bombs.BOMBS}
BOMBS |= {f"EDIFACT: {name}": (edifact_bombs.bomb, name) for name in edifact_bombs.BOMBS}
SMALL = [x12_support.document(kind) for kind in ("850", "856", "997")]
SMALL += [edifact_support.document(kind) for kind in edifact_support.DOCUMENTS]


def operations() -> dict[str, Callable[[bytes], object]]:
    now = datetime(2026, 1, 6, 12, 30, tzinfo=UTC)

    def check(data: bytes) -> None:
        for event in edi.read(io.BytesIO(data)):
            if isinstance(event, Interchange):
                syntax = edi.of(event)
            elif isinstance(event, Transaction):
                syntax.check(event)

    def acknowledge(data: bytes) -> None:
        kind = "999" if b"ISA" in data[: 2**17] else None
        deque(edi.acknowledge(io.BytesIO(data), now=now, kind=kind), maxlen=0)

    return {
        "read": lambda data: deque(edi.read(io.BytesIO(data)), maxlen=0),
        "check": check,
        "report": lambda data: json.dumps(edi.check(io.BytesIO(data))),
        "ack": acknowledge,
        "pretty": lambda data: deque(edi.pretty(io.BytesIO(data)), maxlen=0),
        "documents": lambda data: deque(edi.documents(io.BytesIO(data)), maxlen=0),
    }


def measure(run: Callable[[bytes], object], data: bytes) -> tuple[float, float]:
    """Seconds of CPU, and MiB beyond what was held before, of one run in a child of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        with suppress(EdiError):
            run(data)
        taken = time.process_time() - start
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        os.write(writing, f"{taken} {more}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read().split()
    os.waitpid(child, 0)
    return (float(told[0]), float(told[1])) if told else (float("nan"), float("nan"))


def main(wanted: str) -> None:
    runs = operations()
    for run in runs.values():
        for data in SMALL:
            run(data)
    print(f"{'':62}" + "".join(f"{operation:>14}" for operation in runs))
    for name, (bomb, known_as) in BOMBS.items():
        if wanted in name:
            data = bomb(known_as)
            cells = []
            for run in runs.values():
                seconds, mebibytes = measure(run, data)
                within = seconds <= SECONDS and mebibytes <= MEBIBYTES
                cells.append(f"{seconds:.2f}s {mebibytes:3.0f}M{' ' if within else '!'}")
            print(f"{name:62}" + "".join(f"{cell:>14}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
