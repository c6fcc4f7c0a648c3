"""The engine's speed on generated purchase orders: one core, CPU time, best of three, against the gates.

Run as a script: `python tests/bench/edi.py [MB]`. The ratio compares with splitting one transaction at a time
into elements and nothing else, which is the least any reader of this kind does.
"""

from __future__ import annotations

import io
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import x12
from edi.tree import Group, GroupEnd, PartyId, Transaction
from x12 import acks
from x12.codec import read
from x12.writer import Body, Envelope, write

LINES = (1, 1, 2, 3, 5, 8, 13, 21, 40)


def orders(seed: int = 7) -> Iterator[list[list[str]]]:
    """Bodies of 850s as a retailer sends them: a header, an address, and lines of varying number and detail."""
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


def cpu_seconds(run: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


MEMORY = """
import sys; sys.path[:0] = [sys.argv[2], sys.argv[3]]
import edi as _, x12
from x12.codec import read
from edi.tree import Transaction
for event in read(open(sys.argv[1], "rb")):
    if isinstance(event, Transaction):
        x12.check(event)
print(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])
"""


def peak_mb(path: Path) -> float:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", MEMORY, str(path), str(root), str(root)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024


FIRST = """
import sys, time; sys.path.insert(0, sys.argv[2])
import io, x12
from x12.codec import read
from edi.tree import Transaction
data = open(sys.argv[1], "rb").read()
start = time.perf_counter()
(t,) = (e for e in read(io.BytesIO(data)) if isinstance(e, Transaction))
assert x12.check(t).status == "accepted"
print(time.perf_counter() - start)
"""


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
        ("read + check", lambda: read_and_check(data), 12, 20),
        ("read + check + 997", lambda: read_check_and_acknowledge(data), None, None),
        ("write", lambda: write(ENVELOPE, made), 30, 60),
        ("write + check", lambda: write(ENVELOPE, made, check=True), 10, 18),
    ]
    for name, run, gate, target in figures:
        seconds = cpu_seconds(run)
        print(f"{name:34}{size / seconds:8.1f}{gate or '':>8}{target or '':>8}{floor / seconds:16.2f}")
    scratch = Path(
        subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip()
    )
    try:
        small, large, one = scratch / "small.edi", scratch / "large.edi", scratch / "one.edi"
        small.write_bytes(write(ENVELOPE, bodies(1)))
        with large.open("wb") as file:
            for number in range(10):
                file.write(write(ENVELOPE, bodies(10)) if number == 0 else small.read_bytes() * 10)
        single = next(b for b in made if 1800 < len(write(ENVELOPE, [b])) < 2600)
        one.write_bytes(write(ENVELOPE, [single]))
        growth = peak_mb(large) - peak_mb(small)
        print(
            f"\nmemory growth from 1 MB to {large.stat().st_size / 1e6:.0f} MB: {growth:.1f} MB (gate 8, target 2)"
        )
        order = one.read_bytes()
        warm = cpu_seconds(lambda: [read_and_check(order) for _ in range(200)]) / 200 * 1e3
        command = [sys.executable, "-c", FIRST, str(one), str(Path(__file__).parents[2])]
        first = min(
            float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for _ in range(3)
        )
        print(
            f"an 850 of {len(order)} bytes: warm {warm:.3f} ms (0.25, 0.12), first {first * 1e3:.1f} ms (50, 15)"
        )
    finally:
        subprocess.run(["rm", "-r", str(scratch)], check=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 8)
