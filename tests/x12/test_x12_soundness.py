"""The fast level of the checker never accepts, nor tells differently, what the detailed level finds."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from x12_support import DOCUMENTS, VERSIONS, document, transactions

import x12
from edi.example import example
from edi.problems import NotEdi
from edi.tree import Separators, Transaction
from x12 import dictionary
from x12.codec import read

SAMPLES = Path(__file__).parents[1] / "samples" / "x12"


def _known_transactions() -> list[Transaction]:
    found = [t for s in DOCUMENTS for version in VERSIONS for t in transactions(document(s, version))]
    for path in sorted(SAMPLES.rglob("*")):
        if path.is_file():
            try:
                read_here = list(read(io.BytesIO(path.read_bytes())))
            except NotEdi:
                continue
            found += [e for e in read_here if isinstance(e, Transaction) and x12.checker(e.type, e.version)]
    return [t for t in found if len(t.segments) < 80]


TRANSACTIONS = _known_transactions()
TAGS = ("REF", "N1", "N3", "DTM", "PO1", "HL", "LX", "CTT", "SE", "ST", "PID", "ZZZ", "", "W12", "MEA", "SAC")
KINDS = ("element", "element", "element", "cut", "extend", "drop", "repeat", "swap", "tag")
VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            "0",
            "1",
            "-1",
            "1.5",
            ".",
            "-",
            "1E5",
            "1e5",
            "00",
            "EA",
            "ZZ",
            "UP",
            "20260101",
            "20260231",
            "260101",
            "2400",
            "1230",
            "123",
            " ",
        ]
    ),
    st.sampled_from(["é", "Ã©", "ï»¿x", "\x07", "a>b", "a^b", "²", "9" * 30, "A" * 90]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12),
    st.integers(-(10**16), 10**16).map(str),
)


@st.composite
def mutated(draw: st.DrawFn) -> Transaction:
    original = draw(st.sampled_from(TRANSACTIONS))
    element = original.separators.element
    rows = [segment.split(element) for segment in original.segments]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(rows) - 1))
        kind = draw(
            st.sampled_from(
                ["element", "element", "element", "cut", "extend", "drop", "repeat", "swap", "tag"]
            )
        )
        row = rows[at]
        if kind == "element" and len(row) > 1:
            row[draw(st.integers(1, len(row) - 1))] = draw(VALUES).replace(element, "")
        elif kind == "cut":
            del row[draw(st.integers(1, len(row))) :]
        elif kind == "extend":
            row += [draw(VALUES).replace(element, "") for _ in range(draw(st.integers(1, 4)))]
        elif kind == "drop" and len(rows) > 2:
            del rows[at]
        elif kind == "repeat":
            rows[at:at] = [list(row) for _ in range(draw(st.sampled_from([1, 2, 6, 30])))]
        elif kind == "swap":
            other = draw(st.integers(0, len(rows) - 1))
            rows[at], rows[other] = rows[other], rows[at]
        elif kind == "tag":
            rows.insert(at, [draw(st.sampled_from(TAGS)), draw(VALUES).replace(element, "")])
    return replace(original, segments=tuple(element.join(row) for row in rows), offsets=None, plain=False)


@settings(max_examples=1200, deadline=None)
@given(mutated())
def test_both_levels_find_the_same_in_damaged_documents(transaction: Transaction) -> None:
    checker = x12.checker(transaction.type, transaction.version)
    assert checker is not None
    fast, thorough = checker.check(transaction), checker.check_thoroughly(transaction)
    assert fast.problems == thorough.problems
    assert (fast.status, fast.places) == (thorough.status, thorough.places)


def test_both_levels_find_the_same_in_every_real_document() -> None:
    for transaction in TRANSACTIONS:
        checker = x12.checker(transaction.type, transaction.version)
        assert checker is not None
        assert checker.check(transaction)._replace(runs=(), values=()) == checker.check_thoroughly(
            transaction
        )


@pytest.mark.parametrize("version", dictionary.VERSIONS)
def test_both_levels_find_the_same_in_damaged_examples_of_every_set(version: str) -> None:
    chance = random.Random(version)
    for kind in dictionary.sets(version):
        definition = dictionary.definition(kind, version)
        checker = x12.checker(kind, version)
        assert definition is not None
        assert checker is not None
        rows = [
            [e if isinstance(e, str) else ">".join(e) for e in row] for row in example(definition, full=True)
        ]
        for _ in range(40):
            damaged = [["ST", kind, "0001"], *damage(rows, chance)]
            damaged.append(["SE", str(len(damaged) + 1), "0001"])
            segments = tuple("*".join(row) for row in damaged)
            transaction = Transaction(kind, "0001", version, Separators(), segments, 0)
            fast, thorough = checker.check(transaction), checker.check_thoroughly(transaction)
            assert fast.problems == thorough.problems
            assert (fast.status, fast.places) == (thorough.status, thorough.places)


def damage(rows: list[list[str]], chance: random.Random) -> list[list[str]]:
    """A few rows of an example, so that most faults stand among few others, changed here and there."""
    begin = chance.randrange(len(rows))
    damaged = [list(row) for row in [*rows[:1], *rows[begin : begin + 12]]]
    for _ in range(chance.randrange(3)):
        row = chance.choice(damaged)
        at = chance.randrange(len(row))
        match chance.randrange(5):
            case 0 if at:
                row[at] = chance.choice(WRONG)
            case 1 if at:
                del row[at:]
            case 2:
                row += [chance.choice(WRONG)]
            case 3:
                damaged.insert(chance.randrange(len(damaged)), row)
            case _ if at:
                row[at] = chance.choice(chance.choice(rows))
    return damaged


WRONG = [
    "",
    "0",
    "-1",
    "1.5",
    "ZZ",
    "20260231",
    "2460",
    " ",
    "9" * 30,
    "A" * 90,
    "a>b",
    "a>>>>>>b",
    "\x07",
    "é",
]
