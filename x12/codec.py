"""Bytes to X12 events (X12.5 interchange, X12.6 syntax); `x12.writer` is the way back.

One transaction is held at a time. Text is latin-1, so an index is a byte offset. A transaction whose segments
are all followed by the same terminator and line end is found and split by string search; one that is not
(wrapped lines, binary segments, missing trailers) is read segment by segment. Bad content never raises: it
becomes problems of the event it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import BinaryIO, NamedTuple

from edi.elements import RowCheck, fault_in, problems_in_row, row_check
from edi.problems import Fault, NotEdi, Problem, Severity
from edi.reading import (
    BLANK,
    KEPT,
    LIMITS,
    TRIES,
    GivenUpError,
    Limits,
    RawSegment,
    Seen,
    Window,
    misplaced,
    no_trailer,
    start_of,
    value_at,
    wrong_count,
    wrong_echo,
)
from edi.schema import SegmentDef
from edi.tree import Event, Group, GroupEnd, Interchange, InterchangeEnd, PartyId, Separators, Transaction
from x12 import dictionary

_ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)  # with the tag and separators 105: X12.5
_ISA_LONGEST = 512  # with widths that are wrong
_AHEAD = 16  # transactions read before the first of them is given, of not more bytes than
_AHEAD_BYTES = 64 * 1024
_INTERCHANGE = re.compile(r"ISA[^A-Za-z0-9\s]")
_WHOLE = re.compile(
    r"ISA([^A-Za-z0-9\s])(?:..\1.{10}\1){2}(?:..\1.{15}\1){2}.{6}\1.{4}\1.\1.{5}\1", re.DOTALL
)
_UTF8 = re.compile(r"[\xc2-\xf4][\x80-\xbf]{1,3}")
_LINE_END = re.compile(r"[\r\n]*")


def read(stream: BinaryIO, limits: Limits = LIMITS) -> Iterator[Event]:
    """The events of every interchange in `stream`, in the order of its bytes.

    Raises NotEdi, on the first step, where no ISA stands within the first 64 KiB.
    """
    return _Reader(stream, limits).events()


class _Isa(NamedTuple):
    """ISA taken apart. `separators` is None where they cannot be made out or cannot work."""

    elements: list[str]
    separators: Separators | None
    length: int  # with the terminator
    problems: tuple[Problem, ...]


class _Reader(Window):
    """The events of a stream, a transaction at a time."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        super().__init__(stream, limits)
        self._service_heads: frozenset[str] = frozenset()

    def _segment(self, tag: str) -> RawSegment:
        """Takes the next segment, whose tag `_peek_tag` has told."""
        terminator = self._separators.segment
        offset = self._base + self._at
        if tag in ("BIN", "BDS"):
            length = self._length_of_binary(tag)
            if length is not None:
                text = self._text[self._at : self._at + length]
                self._at += length + (len(terminator) if self._have(length + len(terminator)) else 0)
                return RawSegment(text, offset, tag)
        searched = 0
        while (end := self._text.find(terminator, self._at + searched)) < 0:
            searched = max(0, len(self._text) - self._at - len(terminator))
            if searched > self._limits.segment:
                raise self._too_long()
            if not self._fill():
                end = len(self._text)
                break
        if end - self._at > self._limits.segment:
            raise self._too_long()
        text = self._text[self._at : end]
        self._at = min(end + len(terminator), len(self._text))
        for character in self._line_ends:
            text = text.replace(character, "")
        return RawSegment(text, offset, tag)

    def _length_of_binary(self, tag: str) -> int | None:
        """The length of a BIN or BDS segment, by its own length element; None where that is no number."""
        self._have(64)
        lead = self._text[self._at : self._at + 64].split(self._separators.element, 3 if tag == "BDS" else 2)
        if len(lead) < (4 if tag == "BDS" else 3) or not (lead[-2].isascii() and lead[-2].isdecimal()):
            return None
        length = sum(len(part) + 1 for part in lead[:-1]) + int(lead[-2])
        if length > self._limits.transaction:
            raise self._too_long()
        return length if self._have(length) else None

    # interchanges

    def events(self) -> Iterator[Event]:
        try:
            problems = self._find_first(("ISA",), _INTERCHANGE)
        except NotEdi as head:
            raise NotEdi(_what_is_missing(str(head))) from None
        while True:
            yield from self._interchange(problems)
            if not self._skip_blank():
                return
            problems = ()

    def _interchange(self, problems: tuple[Problem, ...]) -> Iterator[Event]:
        self._have(_ISA_LONGEST)
        offset = self._offset
        isa = _take_isa(self._text[self._at : self._at + _ISA_LONGEST], offset)
        self._at += isa.length
        self._broken += bool(isa.problems)
        separators = isa.separators or Separators()
        elements = isa.elements
        yield Interchange(
            syntax="x12",
            separators=separators,
            sender=PartyId(elements[5].strip(), elements[6].strip()),
            receiver=PartyId(elements[7].strip(), elements[8].strip()),
            control_number=elements[13].strip(),
            version=elements[12].strip(),
            usage=elements[15].strip(),
            ack_requested=elements[14] == "1",
            date=elements[9].strip(),
            time=elements[10].strip(),
            begins_at=offset,
            offset=offset,
            segment=separators.element.join(elements),
            problems=problems + isa.problems,
        )
        end = InterchangeEnd("", 0)
        if isa.separators:
            self._separators = separators
            self._regular = self._irregular < TRIES
            service = "".join(separators[:4])
            self._line_ends = "".join(c for c in "\r\n" if c not in service)
            self._blank = "".join(c for c in BLANK if c not in service)
            self._blank += separators.segment if len(separators.segment) == 1 else ""
            ending = separators.element
            self._service_heads = frozenset(
                (*(tag + ending for tag in ("ST", "SE", "GE", "GS")), "ISA", "IEA", "BIN", "BDS")
            )
            end = yield from self._groups(elements[13].strip())
        end = replace(end, ends_at=self._offset)
        stray = self._find_next(("ISA",), _INTERCHANGE, _WHOLE, _ISA_LONGEST)
        yield replace(end, problems=end.problems + stray)

    def _groups(self, control_number: str) -> Generator[Event, None, InterchangeEnd]:
        groups = 0
        loose: list[str] = []
        problems: list[Problem] = []
        stated, trailer = "", None
        try:
            while (tag := self._peek_tag()) is not None:
                if tag in ("GS", "ST"):
                    groups += 1
                    yield from self._group(tag)
                elif tag == "ISA":
                    break
                else:
                    segment = self._segment(tag)
                    if tag == "IEA":
                        trailer = segment
                        break
                    if tag in ("TA1", "ISB", "ISE", "ISX"):
                        if len(loose) < KEPT:
                            loose.append(segment.text)
                            problems += self._in_loose(segment)
                    elif len(problems) < KEPT:
                        problems.append(misplaced(segment))
        except GivenUpError as error:
            problems.append(error.problem)
        if trailer is None:
            problems.append(no_trailer("IEA", f"interchange {control_number[:20]}", self._offset))
        else:
            iea = trailer.text.split(self._separators.element)
            stated = value_at(iea, 2)
            told = wrong_count(iea, groups, "groups", trailer.offset)
            if loose and not groups and value_at(iea, 1) == "1":  # some count a TA1 on its own
                told = [replace(problem, severity=Severity.WARNING) for problem in told]
            problems += told
            problems += wrong_echo(iea, control_number, "ISA13", trailer.offset)
        return InterchangeEnd(stated, groups, tuple(problems), tuple(loose), trailer.text if trailer else "")

    def _in_loose(self, segment: RawSegment) -> Iterator[Problem]:
        """What is wrong with a TA1: nothing that would speak against the groups beside it."""
        if segment.tag != "TA1":
            return
        definition, _ = _header("TA1")
        row = segment.text.split(self._separators.element)
        for found in problems_in_row(definition, row, self._separators):
            place = segment.offset + found.at
            yield Problem(
                found.fault, found.message, Severity.WARNING, "TA1", None, found.element,
                offset=place, value=found.value, reference=found.reference,
            )  # fmt: skip

    # groups

    def _group(self, first: str) -> Iterator[Event]:
        """A group and all in it, up to and with GE; one that begins with ST lacks GS and is implied."""
        group = self._open_group(first)
        yield group
        seen = Seen()
        transactions = 0
        problems: list[Problem] = []
        trailer = None
        given_up: GivenUpError | None = None
        try:
            while (tag := self._peek_tag()) is not None:
                if tag == "ST":
                    ahead = self._transactions_ahead(group, seen)
                    transactions += len(ahead) or 1
                    yield from ahead or self._transaction(group, seen)
                    if any(transaction.problems for transaction in ahead):
                        self._count_broken()
                elif tag in ("GS", "IEA", "ISA"):
                    break
                else:
                    segment = self._segment(tag)
                    if tag == "GE":
                        trailer = segment
                        break
                    if len(problems) < KEPT:
                        problems.append(misplaced(segment))
        except GivenUpError as error:
            given_up = error
        if trailer is None:
            if group.segment:
                problems.append(no_trailer("GE", f"group {group.control_number[:20]}", self._offset))
            yield GroupEnd("", transactions, tuple(problems))
        else:
            ge = trailer.text.split(self._separators.element)
            problems += wrong_count(ge, transactions, "transaction sets", trailer.offset)
            problems += wrong_echo(ge, group.control_number, "GS06", trailer.offset)
            yield GroupEnd(value_at(ge, 2), transactions, tuple(problems), trailer.text)
        if given_up:
            raise given_up
        if group.problems or trailer is None:
            self._count_broken()

    def _open_group(self, tag: str) -> Group:
        offset = self._offset
        if tag == "ST":
            missing = Problem(
                Fault.HEADER_MISSING,
                "transaction sets stand outside a group (GS)",
                segment="GS",
                offset=offset,
            )
            return Group("", "", "", "", "", offset, "", (missing,))
        segment = self._segment(tag)
        gs = segment.text.split(self._separators.element)
        wrong = [(i, f"GS{i:02} is required") for i in (1, 2, 3, 6, 8) if not value_at(gs, i)]
        if value_at(gs, 1) and value_at(gs, 1) not in dictionary.functional_ids():
            wrong.append((1, f"GS01 {value_at(gs, 1)[:20]!r} is no functional identifier"))
        problems = [
            Problem(Fault.ENVELOPE_MALFORMED, message, segment="GS", element=i, offset=offset)
            for i, message in wrong
        ]
        judged = [i for i in range(2, 9) if value_at(gs, i)]
        if dictionary.base_version(value_at(gs, 8)) is None:  # its date may be of six digits
            judged = [i for i in judged if i != 4]
        problems += _in_header("GS", gs, judged, lambda i: offset + start_of(gs, i))
        return Group(
            value_at(gs, 1),
            value_at(gs, 2),
            value_at(gs, 3),
            value_at(gs, 6),
            value_at(gs, 8),
            offset,
            segment.text,
            tuple(problems),
        )

    # transactions

    def _transactions_ahead(self, group: Group, seen: Seen) -> list[Transaction]:
        """The next few transactions, if they are short and regular.

        A processor that is at reading stays at it: to change between reading and checking costs a small
        transaction a tenth of its time.
        """
        ahead: list[Transaction] = []
        start = self._offset
        following = "ST" + self._separators.element
        while self._regular and len(ahead) < _AHEAD and self._offset - start < _AHEAD_BYTES:
            offset = self._offset
            segments = self._split_transaction()
            if segments is None:
                break
            ahead.append(
                self._built(group, seen, segments, offset=offset, problems=[], plain=self._is_plain(offset))
            )
            if not (self._skip_blank() and self._text.startswith(following, self._at)):
                break
        return ahead

    def _is_plain(self, offset: int) -> bool:
        """Whether the text from an offset held to where reading stands is plain (`Transaction.plain`)."""
        if offset < self._plain_from:
            return False
        component, repetition = self._separators.component, self._separators.repetition
        begin = offset - self._base
        return (not component or self._text.find(component, begin, self._at) < 0) and (
            not repetition or self._text.find(repetition, begin, self._at) < 0
        )

    def _transaction(self, group: Group, seen: Seen) -> Iterator[Transaction]:
        """One that is not regular, segment by segment."""
        offset = self._offset
        self._regular = False
        self._irregular += 1
        problems: list[Problem] = []
        pieces: list[str] = []
        offsets: list[int] = []
        held = 0
        given_up: GivenUpError | None = None
        try:
            for segment in self._transaction_segments():
                held += len(segment.text)
                fits = len(pieces) < self._limits.segments and held <= self._limits.transaction
                fits = fits and segment.text.count(self._separators.element) <= self._limits.elements
                if fits or segment.tag == "SE":
                    pieces.append(segment.text)
                    offsets.append(segment.offset)
                elif not problems:
                    problems.append(self._too_large("ST", "a transaction set", offset))
        except GivenUpError as error:
            given_up = error
            problems.append(error.problem)
        transaction = self._built(
            group, seen, pieces, offset=offset, offsets=tuple(offsets), problems=problems
        )
        yield transaction
        if given_up:
            raise given_up
        if any(problem.severity is Severity.ERROR for problem in transaction.problems):
            self._count_broken()

    def _split_transaction(self) -> list[str] | None:
        """The segments from ST to SE by string search; None, with nothing taken, where that is not right."""
        separators = self._separators
        between = separators.segment + separators.suffix
        last = f"{between}SE{separators.element}"
        searched = 0
        while True:
            begin = self._text.find(last, self._at + searched)
            if begin >= 0:
                end = self._text.find(separators.segment, begin + len(last))
                if end >= 0:
                    break
                searched = begin - self._at
            else:
                searched = max(0, len(self._text) - self._at - len(last))
                if searched > self._limits.transaction:
                    return None
            if not self._fill():
                if begin < 0:
                    return None
                end = len(self._text)
                break
        chunk = self._text[self._at : end].rstrip(self._blank)
        segments = chunk.split(between)
        if not self._is_regular(chunk, segments):
            return None
        self._at = min(end + len(separators.segment), len(self._text))
        return segments

    def _is_regular(self, chunk: str, segments: list[str]) -> bool:
        """Whether splitting gave the segments of one transaction and nothing else."""
        limits, separators = self._limits, self._separators
        element = separators.element
        breaks = len(segments) - 1
        if chunk.count(separators.segment) != breaks:
            return False
        for character in self._line_ends:
            if chunk.count(character) != breaks * separators.suffix.count(character):
                return False
        heads = {segment[:3] for segment in segments[1:-1]}
        if heads and (min(heads) < "0" or not self._service_heads.isdisjoint(heads)):
            return False
        if len(chunk) > limits.segment:
            return len(segments) <= limits.segments and all(
                len(segment) <= limits.segment and segment.count(element) <= limits.elements
                for segment in segments
            )
        return len(segments) <= limits.segments

    def _transaction_segments(self) -> Iterator[RawSegment]:
        """The segments from ST to SE, or to where another envelope segment shows that SE is missing."""
        yield self._segment("ST")
        while (tag := self._peek_tag()) is not None:
            if tag in ("ST", "GE", "GS", "IEA", "ISA"):
                return
            yield self._segment(tag)
            if tag == "SE":
                return

    def _built(
        self,
        group: Group,
        seen: Seen,
        segments: list[str],
        *,
        offset: int,
        offsets: tuple[int, ...] | None = None,
        problems: list[Problem],
        plain: bool = False,
    ) -> Transaction:
        """The transaction with what its envelope shows: SE01, SE02, ST02 unique, a group that suits it."""
        separators = self._separators
        gap = len(separators.segment) + len(separators.suffix)
        st = segments[0].split(separators.element)
        se = segments[-1].split(separators.element)
        number = value_at(st, 2)
        if se != ["SE", str(len(segments)), number]:
            if se[0] != "SE":
                problems.append(no_trailer("SE", f"transaction set {number[:20]}", self._offset))
            elif not any(problem.fault is Fault.LIMIT_EXCEEDED for problem in problems):
                start = offset + sum(map(len, segments[:-1])) + gap * (len(segments) - 1)
                se_offset = offsets[-1] if offsets else start
                position = len(segments)
                problems += wrong_count(se, len(segments), "segments", se_offset, position)
                problems += wrong_echo(se, number, "ST02", se_offset, position)
        if not seen.first_time(number):
            message = f"ST02 {number[:20]!r} was given to an earlier transaction set of this group"
            problems.append(_st(Fault.CONTROL_NUMBER_REPEATED, message, st, 2, offset))
        expected = dictionary.functional_id(value_at(st, 1)) if group.functional_id else None
        if expected and expected != group.functional_id:
            message = (
                f"GS01 is {group.functional_id[:20]!r}, but {st[1][:20]} belongs into a group {expected!r}"
            )
            problems.append(_st(Fault.FUNCTIONAL_ID_MISMATCH, message, st, 1, offset, Severity.WARNING))
        return Transaction(
            value_at(st, 1),
            number,
            value_at(st, 3) or group.version,
            separators,
            tuple(segments),
            offset,
            gap,
            offsets,
            tuple(problems),
            plain,
        )


def _take_isa(text: str, offset: int) -> _Isa:
    """Takes ISA apart by its element separator, so that wrong widths are told and read all the same."""

    def problem(
        fault: Fault, message: str, severity: Severity = Severity.ERROR, element: int | None = None
    ) -> Problem:
        return Problem(fault, message, severity, "ISA", element=element, offset=offset)

    def unreadable(fault: Fault, message: str, element: int | None = None) -> _Isa:
        elements = (["ISA", *parts[1:17]] + [""] * 17)[:17]
        told = problem(fault, message, element=element)
        return _Isa([value[:20] for value in elements], None, 3, (told,))

    element = text[3:4]
    parts = ["ISA"]
    if not element or element.isalnum() or element in BLANK:
        return unreadable(Fault.SEPARATORS_INVALID, f"ISA: {element!r} cannot separate elements", 1)
    parts = text.split(element, 16)
    tail = parts[-1]
    if len(parts) < 17 or len(tail) < 2:
        return unreadable(
            Fault.ENVELOPE_MALFORMED, "ISA is not complete; it has 16 elements and a terminator"
        )
    starts = [sum(len(part) + 1 for part in parts[:i]) for i in range(17)]
    parts[16] = component = tail[0]
    utf8 = _UTF8.match(tail, 1)
    terminator = utf8[0] if utf8 else tail[1]
    if terminator in "\r\n" and (line := tail[1:].strip("\r\n").splitlines()) and line[0].endswith(component):
        parts[16] = component = ""  # the next segment shows that it is the terminator, and ISA16 absent
        terminator = tail[0]
    length = sum(len(part) + 1 for part in parts) - 1 + len(terminator)
    parts = [part.replace("\r", "").replace("\n", "") for part in parts[:16]] + [component]  # wrapped lines
    wrong = [i for i, width in enumerate(_ISA_WIDTHS, 1) if len(parts[i]) != width]
    if wrong and not (parts[12].isascii() and parts[12].isdecimal()):
        return unreadable(
            Fault.ENVELOPE_MALFORMED, f"ISA12 {parts[12][:20]!r} is not a version; ISA cannot be read"
        )
    repetition = parts[11] if len(parts[11]) == 1 and parts[12] >= "00402" else ""
    if repetition.isalnum() or repetition == " ":
        repetition = ""
    services = [element, component, terminator]
    unfit = [c for c in (component, terminator) if c.isalnum() or c in (" ", "\t")]
    if unfit or component in ("\r", "\n"):
        message = f"ISA: {component!r} and {terminator!r} cannot be separators"
        return unreadable(Fault.SEPARATORS_INVALID, message, None if unfit == [terminator] else 16)
    if len(set(services)) < len(services):
        message = "ISA: one character is used as two separators"
        return unreadable(Fault.SEPARATORS_INVALID, message, 16 if component in (element, "") else None)
    problems = []
    if repetition and repetition in services:
        message = f"ISA11: {repetition!r} is another separator too and is not taken as repetition separator"
        problems.append(problem(Fault.SEPARATORS_INVALID, message, Severity.WARNING, 11))
        repetition = ""
    for i in wrong:
        message = f"ISA{i:02} has {len(parts[i])} characters, its width is {_ISA_WIDTHS[i - 1]}"
        problems.append(problem(Fault.ENVELOPE_MALFORMED, message, Severity.WARNING, i))
    number = parts[13].strip()
    if not (number.isascii() and number.isdecimal()):
        severity = Severity.WARNING if number else Severity.ERROR
        message = f"ISA13 {number!r} is no number" if number else "ISA13 is required"
        problems.append(problem(Fault.CONTROL_NUMBER_INVALID, message, severity, 13))
    judged = [i for i in range(1, 16) if i not in (11, 13, *wrong)]
    problems += _in_header("ISA", parts, judged, lambda i: offset + starts[i])
    line_end = _LINE_END.match(text, length)
    suffix = line_end[0] if line_end else ""
    separators = Separators(element, component, terminator, repetition, suffix=suffix)
    return _Isa(parts, separators, length, tuple(problems))


def _in_header(
    tag: str, row: list[str], judged: Iterable[int], place: Callable[[int], int]
) -> Iterator[Problem]:
    """What is wrong with the values of a header. It is read all the same, but for invisible characters."""
    definition, holds = _header(tag)
    text = "".join(row)
    if len(row) == len(definition.elements) + 1 and holds(row) and text.isascii() and text.isprintable():
        return
    for i in judged:
        element = definition.elements[i - 1].element
        if wrong := fault_in(element, row[i]):
            fault, what = wrong
            severity = Severity.ERROR if fault is Fault.CHARACTER_INVALID else Severity.WARNING
            message = f"{tag}{i:02} {element.name} {row[i][:20]!r} {what}"
            yield Problem(fault, message, severity, tag, None, i, offset=place(i), value=row[i][:80])


@cache
def _header(tag: str) -> tuple[SegmentDef, RowCheck]:
    definition = dictionary.segment(tag, dictionary.VERSIONS[-1])
    assert definition is not None
    return definition, row_check(definition, len(definition.elements))


def _what_is_missing(head: str) -> str:
    for tag, missing in (("GS", "the interchange header ISA"), ("ST", "the headers ISA and GS")):
        if head.startswith(tag) and not head[2:3].isalnum():
            return f"this begins with {tag}: {missing} (and the trailers that go with it) are missing"
    return "no ISA segment stands at the beginning of this file"


def _st(
    fault: Fault,
    message: str,
    st: list[str],
    element: int,
    offset: int,
    severity: Severity = Severity.ERROR,
) -> Problem:
    place = offset + start_of(st, element)
    return Problem(fault, message, severity, "ST", 1, element, offset=place, value=value_at(st, element))
