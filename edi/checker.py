"""Checks one transaction against its definition: fast where it is right, thorough where it is not.

The fast level places every segment by the automaton of `edi.structure` and evaluates the generated row checks
of `edi.elements`. Rows it doubts are read again in detail; where the structure fails, the whole transaction
is. The fast level never accepts what the detailed one refuses. In a set that a partner's guide has narrowed,
each problem says whether the guide asks it: that is so only where the standard is content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from edi.elements import Finding, Row, problems_in_row
from edi.problems import Fault, Problem, Severity, status_of
from edi.qualified import identified
from edi.rules import Rules
from edi.schema import Check, Run, RunReader, SegmentDef, SegmentUse, SetDef, Total
from edi.structure import Misplaced, Structure
from edi.tree import NORMAL, Separators, Transaction

if TYPE_CHECKING:
    from edi.guide import Guide

_NUMBER_LENGTH = 30  # longer numerals are not added up
_PROBLEMS = 1000  # told per transaction
_LEVELS = ("HL", "CPS")  # segments that number the levels of a hierarchy
_VALUES = str.maketrans("", "", NORMAL.element + NORMAL.component)


NO_READERS: Mapping[Run, RunReader] = {}


class Checker:
    """A compiled definition. It may be shared by threads."""

    def __init__(self, definition: SetDef) -> None:
        self.definition = definition
        self._structure = Structure(definition)
        self._rules = Rules(definition) if definition.rules else None
        self._standard = definition.standard or definition
        self._segments = {use.segment.tag: use.segment for use in reversed(self._standard.nodes)}
        self._levels = next((tag for tag in _LEVELS if tag in self._segments), "")
        found = {tag: identified(segment) for tag, segment in self._segments.items()}
        self._identified = {
            tag: places for tag, places in found.items() if places and definition.check_digits
        }
        nodes: dict[str, list[SegmentUse]] = {}
        for use in definition.nodes:
            nodes.setdefault(use.segment.tag, []).append(use)
        self._totals: dict[int, list[tuple[Total, frozenset[int]]]] = {}  # by the node that states them
        for total in definition.totals:
            beside = nodes[total.beside][0].loops if total.beside else None
            counted = (use.index for use in nodes[total.of] if beside in (None, use.loops))
            self._totals.setdefault(nodes[total.segment][0].index, []).append((total, frozenset(counted)))

    def check(self, transaction: Transaction, readers: Mapping[Run, RunReader] = NO_READERS) -> Check:
        """Everything wrong with `transaction`, its rows and their places; never raises for bad content.

        `readers` of a map (`mappings.Map.readers`) check and read a run at once.
        Time and memory are linear in the size of the transaction; at most 1000 problems are told.
        """
        separators = transaction.separators
        segments = transaction.segments
        rows = [segment.split(separators.element) for segment in segments]
        if transaction.problems and any(p.fault is Fault.LIMIT_EXCEEDED for p in transaction.problems):
            return Check("rejected", transaction.problems, rows, None)
        runs = self._fast(rows) if len(rows) <= self._structure.exact_above else None
        if runs is None:
            return self._misplaced(transaction, rows)
        places: list[int] = []
        doubted: list[int] = []
        values: list[Any] = []
        at = 0
        for run in runs:
            places += run.nodes
            end = len(places)
            part = rows[at:end]
            read = readers.get(run)
            value = read(part, separators.component) if read else None
            if value is None and not run.check(part):
                doubted += range(at, end)
            values.append(value)
            at = end
        if not transaction.plain:
            doubted += _unusual(transaction)
        told = transaction.problems
        if (
            doubted
            or (told and any(problem.severity is not Severity.NOTE for problem in told))
            or next(self._semantics(rows, places), None)
            or not (self._rules is None or self._rules.hold(rows, places))
            or (self._identified and next(self._check_digits(rows), None))
        ):
            return self._thorough(transaction, rows, places, sorted(set(doubted)), [])
        found = tuple(places)
        return Check("accepted", told, rows, found, tuple(runs), tuple(values), found)

    def check_thoroughly(self, transaction: Transaction) -> Check:
        """What `check` finds, found by the detailed level alone, which takes about ten times as long."""
        separator = transaction.separators.element
        rows = [segment.split(separator) for segment in transaction.segments]
        places, faults = self._structure.walk([row[0] for row in rows])
        return self._thorough(transaction, rows, places, range(len(rows)), faults)

    def _fast(self, rows: list[Row]) -> list[Run] | None:
        """The runs of all rows; None if one of them has no place."""
        structure = self._structure
        runs: list[Run] = []
        trace = structure.start
        for row in rows:
            try:
                following = trace.next[row[0]][len(row)]
            except KeyError:
                found = structure.follow(trace, row[0], len(row))
                if found is None:
                    return None
                following = found
            if following.begins:
                runs.append(trace.run or structure.run(trace))
            trace = following
        if not trace.uses or trace.uses[-1].index != self.definition.nodes[-1].index:
            return None
        runs.append(trace.run or structure.run(trace))
        return runs

    def _misplaced(self, transaction: Transaction, rows: list[Row]) -> Check:
        """The check of a transaction in which something has no place: of each row as fast as it can be."""
        structure, nodes = self._structure, self.definition.nodes
        remembering = len(rows) <= structure.exact_above
        places, faults = structure.walk([row[0] for row in rows], remembering=remembering)
        doubted = set() if transaction.plain else set(_unusual(transaction))
        for at, place in enumerate(places):
            if place is None or not structure.holds(nodes[place], rows[at]):
                doubted.add(at)
        return self._thorough(transaction, rows, places, sorted(doubted), faults)

    def _thorough(
        self,
        transaction: Transaction,
        rows: list[Row],
        places: Sequence[int | None],
        doubted: Sequence[int],
        misplaced: list[Misplaced],
    ) -> Check:
        """Names every fault of the rows in `doubted`, of the structure, and of meaning."""
        if any(p.fault is Fault.TRAILER_MISSING for p in transaction.problems):
            last = self.definition.nodes[-1].segment.tag
            misplaced = [m for m in misplaced if not (m.fault is Fault.SEGMENT_MISSING and m.tag == last)]
        if len(misplaced) >= _PROBLEMS:
            doubted = [at for at in doubted if at <= misplaced[-1].at]  # no more will be told
        found: list[tuple[int, int, Problem]] = []
        starts = _Starts(transaction)
        for fault, at, tag, loop, message in misplaced:
            place = Problem(fault, message, Severity.ERROR, tag, at + 1, offset=starts[at], loop=loop)
            found.append((at, 0, place))
        in_rows = self._in_rows(rows, places, doubted, transaction.separators)
        for at, finding in islice(in_rows, _PROBLEMS):
            found.append(
                (at, finding.element, self._problem(rows[at], at, places[at], finding, starts=starts))
            )
        if self._standard is not self.definition:
            found += self._asked(rows, places, doubted, transaction.separators, starts=starts, found=found)
        for at, finding, severity in islice(self._semantics(rows, places), _PROBLEMS):
            problem = self._problem(rows[at], at, places[at], finding, starts=starts, severity=severity)
            found.append((at, finding.element, problem))
        found.sort(key=lambda entry: entry[:2])
        problems = (*transaction.problems, *(problem for _, _, problem in found[:_PROBLEMS]))
        known = tuple(place for place in places if place is not None)
        complete = len(known) == len(rows) and known[-1:] == (self.definition.nodes[-1].index,)
        followed = tuple(places)
        return Check(status_of(problems), problems, rows, known if complete else None, followed=followed)

    def _in_rows(
        self, rows: list[Row], places: Sequence[int | None], doubted: Sequence[int], separators: Separators
    ) -> Iterator[tuple[int, Finding]]:
        """What the standard finds wrong within the doubted rows."""
        for at in doubted:
            segment = self._segment_at(rows[at], places[at])
            if segment is not None:
                for finding in problems_in_row(segment, rows[at], separators):
                    yield at, finding

    def _segment_at(self, row: Row, place: int | None) -> SegmentDef | None:
        return self._segments.get(row[0]) if place is None else self._standard.nodes[place].segment

    def _asked(
        self,
        rows: list[Row],
        places: Sequence[int | None],
        doubted: Sequence[int],
        separators: Separators,
        *,
        starts: _Starts,
        found: list[tuple[int, int, Problem]],
    ) -> list[tuple[int, int, Problem]]:
        """What the guide asks, and the standard, which has `found` its own, does not."""

        def findings() -> Iterator[tuple[int, Misplaced | Finding]]:
            for at in doubted:
                place = places[at]
                segment = None if place is None else self.definition.nodes[place].segment
                if segment is not None and segment is not self._segment_at(rows[at], place):
                    for finding in problems_in_row(segment, rows[at], separators):
                        yield at, finding
            if self._rules is not None:
                yield from self._rules.findings(rows, places, separators)
            yield from self._check_digits(rows)

        asked: list[tuple[int, int, Problem]] = []
        told = {(p.fault, p.position, p.element, p.component, p.repetition) for _, _, p in found}
        for at, finding in findings():
            if len(asked) >= _PROBLEMS:
                break
            if isinstance(finding, Misplaced):
                fault, _, tag, loop, message = finding
                problem = Problem(fault, message, Severity.ERROR, tag, at + 1, offset=starts[at], loop=loop)
            else:
                problem = self._problem(rows[at], at, places[at], finding, starts=starts)
            place_told = (problem.fault, at + 1, problem.element, problem.component, problem.repetition)
            if problem.element is None or place_told not in told:
                told.add(place_told)
                guide = self.definition.guide
                problem = replace(problem, message=f"guide of {guide}: {problem.message}", guide=guide)
                asked.append((at, problem.element or 0, problem))
        return asked

    def _check_digits(self, rows: list[Row]) -> Iterator[tuple[int, Finding]]:
        """Identifications whose last digit is not the check digit of those before it."""
        for at, row in enumerate(rows) if self._identified else ():
            for place in self._identified.get(row[0], ()):
                if not place.is_wrong(row):
                    continue
                (position, component), value = place.value, place.value.value_in(row)
                element = self._segments[row[0]].elements[position - 1].element
                begin = sum(len(earlier) + 1 for earlier in row[:position])
                designator = f"{row[0]}{position:02}"
                if component:
                    parts = row[position].split(NORMAL.component)
                    begin += sum(len(earlier) + 1 for earlier in parts[: component - 1])
                    element = element.components[component - 1].element
                    designator += f"-{component}"
                message = f"{designator} {value!r} has a wrong check digit"
                yield at, Finding(
                    Fault.CHECK_DIGIT_WRONG, message, position, component or None,
                    value=value, reference=element.id, at=begin,
                )  # fmt: skip

    def _problem(
        self,
        row: Row,
        at: int,
        place: int | None,
        finding: Finding,
        *,
        starts: _Starts,
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        loops = self.definition.nodes[place].loops if place is not None else ()
        return Problem(
            finding.fault,
            finding.message,
            severity,
            row[0],
            at + 1,
            finding.element,
            finding.component,
            finding.repetition,
            starts.place(at, finding.at),
            finding.value,
            loops[-1] if loops else None,
            finding.reference,
            finding.trigger,
        )

    def _semantics(
        self, rows: list[Row], places: Sequence[int | None]
    ) -> Iterator[tuple[int, Finding, Severity]]:
        """Hierarchy and totals: what single segments cannot show."""
        if self._levels:
            segment = self._segments[self._levels]
            for at, finding in _in_levels(segment, rows):
                yield at, finding, Severity.ERROR
        for node, totals in self._totals.items():
            for at in _all_at(node, places):
                for total, counted in totals:
                    stated = _stated(total, rows[at])
                    if stated and (expected := _expected(total, stated, rows, places, counted)) is not None:
                        element = self.definition.nodes[node].segment.elements[total.element - 1].element
                        if total.code:
                            element = element.components[1].element
                        finding = _wrong_total(total, rows[at], stated, expected)
                        severity = Severity.WARNING if total.sums else Severity.ERROR
                        yield at, finding._replace(reference=element.id), severity


def _unusual(transaction: Transaction) -> list[int]:
    """The segments with characters that row checks do not look at."""
    separators, segments = transaction.separators, transaction.segments
    if separators is NORMAL:
        values = [segment.translate(_VALUES) for segment in segments]
        return [at for at, value in enumerate(values) if not (value.isascii() and value.isprintable())]
    text = separators.element.join(segments)
    found: list[int] = []
    if not (text.isascii() and text.isprintable()):
        found += [i for i, s in enumerate(segments) if not (s.isascii() and s.isprintable())]
    for separator in (separators.component, separators.repetition):
        if separator and separator in text:
            found += [i for i, s in enumerate(segments) if separator in s]
    return found


class Standard:
    """The checks of one syntax: what it defines, compiled on first use and shared by threads."""

    def __init__(
        self,
        header: tuple[str, int],
        base_version: Callable[[str], str | None],
        definition: Callable[[str, str], SetDef | None],
    ) -> None:
        """`header` is the tag of a transaction's first segment, and the element in which its type stands."""
        self._header = header
        self._base_version = base_version
        self._definition = definition
        self._compiled = lru_cache(maxsize=256)(self._compile)

    def checker(self, type: str, version: str, guide: Guide | None = None) -> Checker | None:
        """The shared checker of a set ("850", "ORDERS") in a version ("004010VICS", "D.96A/EAN008").

        None where either is unknown. With a guide, that of the set as it narrows it; raises GuideError where
        it does not fit.
        """
        definition = self._definition(type, version)
        return self._compiled(type, definition.version, guide) if definition else None

    def _compile(self, type: str, version: str, guide: Guide | None) -> Checker:
        definition = self._definition(type, version)
        assert definition is not None
        if guide is not None:
            from edi.guide import narrowed

            definition = narrowed(definition, guide)
        return compile_checker(definition)

    def check(
        self,
        transaction: Transaction,
        guide: Guide | None = None,
        readers: Mapping[Run, RunReader] = NO_READERS,
    ) -> Check:
        """Checks a transaction against its own set and version, as a guide narrows it.

        `readers` are those of a map that will read it, which costs less at the same time.
        A guide of another version than the transaction's rejects it. Raises GuideError where the guide does
        not fit the set.
        """
        wrong = guide is not None and guide.version and not transaction.version.startswith(guide.version)
        known = None if wrong else self.checker(transaction.type, transaction.version, guide)
        if known is not None:
            return known.check(transaction, readers)
        rows = [segment.split(transaction.separators.element) for segment in transaction.segments]
        version = transaction.version
        tag, element = self._header
        if guide is not None and wrong:
            fault, at = Fault.VERSION_UNKNOWN, None
            message = f"guide of {guide.name}: version {guide.version} is agreed, not {version[:20]!r}"
        elif self._base_version(version) is None:
            fault, at = Fault.VERSION_UNKNOWN, None
            message = f"version {version[:20]!r} is not defined here"
        else:
            fault, at = Fault.SET_UNKNOWN, element
            message = f"set {transaction.type[:20]!r} is not defined in version {version[:12]}"
        problem = Problem(
            fault,
            message,
            segment=tag,
            position=1,
            element=at,
            offset=transaction.offset_of(1, at or 0),
            value=version if at is None else transaction.type,
        )
        return Check("rejected", (*transaction.problems, problem), rows, None)


def compile_checker(definition: SetDef) -> Checker:
    """The checker of a definition; row checks are generated when a segment is first met."""
    return Checker(definition)


def _in_levels(segment: SegmentDef, rows: list[Row]) -> Iterator[tuple[int, Finding]]:
    """A level is named once, by the first element; the second names a level before it (HL; CPS)."""
    seen: set[str] = set()
    tag = segment.tag
    own, above = (use.element.id for use in segment.elements[:2])
    for at, row in enumerate(rows):
        if row[0] != tag:
            continue
        level = row[1] if len(row) > 1 else ""
        parent = row[2] if len(row) > 2 else ""
        begin = len(tag) + 1
        if level in seen:
            message = f"{tag}01 {level!r} was given to an earlier level"
            yield at, Finding(Fault.HIERARCHY_BROKEN, message, 1, value=level, reference=own, at=begin)
        if parent and parent not in seen:
            message = f"{tag}02 {parent!r} names no level before this one"
            begin += len(level) + 1
            yield at, Finding(Fault.HIERARCHY_BROKEN, message, 2, value=parent, reference=above, at=begin)
        seen.add(level)


def _all_at(node: int, places: Sequence[int | None]) -> Iterator[int]:
    """The rows that stand at a node."""
    at = -1
    while True:
        try:
            at = places.index(node, at + 1)
        except ValueError:
            return
        yield at


def _stated(total: Total, row: Row) -> str:
    """The total that a row tells; "" where it tells another or none."""
    value = row[total.element] if total.element < len(row) else ""
    if not total.code:
        return value
    code, _, rest = value.partition(NORMAL.component)
    return rest.partition(NORMAL.component)[0] if code == total.code else ""


def _expected(
    total: Total, stated: str, rows: list[Row], places: Sequence[int | None], counted: frozenset[int]
) -> Decimal | None:
    """What a total should be, where it is stated wrong."""
    if total.sums is None:
        number = sum([places.count(node) for node in counted])
        if stated == str(number):
            return None
        expected: Decimal | None = Decimal(number)
    else:
        expected = _sum(total, total.sums, rows, places, counted)
    return None if expected is None or _number(stated) in (None, expected) else expected


def _wrong_total(total: Total, row: Row, stated: str, expected: Decimal) -> Finding:
    element = total.element
    what = f"the sum of {total.of}{total.sums:02}" if total.sums else f"the number of {total.of} segments"
    begin = sum(len(value) + 1 for value in row[:element])
    if total.code:
        message = f"{total.segment}{element:02}-2 is {stated}, but {what} is {expected}"
        begin += len(total.code) + 1
        return Finding(Fault.TOTAL_MISMATCH, message, element, 2, value=stated, at=begin)
    message = f"{total.segment}{element:02} is {stated}, but {what} is {expected}"
    return Finding(Fault.TOTAL_MISMATCH, message, element, value=stated, at=begin)


def _number(value: str) -> Decimal | None:
    if len(value) > _NUMBER_LENGTH or not value.isascii() or "E" in value.upper() or "N" in value.upper():
        return None
    try:
        return Decimal(value.replace(",", "."))
    except ArithmeticError:
        return None


def _sum(
    total: Total, element: int, rows: list[Row], places: Sequence[int | None], counted: frozenset[int]
) -> Decimal | None:
    """The sum of an element; None where one is no number, which is told elsewhere, or where there is none."""
    found = Decimal(0)
    met = not total.chosen
    for row, place in zip(rows, places, strict=True):
        if place not in counted or len(row) <= element or not row[element]:
            continue
        value = row[element]
        if total.chosen:
            qualifier, _, rest = value.partition(NORMAL.component)
            if qualifier not in total.chosen:
                continue
            met, value = True, rest.partition(NORMAL.component)[0]
        number = _number(value)
        if number is None:
            return None
        found += number
    return found if met else None


class _Starts:
    """Byte offsets of the segments of a transaction, worked out only when a problem needs one."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    @cached_property
    def _offsets(self) -> tuple[int, ...]:
        return self._transaction.starts()

    def __getitem__(self, at: int) -> int:
        return self._offsets[min(at, len(self._offsets) - 1)]

    def place(self, at: int, index: int) -> int:
        """The byte offset of an index in a segment's text."""
        return self._transaction.place(self[at], index)
