"""A file for human eyes: names beside tags, meanings beside codes, loops indented, problems where they are.

Each problem stands under the element it is about, an absent one included, with marks under its value; that of
a missing segment where it should have come. `lines` says what there is to show, with one transaction in
memory at a time; `spans` and `text` lay a line out, within a width or without.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from edi.elements import decoded
from edi.problems import Fault, NotEdi, Problem
from edi.schema import Check, ElementDef, SegmentDef, SetDef
from edi.tree import NORMAL, Event, Group, GroupEnd, Interchange, PartyId, Separators, Transaction, readable

Kind = Literal["interchange", "group", "set", "loop", "segment", "missing", "element", "composite", "problem"]

_USAGES = {"P": "production", "T": "test", "I": "information"}
_STEP = "  "
_REFERENCE = 8  # columns of a reference designator: PO103, REF04-1
_WIDE = 100  # columns from which on names have as much room as they usually need
_NAME, _NARROW_NAME = 34, 28
_NO_PROBLEMS: Sequence[Problem] = ()
_VALUE = 12  # columns that a value has at least, however deep it stands


class Line(NamedTuple):
    """One thing to show. A problem of an element has the reference, the name and the value of that."""

    kind: Kind
    depth: int
    reference: str = ""  # a control number, a tag, a loop's id, or a reference designator
    name: str = ""
    value: str = ""  # as the characters its bytes mean; of a loop its number
    meaning: str = ""  # of a code; of a loop the code that says what it is; of a set its status
    problem: Problem | None = None


Row = tuple[list[str], Separators]  # the elements of a segment, and what separates the parts of one


def padded_row(segment: str, separators: Separators) -> Row:
    """A service segment of X12: ISA is padded, and has the separators as values."""
    row = [value.rstrip(" ") for value in segment.split(separators.element)]
    return row, separators._replace(component="", repetition="")


class Names(NamedTuple):
    """What a syntax knows about its segments: how to check, define and name them, and take them apart."""

    check: Callable[[Transaction], Check]
    definition: Callable[[str, str], SetDef | None]  # of a set type and version
    segment: Callable[[str, str], SegmentDef | None]  # of a tag and version, the envelope's included
    meaning: Callable[[str, str], str | None]  # of an element's code
    row: Callable[[str, Separators], Row] = padded_row  # of a raw service segment


def pretty(events: Iterable[Event], names: Names, width: int | None = None) -> Iterator[str]:
    """A whole file as plain text; what cannot be shown is escaped, and what is too wide is cut."""
    for line in lines(events, names):
        yield from text(line, width)


def lines(
    events: Iterable[Event],
    names: Names,
    wanted: Callable[[Transaction], bool] | None = None,
    *,
    only_problems: bool = False,
) -> Iterator[Line]:
    """What there is to show of a file.

    Of a selection (the transactions that are `wanted`, the segments with problems) the envelopes are told in
    a line each. A file that is no EDI has one line.
    """
    brief = only_problems or wanted is not None
    version = ""
    try:
        for event in events:
            if isinstance(event, Interchange):
                separators, version = event.separators, event.version
                parties = " -> ".join(_party(party) for party in (event.sender, event.receiver) if party.id)
                spoken = f"{event.syntax} {version}".rstrip()
                about = f"{spoken}, {_USAGES.get(event.usage, event.usage)}"
                yield Line("interchange", 0, event.control_number, "Interchange", parties, about)
                yield from _service(event.segment, event.problems, names, version, separators, 1, brief)
            elif isinstance(event, Group):
                number = f"{event.functional_id} {event.control_number}"
                if event.segment:
                    yield Line("group", 1, number, "Group", event.version)
                governing = event.version or version
                yield from _service(event.segment, event.problems, names, governing, separators, 2, brief)
            elif isinstance(event, Transaction):
                if wanted is None or wanted(event):
                    yield from _transaction(event, names, only_problems)
            elif isinstance(event, GroupEnd):
                yield from _service(event.segment, event.problems, names, version, separators, 2, brief)
            else:
                for loose in () if brief else event.loose:
                    yield from _service(loose, (), names, version, separators, 1, brief)
                yield from _service(event.segment, event.problems, names, version, separators, 1, brief)
    except NotEdi as error:
        yield Line("problem", 0, problem=Problem(Fault.NOT_EDI, str(error), offset=0))


def _party(party: PartyId) -> str:
    known = f"{party.qualifier}:{party.id}" if party.qualifier else party.id
    return decoded(known) or known


def _service(
    segment: str,
    problems: Sequence[Problem],
    names: Names,
    version: str,
    separators: Separators,
    depth: int,
    brief: bool,
) -> Iterator[Line]:
    """A segment of the envelope with its problems, and after it those that are of no segment shown."""
    row, between = names.row(segment, separators)
    own = [problem for problem in problems if segment and problem.segment == row[0]]
    if segment and (own or not brief):
        yield from _segment(row, names.segment(row[0], version), between, names, depth, own)
    for problem in problems:
        if problem in own:
            continue
        if problem.fault is Fault.TRAILER_MISSING:
            trailer = names.segment(problem.segment or "", version)
            yield Line("missing", depth, problem.segment or "", trailer.name if trailer else "")
        yield Line("problem", depth + 1, problem=problem)


def _transaction(transaction: Transaction, names: Names, only_problems: bool) -> Iterator[Line]:
    definition = names.definition(transaction.type, transaction.version)
    verdict = names.check(transaction)
    if only_problems and not verdict.problems:
        return
    title = f"{transaction.type} {definition.name if definition else '(not defined here)'}"
    size = f"{len(verdict.rows)} segments"
    yield Line("set", 2, transaction.control_number, title, size, verdict.status)
    at_end = len(verdict.rows)
    by_position: dict[int, list[Problem]] = {}
    for problem in verdict.problems:
        of_no_segment = at_end + 1 if problem.fault is Fault.TRAILER_MISSING else 1
        by_position.setdefault(problem.position or of_no_segment, []).append(problem)
    segments = {use.segment.tag: use.segment for use in definition.nodes} if definition else {}
    iterations: dict[tuple[str, ...], int] = {}
    waiting: list[Line] = []  # loops of which nothing has been shown
    depth = 3
    for at, row in enumerate(verdict.rows):
        here = by_position.get(at + 1, [])
        segment = segments.get(row[0]) or names.segment(row[0], transaction.version)
        place = verdict.followed[at] if at < len(verdict.followed) else None
        if definition and place is not None:
            use = definition.nodes[place]
            segment, depth = use.segment, 3 + len(use.loops)
            waiting = [line for line in waiting if line.depth < depth]
            if use.first:
                iterations = {loops: n for loops, n in iterations.items() if not _inside(loops, use.loops)}
                number = iterations[use.loops] = iterations.get(use.loops, 0) + 1
                waiting = [line for line in waiting if line.depth < depth - 1]
                told = _role(row, segment, names)
                waiting.append(Line("loop", depth - 1, use.loops[-1], "loop", str(number), told))
        if only_problems and not here:
            continue
        missing = [problem for problem in here if problem.fault is Fault.SEGMENT_MISSING]
        for problem in missing:
            yield from _absent(problem, definition)
        about = [problem for problem in here if problem not in missing]
        if only_problems and not about:
            continue
        yield from waiting
        waiting = []
        yield from _segment(row, segment, transaction.separators, names, depth, about)
    for problem in by_position.get(at_end + 1, ()):
        yield from _absent(problem, definition)


def _inside(loops: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return len(loops) > len(outer) and loops[: len(outer)] == outer


def _absent(problem: Problem, definition: SetDef | None) -> Iterator[Line]:
    """A segment of a set that is missing, as deep as it would stand."""
    uses = [use for use in definition.nodes if use.segment.tag == problem.segment] if definition else []
    for use in uses:
        if use.loops[-1:] == ((problem.loop,) if problem.loop else ()):
            uses = [use]
    depth = 3 + len(uses[0].loops) if uses else 3
    yield Line("missing", depth, problem.segment or "", uses[0].segment.name if uses else "")
    yield Line("problem", depth + 1, problem=problem)


def _role(row: list[str], segment: SegmentDef, names: Names) -> str:
    """What the first segment of a loop says it is: N1 a party, HL and CPS a level and what that is under."""
    position = 3 if row[0] == "HL" else 1
    element = segment.elements[position - 1].element if len(segment.elements) >= position else None
    if element is None or len(row) <= position:
        return ""
    code = row[position]
    if element.components and element.normal:
        element, code = element.components[0].element, code.partition(NORMAL.component)[0]
    meaning = names.meaning(element.id, code) if element.codes else None
    under = f"under {row[2]}" if row[0] in ("HL", "CPS") and len(row) > 2 and row[2] else ""
    return ", ".join(filter(None, (meaning, under)))


def _segment(
    row: list[str],
    segment: SegmentDef | None,
    separators: Separators,
    names: Names,
    depth: int,
    problems: Sequence[Problem],
) -> Iterator[Line]:
    """A segment, and its elements that are there or that a problem is about, each with its problems."""
    tag = readable(row[0]) if separators is NORMAL else row[0]
    yield Line("segment", depth, tag, segment.name if segment else "")
    by_element: dict[int, list[Problem]] = {}
    for problem in problems:
        by_element.setdefault(problem.element or 0, []).append(problem)
    for problem in by_element.pop(0, ()):
        yield Line("problem", depth + 1, problem=problem)
    for position in range(1, max([len(row) - 1, *by_element]) + 1):
        value = row[position] if position < len(row) else ""
        about = by_element.get(position, _NO_PROBLEMS)
        if not value and not about:
            continue
        element = None
        if segment and position <= len(segment.elements):
            element = segment.elements[position - 1].element
        designator = f"{tag}{position:02}"
        repetitions = value.split(separators.repetition) if separators.repetition else [value]
        if len(repetitions) == 1:
            yield from _element(designator, element, value, separators.component, names, depth + 1, about)
            continue
        for number, repetition in enumerate(repetitions, 1):
            which = f"{designator}#{number}"
            told = [problem for problem in about if (problem.repetition or 1) == number]
            about = [problem for problem in about if problem not in told]
            if number == len(repetitions):
                told += about
            yield from _element(which, element, repetition, separators.component, names, depth + 1, told)


def _element(
    designator: str,
    element: ElementDef | None,
    value: str,
    separator: str,
    names: Names,
    depth: int,
    problems: Sequence[Problem],
) -> Iterator[Line]:
    """An element, or a composite and under it its components."""
    of_components: dict[int, list[Problem]] = {}
    for problem in problems:
        if problem.component:
            of_components.setdefault(problem.component, []).append(problem)
    composite = element is not None and element.components
    if not composite or not separator or not (separator in value or of_components):
        inner = element.components[0].element if element is not None and element.components else element
        shown = readable(value) if separator == NORMAL.component else value
        line = _named(designator, inner, shown, names, depth)
        yield line
        yield from (line._replace(kind="problem", problem=problem) for problem in problems)
        return
    assert element is not None
    yield Line("composite", depth, designator, element.name)
    parts = value.split(separator)
    for number in range(1, max([len(parts), *of_components]) + 1):
        part = parts[number - 1] if number <= len(parts) else ""
        told = of_components.get(number, _NO_PROBLEMS)
        if part or told:
            known = number <= len(element.components)
            inner = element.components[number - 1].element if known else None
            line = _named(f"{designator}-{number}", inner, part, names, depth + 1)
            yield line
            yield from (line._replace(kind="problem", problem=problem) for problem in told)
    for problem in problems:
        if not problem.component:
            yield Line("problem", depth + 1, problem=problem)


def _named(designator: str, element: ElementDef | None, value: str, names: Names, depth: int) -> Line:
    meaning = names.meaning(element.id, value) if element is not None and element.codes else None
    name = element.name if element is not None else ""
    return Line("element", depth, designator, name, decoded(value) or value, meaning or "")


class Span(NamedTuple):
    """A piece of a laid out line; `style` is the part of a `Line` it shows, a severity or a status."""

    text: str
    style: str = ""


def text(line: Line, width: int | None = None) -> Iterator[str]:
    """A line as text, in as many lines as it takes; nothing in it can steer a terminal."""
    for laid_out in spans(line, width):
        yield "".join(span.text for span in laid_out)


def spans(line: Line, width: int | None = None) -> Iterator[list[Span]]:
    """A line laid out in one line, or in several where it tells a problem, each within `width` columns."""
    if line.problem is not None:
        yield from _problem(line, line.problem, width)
        return
    name, meaning = inert(line.name), inert(line.meaning)
    if line.kind == "element":
        start = _column(line, width)
        value = inert(line.value)
        room = None if width is None else max(width - start, _VALUE)
        shown = _cut(value, room)
        found = [*_reference(line), Span(_fitted(name, _name_width(width), width) + _STEP, "name")]
        found.append(Span(shown, "value") if value else Span("(absent)", "absent"))
        if meaning and (room is None or len(shown) + len(" = m") < room):
            found.append(Span(_cut(f" = {meaning}", None if room is None else room - len(shown)), "meaning"))
    elif line.kind == "composite":
        found = [*_reference(line), Span(name, "name")]
    elif line.kind in ("segment", "missing"):
        found = [Span(inert(line.reference), "tag")]
        if name:
            found.append(Span(" " * (3 - len(line.reference)) + _STEP + name, "segment"))
        if line.kind == "missing":
            found.append(Span(f"{_STEP}(missing)", "error"))
    elif line.kind == "loop":
        found = [Span(f"loop {inert(line.reference)} {line.value}", "loop")]
        if meaning:
            found.append(Span(f"{_STEP}{meaning}", "meaning"))
    else:
        found = [Span(f"{name} {inert(line.reference)}", "title"), Span(f"{_STEP}{inert(line.value)}")]
        if meaning:
            found.append(Span(f"{_STEP}{meaning}", meaning if line.kind == "set" else ""))
    yield [Span(_STEP * line.depth), *_within(found, width, line.depth)]


def _problem(line: Line, problem: Problem, width: int | None) -> Iterator[list[Span]]:
    """Marks under the value, where it has one, and what is wrong with it."""
    style = problem.severity.value
    if line.reference:
        start = _column(line, width)
        value = inert(line.value) or "(absent)"
        room = len(value) if width is None else max(width - start, _VALUE)
        yield [Span(" " * start), Span("^" * min(len(value), room), style)]
    where = "" if problem.offset is None else f" (byte {problem.offset})"
    told = inert(f"{problem.severity}  {problem.fault}  {problem.message}{where}")
    indent = _STEP * (line.depth + 1 if line.reference else line.depth)
    if width is None:
        yield [Span(indent), Span(told, style)]
        return
    room = max(width - len(indent), 2 * _VALUE)
    for part in textwrap.wrap(told, room, subsequent_indent=_STEP * 2, break_on_hyphens=False):
        yield [Span(indent), Span(part, style)]


def _reference(line: Line) -> list[Span]:
    return [Span(f"{inert(line.reference):<{_REFERENCE}}", "reference")]


def _name_width(width: int | None) -> int:
    return _NAME if width is None or width >= _WIDE else _NARROW_NAME


def _column(line: Line, width: int | None) -> int:
    """Where the value of an element begins."""
    named = _name_width(width)
    reference = max(len(inert(line.reference)), _REFERENCE)
    return len(_STEP * line.depth) + reference + len(_fitted(inert(line.name), named, width) + _STEP)


def _fitted(name: str, columns: int, width: int | None) -> str:
    return (name if width is None else _cut(name, columns)).ljust(columns)


def _within(found: list[Span], width: int | None, depth: int) -> list[Span]:
    """The spans, the last of them cut, or left out, where they are wider than there is room for."""
    if width is None:
        return found
    room = max(width - len(_STEP * depth), 3 * _VALUE)
    kept = []
    for span in found:
        if room > 0:
            kept.append(span._replace(text=_cut(span.text, room)))
        room -= len(span.text)
    return kept


def _cut(text: str, room: int | None) -> str:
    return text if room is None or len(text) <= room else f"{text[: room - 1]}…"


def inert(text: str) -> str:
    """Text in which what cannot be shown, and what would steer a terminal, is escaped."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
