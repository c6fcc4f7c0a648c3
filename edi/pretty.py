"""A file for human eyes: names beside tags, meanings beside codes, loops indented, problems where they are.

Each problem stands under the element it is about, an absent one included, and a missing segment's where it
should have come. Lines are plain text. A line that tells a problem begins, after its indentation, with "!! "
for an error, "! " for a warning and "- " for a note, so that a terminal can colour it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from edi.elements import decoded
from edi.problems import Fault, NotEdi, Problem, Severity
from edi.schema import Check, ElementDef, SegmentDef, SetDef
from edi.tree import Event, Group, GroupEnd, Interchange, InterchangeEnd, Separators, Transaction

_MARKS = {Severity.ERROR: "!! ", Severity.WARNING: "! ", Severity.NOTE: "- "}
_STEP = "  "


class Names(NamedTuple):
    """What a syntax knows about its segments: how to check, define and name them."""

    check: Callable[[Transaction], Check]
    definition: Callable[[str, str], SetDef | None]  # of a set type and version
    meaning: Callable[[str, str], str | None]  # of an element's code


def pretty(events: Iterator[Event], names: Names) -> Iterator[str]:
    """The lines of a readable rendering of a whole file; what cannot be shown is escaped."""
    for line in _lines(events, names):
        yield line if line.isprintable() else "".join(map(_visible, line))


def _visible(character: str) -> str:
    return character if character.isprintable() else f"\\x{ord(character):02x}"


def _lines(events: Iterator[Event], names: Names) -> Iterator[str]:
    try:
        for event in events:
            if isinstance(event, Interchange):
                usage = {"P": "production", "T": "test", "I": "information"}.get(event.usage, event.usage)
                yield (
                    f"Interchange {event.control_number}  {event.sender} -> {event.receiver}"
                    f"  version {event.version}  {event.date} {event.time}  {usage}"
                )
                yield from _problems(event.problems, 1)
            elif isinstance(event, Group):
                yield f"{_STEP}Group {event.functional_id} {event.control_number}  version {event.version}"
                yield from _problems(event.problems, 2)
            elif isinstance(event, Transaction):
                yield from _transaction(event, names)
            elif isinstance(event, GroupEnd):
                yield f"{_STEP}End of group, transaction sets: {event.transactions}"
                yield from _problems(event.problems, 2)
            elif isinstance(event, InterchangeEnd):
                yield from (f"{_STEP}{segment}" for segment in event.loose)
                yield f"End of interchange, groups: {event.groups}"
                yield from _problems(event.problems, 1)
    except NotEdi as error:
        yield f"{_MARKS[Severity.ERROR]}NOT_EDI {error}"


def _problems(problems: Iterable[Problem], depth: int) -> Iterator[str]:
    for problem in problems:
        yield f"{_STEP * depth}{_MARKS[problem.severity]}{problem.fault} {problem.message}"


def _transaction(transaction: Transaction, names: Names) -> Iterator[str]:
    definition = names.definition(transaction.type, transaction.version)
    verdict = names.check(transaction)
    title = definition.name if definition else "not defined here"
    yield f"{_STEP * 2}{transaction.type} {title}  {transaction.control_number}  {verdict.status}"
    by_position: dict[int, list[Problem]] = {}
    for problem in verdict.problems:
        by_position.setdefault(problem.position or 1, []).append(problem)
    segments = {use.segment.tag: use.segment for use in definition.nodes} if definition else {}
    iterations: dict[tuple[str, ...], int] = {}
    depth = 3
    for at, row in enumerate(verdict.rows):
        here = by_position.get(at + 1, [])
        before = [problem for problem in here if problem.fault is Fault.SEGMENT_MISSING]
        segment = segments.get(row[0])
        if definition and verdict.places:
            use = definition.nodes[verdict.places[at]]
            segment, depth = use.segment, 3 + len(use.loops)
            yield from _problems(before, depth)
            if use.first:
                iterations = {loops: n for loops, n in iterations.items() if not _inside(loops, use.loops)}
                iterations[use.loops] = iterations.get(use.loops, 0) + 1
                yield f"{_STEP * (depth - 1)}loop {use.loops[-1]} {iterations[use.loops]}"
        else:
            yield from _problems(before, depth)
        yield f"{_STEP * depth}{row[0]}{_STEP + segment.name if segment else ''}"
        about = [problem for problem in here if problem.fault is not Fault.SEGMENT_MISSING]
        yield from _problems((p for p in about if not p.element), depth + 1)
        yield from _elements(row, segment, transaction.separators, names, depth + 1, about)


def _inside(loops: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return len(loops) > len(outer) and loops[: len(outer)] == outer


def _elements(
    row: list[str],
    segment: SegmentDef | None,
    separators: Separators,
    names: Names,
    depth: int,
    problems: list[Problem],
) -> Iterator[str]:
    """The elements of a row that are there or that a problem is about, each with its problems under it."""
    for position in range(1, max(len(row), *(1 + (problem.element or 0) for problem in problems), 1)):
        value = row[position] if position < len(row) else ""
        about = [problem for problem in problems if problem.element == position]
        if not value and not about:
            continue
        element = None
        if segment and position <= len(segment.elements):
            element = segment.elements[position - 1].element
        if value and element and element.components and separators.component:
            for number, component in enumerate(value.split(separators.component), 1):
                inside = [problem for problem in about if problem.component == number]
                if component or inside:
                    inner = (
                        element.components[number - 1].element if number <= len(element.components) else None
                    )
                    yield f"{_STEP * depth}{position:02}-{number} {_value(inner, component, names)}"
                    yield from _problems(inside, depth + 1)
                    about = [problem for problem in about if problem not in inside]
        else:
            yield f"{_STEP * depth}{position:02} {_value(element, value, names)}"
        yield from _problems(about, depth + 1)


def _value(element: ElementDef | None, value: str, names: Names) -> str:
    shown = (decoded(value) or value) if value else "(absent)"
    if element is None:
        return shown
    meaning = names.meaning(element.id, value) if element.codes else None
    return f"{element.name}: {shown}{f' = {meaning}' if meaning else ''}"
