"""Functional acknowledgments (997; X12.20) and interchange acknowledgments (TA1; X12.5).

A `GroupAck` is what one functional group is answered, free of syntax: `FunctionalAck` builds it while the
group is read, `write_997` and `read_997` are its two directions. A group of acknowledgments ("FA") is never
answered: ask `answers` first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from edi.problems import Fault, Problem, Severity
from edi.schema import Check
from edi.tree import Group, GroupEnd, Interchange, InterchangeEnd, Separators, Transaction
from x12 import dictionary
from x12.writer import Row, writable

_STATUS = {"accepted": "A", "accepted_with_errors": "E", "rejected": "R"}
_GROUP_CODES = {
    Fault.TRAILER_MISSING: "3",
    Fault.CONTROL_NUMBER_MISMATCH: "4",
    Fault.COUNT_MISMATCH: "5",
}  # 716
_SE_CODES = {Fault.TRAILER_MISSING: "2", Fault.CONTROL_NUMBER_MISMATCH: "3", Fault.COUNT_MISMATCH: "4"}  # 718
_SEGMENT_CODES = {  # 720
    Fault.SEGMENT_UNKNOWN: "1",
    Fault.SEGMENT_MISSING: "3",
    Fault.LOOP_TOO_OFTEN: "4",
    Fault.SEGMENT_TOO_OFTEN: "5",
    Fault.SEGMENT_NOT_IN_SET: "6",
    Fault.SEGMENT_OUT_OF_ORDER: "7",
    Fault.LIMIT_EXCEEDED: "2",
    Fault.SEGMENT_NOT_USED: "2",
}
_ELEMENT_ERRORS = "8"  # 720: the segment has data element errors
_ELEMENT_CODES = {  # 723
    Fault.ELEMENT_MISSING: "1",
    Fault.CONDITION_UNMET: "2",
    Fault.ELEMENT_NOT_DEFINED: "3",
    Fault.COMPONENT_NOT_DEFINED: "3",
    Fault.REPEATED_TOO_OFTEN: "3",
    Fault.TOO_SHORT: "4",
    Fault.TOO_LONG: "5",
    Fault.CHARACTER_INVALID: "6",
    Fault.NUMBER_INVALID: "6",
    Fault.CODE_UNKNOWN: "7",
    Fault.HIERARCHY_BROKEN: "7",
    Fault.TOTAL_MISMATCH: "7",
    Fault.DATE_INVALID: "8",
    Fault.TIME_INVALID: "9",
    Fault.CONDITION_EXCLUDES: "10",
    Fault.ELEMENT_NOT_USED: "10",
}
_ELEMENT_CODES_005010 = {Fault.REPEATED_TOO_OFTEN: "12", Fault.COMPONENT_NOT_DEFINED: "13"}
_MOST_ELEMENTS = 99  # AK4 in a loop AK3
_LONGEST_VALUE = 99  # AK404
_LARGEST_COUNT = 999_999


class ElementAck(NamedTuple):
    """AK4: an element in error; `code` is of list 723, `reference` the element's number."""

    element: int
    component: int | None
    repetition: int | None
    reference: str | None
    code: str
    value: str | None


class SegmentAck(NamedTuple):
    """AK3 and its AK4: a segment in error; `code` is of list 720."""

    tag: str
    position: int
    loop: str | None
    code: str | None
    elements: tuple[ElementAck, ...] = ()


@dataclass(frozen=True, slots=True)
class TransactionAck:
    """AK2 to AK5: the answer to one transaction set; `codes` are of list 718."""

    type: str
    control_number: str
    status: str  # A, E, R; M W X when read
    codes: tuple[str, ...] = ()
    segments: tuple[SegmentAck, ...] = ()
    convention: str = ""  # ST03


@dataclass(frozen=True, slots=True)
class GroupAck:
    """AK1 to AK9: the answer to one functional group; `codes` are of list 716."""

    functional_id: str
    control_number: str
    version: str  # GS08 of the group, where the acknowledgment tells it
    status: str  # A, E, P, R; M W X when read
    included: int  # as the group's trailer says
    received: int
    accepted: int
    codes: tuple[str, ...] = ()
    transactions: tuple[TransactionAck, ...] = ()


class FunctionalAck:
    """Collects the verdicts on one group while it is read."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._transactions: list[TransactionAck] = []
        self._version_known = True
        self._later = (dictionary.base_version(group.version) or "") >= "005010"

    def add(self, transaction: Transaction, check: Check) -> TransactionAck:
        """The answer to one transaction set, also kept for the group's."""
        codes: list[str] = []
        faults: dict[tuple[int, str | None, str], list[Problem]] = {}
        for problem in check.problems:
            if problem.fault is Fault.VERSION_UNKNOWN:
                self._version_known = False
            elif (code := self._transaction_code(problem)) is not None:
                codes += [code] if code and code not in codes else []
            else:
                structural = _SEGMENT_CODES.get(problem.fault, _ELEMENT_ERRORS)
                faults.setdefault((problem.position or 1, problem.segment, structural), []).append(problem)
        segments = tuple(self._segment(tag, position, code, problems)
                         for (position, tag, code), problems in faults.items())  # fmt: skip
        if segments and any(p.severity is Severity.ERROR for group in faults.values() for p in group):
            codes.append("5")
        ack = TransactionAck(
            transaction.type,
            transaction.control_number,
            _STATUS[check.status],
            tuple(sorted(codes, key=int)[:5]),
            segments,
            "" if transaction.version == self._group.version else transaction.version,
        )
        self._transactions.append(ack)
        return ack

    def finish(self, end: GroupEnd) -> GroupAck:
        """The answer to the whole group.

        A group whose trailer is missing or disagrees, or whose version is not known here, is rejected with
        everything in it: what was lost from it cannot be told.
        """
        group, transactions = self._group, self._transactions
        included = end.transactions
        codes = [] if self._version_known else ["2"]
        rejected = not self._version_known
        for problem in end.problems:
            code = _GROUP_CODES.get(problem.fault)
            if code and code not in codes:
                codes.append(code)
                rejected = rejected or problem.severity is Severity.ERROR
            if problem.fault is Fault.COUNT_MISMATCH and problem.value and _is_count(problem.value):
                included = int(problem.value)
        good = [t for t in transactions if t.status != "R"]
        if rejected or not good:
            status = "R"
        elif len(good) < len(transactions):
            status = "P"
        else:
            status = "E" if codes or any(t.status == "E" for t in good) else "A"
        told = transactions if not rejected else [t for t in transactions if t.status == "R"]
        return GroupAck(
            group.functional_id,
            group.control_number,
            group.version,
            status,
            min(included, _LARGEST_COUNT),
            min(end.transactions, _LARGEST_COUNT),
            0 if status == "R" else len(good),
            tuple(codes[:5]),
            tuple(told) if self._version_known else (),
        )

    def _transaction_code(self, problem: Problem) -> str | None:
        """The code of list 718 where the whole set is concerned ("" where none fits), else None."""
        if problem.fault is Fault.SET_UNKNOWN:
            return "1"
        if problem.fault is Fault.CONTROL_NUMBER_REPEATED:
            return "23"
        if problem.fault is Fault.FUNCTIONAL_ID_MISMATCH:
            return "18" if self._later else ""
        if problem.segment == "SE" and problem.fault in _SE_CODES:
            return _SE_CODES[problem.fault]
        if problem.segment == "ST" and problem.element in (1, 2):
            return "6" if problem.element == 1 else "7"
        return None

    def _segment(self, tag: str | None, position: int, code: str, problems: list[Problem]) -> SegmentAck:
        elements: tuple[ElementAck, ...] = ()
        if code == _ELEMENT_ERRORS:
            told = dict.fromkeys(self._element(problem) for problem in problems)
            elements = tuple(told)[:_MOST_ELEMENTS]
        return SegmentAck(tag or "", position, problems[0].loop, code, elements)

    def _element(self, problem: Problem) -> ElementAck:
        code = _ELEMENT_CODES.get(problem.fault, "6")
        if self._later:
            code = _ELEMENT_CODES_005010.get(problem.fault, code)
        return ElementAck(
            problem.element or 1,
            problem.component,
            problem.repetition,
            problem.reference,
            code,
            problem.value or None,
        )


def answers(group: Group) -> bool:
    """Whether a group may be acknowledged: acknowledgments are not, nor is what names no group to answer."""
    known = group.functional_id != "FA" and group.functional_id in dictionary.functional_ids()
    return known and _is_count(group.control_number, 9)


def write_997(ack: GroupAck, version: str, separators: Separators = Separators()) -> list[Row]:  # noqa: B008
    """The body of a 997, AK1 to AK9, valid in `version` ("004010") and with these `separators`.

    What it could not repeat validly (a set's number or a bad value that holds a separator) is left out.
    """
    later = version >= "005010"
    separators = writable(separators, version)
    rows: list[Row] = [["AK1", ack.functional_id, ack.control_number]]
    if later and 1 <= len(ack.version) <= 12 and _repeatable(ack.version, separators):
        rows = [[*rows[0], ack.version]]
    for transaction in ack.transactions:
        number = transaction.control_number
        if (
            _known_set(transaction.type, version)
            and 4 <= len(number) <= 9
            and _repeatable(number, separators)
        ):
            row = ["AK2", transaction.type, number]
            if (
                later
                and 1 <= len(transaction.convention) <= 35
                and _repeatable(transaction.convention, separators)
            ):
                row.append(transaction.convention)
            rows.append(row)
            for segment in transaction.segments:
                if 2 <= len(segment.tag) <= 3 and segment.tag.isascii() and segment.tag.isalnum():
                    rows.append(
                        ["AK3", segment.tag, str(segment.position), segment.loop or "", segment.code or ""]
                    )
                    rows += [_ak4(element, later, separators) for element in segment.elements]
            rows.append(["AK5", transaction.status, *transaction.codes])
    counts = (ack.included, ack.received, ack.accepted)
    rows.append(["AK9", ack.status, *map(str, counts), *ack.codes])
    return rows


def _repeatable(value: str, separators: Separators) -> bool:
    return value.isascii() and value.isprintable() and not any(s and s in value for s in separators[:4])


def _ak4(element: ElementAck, later: bool, separators: Separators) -> Row:
    place = [str(min(element.element, 99)), str(element.component or "")]
    if later and element.repetition:
        place.append(str(min(element.repetition, 9999)))
    while not place[-1]:
        place.pop()
    reference = element.reference if element.reference and element.reference.isdecimal() else ""
    row: Row = ["AK4", tuple(place) if len(place) > 1 else place[0], reference, element.code]
    value = (element.value or "")[:_LONGEST_VALUE].strip()
    if (
        value
        and value.isascii()
        and value.isprintable()
        and not any(s and s in value for s in separators[:4])
    ):
        row = [*row, value]
    return row


def _known_set(transaction_set: str, version: str) -> bool:
    base = dictionary.base_version(version)
    segment = dictionary.segment("ST", base) if base else None
    codes = segment.elements[0].element.codes if segment else None
    return codes is None or transaction_set in codes


def _is_count(text: str, longest: int = 6) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= longest


def read_997(rows: Iterable[Sequence[str]], component: str = ">") -> GroupAck:
    """What a received 997 says, given its split segments (`Check.rows`) and its component separator.

    It takes what it finds: values that the standard does not allow are kept as they are.
    """
    group = GroupAck("", "", "", "", 0, 0, 0)
    transactions: list[TransactionAck] = []
    segments: list[SegmentAck] = []
    opened: tuple[str, str, str] | None = None
    for row in rows:
        value = [*row, *[""] * 10]
        match row[0]:
            case "AK1":
                group = GroupAck(value[1], value[2], value[3], "", 0, 0, 0)
            case "AK2":
                opened, segments = (value[1], value[2], value[3]), []
            case "AK3":
                position = int(value[2]) if _is_count(value[2], 10) else 0
                segments.append(SegmentAck(value[1], position, value[3] or None, value[4] or None))
            case "AK4" if segments:
                element = _read_ak4(value, component)
                segments[-1] = segments[-1]._replace(elements=(*segments[-1].elements, element))
            case "AK5" if opened:
                codes = tuple(code for code in row[2:7] if code)
                kind, number, convention = opened
                transactions.append(
                    TransactionAck(kind, number, value[1], codes, tuple(segments), convention)
                )
                opened = None
            case "AK9":
                included, received, accepted = (int(v) if _is_count(v) else 0 for v in value[2:5])
                group = replace(
                    group,
                    status=value[1],
                    included=included,
                    received=received,
                    accepted=accepted,
                    codes=tuple(code for code in row[5:10] if code),
                )
    return replace(group, transactions=tuple(transactions))


def _read_ak4(value: Sequence[str], component: str) -> ElementAck:
    place = [int(v) if _is_count(v) else 0 for v in (value[1].split(component) if component else [value[1]])]
    place += [0, 0]
    return ElementAck(
        place[0], place[1] or None, place[2] or None, value[2] or None, value[3], value[4] or None
    )


class InterchangeAck(NamedTuple):
    """TA1: the answer to one interchange; `note` is of list I18, "000" for no error."""

    control_number: str
    date: str
    time: str
    status: str  # A, E, R
    note: str


_ISA_NOTES = (  # by element, ISA01 to ISA16
    *("010", "011", "012", "013", "005", "006", "007", "008"),
    *("014", "015", "016", "017", "018", "019", "020", "027"),
)
_IEA_NOTES = {Fault.CONTROL_NUMBER_MISMATCH: "001", Fault.COUNT_MISMATCH: "021", Fault.TRAILER_MISSING: "023"}


def answer_interchange(
    interchange: Interchange,
    end: InterchangeEnd | None = None,
    note: str | None = None,
    *,
    groups: Iterable[Group] = (),
) -> InterchangeAck:
    """The answer by the problems of the envelope, or the rejection for a `note` of list I18."""
    problems = [*interchange.problems, *(end.problems if end else ())]
    problems += [problem for group in groups for problem in group.problems]
    status, found = ("R", note) if note else ("A", "000")
    for problem in problems:
        if status == "A" and problem.severity is Severity.WARNING:
            if problem.fault is not Fault.TEXT_OUTSIDE_INTERCHANGE:
                status, found = "E", _note(problem)
        elif status != "R" and problem.severity is Severity.ERROR:
            status, found = "R", _note(problem)
    return InterchangeAck(interchange.control_number, interchange.date, interchange.time, status, found)


def _note(problem: Problem) -> str:
    if problem.segment == "IEA" and problem.fault in _IEA_NOTES:
        return _IEA_NOTES[problem.fault]
    if problem.fault is Fault.SEPARATORS_INVALID:
        return "026"
    if problem.segment == "GS" and problem.fault is Fault.ENVELOPE_MALFORMED:
        return "024"
    if problem.segment == "ISA" and problem.element:
        return _ISA_NOTES[problem.element - 1]
    return "022"


def write_ta1(ack: InterchangeAck) -> Row:
    """The TA1 segment, which stands before any group of an interchange."""
    return ["TA1", ack.control_number, ack.date, ack.time, ack.status, ack.note]


def read_ta1(segment: str, separators: Separators) -> InterchangeAck:
    """A received TA1 (one of `InterchangeEnd.loose`)."""
    row = segment.split(separators.element) + [""] * 6
    return InterchangeAck(row[1], row[2], row[3], row[4], row[5])
