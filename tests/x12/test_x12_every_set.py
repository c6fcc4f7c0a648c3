"""Every defined set, in each version: nothing is found in a valid example, and every class of defect is found
where it was put, with its place and its codes in the 997 and the 999.

Examples and defects are both made from the definition, by rules that know nothing of the checker. A class
that a set cannot have (no condition of that kind, no hierarchy) is no defect of it; a test says which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import pytest
from x12_support import events, only

import x12
from edi.example import example
from edi.problems import Fault, Problem
from edi.schema import Check, ElementDef, LoopDef, SegmentUse, SetDef, SyntaxNote
from edi.tree import Event, Group, GroupEnd, Interchange, InterchangeEnd, Transaction
from x12 import acks, dictionary
from x12.writer import Row

SETS = [(kind, version) for version in dictionary.VERSIONS for kind in dictionary.sets(version)]
Rows = list[list[str]]


class Defect(NamedTuple):
    """A damaged body, and all that is to be said of it."""

    name: str
    rows: Rows
    fault: Fault
    tag: str
    position: int  # ST = 1
    elements: tuple[int, ...] = ()
    component: int | None = None
    segment_code: str = "8"
    element_code: str = ""


def body(definition: SetDef, *, full: bool) -> Rows:
    return [
        [element if isinstance(element, str) else ">".join(element) for element in row]
        for row in example(definition, full=full)
    ]


def interchange(definition: SetDef, rows: Rows) -> bytes:
    """The rows as they are, right in all else."""
    version, count = definition.version, len(rows) + 2
    repetition = "^" if version >= "005010" else "U"
    lines = [
        f"ISA*00*          *00*          *ZZ*SENDER         *01*RECEIVER       *260106*1230*{repetition}"
        f"*{version[:5]}*000000007*0*P*>",
        f"GS*{definition.functional_id}*SENDER*RECEIVER*20260106*1230*3*X*{version}",
        f"ST*{definition.type}*0001",
        *("*".join(row) for row in rows),
        f"SE*{count}*0001",
        "GE*1*3",
        "IEA*1*000000007",
    ]
    return "".join(f"{line}~\n" for line in lines).encode("latin-1")


def checked(data: bytes) -> Check:
    return x12.check(only(events(data), Transaction))  # type: ignore[arg-type]


def answer(found: list[Event]) -> acks.GroupAck:
    group, end = only(found, Group), only(found, GroupEnd)
    builder = acks.FunctionalAck(group)  # type: ignore[arg-type]
    for event in found:
        if isinstance(event, Transaction):
            builder.add(event, x12.check(event))
    return builder.finish(end)  # type: ignore[arg-type]


def flat(rows: list[Row]) -> Rows:
    return [[e if isinstance(e, str) else ">".join(e) for e in row] for row in rows]


# What a rule of the standard says of one row, told without the checker.


def violated(note: SyntaxNote, row: list[str]) -> tuple[int, ...]:
    """The elements at which a syntax note is broken (X12.6 3.5.3)."""
    here = [p for p in note.positions if p < len(row) and row[p]]
    absent = tuple(p for p in note.positions if p not in here)
    first = note.positions[0]
    match note.kind:
        case "P":
            return absent if here else ()
        case "R":
            return () if here else (first,)
        case "E":
            return tuple(here[1:])
        case "C":
            return absent if first in here else ()
        case _:
            return (note.positions[1],) if here == [first] else ()


def placed(definition: SetDef, rows: Rows) -> list[SegmentUse]:
    """The uses of the rows of an example: it has each place once, but for levels."""
    verdict = checked(interchange(definition, rows))
    assert verdict.places is not None
    return [definition.nodes[node] for node in verdict.places[1:-1]]


def changed(rows: Rows, at: int, element: int, value: str) -> Rows:
    row = [*rows[at], *[""] * (element + 1 - len(rows[at]))]
    row[element] = value
    while not row[-1]:
        row.pop()
    return [*rows[:at], row, *rows[at + 1 :]]


class _Site(NamedTuple):
    """An element of an example that may be damaged."""

    at: int
    number: int
    use: SegmentUse
    row: list[str]


def defects(definition: SetDef) -> Iterator[Defect]:
    """One defect of each class that the definition allows."""
    rows = body(definition, full=True)
    uses = placed(definition, rows)
    totals = {(total.segment, total.element) for total in definition.totals}
    totals |= {(total.of, total.sums) for total in definition.totals if total.sums}
    seen: set[str] = set()
    for at, use in enumerate(uses):
        if use.segment.tag in {"HL", "LS", "LE", "BIN", "BDS"}:
            continue
        for number in range(1, len(rows[at])):
            if rows[at][number] and (use.segment.tag, number) not in totals:
                site = _Site(at, number, use, rows[at])
                for name, value, fault, code, component in _damages(site, definition.version):
                    if name not in seen:
                        seen.add(name)
                        damaged = changed(rows, at, number, value)
                        yield Defect(
                            name, damaged, fault, use.segment.tag, at + 2, (number,), component, "8", code
                        )
        for note in use.segment.notes:
            name = f"note {note.kind}"
            if name not in seen and (found := _break(rows, at, use, note)):
                seen.add(name)
                yield found
    yield from _structural(definition, rows, uses)


Damage = tuple[str, str, Fault, str, int | None]


def _damages(site: _Site, version: str) -> Iterator[Damage]:
    """What can be made wrong with one element: name, value, fault, code and component."""
    segment = site.use.segment
    inner = segment.elements[site.number - 1]
    element, kind = inner.element, inner.element.type
    if inner.repeat != 1:
        return
    if element.components:
        value = site.row[site.number].split(">")
        if len(value) == len(element.components):
            yield ("composite", ">".join([*value, "1"]), Fault.COMPONENT_NOT_DEFINED, "13", len(value) + 1)
        return
    noted = {position for note in segment.notes for position in note.positions}
    if inner.requirement == "M" and site.number not in noted and len(site.row) > 2:
        yield "required element", "", Fault.ELEMENT_MISSING, "1", None
    if element.codes is not None:
        wrong = next(w for w in ("QZ", "QZQ", "Q", "QZQZ") if w not in element.codes)
        if kind == "ID" and element.min <= len(wrong) <= element.max:
            yield "code", wrong, Fault.CODE_UNKNOWN, "7", None
    elif kind == "AN":
        yield "too long", "X" * (element.max + 1), Fault.TOO_LONG, "5", None
        if element.min > 1:
            yield "too short", "X" * (element.min - 1), Fault.TOO_SHORT, "4", None
        if version >= "005010":
            yield "repetition", "A^A", Fault.REPEATED_TOO_OFTEN, "12", None
    elif kind == "DT":
        yield "date", "20261399"[8 - min(element.max, 8) :], Fault.DATE_INVALID, "8", None
    elif kind == "TM":
        yield "time", "2561", Fault.TIME_INVALID, "9", None
    elif kind[0] in "NR":
        yield "number", "A" if element.max == 1 else "1A", Fault.NUMBER_INVALID, "6", None


def _break(rows: Rows, at: int, use: SegmentUse, note: SyntaxNote) -> Defect | None:
    """A row changed so that this note, and nothing else of its segment, is broken."""
    segment, row = use.segment, rows[at]
    if note.kind == "E":
        absent = [p for p in note.positions if not (p < len(row) and row[p])]
        candidates = []
        for missing in absent:
            pairs = [
                other.positions for other in segment.notes if other.kind == "P" and missing in other.positions
            ]
            filled = rows
            for position in {missing, *(p for pair in pairs for p in pair)}:
                if not (position < len(row) and row[position]):
                    filled = changed(filled, at, position, _filled(segment.elements[position - 1].element))
            candidates.append(filled)
            candidates += [
                changed(filled, at, p, "") for p in range(1, len(filled[at])) if p not in note.positions
            ]
    else:
        subsets = [
            c for size in range(1, len(note.positions) + 1) for c in combinations(note.positions, size)
        ]
        subsets += [note.positions + other.positions for other in segment.notes]
        subsets.append(tuple(position for other in segment.notes for position in other.positions))
        candidates = []
        for blanks in subsets:
            damaged = rows
            for position in blanks:
                damaged = changed(damaged, at, position, "")
            candidates.append(damaged)
    for damaged in candidates:
        after = damaged[at]
        lacking = any(
            inner.requirement == "M" and not (p < len(after) and after[p])
            for p, inner in enumerate(segment.elements, 1)
        )
        told = {other: where for other in segment.notes if (where := violated(other, after))}
        if not lacking and set(told) == {note}:
            fault = Fault.CONDITION_EXCLUDES if note.kind == "E" else Fault.CONDITION_UNMET
            code = "10" if note.kind == "E" else "2"
            return Defect(
                f"note {note.kind}", damaged, fault, segment.tag, at + 2, told[note], None, "8", code
            )
    return None


def _filled(element: ElementDef) -> str:
    if element.codes is not None:
        return min(element.codes)
    usual = {"AN": "X" * max(element.min, 1), "DT": "20260105", "TM": "1200"}
    return usual.get(element.type, "1" * element.min)


def _structural(definition: SetDef, rows: Rows, uses: list[SegmentUse]) -> Iterator[Defect]:
    tags = Counter(use.segment.tag for use in definition.nodes)
    unknown = [*rows[:1], ["ZZZ", "1"], *rows[1:]]
    yield Defect("unknown segment", unknown, Fault.SEGMENT_UNKNOWN, "ZZZ", 3, segment_code="1")
    for at, use in enumerate(uses):
        if use.requirement == "M" and not use.first and tags[use.segment.tag] == 1:
            tag = use.segment.tag
            damaged = [*rows[:at], *rows[at + 1 :]]
            yield Defect("missing segment", damaged, Fault.SEGMENT_MISSING, tag, at + 2, segment_code="3")
            break
    for at, use in enumerate(uses):
        if 0 < use.max_use < 10 and not use.first and tags[use.segment.tag] == 1:
            more = [rows[at]] * use.max_use
            damaged = [*rows[: at + 1], *more, *rows[at + 1 :]]
            yield Defect(
                "max use",
                damaged,
                Fault.SEGMENT_TOO_OFTEN,
                use.segment.tag,
                at + 2 + use.max_use,
                segment_code="5",
            )
            break
    for at, use in enumerate(uses):
        last = len(rows) - 1
        if use.requirement == "O" and not use.loops and tags[use.segment.tag] == 1 and at < last:
            damaged = [*rows[:at], *rows[at + 1 :], rows[at]]
            yield Defect(
                "order", damaged, Fault.SEGMENT_OUT_OF_ORDER, use.segment.tag, last + 2, segment_code="7"
            )
            break
    for total in definition.totals:
        if total.sums is None:
            at = next(at for at, row in enumerate(rows) if row[0] == total.segment)
            place = (total.segment, at + 2, (total.element,))
            damaged = changed(rows, at, total.element, "9")
            yield Defect("total", damaged, Fault.TOTAL_MISMATCH, *place, element_code="7")
            break
    levels = [at for at, row in enumerate(rows) if row[0] == "HL"]
    if len(levels) > 1:
        at = levels[1]
        damaged = changed(rows, at, 2, "99")
        yield Defect("HL parent", damaged, Fault.HIERARCHY_BROKEN, "HL", at + 2, (2,), element_code="7")


@pytest.mark.parametrize("full", [False, True], ids=["least", "all"])
@pytest.mark.parametrize(("kind", "version"), SETS)
def test_nothing_is_found_in_a_valid_example(kind: str, version: str, full: bool) -> None:
    definition = dictionary.definition(kind, version)
    assert definition is not None
    found = events(interchange(definition, body(definition, full=full)))
    assert [p for event in found for p in event.problems] == []
    verdict = x12.check(only(found, Transaction))  # type: ignore[arg-type]
    assert (verdict.status, verdict.problems) == ("accepted", ())
    ack = answer(found)
    assert (ack.status, ack.accepted) == ("A", 1)
    if full:
        assert {use.segment.tag for use in definition.nodes} - {row[0] for row in verdict.rows} <= {
            "BIN",
            "BDS",
        }


@pytest.mark.parametrize(("kind", "version"), SETS)
def test_each_defect_is_found_with_its_place_and_codes(kind: str, version: str) -> None:
    definition = dictionary.definition(kind, version)
    assert definition is not None
    for defect in defects(definition):
        data = interchange(definition, defect.rows)
        verdict = checked(data)
        problems = [p for p in verdict.problems if p.severity == "error"]
        told = [(p.fault, p.segment, p.position, p.element, p.component) for p in problems]
        wanted = [
            (defect.fault, defect.tag, defect.position, element, defect.component)
            for element in defect.elements or (None,)
        ]
        assert told == wanted, (defect.name, defect.rows[defect.position - 3 : defect.position])
        assert verdict.status == "rejected"
        for problem in problems:
            _stands_where_it_says(data, problem)
        ack = answer(events(data))
        _told(flat(acks.write_997(ack, version)), defect, "AK", version)
        _told(flat(acks.write_999(ack)), defect, "IK", version)


def _stands_where_it_says(data: bytes, problem: Problem) -> None:
    assert problem.offset is not None
    here = data[problem.offset :].decode("latin-1")
    if problem.value:
        assert here.startswith(problem.value)
    elif problem.fault is not Fault.SEGMENT_MISSING and problem.element is None:
        assert here.startswith(f"{problem.segment}*")
    elif problem.element is not None:  # where a value would be: between separators
        assert re.match(r"[*~>]", here), (problem, here[:10])


def _told(rows: Rows, defect: Defect, prefix: str, version: str) -> None:
    (segment,) = (row for row in rows if row[0] == f"{prefix}3")
    assert segment[1:3] == [defect.tag, str(defect.position)]
    assert segment[4] == defect.segment_code
    code = defect.element_code
    if prefix == "AK" and version < "005010":
        code = {"12": "3", "13": "3"}.get(code, code)
    elements = [row for row in rows if row[0] == f"{prefix}4"]
    places = [(int(row[1].split(">")[0]), row[3]) for row in elements]
    assert places == [(element, code) for element in defect.elements]
    (end,) = (row for row in rows if row[0] == f"{prefix}5")
    assert end == [f"{prefix}5", "R", "5"]


ENVELOPE = [
    (r"\nSE\*(\d+)", r"\nSE*99", Fault.COUNT_MISMATCH, "SE", 1, ("4",), ()),
    (r"(\nSE\*\d+)\*0001", r"\1*0002", Fault.CONTROL_NUMBER_MISMATCH, "SE", 2, ("3",), ()),
    (r"\nGE\*1", r"\nGE*2", Fault.COUNT_MISMATCH, "GE", 1, (), ("5",)),
    (r"\nGE\*1\*3", r"\nGE*1*4", Fault.CONTROL_NUMBER_MISMATCH, "GE", 2, (), ("4",)),
    (r"\nIEA\*1", r"\nIEA*2", Fault.COUNT_MISMATCH, "IEA", 1, "021", ()),
    (r"\nIEA\*1\*000000007", r"\nIEA*1*000000008", Fault.CONTROL_NUMBER_MISMATCH, "IEA", 2, "001", ()),
]


@pytest.mark.parametrize(("kind", "version"), SETS)
def test_wrong_trailers_are_found_with_their_codes(kind: str, version: str) -> None:
    definition = dictionary.definition(kind, version)
    assert definition is not None
    good = interchange(definition, body(definition, full=False)).decode()
    for old, new, fault, tag, element, set_codes, group_codes in ENVELOPE:
        text, changes = re.subn(old, new, good)
        assert changes == 1
        found = events(text.encode())
        (problem,) = [p for event in found for p in event.problems]
        assert (problem.fault, problem.segment, problem.element) == (fault, tag, element)
        assert problem.offset == text.index(f"\n{tag}*") + 1 + len(tag) + 1 + (
            0 if element == 1 else text.split(f"\n{tag}*")[1].index("*") + 1
        )
        ack = answer(found)
        if tag == "IEA":
            header, end = only(found, Interchange), only(found, InterchangeEnd)
            ta1 = acks.answer_interchange(header, end)  # type: ignore[arg-type]
            assert (ta1.status, ta1.note) == ("R", set_codes)
        elif tag == "SE":
            assert (ack.status, ack.transactions[0].codes) == ("R", set_codes)
        else:
            assert (ack.status, ack.codes) == ("R", group_codes)


ALWAYS = {"required element", "code", "unknown segment", "number", "too long"}


def test_every_set_has_the_classes_of_defect_that_its_definition_allows() -> None:
    kinds: dict[str, set[str]] = {}
    for kind, version in SETS:
        definition = dictionary.definition(kind, version)
        assert definition is not None
        names = {defect.name for defect in defects(definition)}
        for name in names:
            kinds.setdefault(name, set()).add(f"{kind} {version}")
        assert ALWAYS - names <= LACKING.get(f"{kind} {version}", set()), (kind, version, ALWAYS - names)
        notes = {note.kind for use in definition.nodes for note in use.segment.notes}
        made = {name[-1] for name in names if name.startswith("note ")}
        assert made == notes, (kind, version)
        assert ("HL parent" in names) == any(use.segment.tag == "HL" for use in definition.nodes)
        assert ("total" in names) == any(total.sums is None for total in definition.totals)
        assert ("repetition" in names) == (version >= "005010")
    assert set(kinds) >= ALWAYS | {
        "too short", "date", "time", "note P", "note R", "note E", "note C", "note L", "composite",
        "repetition", "missing segment", "max use", "order", "total", "HL parent",
    }  # fmt: skip


LACKING: dict[str, set[str]] = {"990 005010": {"number"}}  # it has none


def test_a_loop_too_many_is_told() -> None:
    for kind, version in SETS:
        definition = dictionary.definition(kind, version)
        assert definition is not None
        loops = [
            child
            for child in definition.children
            if isinstance(child, LoopDef)
            and 0 < child.repeat <= 20
            and isinstance(child.children[0], SegmentUse)
        ]
        tags = Counter(use.segment.tag for use in definition.nodes)
        for loop in loops:
            first = loop.children[0]
            assert isinstance(first, SegmentUse)
            if tags[first.segment.tag] > 1:
                continue
            rows = body(definition, full=True)
            at = next(at for at, row in enumerate(rows) if row[0] == first.segment.tag)
            damaged = [*rows[:at], *[rows[at]] * loop.repeat, *rows[at:]]
            verdict = checked(interchange(definition, damaged))
            found = {p.fault for p in verdict.problems}
            assert Fault.LOOP_TOO_OFTEN in found, (kind, version, loop.id)
            break
