"""What hostile files cost: CPU time and memory of each operation on each of them, all files under 1 MiB.

    python tests/bench/hostile.py [PART OF A NAME]

Each file is a process of its own; what starting and a first small file cost is taken off. Beyond 1 s or
64 MiB a figure is marked.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS / "x12")]

SECONDS, MEBIBYTES = 1.0, 64
OPERATIONS = ("read", "check", "report", "ack", "pretty", "documents")


def operations() -> dict[str, Callable[[bytes], object]]:
    import x12
    from edi.tree import Transaction
    from gateway import edi

    now = datetime(2026, 1, 6, 12, 30, tzinfo=UTC)

    def check(data: bytes) -> None:
        for event in edi.read(io.BytesIO(data)):
            if isinstance(event, Transaction):
                x12.check(event)

    return {
        "read": lambda data: deque(edi.read(io.BytesIO(data)), maxlen=0),
        "check": check,
        "report": lambda data: json.dumps(edi.check(io.BytesIO(data))),
        "ack": lambda data: deque(edi.acknowledge(io.BytesIO(data), now=now, kind="999"), maxlen=0),
        "pretty": lambda data: deque(edi.pretty(io.BytesIO(data)), maxlen=0),
        "documents": lambda data: deque(edi.documents(io.BytesIO(data)), maxlen=0),
    }


def measure(name: str, operation: str) -> dict[str, float]:
    """In a process of its own: seconds of CPU and MiB at most beyond those of a small file."""
    from x12_bombs import bomb
    from x12_support import document

    from edi.problems import EdiError

    run = operations()[operation]
    data = bomb(name)
    for kind in ("850", "856", "997"):
        run(document(kind))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with suppress(EdiError):
        run(data)
    taken = time.process_time() - start
    return {"seconds": taken, "mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}


def main(wanted: str) -> None:
    from x12_bombs import BOMBS

    print(f"{'':52}" + "".join(f"{operation:>14}" for operation in OPERATIONS))
    for name in BOMBS:
        if wanted not in name:
            continue
        cells = []
        for operation in OPERATIONS:
            argv = [sys.executable, "-P", __file__, "--one", name, operation]
            run = subprocess.run(argv, capture_output=True, text=True, check=False)
            if run.returncode:
                cells.append((run.stderr.strip().splitlines() or ["died"])[-1][:13])
                continue
            found = json.loads(run.stdout)
            beyond = found["seconds"] > SECONDS or found["mib"] > MEBIBYTES
            cells.append(f"{found['seconds']:.2f}s {found['mib']:3.0f}M{'!' if beyond else ' '}")
        print(f"{name:52}" + "".join(f"{cell:>14}" for cell in cells), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(*sys.argv[2:4])))
    else:
        main(sys.argv[1] if len(sys.argv) > 1 else "")
