"""Does everything a file can be asked to each file named, within the limits that the caller sets.

python endings.py x12|edifact NAME...     names of `x12_bombs` or `edifact_bombs`; prints a line for each
"""

from __future__ import annotations

import io
import json
import resource
import sys
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), *(str(TESTS / syntax) for syntax in ("x12", "edifact"))]

from edi.problems import EdiError  # noqa: E402
from gateway import edi  # noqa: E402

MEMORY = 1 << 30
NOW = datetime(2026, 1, 6, 12, 30, tzinfo=UTC)
KINDS = {"x12": ("997", "999"), "edifact": (None,)}


def main(syntax: str, *names: str) -> None:
    bombs = import_module(f"{syntax}_bombs")
    bombs.SIZE = 2**16  # that all of them take seconds; hostile.py measures whole ones
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    for name in names:
        data = bombs.bomb(name)
        report = edi.check(io.BytesIO(data))
        json.dumps(report)
        for kind in KINDS[syntax]:
            with suppress(EdiError):
                deque(edi.acknowledge(io.BytesIO(data), now=NOW, kind=kind), maxlen=0)
        with suppress(EdiError):
            deque(edi.pretty(io.BytesIO(data)), maxlen=0)
        with suppress(EdiError):
            deque(edi.documents(io.BytesIO(data)), maxlen=0)
        print(name)


main(*sys.argv[1:])
