"""Under any guide the fast level accepts nothing that the thorough one refuses; a guide only narrows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mappings
import x12
from edi.example import example
from edi.guide import Guide, GuideError, load, narrowed, read_guide
from edi.schema import Run, SetDef
from edi.tree import Separators, Transaction
from x12 import dictionary

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
RULES = {
    "850": (
        'others = "never"',
        'BEG02 = { codes = ["SA", "NE"] }',
        "BEG03 = { max = 7 }",
        'BEG = { elements = [1, 2, 3, 5] }',
        '"REF[DP]" = { use = "must", max = 1 }',
        '"REF[DP]02" = { min = 3, max = 3 }',
        'DTM02 = "must"',
        '"*>DTM01" = { codes = ["002", "010"] }',
        "N1 = { min = 2, max = 3 }",
        '"N1[ST]" = { use = "must", max = 1 }',
        '"N1[ST]03" = { use = "must", codes = ["92"] }',
        '"N1[ST]>N4" = "must"',
        '"N1[ST]>N404" = "never"',
        '"N1[BY]>N3" = "never"',
        'PO103 = { codes = ["EA"] }',
        "PO102 = { max = 3 }",
        '"PO1[06=UP]07" = { min = 12, max = 12 }',
        '"PO1[08=VN]" = "never"',
        '"PO1>PID" = "must"',
        '"PO1>PID>MEA" = "never"',
        'PER = { syntax = ["R0608", "E0405"] }',
        'CTT = "must"',
    ),
    "856": (
        'HL03 = { codes = ["S", "O", "I"] }',
        '"HL[03=S]" = { use = "must", max = 1 }',
        '"HL[03=O]>PRF" = "must"',
        '"HL[03=O]>PRF01" = { max = 7 }',
        '"HL[03=S]>N1[SF]" = "must"',
        '"HL[03=S]>N1[SF]>N4" = "must"',
        '"HL[03=I]>SN1" = "must"',
        '"HL[03=P]>MAN[GM]02" = { min = 20, max = 20 }',
        '"*>REF[BM]02" = { max = 4 }',
        '"*>TD1" = "never"',
        '"*>SN103" = { codes = ["EA"] }',
    ),
}  # fmt: skip
TEXTS = {
    "850": """BEG*00*SA*PO-1001**20260105 REF*DP*012 PER*BD*Jane*TE*5550100 DTM*002*20260120
        N1*ST*Store*92*0012 N3*Main N4*Springfield*IL*62701*US N1*BY*Buyer*92*0001 N3*Main
        PO1*1*10*EA*9.25**UP*012345678905*VN*SKU-1 PID*F****Widget MEA*WT*G*2.5*LB
        PO1*2*5*CA*100**CB*0123 PID*F****Box PO1*3*5*EA*100**CB*0124 PID*F****Box CTT*3""",
    "856": """BSN*00*SHIP-77*20260110*1015 HL*1**S TD1*CTN25*2****G*20.5*LB REF*BM*BOL-9 N1*SF*House*92*W1
        N4*Reno*NV*89501*US HL*2*1*O PRF*PO-1001***20260105 HL*3*2*P MAN*GM*00006141410000000018
        HL*4*3*I LIN*1*UP*012345678905 SN1*1*10*EA HL*5*3*I LIN*1*UP*012345678905 SN1*1*9*EA CTT*5""",
}
VALUES = st.sampled_from([
    "", "ST", "BY", "SA", "DP", "UP", "VN", "EA", "CA", "92", "002", "20260105", "20260231", "1",
    "0123456789", "S", "O", "P", "I", "GM", "a>b", "a^b", "é", "\x07", " ", "-1.5", "PO-100200300", "A" * 90,
])  # fmt: skip


def transaction(type: str, rows: list[str]) -> Transaction:
    segments = (f"ST*{type}*0001", *rows, f"SE*{len(rows) + 2}*0001")
    return Transaction(type, "0001", "004010", Separators(), segments, 0)


@cache
def guide(type: str, chosen: tuple[str, ...]) -> Guide | None:
    """The guide with these rules, or None where they contradict each other."""
    top = [rule for rule in chosen if rule.startswith("others")]
    rules = [rule for rule in chosen if rule not in top]
    text = "\n".join(['name = "A"', f'set = "{type}"', *top, "[rules]", *rules])
    try:
        found = read_guide(text.encode())
        x12.checker(type, "004010", found)
    except GuideError:
        return None
    return found


@cache
def standard(type: str) -> SetDef:
    found = dictionary.definition(type, "004010")
    assert found is not None
    return found


@st.composite
def guided(draw: st.DrawFn) -> tuple[Transaction, Guide]:
    type = draw(st.sampled_from(sorted(RULES)))
    first = draw(st.integers(0, len(RULES[type]) - 1))  # few different guides: each is compiled once
    chosen = tuple(rule for number, rule in enumerate(RULES[type]) if (number * 7 + first) % 3)
    found = guide(type, chosen) or guide(type, chosen[first % len(chosen) :][:1])
    assert found is not None
    rows = [row.split("*") for row in TEXTS[type].split()]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(rows) - 1))
        match draw(
            st.sampled_from(["element", "element", "element", "cut", "drop", "repeat", "swap", "long"])
        ):
            case "element":
                rows[at] = [*rows[at], *[""] * 3]
                rows[at][draw(st.integers(1, len(rows[at]) - 1))] = draw(VALUES)
            case "cut":
                rows[at] = rows[at][: draw(st.integers(1, len(rows[at])))]
            case "drop" if len(rows) > 2:
                del rows[at]
            case "repeat":
                rows[at:at] = [list(rows[at]) for _ in range(draw(st.integers(1, 3)))]
            case "swap":
                other = draw(st.integers(0, len(rows) - 1))
                rows[at], rows[other] = rows[other], rows[at]
            case _:
                rows[at] = [*rows[at], draw(VALUES)]
    return transaction(type, ["*".join(row) for row in rows]), found


@settings(max_examples=700, deadline=None)
@given(guided())
def test_the_fast_level_accepts_nothing_that_the_thorough_level_refuses(
    case: tuple[Transaction, Guide],
) -> None:
    sent, asked = case
    checker = x12.checker(sent.type, sent.version, asked)
    assert checker is not None
    readers = mappings.load(standard(sent.type)).readers
    thorough = checker.check_thoroughly(sent)
    for fast in (checker.check(sent), checker.check(sent, readers)):
        assert fast.problems == thorough.problems
        assert (fast.status, fast.places) == (thorough.status, thorough.places)


@settings(max_examples=400, deadline=None)
@given(guided())
def test_a_guide_takes_nothing_away_from_what_the_standard_finds(case: tuple[Transaction, Guide]) -> None:
    sent, asked = case
    by_standard, by_guide = x12.check(sent), x12.check(sent, asked)
    assert [problem for problem in by_guide.problems if problem.guide is None] == list(by_standard.problems)
    assert by_guide.places == by_standard.places


@pytest.mark.parametrize("type", sorted(RULES))
def test_a_map_that_reads_often_reads_by_the_guide_as_well(type: str) -> None:
    """The functions made for runs that have come often check what the guide asks."""
    asked = guide(
        type, ('PO103 = { codes = ["EA"] }',) if type == "850" else ('"*>SN103" = { codes = ["EA"] }',)
    )
    assert asked is not None
    readers = mappings.load(standard(type)).readers
    allowed = TEXTS[type].replace("*CA*", "*EA*").split()
    refused = [row.replace("*EA", "*CA") if row.startswith(("PO1", "SN1")) else row for row in allowed]
    map = mappings.load(standard(type))
    for _ in range(40):
        good = x12.check(transaction(type, allowed), asked, readers)
        assert good.status == "accepted"
        assert map.read_checked(good, Separators())[0] is not None
        assert x12.check(transaction(type, refused), asked, readers).status == "rejected"
    runs: set[Run] = set(good.runs)
    assert any(run in readers for run in runs)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("type", ["850", "856"])
def test_the_example_of_a_documented_guide_passes_it(type: str, *, full: bool) -> None:
    asked = load(EXAMPLES / f"bigmart-{type}.toml")
    rows = example(narrowed(standard(type), asked), full=full)
    texts = ["*".join(e if isinstance(e, str) else ">".join(e) for e in row) for row in rows]
    sent = transaction(type, texts)
    assert x12.check(sent, asked).problems == ()
    elsewhere = tuple(segment for segment in sent.segments if not segment.startswith("N1*ST"))
    assert x12.check(replace(sent, segments=elsewhere), asked).status == "rejected"
