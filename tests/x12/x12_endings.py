"""Does everything a file can be asked to each file named, within the limits that the caller sets.

python x12_endings.py NAME...     names of `x12_bombs`; prints a line for each
"""

from __future__ import annotations

import io
import json
import resource
import sys
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

import x12_bombs  # noqa: E402

from edi.problems import EdiError  # noqa: E402
from gateway import edi  # noqa: E402

MEMORY = 1 << 30
x12_bombs.SIZE = 2**16  # that all of them take seconds; tests/bench/hostile.py measures whole ones
NOW = datetime(2026, 1, 6, 12, 30, tzinfo=UTC)


def main(names: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    for name in names:
        data = x12_bombs.bomb(name)
        report = edi.check(io.BytesIO(data))
        json.dumps(report)
        for kind in ("997", "999"):
            with suppress(EdiError):
                deque(edi.acknowledge(io.BytesIO(data), now=NOW, kind=kind), maxlen=0)
        with suppress(EdiError):
            deque(edi.pretty(io.BytesIO(data)), maxlen=0)
        with suppress(EdiError):
            deque(edi.documents(io.BytesIO(data)), maxlen=0)
        print(name)


main(sys.argv[1:])
