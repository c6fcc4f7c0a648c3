"""Functional acknowledgments (997 and 999; X12.20) and interchange acknowledgments (TA1; X12.5).

A `GroupAck` is what one functional group is answered: `FunctionalAck` builds it while the group is read,
`write_997` and `write_999` say it, `read_group_ack` reads either. Its codes are those of the 999, which also
tells a partner's guide from the standard, and the context of a fault; a 997 says what it has a code for. A
group of acknowledgments ("FA") is never answered: ask `answers` first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from edi.problems import Fault, Problem, Severity
from edi.schema import Check
from edi.tree import Group, GroupEnd, Interchange, InterchangeEnd, Separators, Transaction
from x12 import dictionary
from x12.writer import Body, Row, writable

_STATUS = {"accepted": "A", "accepted_with_errors": "E", "rejected": "R"}
_GROUP_CODES = {
    Fault.TRAILER_MISSING: "3",
    Fault.CONTROL_NUMBER_MISMATCH: "4",
    Fault.COUNT_MISMATCH: "5",
}  # 716
_SE_CODES = {Fault.TRAILER_MISSING: "2", Fault.CONTROL_NUMBER_MISMATCH: "3", Fault.COUNT_MISMATCH: "4"}  # 718
_SEGMENT_CODES = {  # 720 and 620
    Fault.SEGMENT_UNKNOWN: "1",
    Fault.SEGMENT_MISSING: "3",
    Fault.LOOP_TOO_OFTEN: "4",
    Fault.SEGMENT_TOO_OFTEN: "5",
    Fault.SEGMENT_NOT_IN_SET: "6",
    Fault.SEGMENT_OUT_OF_ORDER: "7",
    Fault.SEGMENT_NOT_USED: "I4",
    Fault.LIMIT_EXCEEDED: "2",
}
_SEGMENT_CODES_OF_GUIDES = {Fault.SEGMENT_MISSING: "I6"}
_ELEMENT_ERRORS = "8"  # 720: the segment has data element errors
_ELEMENT_CODES = {  # 723 and 621
    Fault.ELEMENT_MISSING: "1",
    Fault.CONDITION_UNMET: "2",
    Fault.ELEMENT_NOT_DEFINED: "3",
    Fault.COMPONENT_NOT_DEFINED: "13",
    Fault.REPEATED_TOO_OFTEN: "12",
    Fault.TOO_SHORT: "4",
    Fault.TOO_LONG: "5",
    Fault.CHARACTER_INVALID: "6",
    Fault.NUMBER_INVALID: "6",
    Fault.CODE_UNKNOWN: "7",
    Fault.HIERARCHY_BROKEN: "7",
    Fault.TOTAL_MISMATCH: "7",
    Fault.CHECK_DIGIT_WRONG: "7",
    Fault.DATE_INVALID: "8",
    Fault.TIME_INVALID: "9",
    Fault.CONDITION_EXCLUDES: "10",
    Fault.ELEMENT_NOT_USED: "I10",
}
_ELEMENT_CODES_OF_GUIDES = {
    Fault.ELEMENT_MISSING: "I9",
    Fault.CONDITION_UNMET: "I9",
    Fault.CODE_UNKNOWN: "I6",
    Fault.CONDITION_EXCLUDES: "I13",
}
_AS_720 = {"I4": "2", "I6": "3"}  # what a 997 says instead
_AS_723 = {"I6": "7", "I9": "1", "I10": "10", "I13": "10"}
_AS_723_BEFORE_005010 = {"12": "3", "13": "3"}
VERSION_999 = "005010X231A1"  # of the 999 that partners know, whatever version it answers
_TRIGGER = "SITUATIONAL TRIGGER"
_MOST_ELEMENTS = 99  # AK4 in a loop AK3
_LONGEST_VALUE = 99  # AK404
_LARGEST_COUNT = 999_999


class Context(Struct, frozen=True, gc=False):
    """CTX: what a fault is due to: an element whose presence has made another one required or excluded."""

    tag: str
    position: int
    loop: str | None
    element: int
    component: int | None


class ElementAck(Struct, frozen=True, gc=False):
    """AK4 or IK4: an element in error; `code` is of list 621, `reference` the element's number."""

    element: int
    component: int | None
    repetition: int | None
    reference: str | None
    code: str
    value: str | None
    context: Context | None = None


class SegmentAck(Struct, frozen=True, gc=False):
    """AK3 or IK3, and the elements in it: a segment in error; `code` is of list 620."""

    tag: str
    position: int
    loop: str | None
    code: str | None
    elements: tuple[ElementAck, ...] = ()


class TransactionAck(Struct, frozen=True, gc=False):
    """AK2 to AK5 or IK5: the answer to one transaction set; `codes` are of lists 718 and 618.

    `unit` names the document in it for the reader of a 999: the reference designator of its number, and the
    number ("BEG03", "PO-4711").
    """

    type: str
    control_number: str
    status: str  # A, E, R; M W X when read
    codes: tuple[str, ...] = ()
    segments: tuple[SegmentAck, ...] = ()
    convention: str = ""  # ST03
    unit: tuple[str, str] | None = None


class GroupAck(Struct, frozen=True, gc=False):
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

    def add(self, transaction: Transaction, check: Check) -> TransactionAck:
        """The answer to one transaction set, also kept for the group's."""
        convention = "" if transaction.version == self._group.version else transaction.version
        if not check.problems:
            ack = TransactionAck(transaction.type, transaction.control_number, "A", (), (), convention)
            self._transactions.append(ack)
            return ack
        codes: list[str] = []
        faults: dict[tuple[int, str | None, str], list[Problem]] = {}
        for problem in check.problems:
            if problem.fault is Fault.VERSION_UNKNOWN:
                self._version_known = False
            elif (code := self._transaction_code(problem)) is not None:
                codes += [code] if code and code not in codes else []
            else:
                structural = _SEGMENT_CODES.get(problem.fault, _ELEMENT_ERRORS)
                if problem.guide:
                    structural = _SEGMENT_CODES_OF_GUIDES.get(problem.fault, structural)
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
            convention,
            _unit(check.rows) if segments else None,
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
            return "18" if (dictionary.base_version(self._group.version) or "") >= "005010" else ""
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
        if problem.guide:
            code = _ELEMENT_CODES_OF_GUIDES.get(problem.fault, code)
        context = None
        if problem.trigger and problem.segment and problem.position:
            inside = problem.component is not None  # a note on the components of a composite
            element = (problem.element or 1) if inside else problem.trigger
            component = problem.trigger if inside else None
            context = Context(problem.segment, problem.position, problem.loop, element, component)
        return ElementAck(
            problem.element or 1,
            problem.component,
            problem.repetition,
            problem.reference,
            code,
            problem.value or None,
            context,
        )


_NUMBERS = {
    "BEG": 3,
    "BAK": 3,
    "BCH": 3,
    "BCA": 3,
    "BIG": 2,
    "BSN": 2,
    "BGN": 2,
    "BIA": 3,
    "BPR": 16,
    "BFR": 3,
    "W05": 2,
    "W06": 2,
    "W04": 2,
    "W17": 3,
    "W15": 2,
    "B3": 2,
    "B10": 2,
    "B2": 4,
    "BRA": 2,
    "BQT": 3,
}


def _unit(rows: Sequence[Sequence[str]]) -> tuple[str, str] | None:
    """The number by which people know the document, from the segment that begins it."""
    for row in rows[1:3]:
        element = _NUMBERS.get(row[0], 0)
        if 0 < element < len(row) and row[element]:
            return f"{row[0]}{element:02}", row[element]
    return None


def answers(group: Group) -> bool:
    """Whether a group may be acknowledged: acknowledgments are not, nor is what names no group to answer."""
    known = group.functional_id != "FA" and group.functional_id in dictionary.functional_ids()
    return known and _is_count(group.control_number, 9)


def version_of(interchange_version: str) -> str:
    """The version of the tables that suits an ISA12 ("00401"), for a group that says none."""
    return "005010" if interchange_version.strip() >= "00501" else "004010"


def version_for(kind: str, group: Group) -> str:
    """The GS08 of the group with the "997" or "999" that answers `group`: its own, if that is known here."""
    if kind == "999":
        return VERSION_999
    return group.version if dictionary.definition("997", group.version) else "004010"


def body(kind: str, ack: GroupAck, control_number: int, separators: Separators, version: str) -> Body:
    """A "997" or "999" ready to be written in a group of `version_for`."""
    if kind == "999":
        return Body("999", control_number, write_999(ack, separators), VERSION_999)
    return Body("997", control_number, write_997(ack, version, separators))


def write_997(ack: GroupAck, version: str, separators: Separators = Separators()) -> list[Row]:  # noqa: B008
    """The body of a 997, AK1 to AK9, valid in `version` ("004010") and with these `separators`.

    What it could not repeat validly (a set's number or a bad value that holds a separator) is left out.
    """
    return _Body(ack, version, separators, "AK3", "AK4", "AK5").rows


def write_999(ack: GroupAck, separators: Separators = Separators()) -> list[Row]:  # noqa: B008
    """The body of a 999, AK1 to AK9, for a group and an ST03 of `VERSION_999`, with these `separators`.

    CTX names the document a segment in error stands in, and the element that has made another one wrong.
    """
    return _Body(ack, VERSION_999, separators, "IK3", "IK4", "IK5").rows


class _Body:
    """The rows of a 997 or 999 as they are made."""

    def __init__(
        self, ack: GroupAck, version: str, separators: Separators, segment: str, element: str, end: str
    ) -> None:
        self._version = version
        self._later = version >= "005010"
        self._is_999 = segment == "IK3"
        self._separators = writable(separators, version)
        self._segment_tag, self._element_tag, self._end_tag = segment, element, end
        group = ["AK1", ack.functional_id, ack.control_number]
        if self._later and 1 <= len(ack.version) <= 12 and self._repeatable(ack.version):
            group.append(ack.version)
        self.rows: list[Row] = [group]
        for transaction in ack.transactions:
            self._transaction(transaction)
        counts = (ack.included, ack.received, ack.accepted)
        self.rows.append(["AK9", ack.status, *map(str, counts), *ack.codes])

    def _transaction(self, ack: TransactionAck) -> None:
        number = ack.control_number
        known = _known_set(ack.type, self._version)
        plain = number.isdecimal() and number.isascii()  # no separator is a digit
        if not (known and 4 <= len(number) <= 9 and (plain or self._repeatable(number))):
            return
        row = ["AK2", ack.type, number]
        if self._later and 1 <= len(ack.convention) <= 35 and self._repeatable(ack.convention):
            row.append(ack.convention)
        self.rows.append(row)
        for segment in ack.segments:
            if 2 <= len(segment.tag) <= 3 and segment.tag.isascii() and segment.tag.isalnum():
                self._segment(ack, segment)
        self.rows.append([self._end_tag, ack.status, *ack.codes])

    def _segment(self, ack: TransactionAck, segment: SegmentAck) -> None:
        code = segment.code or ""
        code = code if self._is_999 else _AS_720.get(code, code)
        self.rows.append([self._segment_tag, segment.tag, str(segment.position), segment.loop or "", code])
        if self._is_999 and ack.unit and len(ack.unit[1]) <= 35 and self._repeatable(ack.unit[1]):
            self.rows.append(["CTX", ack.unit])
        for element in segment.elements:
            self._element(element)

    def _element(self, element: ElementAck) -> None:
        place = [str(min(element.element, 99)), str(element.component or "")]
        if self._later and element.repetition:
            place.append(str(min(element.repetition, 9999)))
        while not place[-1]:
            place.pop()
        reference = element.reference if element.reference and element.reference.isdecimal() else ""
        code = element.code
        if not self._is_999:
            code = _AS_723.get(code, code)
            code = code if self._later else _AS_723_BEFORE_005010.get(code, code)
        row: Row = [self._element_tag, tuple(place) if len(place) > 1 else place[0], reference, code]
        value = (element.value or "")[:_LONGEST_VALUE].strip()
        self.rows.append([*row, value] if value and self._repeatable(value) else row)
        if self._is_999 and (about := element.context):
            at: str | tuple[str, ...] = str(about.element)
            if about.component:
                at = (str(about.element), str(about.component))
            self.rows.append(["CTX", _TRIGGER, about.tag, str(about.position), about.loop or "", at])

    def _repeatable(self, value: str) -> bool:
        return (
            value.isascii()
            and value.isprintable()
            and not any(s and s in value for s in self._separators[:4])
        )


@lru_cache(maxsize=256)
def _known_set(transaction_set: str, version: str) -> bool:
    base = dictionary.base_version(version)
    segment = dictionary.segment("ST", base) if base else None
    codes = segment.elements[0].element.codes if segment else None
    return codes is None or transaction_set in codes


def _is_count(text: str, longest: int = 6) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= longest


def read_group_ack(rows: Iterable[Sequence[str]], component: str = ">") -> GroupAck:
    """What a received 997 or 999 says, given its split segments (`Check.rows`) and component separator.

    It takes what it finds: values that the standard does not allow are kept as they are.
    """
    group = GroupAck("", "", "", "", 0, 0, 0)
    transactions: list[TransactionAck] = []
    segments: list[SegmentAck] = []
    opened: tuple[str, str, str] | None = None
    unit: tuple[str, str] | None = None
    for row in rows:
        value = [*row, *[""] * 10]
        match row[0]:
            case "AK1":
                group = GroupAck(value[1], value[2], value[3], "", 0, 0, 0)
            case "AK2":
                opened, segments, unit = (value[1], value[2], value[3]), [], None
            case "AK3" | "IK3":
                position = int(value[2]) if _is_count(value[2], 10) else 0
                segments.append(SegmentAck(value[1], position, value[3] or None, value[4] or None))
            case "AK4" | "IK4" if segments:
                element = _read_element(value, component)
                segments[-1] = replace(segments[-1], elements=(*segments[-1].elements, element))
            case "CTX" if segments:
                if value[1] == _TRIGGER and segments[-1].elements:
                    *others, last = segments[-1].elements
                    last = replace(last, context=_read_context(value, component))
                    segments[-1] = replace(segments[-1], elements=(*others, last))
                elif component and component in value[1]:
                    name, _, number = value[1].partition(component)
                    unit = unit or (name, number)
            case "AK5" | "IK5" if opened:
                codes = tuple(code for code in row[2:7] if code)
                kind, number, convention = opened
                transactions.append(
                    TransactionAck(kind, number, value[1], codes, tuple(segments), convention, unit)
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


def _place(text: str, component: str) -> list[int]:
    parts = text.split(component) if component else [text]
    return [*(int(part) if _is_count(part) else 0 for part in parts), 0, 0, 0]


def _read_element(value: Sequence[str], component: str) -> ElementAck:
    element, inner, repetition, *_ = _place(value[1], component)
    return ElementAck(
        element, inner or None, repetition or None, value[2] or None, value[3], value[4] or None
    )


def _read_context(value: Sequence[str], component: str) -> Context:
    element, inner, *_ = _place(value[5], component)
    position = int(value[3]) if _is_count(value[3], 10) else 0
    return Context(value[2], position, value[4] or None, element, inner or None)


class InterchangeAck(NamedTuple):
    """TA1: the answer to one interchange; `note` is of list I18, "000" for no error."""

    control_number: str
    date: str
    time: str
    status: str  # A, E, R
    note: str

    def __str__(self) -> str:
        """The status and its reason in words: `TA1 R, 021: count of groups`."""
        told = f", {self.note}: {NOTES.get(self.note, 'no note of the standard')}"
        return f"TA1 {self.status}" + (told if self.note != "000" else "")


NOTES = {  # list I18, in our words
    "000": "no error",
    "001": "ISA13 and IEA02 differ",
    "002": "standard not supported",
    "003": "version of the envelope not supported",
    "004": "segment terminator",
    "005": "qualifier of the sender",
    "006": "sender",
    "007": "qualifier of the receiver",
    "008": "receiver",
    "009": "receiver not known",
    "010": "qualifier of the authorization",
    "011": "authorization",
    "012": "qualifier of the password",
    "013": "password",
    "014": "date",
    "015": "time",
    "016": "standard, or repetition separator",
    "017": "version",
    "018": "control number",
    "019": "request for an acknowledgment",
    "020": "usage",
    "021": "count of groups",
    "022": "structure of the envelope",
    "023": "ends too early",
    "024": "content, such as a group header",
    "025": "control number used before",
    "026": "element separator",
    "027": "component separator",
    "028": "date of a deferred delivery",
    "029": "time of a deferred delivery",
    "030": "time code of a deferred delivery",
    "031": "grade of service",
}
_ISA_NOTES = (  # by element, ISA01 to ISA16
    *("010", "011", "012", "013", "005", "006", "007", "008"),
    *("014", "015", "016", "017", "018", "019", "020", "027"),
)
_SEPARATOR_NOTES = {16: "027", None: "004"}  # of components; of segments
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
        return _SEPARATOR_NOTES.get(problem.element, "026")
    if problem.segment == "GS":
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
