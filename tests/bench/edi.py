"""The engine's speed on generated purchase orders: one core, CPU time, best of three, against the gates.

Run as a script: `python tests/bench/edi.py [MB]`. The ratio compares with splitting one transaction at a time
into elements and nothing else, which is the least any reader of this kind does.
"""

from __future__ import annotations

import io
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import mappings
import x12
from edi.tree import Group, GroupEnd, PartyId, Transaction
from x12 import acks
from x12.codec import read
from x12.writer import Body, Envelope, write

LINES = (1, 1, 2, 3, 5, 8, 13, 21, 40)


def orders(seed: int = 7) -> Iterator[list[list[str]]]:
    """Bodies of 850s as a retailer sends them, with lines of varying number and detail."""
    r = random.Random(seed)
    while True:
        rows = [
            ["BEG", "00", "SA", f"PO{r.randrange(10**8):08}", "", f"202601{r.randrange(10, 29)}"],
            ["REF", "DP", f"{r.randrange(1000):03}"],
            ["REF", "IA", str(r.randrange(10**6))],
            ["PER", "BD", "Jane Buyer", "TE", f"555{r.randrange(10**7):07}"],
            ["ITD", "14", "3", "2", "", "30", "", "31"],
            ["DTM", "002", f"202602{r.randrange(10, 29)}"],
            ["TD5", "", "2", "UPSN", "M"],
            ["N1", "ST", f"Store {r.randrange(1000)}", "92", f"{r.randrange(10**4):04}"],
            ["N3", f"{r.randrange(9999)} Main Street"],
            ["N4", "Springfield", "IL", f"627{r.randrange(100):02}", "US"],
        ]
        count = r.choice(LINES)
        for line in range(1, count + 1):
            price = f"{r.randrange(100, 30000) / 100:.2f}"
            product = ["UP", f"{r.randrange(10**12):012}", "VN", f"SKU{r.randrange(10**5)}"]
            rows.append(["PO1", str(line), str(r.randrange(1, 200)), "EA", price, "", *product])
            rows.append(["PID", "F", "08", "", "", f"Widget number {r.randrange(1000)}"])
            if r.random() < 0.5:
                rows.append(["PO4", str(r.randrange(1, 24)), "1", "EA"])
        rows.append(["CTT", str(count)])
        yield rows


def bodies(megabytes: float) -> list[Body]:
    made, size = [], 0.0
    for number, rows in enumerate(orders(), 1):
        made.append(Body("850", number, rows))
        size += sum(sum(map(len, row)) + len(row) + 1 for row in rows)
        if size >= megabytes * 1e6:
            return made
    raise AssertionError


ENVELOPE = Envelope(
    PartyId("ZZ", "RETAILER"), PartyId("ZZ", "SUPPLIER"), 1, 1, "PO", "004010", datetime(2026, 1, 6, 12, 30)
)


def sets(data: bytes) -> Iterator[Transaction]:
    for event in read(io.BytesIO(data)):
        if isinstance(event, Transaction):
            yield event


def read_only(data: bytes) -> None:
    for _ in read(io.BytesIO(data)):
        pass


def split_only(data: bytes) -> None:
    for transaction in sets(data):
        element = transaction.separators.element
        _ = [segment.split(element) for segment in transaction.segments]


def read_and_check(data: bytes) -> None:
    for transaction in sets(data):
        if x12.check(transaction).status != "accepted":
            raise AssertionError(transaction)


def read_check_and_acknowledge(data: bytes) -> None:
    for event in read(io.BytesIO(data)):
        if isinstance(event, Group):
            builder = acks.FunctionalAck(event)
        elif isinstance(event, Transaction):
            builder.add(event, x12.check(event))
        elif isinstance(event, GroupEnd):
            acks.write_997(builder.finish(event), "004010")


def read_check_and_map(data: bytes) -> None:
    checker = x12.checker("850", ENVELOPE.version)
    assert checker is not None
    to_documents = mappings.load(checker.definition)
    for transaction in sets(data):
        verdict = checker.check(transaction, to_documents.readers)
        document, _ = to_documents.read_checked(verdict, transaction.separators)
        assert document is not None


def cpu_seconds(run: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


MEMORY = """
import sys, x12
from x12.codec import read
from edi.tree import Transaction
for event in read(open(sys.argv[1], "rb")):
    if isinstance(event, Transaction):
        x12.check(event)
print(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])
"""

FIRST = """
import io, sys, time, x12
from x12.codec import read
from edi.tree import Transaction
data = open(sys.argv[1], "rb").read()
start = time.perf_counter()
(order,) = (e for e in read(io.BytesIO(data)) if isinstance(e, Transaction))
assert x12.check(order).status == "accepted"
print(time.perf_counter() - start)
"""


def _in_new_process(source: str, path: Path) -> str:
    command = [sys.executable, "-c", source, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return run.stdout


def peak_mb(path: Path) -> float:
    return int(_in_new_process(MEMORY, path)) / 1024


def main(megabytes: float) -> None:
    made = bodies(megabytes)
    data = write(ENVELOPE, made)
    size = len(data) / 1e6
    floor = cpu_seconds(lambda: split_only(data))
    print(f"{len(made)} purchase orders, {size:.1f} MB, {len(data) // data.count(b'~')} bytes a segment\n")
    print(f"{'':34}{'MB/s':>8}{'gate':>8}{'target':>8}{'ratio to split':>16}")
    figures: list[tuple[str, Callable[[], object], int | None, int | None]] = [
        ("split one set at a time", lambda: split_only(data), None, None),
        ("read, positions only", lambda: read_only(data), 30, 50),
        ("read + check", lambda: read_and_check(data), None, None),
        ("read + check + documents", lambda: read_check_and_map(data), 12, 20),
        ("read + check + 997", lambda: read_check_and_acknowledge(data), None, None),
        ("write", lambda: write(ENVELOPE, made), 30, 60),
        ("write + check", lambda: write(ENVELOPE, made, check=True), 10, 18),
    ]
    for name, run, gate, target in figures:
        seconds = cpu_seconds(run)
        print(f"{name:34}{size / seconds:8.1f}{gate or '':>8}{target or '':>8}{floor / seconds:16.2f}")
    with tempfile.TemporaryDirectory() as scratch:
        small, large, one = (Path(scratch) / name for name in ("small.edi", "large.edi", "one.edi"))
        small.write_bytes(write(ENVELOPE, bodies(1)))
        large.write_bytes(small.read_bytes() * 100)
        growth = peak_mb(large) - peak_mb(small)
        print(f"\nmemory growth from 1 MB to 100 MB: {growth:.1f} MB (gate 8, target 2)")
        order = next(d for d in (write(ENVELOPE, [b]) for b in made) if 1900 < len(d) < 2500)
        one.write_bytes(order)
        warm = cpu_seconds(lambda: [read_and_check(order) for _ in range(200)]) / 200 * 1e3
        first = min(float(_in_new_process(FIRST, one)) for _ in range(3)) * 1e3
        print(f"an 850 of {len(order)} bytes: warm {warm:.3f} ms (gate 0.25, target 0.12)")
        print(f"the first 850 of a process, definitions and all: {first:.1f} ms (gate 50, target 15)")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 8)
