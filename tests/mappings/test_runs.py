"""Documents read by runs are those that the reader gives, whatever the rows hold."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from maps_support import SAMPLES, checked, interchange, standard, transactions

import mappings
import x12
from edi.schema import Check
from edi.tree import Transaction
from mappings.language import MapError
from x12 import dictionary


def accepted() -> list[Transaction]:
    found = []
    for path in sorted(SAMPLES.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        if len(data) < 200_000 and b"ISA" in data[:2000]:
            found += [t for t in transactions(data)[:3] if x12.check(t).status != "rejected"]
    return found


ACCEPTED = accepted()
JUNK = [
    "",
    "?",
    "QQQ",
    "-1",
    "1.5",
    "1E3",
    "1.2.3",
    "20261399",
    "007",
    "x" * 90,
    "9" * 20,
    "9" * 40,
    " ",
    "\x01",
    "é",
]


def changed(transaction: Transaction, chance: random.Random) -> Transaction:
    """With some elements emptied, filled from others of the same kind of segment, or left off."""
    separator = transaction.separators.element
    rows = [segment.split(separator) for segment in transaction.segments]
    for _ in range(chance.randrange(1, 4)):
        row = chance.choice(rows[1:-1])
        at = chance.randrange(1, len(row)) if len(row) > 1 else 0
        if not at:
            continue
        match chance.randrange(5):
            case 0:
                row[at] = ""
            case 1:
                row[at] = chance.choice([other for other in rows if other[0] == row[0] and len(other) > at])[
                    at
                ]
            case 2:
                row[at] = chance.choice(JUNK)
            case 3:
                row[at] += transaction.separators.component + "1"
            case _:
                del row[at:]
    return replace(
        transaction, segments=tuple(separator.join(row) for row in rows), offsets=None, plain=False
    )


def both(transaction: Transaction) -> Iterator[tuple[object, object]]:
    """What reading gives without and with runs; more than once, since runs are read otherwise when known."""
    definition = dictionary.definition(transaction.type, transaction.version)
    assert definition is not None
    try:
        map = mappings.load(definition)
    except MapError:
        return
    verdict: Check = x12.check(transaction)
    if verdict.status == "rejected":
        assert x12.check(transaction, readers=map.readers) == verdict
        return
    slow = map.read(verdict.rows, verdict.places, transaction.separators)
    for _ in range(5):
        verdict = x12.check(transaction, readers=map.readers)
        yield slow, map.read_checked(verdict, transaction.separators)


def test_samples_are_read_alike() -> None:
    compared = 0
    for _ in range(4):
        for transaction in ACCEPTED:
            for slow, quick in both(transaction):
                assert quick == slow
                compared += 1
    assert compared > 500


@pytest.mark.parametrize("seed", range(4))
def test_changed_samples_are_read_alike(seed: int) -> None:
    chance = random.Random(seed)
    compared = 0
    for transaction in ACCEPTED * 2:  # so that their runs are known
        assert all(slow == quick for slow, quick in both(transaction))
    for transaction in ACCEPTED * 12:
        for slow, quick in both(changed(transaction, chance)):
            assert quick == slow
            compared += 1
    assert compared > 500


ORDER = """
    ST*850*0001
    BEG*00*SA*PO1**20260105
    N1*ST*STORE*92*0012
    PO1*1*5*EA*2.50**UP*012345678905
    PID*F*08***WIDGET
    PO1*2*7*EA*3**UP*012345678912
    PID*F*08***GADGET
    CTT*2
"""


def test_lines_met_often_are_read_by_functions_of_their_own() -> None:
    order, _ = checked(interchange(ORDER))
    map = standard(order.type)
    for _ in range(12):
        verdict = x12.check(order, readers=map.readers)
        document, _ = map.read_checked(verdict, order.separators)

    def refuse(*_: object) -> Any:
        raise AssertionError("the reader was asked")

    runs = map._runs
    assert runs is not None
    alone = replace(map, _read=refuse)
    alone.__dict__["_runs"] = runs
    assert document is not None
    assert alone.read_checked(verdict, order.separators) == (document, ())


@pytest.mark.parametrize("references", [1, 38, 45, 90])
def test_an_order_is_read_alike_however_long_its_header_is(references: int) -> None:
    header = "".join(f"REF*DP*{number:03}\n" for number in range(references))
    order, _ = checked(interchange(ORDER.replace("N1*ST", header + "N1*ST")))
    for _ in range(12):
        for slow, quick in both(order):
            assert quick == slow


def test_lines_that_a_map_has_no_field_for_leave_the_usual_ones_their_functions() -> None:
    map = standard("850")

    def read(line: str) -> None:
        order, verdict = checked(interchange(ORDER.replace("PID*F*08***WIDGET", line)))
        verdict = x12.check(order, readers=map.readers)
        assert map.read_checked(verdict, order.separators) == map.read(
            verdict.rows, verdict.places, order.separators
        )

    assert map._runs is not None
    before = map._runs._functions
    shapes = ["PAM*01*1*EA" + "*1" * more for more in range(3)]
    for first in shapes:
        for second in shapes:
            for _ in range(70):
                read(f"{first}\n{second}")
    assert map._runs._functions - before < 10
    for _ in range(70):
        read("PID*F*08***WIDGET")
    assert map.readers
