"""The fast level of the checker never accepts, nor tells differently, what the detailed level finds."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from edifact_support import DOCUMENTS, SYNTAXES, VERSIONS, document, transactions
from hypothesis import given, settings
from hypothesis import strategies as st
from test_edifact_guide import GUIDES

from edi import edifact
from edi.edifact import directory
from edi.edifact.codec import read
from edi.edifact.writer import Body, write_transaction
from edi.example import example
from edi.guide import Guide, GuideError, read_guide
from edi.problems import Fault, NotEdi
from edi.tree import NORMAL, Transaction

SAMPLES = Path(__file__).parents[1] / "samples" / "edifact"
ELEMENT, COMPONENT, REPETITION = NORMAL.element, NORMAL.component, NORMAL.repetition


def _known_transactions() -> list[Transaction]:
    found = [
        t
        for message in DOCUMENTS
        for version in VERSIONS
        for syntax in SYNTAXES
        for t in transactions(document(message, version, syntax=syntax))
    ]
    for path in sorted(SAMPLES.rglob("*")):
        if path.is_file() and path.stat().st_size < 100_000:
            try:
                read_here = list(read(io.BytesIO(path.read_bytes())))
            except NotEdi:
                continue
            found += [
                e for e in read_here if isinstance(e, Transaction) and edifact.checker(e.type, e.version)
            ]
    return [t for t in found if len(t.segments) < 80]


TRANSACTIONS = _known_transactions()
TAGS = (
    "RFF",
    "NAD",
    "DTM",
    "LIN",
    "CPS",
    "CNT",
    "UNS",
    "UNT",
    "UNH",
    "FTX",
    "QTY",
    "ZZZ",
    "",
    "UCM",
    "MOA",
    "1LI",
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *(
                "",
                "0",
                "1",
                "-1",
                "1.5",
                "1,5",
                ".5",
                "5.",
                "-",
                "1.2.3",
                "1E5",
                "00",
                "EN",
                "ZZ",
                "BY",
                "137",
                "102",
            ),
            *("203", "20260105", "20260231", "260105", "2", "21", "9", "92", "33E", "XXE", " ", "D", "S"),
        ]
    ),
    st.sampled_from(
        ["é", "Ω", "\ufffd", "日本", "\u202ex", "\x07", "\x85", "a:b", "a*b", "²", "9" * 30, "A" * 600]
    ),
    st.sampled_from([COMPONENT, f"1{COMPONENT}2", f"137{COMPONENT}20260105{COMPONENT}102", COMPONENT * 9]),
    st.sampled_from([REPETITION, f"a{REPETITION}b", f"a{COMPONENT}b{REPETITION}c"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=12),
    st.integers(-(10**16), 10**16).map(str),
)


@st.composite
def mutated(draw: st.DrawFn) -> Transaction:
    original = draw(st.sampled_from(TRANSACTIONS))
    rows = [segment.split(ELEMENT) for segment in original.segments]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(rows) - 1))
        kind = draw(
            st.sampled_from(
                [
                    "element",
                    "element",
                    "component",
                    "component",
                    "cut",
                    "extend",
                    "drop",
                    "repeat",
                    "swap",
                    "tag",
                ]
            )
        )
        row = rows[at]
        if kind in ("element", "component") and len(row) > 1:
            position = draw(st.integers(1, len(row) - 1))
            parts = row[position].split(COMPONENT)
            if kind == "element":
                parts = [draw(VALUES)]
            else:
                parts[draw(st.integers(0, len(parts) - 1))] = draw(VALUES)
            row[position] = COMPONENT.join(parts)
        elif kind == "cut":
            del row[draw(st.integers(1, len(row))) :]
        elif kind == "extend":
            row += [draw(VALUES) for _ in range(draw(st.integers(1, 4)))]
        elif kind == "drop" and len(rows) > 2:
            del rows[at]
        elif kind == "repeat":
            rows[at:at] = [list(row) for _ in range(draw(st.sampled_from([1, 2, 6, 30])))]
        elif kind == "swap":
            other = draw(st.integers(0, len(rows) - 1))
            rows[at], rows[other] = rows[other], rows[at]
        elif kind == "tag":
            rows.insert(at, [draw(st.sampled_from(TAGS)), draw(VALUES)])
    return replace(original, segments=tuple(map(ELEMENT.join, rows)), offsets=None, plain=False)


def both_levels(transaction: Transaction, guide: Guide | None = None) -> None:
    checker = edifact.checker(transaction.type, transaction.version, guide)
    assert checker is not None
    fast, thorough = checker.check(transaction), checker.check_thoroughly(transaction)
    assert fast.problems == thorough.problems
    assert (fast.status, fast.places) == (thorough.status, thorough.places)


@settings(max_examples=1200, deadline=None)
@given(mutated())
def test_both_levels_find_the_same_in_damaged_messages(transaction: Transaction) -> None:
    both_levels(transaction)


def test_both_levels_find_the_same_in_every_real_message() -> None:
    assert len(TRANSACTIONS) > 30
    for transaction in TRANSACTIONS:
        both_levels(transaction)


@pytest.mark.parametrize("version", directory.VERSIONS)
def test_both_levels_find_the_same_in_damaged_examples_of_every_message(version: str) -> None:
    chance = random.Random(version)
    for message in directory.sets(version):
        definition = directory.definition(message, version)
        assert definition is not None
        rows = [
            [e if isinstance(e, str) else COMPONENT.join(e) for e in row]
            for row in example(definition, full=True)
        ]
        for _ in range(60):
            damaged = [
                ["UNH", "1", f"{message}{COMPONENT}D{COMPONENT}96A{COMPONENT}UN"],
                *damage(rows, chance),
            ]
            damaged.append(["UNT", str(len(damaged) + 1), "1"])
            segments = tuple(map(ELEMENT.join, damaged))
            both_levels(Transaction(message, "1", version, NORMAL, segments, 0))


def damage(rows: list[list[str]], chance: random.Random) -> list[list[str]]:
    """A few rows of an example, so that most faults stand among few others, changed here and there."""
    begin = chance.randrange(len(rows))
    damaged = [list(row) for row in [*rows[:2], *rows[begin : begin + 12]]]
    for _ in range(chance.randrange(4)):
        row = chance.choice(damaged)
        at = chance.randrange(len(row))
        match chance.randrange(7):
            case 0 if at:
                row[at] = chance.choice(WRONG)
            case 1 | 2 if at:
                parts = row[at].split(COMPONENT)
                parts[chance.randrange(len(parts))] = chance.choice(WRONG)
                row[at] = COMPONENT.join(parts)
            case 3 if at:
                del row[at:]
            case 4:
                row += [chance.choice(WRONG)]
            case 5:
                damaged.insert(chance.randrange(len(damaged)), row)
            case _ if at:
                row[at] = chance.choice(chance.choice(rows))
    return damaged


WRONG = [
    *(
        "",
        "0",
        "-1",
        "1.5",
        "1,5",
        "1.",
        ".5",
        "ZZ",
        "ZZZ",
        "33E",
        "20260231",
        "2460",
        " ",
        "9" * 30,
        "A" * 600,
    ),
    *(f"a{COMPONENT}b", COMPONENT * 7, f"a{REPETITION}b", "\x07", "é", "Ω", "\ufffd", "a\x85"),
]


# With guides


@cache
def guide(message: str, chosen: tuple[str, ...]) -> Guide | None:
    """The guide with these rules, or None where they contradict each other."""
    top = [f'name = "A"\nset = "{message}"', "check_digits = true" if len(chosen) % 2 else ""]
    try:
        found = read_guide("\n".join([*top, "[rules]", *chosen]).encode())
        edifact.checker(message, "D.96A", found)
    except GuideError:
        return None
    return found


RULES = {
    message: [line.strip() for line in text.splitlines() if line.strip()] for message, text in GUIDES.items()
}
RULES["ORDERS"] += [
    '"NAD[DP]07" = "never"',
    '"LIN>PIA[02-2=SA]02-1" = { max = 4 }',
    '"*>DTM01-3" = { codes = ["102"] }',
    'NAD = { syntax = ["R0204", "P0405"] }',
    "PAI = { max = 1 }",
    'FTX = "never"',
]
RULES["DESADV"] += [
    '"CPS>LIN>QTY01-1" = { codes = ["12"] }',
    '"CPS>PAC[01=2]>PCI" = "never"',
    '"*>MEA" = "never"',
]


@st.composite
def guided(draw: st.DrawFn) -> tuple[Transaction, Guide]:
    message = draw(st.sampled_from(sorted(RULES)))
    rules = RULES[message]
    first = draw(st.integers(0, len(rules) - 1))  # few different guides: each is compiled once
    chosen = tuple(rule for number, rule in enumerate(rules) if (number * 7 + first) % 3)
    found = guide(message, chosen) or guide(message, (rules[first],))
    assert found is not None
    (transaction,) = transactions(document(message))
    rows = [segment.split(ELEMENT) for segment in transaction.segments]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(1, len(rows) - 2))
        match draw(
            st.sampled_from(["component", "component", "component", "cut", "drop", "repeat", "swap", "long"])
        ):
            case "component":
                rows[at] = [*rows[at], *[""] * 3]
                position = draw(st.integers(1, len(rows[at]) - 1))
                parts = [*rows[at][position].split(COMPONENT), ""]
                parts[draw(st.integers(0, len(parts) - 1))] = draw(VALUES)
                rows[at][position] = COMPONENT.join(parts)
            case "cut":
                rows[at] = rows[at][: draw(st.integers(1, len(rows[at])))]
            case "drop" if len(rows) > 4:
                del rows[at]
            case "repeat":
                rows[at:at] = [list(rows[at]) for _ in range(draw(st.integers(1, 3)))]
            case "swap":
                other = draw(st.integers(1, len(rows) - 2))
                rows[at], rows[other] = rows[other], rows[at]
            case _:
                rows[at] = [*rows[at], draw(VALUES)]
    return replace(transaction, segments=tuple(map(ELEMENT.join, rows)), offsets=None, plain=False), found


@settings(max_examples=700, deadline=None)
@given(guided())
def test_under_any_guide_the_fast_level_accepts_nothing_that_the_thorough_one_refuses(
    case: tuple[Transaction, Guide],
) -> None:
    both_levels(*case)


@settings(max_examples=400, deadline=None)
@given(guided())
def test_a_guide_takes_nothing_away_from_what_the_standard_finds(case: tuple[Transaction, Guide]) -> None:
    sent, asked = case
    by_standard, by_guide = edifact.check(sent), edifact.check(sent, asked)
    assert [problem for problem in by_guide.problems if problem.guide is None] == list(by_standard.problems)
    assert by_guide.places == by_standard.places


def test_a_run_that_comes_often_is_checked_by_one_expression_as_strictly() -> None:
    for message in ("ORDERS", "DESADV", "INVOIC"):
        (good,) = transactions(document(message))
        wrong = replace(
            good, segments=tuple(s.replace(f"{COMPONENT}EN", f"{COMPONENT}QQ") for s in good.segments)
        )
        for _ in range(40):
            assert edifact.check(good).status == "accepted"
            assert edifact.check(wrong).status == "rejected"
            both_levels(wrong)


def test_what_is_written_for_a_guide_is_read_by_both_levels_alike() -> None:
    for message, text in GUIDES.items():
        asked = read_guide(f'name = "A"\nset = "{message}"\n[rules]\n{text}'.encode())
        checker = edifact.checker(message, "D.96A", asked)
        assert checker is not None
        body = Body(message, "1", "D.96A", example(checker.definition, full=True))
        segments = write_transaction(body, NORMAL)
        both_levels(Transaction(message, "1", "D.96A", NORMAL, tuple(segments), 0), asked)


@pytest.mark.parametrize("row", ["PIA\x1c5", "PIA\x1c5\x1c", "PIA\x1c5\x1c\x1f", "PIA\x1c5\x1c\x1cx\x1fSA"])
def test_a_composite_that_is_required_must_be_there_although_none_of_its_components_must(row: str) -> None:
    (transaction,) = transactions(document("ORDERS"))
    segments = tuple(row if segment.startswith("PIA") else segment for segment in transaction.segments)
    damaged = replace(transaction, segments=segments)
    both_levels(damaged)
    told = [(p.fault, p.segment, p.element) for p in edifact.check(damaged).problems]
    assert told == [(Fault.ELEMENT_MISSING, "PIA", 2)]
