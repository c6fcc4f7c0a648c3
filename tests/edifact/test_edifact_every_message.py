"""Every message, in each directory: nothing is found in a valid example, and every class of defect is found
where it was put, with its place and its code at the right level of CONTRL.

Examples and defects are both made from the definition, by rules that know nothing of the checker. A class
that a message cannot have (no levels, no totals) is no defect of it; a test says which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from edifact_support import SYNTAXES, answer, events, flat, only, problems, raw

from edi import edifact
from edi.edifact import acks, directory
from edi.example import example
from edi.problems import Fault, Problem
from edi.schema import Check, ElementUse, LoopDef, SegmentUse, SetDef
from edi.structure import first_use
from edi.tree import Transaction

MESSAGES = [(message, version) for version in directory.VERSIONS for message in directory.sets(version)]
Rows = list[list[str]]


class Defect(NamedTuple):
    """A damaged body, and all that is to be said of it."""

    name: str
    rows: Rows
    fault: Fault
    tag: str
    position: int  # UNH = 1
    element: int | None = None
    component: int | None = None
    code: str = ""  # 0085, of the element where there is one, else of the segment


def defined(message: str, version: str) -> SetDef:
    definition = directory.definition(message, version)
    assert definition is not None
    return definition


def body(definition: SetDef, *, full: bool) -> Rows:
    return [
        [element if isinstance(element, str) else ":".join(element) for element in row]
        for row in example(definition, full=full)
    ]


def interchange(definition: SetDef, rows: Rows, syntax: str, *, grouped: bool = False) -> bytes:
    """The rows as they are, right in all else."""
    number, _, release = definition.version.partition(".")
    if definition.type == "CONTRL":
        number, release = "D", "3"
    data = raw(definition.type, ["+".join(row) for row in rows], f"{number}:{release}:UN", syntax=syntax)
    if not grouped:
        return data
    day = "20260106" if syntax.endswith(":4") else "260106"
    header = f"UNG+{definition.type}+A+B+{day}:1230+5+UN+{number}:{release}'\n".encode()
    return data.replace(b"UNH+", header + b"UNH+").replace(b"UNZ+1", b"UNE+1+5'\nUNZ+1")


def checked(data: bytes) -> Check:
    return edifact.check(only(events(data), Transaction))  # type: ignore[arg-type]


def changed(rows: Rows, at: int, element: int, component: int | None, value: str) -> Rows:
    row = [*rows[at], *[""] * (element + 1 - len(rows[at]))]
    if component:
        parts = [*row[element].split(":"), *[""] * component]
        parts[component - 1] = value
        value = ":".join(parts).rstrip(":")
    row[element] = value
    while len(row) > 1 and not row[-1]:
        row.pop()
    return [*rows[:at], row, *rows[at + 1 :]]


class Site(NamedTuple):
    """An element of an example that may be damaged, or a component of it."""

    at: int
    element: int
    component: int | None
    use: ElementUse
    around: tuple[ElementUse, ...]  # the components of its composite, or the elements of its segment
    values: list[str]  # of those

    @property
    def position(self) -> int:
        """Among those around, from 1."""
        return self.component or self.element


def sites(rows: Rows, uses: list[SegmentUse]) -> Iterator[Site]:
    for at, use in enumerate(uses):
        row, elements = rows[at], use.segment.elements
        for number, inner in enumerate(elements, 1):
            if number >= len(row) or not row[number]:
                continue
            yield Site(at, number, None, inner, elements, row[1:])
            parts = row[number].split(":")
            for component, part in enumerate(inner.element.components[: len(parts)], 1):
                if parts[component - 1]:
                    yield Site(at, number, component, part, inner.element.components, parts)


def damages(site: Site, definition: SetDef, syntax: str) -> Iterator[tuple[str, str, Fault, str]]:
    """What can be made wrong with one value: name, value, fault and code."""
    use, element = site.use, site.use.element
    others = [value for number, value in enumerate(site.values, 1) if number != site.position]
    listed = {inner.element.id for inner in site.around} & {"1131", "3055"}
    if element.components:
        if use.repeat == 1:
            spare = ":".join([*["1"] * len(element.components), "1"])
            if all(part.element.type == "an" and not part.element.codes for part in element.components):
                yield "too many components", spare, Fault.COMPONENT_NOT_DEFINED, "16"
        return
    if use.requirement == "M" and any(others):
        name = "required component" if site.component else "required element"
        yield name, "", Fault.ELEMENT_MISSING, "13"
    if site.component is None and use.repeat == 1 and element.type == "an":
        yield "component in a simple element", "A:A", Fault.COMPONENT_NOT_DEFINED, "16"
    if element.codes is not None and element.id != "0007":  # to which partners may add
        wrong = next(w for w in ("QZQ", "QZ", "Q", "QZQZ", "QZQZQZ") if len(w) <= element.max)
        if not (site.component and listed) and wrong not in element.codes and len(wrong) >= element.min:
            yield "code", wrong, Fault.CODE_UNKNOWN, "12"
    elif element.id == "2380":
        yield "date", "20261399", Fault.DATE_INVALID, "12"
    elif element.type == "an":
        yield "too long", "X" * (element.max + 1), Fault.TOO_LONG, "39"
        if element.min > 1:
            yield "too short", "X" * (element.min - 1), Fault.TOO_SHORT, "40"
        yield "character", "A\x07", Fault.CHARACTER_INVALID, "21"
        if syntax.endswith(":4") and use.repeat == 1 and site.component is None:
            yield "repetition", "A*A", Fault.REPEATED_TOO_OFTEN, "35"
    elif element.type == "n":
        yield "number", "1A"[-element.max :], Fault.NUMBER_INVALID, "37"
        yield "decimal", "1.2,3", Fault.NUMBER_INVALID, "19"
        yield "long number", "1" * (element.max + 1), Fault.TOO_LONG, "39"


def defects(definition: SetDef, syntax: str) -> Iterator[Defect]:
    """One defect of each class that the definition allows."""
    rows = body(definition, full=True)
    verdict = checked(interchange(definition, rows, syntax))
    assert verdict.places is not None
    uses = [definition.nodes[node] for node in verdict.places[1:-1]]
    seen: set[str] = set()
    for site in sites(rows, uses):
        tag = uses[site.at].segment.tag
        if tag in ("CPS", "CNT", "UCM"):  # which have defects of their own, or syntax notes
            continue
        for name, value, fault, code in damages(site, definition, syntax):
            if name not in seen:
                seen.add(name)
                damaged = changed(rows, site.at, site.element, site.component, value)
                component = site.component
                if name == "too many components":
                    component = len(site.use.element.components) + 1
                place = (site.element, component)
                yield Defect(name, damaged, fault, tag, site.at + 2, *place, code)
    for at, use in enumerate(uses):
        if use.segment.tag == "DTM" and len(rows[at]) == 2:
            damaged = changed(changed(rows, at, 1, 2, "2561"), at, 1, 3, "401")
            yield Defect("time", damaged, Fault.TIME_INVALID, "DTM", at + 2, 1, 2, "12")
            break
    for at, use in enumerate(uses):
        count = len(use.segment.elements)
        if use.segment.tag not in ("CPS", "UCM"):
            damaged = changed(rows, at, count + 1, None, "X")
            yield Defect(
                "element", damaged, Fault.ELEMENT_NOT_DEFINED, use.segment.tag, at + 2, count + 1, None, "16"
            )
            break
    yield from structural(definition, rows, uses)


def structural(definition: SetDef, rows: Rows, uses: list[SegmentUse]) -> Iterator[Defect]:
    tags = Counter(use.segment.tag for use in definition.nodes)
    unknown = [*rows[:1], ["ZZZ", "1"], *rows[1:]]
    yield Defect("unknown segment", unknown, Fault.SEGMENT_UNKNOWN, "ZZZ", 3, code="15")
    for at, use in enumerate(uses):
        if use.requirement == "M" and not use.first and tags[use.segment.tag] == 1:
            damaged = [*rows[:at], *rows[at + 1 :]]
            yield Defect(
                "missing segment", damaged, Fault.SEGMENT_MISSING, use.segment.tag, at + 2, code="13"
            )
            break
    for at, use in enumerate(uses):
        if 0 < use.max_use < 100 and not use.first and tags[use.segment.tag] == 1:
            damaged = [*rows[: at + 1], *[rows[at]] * use.max_use, *rows[at + 1 :]]
            place = (use.segment.tag, at + 2 + use.max_use)
            yield Defect("max use", damaged, Fault.SEGMENT_TOO_OFTEN, *place, code="35")
            break
    begun = Counter(first_use(child).segment.tag for child in definition.children)
    for group in definition.children:
        first = first_use(group)
        at = next((at for at, use in enumerate(uses) if use.index == first.index), None)
        if not isinstance(group, LoopDef) or not 0 < group.repeat < 1000 or begun[first.segment.tag] > 1:
            continue
        assert at is not None
        damaged = [*rows[:at], *[rows[at]] * group.repeat, *rows[at:]]
        place = (first.segment.tag, at + 2 + group.repeat)
        yield Defect("group repeat", damaged, Fault.LOOP_TOO_OFTEN, *place, code="36")
        break
    for at, use in enumerate(uses):
        last = len(rows) - 1
        if use.requirement == "O" and not use.loops and tags[use.segment.tag] == 1 and at < last:
            damaged = [*rows[:at], *rows[at + 1 :], rows[at]]
            yield Defect("order", damaged, Fault.SEGMENT_OUT_OF_ORDER, use.segment.tag, last + 2, code="15")
            break
    for at, use in enumerate(uses):
        if use.segment.tag == "CNT" and definition.totals:
            damaged = changed(rows, at, 1, 2, "99")
            yield Defect("total", damaged, Fault.TOTAL_MISMATCH, "CNT", at + 2, 1, 2, "12")
            break
    levels = [at for at, row in enumerate(rows) if row[0] == "CPS"]
    if len(levels) > 1:
        damaged = changed(rows, levels[1], 2, None, "99")
        yield Defect("parent", damaged, Fault.HIERARCHY_BROKEN, "CPS", levels[1] + 2, 2, None, "12")
        damaged = changed(rows, levels[-1], 1, None, "1")
        yield Defect("level twice", damaged, Fault.HIERARCHY_BROKEN, "CPS", levels[-1] + 2, 1, None, "12")


@pytest.mark.parametrize("full", [False, True], ids=["least", "all"])
@pytest.mark.parametrize("grouped", [False, True], ids=["alone", "grouped"])
@pytest.mark.parametrize(("message", "version"), MESSAGES)
def test_nothing_is_found_in_a_valid_example(message: str, version: str, grouped: bool, full: bool) -> None:
    definition = defined(message, version)
    for syntax in SYNTAXES:
        found = events(interchange(definition, body(definition, full=full), syntax, grouped=grouped))
        assert problems(found) == []
        verdict = edifact.check(only(found, Transaction))  # type: ignore[arg-type]
        assert (verdict.status, verdict.problems) == ("accepted", ())
        ack = answer(found)
        assert ack.action == acks.ACCEPTED
        assert [m.action for m in ack.all_messages] == ([] if message == "CONTRL" else [acks.ACCEPTED])
        if full:
            there = {row[0] for row in verdict.rows}
            assert {use.segment.tag for use in definition.nodes} == there


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("message", "version"), MESSAGES)
def test_each_defect_is_found_with_its_place_and_code(message: str, version: str, syntax: str) -> None:
    definition = defined(message, version)
    for defect in defects(definition, syntax):
        data = interchange(definition, defect.rows, syntax)
        verdict = checked(data)
        told = [(p.fault, p.segment, p.position, p.element, p.component) for p in verdict.problems]
        wanted = (defect.fault, defect.tag, defect.position, defect.element, defect.component)
        assert told == [wanted], (defect.name, defect.rows[defect.position - 3 : defect.position])
        assert verdict.status == "rejected"
        _stands_where_it_says(data, verdict.problems[0])
        if message != "CONTRL":
            _told(flat(acks.write_contrl(answer(events(data)))), defect)


def _stands_where_it_says(data: bytes, problem: Problem) -> None:
    assert problem.offset is not None
    here = data[problem.offset :].decode("latin-1")
    if problem.value:
        spelled = problem.value.replace("\x1f", ":").replace("\x1d", "*")
        assert here.startswith(spelled)
    elif problem.fault is not Fault.SEGMENT_MISSING and problem.element is None:
        assert here.startswith(f"{problem.segment}+")
    elif problem.element is not None:  # where a value would be: between separators
        assert re.match(r"[+:']", here), (problem, here[:10])


def _told(rows: Rows, defect: Defect) -> None:
    interchange, message, segment, *elements = rows
    assert interchange[4:] == ["7"]
    assert (message[0], message[1], message[3:]) == ("UCM", "1", ["4"])
    missing = defect.fault is Fault.SEGMENT_MISSING  # told at the last segment before
    of_segment = [] if defect.element else [defect.code]
    assert segment == ["UCS", str(defect.position - missing), *of_segment]
    if defect.element is None:
        assert elements == []
        return
    place = str(defect.element + 1)  # the tag is the first element
    place += f":{defect.component}" if defect.component else ""
    assert elements == [["UCD", defect.code, place]]


ENVELOPE = [
    (r"\nUNT\+(\d+)", r"\nUNT+9999", Fault.COUNT_MISMATCH, "UNT", 1, "29"),
    (r"(\nUNT\+\d+)\+1", r"\1+2", Fault.CONTROL_NUMBER_MISMATCH, "UNT", 2, "28"),
    (r"\nUNE\+1", r"\nUNE+2", Fault.COUNT_MISMATCH, "UNE", 1, "29"),
    (r"\nUNE\+1\+5", r"\nUNE+1+6", Fault.CONTROL_NUMBER_MISMATCH, "UNE", 2, "28"),
    (r"\nUNZ\+1", r"\nUNZ+2", Fault.COUNT_MISMATCH, "UNZ", 1, "29"),
    (r"\nUNZ\+1\+7", r"\nUNZ+1+8", Fault.CONTROL_NUMBER_MISMATCH, "UNZ", 2, "28"),
    (r"\nUNT\+\d+\+1'", "", Fault.TRAILER_MISSING, "UNT", None, "13"),
    (r"\nUNE\+1\+5'", "", Fault.TRAILER_MISSING, "UNE", None, "13"),
    (r"\nUNZ\+1\+7'", "", Fault.TRAILER_MISSING, "UNZ", None, "13"),
]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("message", "version"), MESSAGES)
def test_wrong_trailers_are_found_with_their_codes(message: str, version: str, syntax: str) -> None:
    definition = defined(message, version)
    good = interchange(definition, body(definition, full=False), syntax, grouped=True).decode()
    for old, new, fault, tag, element, code in ENVELOPE:
        text, changes = re.subn(old, new, good)
        assert changes == 1
        found = events(text.encode())
        (problem,) = problems(found)
        assert (problem.fault, problem.segment, problem.element) == (fault, tag, element)
        if element:
            start = text.index(f"\n{tag}+") + 1
            assert problem.offset == start + len("+".join(text[start:].split("+")[:element])) + 1
        if message == "CONTRL":
            continue
        rows = flat(acks.write_contrl(answer(found)))
        told = ["4", code, tag, *([str(element + 1)] if element else [])]
        if tag == "UNZ":
            assert rows == [[*rows[0][:4], *told]]
        elif tag == "UNE":
            assert rows[1:] == [[*rows[1][:4], *told]]
        else:
            assert (rows[0][4:], rows[1][4:]) == (["7"], ["7"])
            assert rows[2][3:] == told


ALWAYS = {
    "required element", "required component", "component in a simple element", "too many components", "code",
    "element", "too long", "character", "number", "decimal", "long number", "repetition", "unknown segment",
    "missing segment", "max use", "group repeat",
}  # fmt: skip
LACKING = {  # what an example has no place for
    "APERAK D.96A": {"number", "decimal", "long number"},
    "CONTRL D.96A": {"too many components", "group repeat"},
    "CONTRL D.01B": {"too many components", "group repeat"},
}


def test_every_message_has_the_classes_of_defect_that_its_definition_allows() -> None:
    kinds: set[str] = set()
    for message, version in MESSAGES:
        definition = defined(message, version)
        names = {defect.name for defect in defects(definition, "UNOC:4")}
        kinds |= names
        assert ALWAYS - names == LACKING.get(f"{message} {version}", set()), (message, version)
        tags = {use.segment.tag for use in definition.nodes}
        assert ("parent" in names) == ("level twice" in names) == ("CPS" in tags)
        assert ("total" in names) == bool(definition.totals)
        assert ("date" in names) == ("time" in names) == ("DTM" in tags)
        tags_at_top = Counter(use.segment.tag for use in definition.nodes)
        loose = [use for use in definition.nodes if use.requirement == "O" and not use.loops]
        assert ("order" in names) or all(
            tags_at_top[use.segment.tag] > 1 or use is loose[-1] for use in loose
        )
    assert kinds == ALWAYS | {"too short", "date", "time", "order", "total", "parent", "level twice"}
