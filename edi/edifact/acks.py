"""CONTRL, the syntax and service report of EDIFACT (ISO 9735-4; D.3 and 4.1), as a value and as rows.

One CONTRL answers one interchange: `InterchangeAnswer` builds it while the interchange is read and
`write_contrl` says it. CONTRL itself is never answered: ask `answers` first. A received one is read by its
map.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from edi.edifact.writer import Row, identifier
from edi.problems import Fault, Problem, Severity
from edi.schema import Check
from edi.tree import Group, GroupEnd, Interchange, InterchangeEnd, PartyId, Transaction

REJECTED, ACCEPTED, RECEIVED = "4", "7", "8"  # 0083
_SEGMENT_CODES = {  # 0085 in UCS
    Fault.SEGMENT_MISSING: "13",
    Fault.SEGMENT_UNKNOWN: "15",
    Fault.SEGMENT_NOT_IN_SET: "15",
    Fault.SEGMENT_OUT_OF_ORDER: "15",
    Fault.SEGMENT_NOT_USED: "15",
    Fault.SEGMENT_TOO_OFTEN: "35",
    Fault.LOOP_TOO_OFTEN: "36",
    Fault.LIMIT_EXCEEDED: "18",
}
_ELEMENT_CODES = {  # 0085 in UCD
    Fault.ELEMENT_MISSING: "13",
    Fault.CONDITION_UNMET: "13",
    Fault.CONDITION_EXCLUDES: "15",
    Fault.ELEMENT_NOT_USED: "15",
    Fault.ELEMENT_NOT_DEFINED: "16",
    Fault.COMPONENT_NOT_DEFINED: "16",
    Fault.REPEATED_TOO_OFTEN: "35",
    Fault.TOO_LONG: "39",
    Fault.TOO_SHORT: "40",
    Fault.CHARACTER_INVALID: "21",
    Fault.NUMBER_INVALID: "37",
    Fault.DATE_INVALID: "12",
    Fault.TIME_INVALID: "12",
    Fault.CODE_UNKNOWN: "12",
    Fault.CHECK_DIGIT_WRONG: "12",
    Fault.HIERARCHY_BROKEN: "12",
    Fault.TOTAL_MISMATCH: "12",
}
_ENVELOPE_CODES = {  # 0085 in UCI, UCF and UCM
    Fault.SET_UNKNOWN: "14",
    Fault.VERSION_UNKNOWN: "14",
    Fault.TRAILER_MISSING: "13",
    Fault.ENVELOPE_MALFORMED: "13",
    Fault.COUNT_MISMATCH: "29",
    Fault.CONTROL_NUMBER_MISMATCH: "28",
    Fault.CONTROL_NUMBER_REPEATED: "26",
    Fault.FUNCTIONAL_ID_MISMATCH: "31",
    Fault.SEPARATORS_INVALID: "22",
    Fault.HEADER_MISSING: "33",
    Fault.LIMIT_EXCEEDED: "18",
} | {fault: code for fault, code in _ELEMENT_CODES.items() if fault is not Fault.CONDITION_UNMET}
CODES = {  # list 0085, in our words
    "2": "syntax version or level not supported",
    "7": "not for this recipient",
    "12": "value not valid",
    "13": "missing",
    "14": "value not supported here",
    "15": "not supported here",
    "16": "too many elements or components",
    "17": "no agreement",
    "18": "error of no other kind",
    "19": "decimal mark not valid",
    "20": "character cannot be a service character",
    "21": "characters not valid",
    "22": "service characters not valid",
    "23": "sender not known",
    "24": "too old",
    "25": "test indicator not supported",
    "26": "duplicate",
    "27": "security not supported",
    "28": "references do not match",
    "29": "count does not match",
    "30": "groups and messages mixed",
    "31": "more than one message type in a group",
    "32": "nothing in it",
    "33": "outside of message or group",
    "34": "nesting indicator not allowed",
    "35": "too many repetitions of segment or element",
    "36": "too many repetitions of segment group",
    "37": "character of the wrong type",
    "38": "digit missing before the decimal mark",
    "39": "too long",
    "40": "too short",
    "43": "recipient not known",
    "45": "separator at the end",
    "46": "character set not supported",
    "47": "envelope not supported",
    "48": "dependency not kept",
}
_NUMERIC = frozenset("0123456789-.,")
_LONGEST_REFERENCE = 14
_LONGEST_ID = 35
_MOST_MESSAGES = 999_999
_MOST_SEGMENTS = 999
_MOST_ELEMENTS = 99
_MOST_POSITIONS = 999


class ElementAck(Struct, frozen=True, gc=False):
    """UCD: an element in error. In CONTRL (0098) the tag counts as the first one; here it does not count."""

    element: int
    component: int | None
    repetition: int | None
    code: str


class SegmentAck(Struct, frozen=True, gc=False):
    """UCS, and the elements in it: a segment in error, at `position` of the message, UNH being 1.

    Of one that is missing (code 13) it is the position of the last one before the place.
    """

    position: int
    code: str | None
    elements: tuple[ElementAck, ...] = ()


class MessageAck(Struct, frozen=True, gc=False):
    """UCM: the answer to one message. What is wrong with UNH or UNT is told here, with tag and place."""

    type: str
    control_number: str
    version: str
    action: str
    code: str | None = None
    tag: str | None = None
    element: int | None = None
    component: int | None = None
    segments: tuple[SegmentAck, ...] = ()

    @property
    def status(self) -> str:
        """A or R, as acknowledgments of X12 say it."""
        return "R" if self.action == REJECTED else "A"


class GroupAck(Struct, frozen=True, gc=False):
    """UCF: the answer to one group."""

    control_number: str
    sender: str
    receiver: str
    action: str
    code: str | None = None
    tag: str | None = None
    element: int | None = None
    component: int | None = None
    messages: tuple[MessageAck, ...] = ()


class InterchangeAck(Struct, frozen=True, gc=False):
    """UCI: the answer to one interchange, whose sides are told as it told them."""

    control_number: str
    sender: PartyId
    receiver: PartyId
    action: str
    code: str | None = None
    tag: str | None = None
    element: int | None = None
    component: int | None = None
    groups: tuple[GroupAck, ...] = ()
    messages: tuple[MessageAck, ...] = ()

    @property
    def all_messages(self) -> tuple[MessageAck, ...]:
        """Those of groups, and those without a group."""
        return (*(message for group in self.groups for message in group.messages), *self.messages)

    def __str__(self) -> str:
        """`CONTRL 4, 23: sender not known`; `CONTRL 7, 1 of 10 messages rejected`."""
        if self.action == REJECTED:
            return f"CONTRL {REJECTED}, {self.code}: {CODES.get(self.code or '', 'no code of the standard')}"
        messages = self.all_messages
        bad = sum(message.action == REJECTED for message in messages)
        return f"CONTRL {self.action}" + (f", {bad} of {len(messages)} messages rejected" if bad else "")


class InterchangeAnswer:
    """Collects the verdicts on one interchange, from its events in their order."""

    def __init__(self, header: Interchange) -> None:
        self._header = header
        self._groups: list[GroupAck] = []
        self._messages: list[MessageAck] = []  # of the group that is read
        self._outside: list[MessageAck] = []
        self._group: Group | None = None
        self._unrepeatable: tuple[str, int] | None = None  # the tag and element that no answer can repeat
        self._stray: list[Problem] = []  # what stands outside of messages that stand outside of groups

    def begin(self, group: Group) -> None:
        """A group begins, which may be one that is implied."""
        self._group, self._messages = group, []

    def add(self, transaction: Transaction, check: Check) -> MessageAck | None:
        """The answer to one message, also kept for the interchange's; None for what is not answered."""
        if not answers(transaction.type):
            return None
        ack = _message(transaction, check)
        if _is_repeatable(ack):
            self._messages.append(ack)
        else:
            self._unrepeatable = ("UNH", 2)
        return ack

    def end(self, end: GroupEnd) -> None:
        """The group ends. Where its trailer is missing or disagrees, it is rejected with all in it."""
        group = self._group
        if group is None or not group.segment:
            self._outside += self._messages
            self._stray += end.problems
            return
        if not _is_reference(group.control_number):
            self._unrepeatable = ("UNG", 5)
        found = _first_error([*group.problems, *end.problems])
        action, code, tag, element, component = _told(found)
        self._groups.append(
            GroupAck(
                group.control_number,
                group.sender,
                group.receiver,
                action,
                code,
                tag,
                element,
                component,
                () if found else tuple(self._messages),
            )
        )

    def finish(self, end: InterchangeEnd) -> InterchangeAck:
        """The answer to the whole interchange.

        Where its envelope is broken, or a group or message is such that no answer can name it, all is
        rejected.
        """
        ack = answer_interchange(self._header, end)
        if ack.action == REJECTED:
            return ack
        if found := _first_error(self._stray):
            return _replaced(ack, *_told(found))
        if self._unrepeatable:
            return _replaced(ack, REJECTED, "13", *self._unrepeatable)
        return InterchangeAck(
            ack.control_number,
            ack.sender,
            ack.receiver,
            ACCEPTED,
            groups=tuple(self._groups),
            messages=tuple(self._outside[:_MOST_MESSAGES]),
        )


def answers(type: str) -> bool:
    """Whether a message may be acknowledged: CONTRL is not."""
    return type != "CONTRL"


def answer_interchange(
    header: Interchange,
    end: InterchangeEnd | None = None,
    code: str | None = None,
    *,
    groups: Iterable[Group] = (),
) -> InterchangeAck:
    """The answer by the problems of the envelope, or the rejection for a `code` of list 0085."""
    problems = [*header.problems, *(end.problems if end else ())]
    problems += [problem for group in groups for problem in group.problems]
    bare = InterchangeAck(header.control_number, header.sender, header.receiver, ACCEPTED)
    if code:
        return _replaced(bare, REJECTED, code, "UNB" if code != "26" else None)
    found = _first_error(problems)
    return _replaced(bare, *_told(found)) if found else bare


def version_for(header: Interchange) -> str:
    """The version of the CONTRL that answers an interchange: that of its syntax."""
    return "4.1" if header.version.endswith(":4") else "D.3"


def write_contrl(ack: InterchangeAck) -> list[Row]:
    """The body of a CONTRL, UCI to the last UCM, UCS or UCD. What it could not repeat validly is left out."""
    rows: list[Row] = [["UCI", ack.control_number, _side(ack.sender), _side(ack.receiver), *_verdict(ack)]]
    for message in ack.messages:
        rows += _write_message(message)
    for group in ack.groups:
        sides = (group.sender, group.receiver)
        told = (side if len(side) <= _LONGEST_ID and _is_printable(side) else "" for side in sides)
        rows.append(["UCF", group.control_number, *told, *_verdict(group)])
        for message in group.messages:
            rows += _write_message(message)
    return rows


def _write_message(ack: MessageAck) -> Iterable[Row]:
    yield ["UCM", ack.control_number, identifier(ack.type, ack.version), *_verdict(ack)]
    for segment in ack.segments[:_MOST_SEGMENTS]:
        yield ["UCS", str(segment.position), segment.code or ""]
        for element in segment.elements[:_MOST_ELEMENTS]:
            yield ["UCD", element.code, (*_place(element), str(element.repetition or ""))]


def _side(party: PartyId) -> tuple[str, ...]:
    return (party.id, party.qualifier) if party.qualifier else (party.id,)


def _verdict(ack: InterchangeAck | GroupAck | MessageAck) -> Row:
    return [ack.action, ack.code or "", ack.tag or "", _place(ack) if ack.element else ""]


def _place(told: InterchangeAck | GroupAck | MessageAck | ElementAck) -> tuple[str, str]:
    """0098, which counts the segment's tag as the first, and 0104, which counts components from 1."""
    return str(min((told.element or 0) + 1, _MOST_POSITIONS)), str(told.component or "")


def _message(transaction: Transaction, check: Check) -> MessageAck:
    """The answer to one message by what was found wrong; warnings are not told, for nothing tells them."""
    bare = MessageAck(transaction.type, transaction.control_number, transaction.version, ACCEPTED)
    errors = [problem for problem in check.problems if problem.severity is Severity.ERROR]
    if not errors:
        return bare
    whole = next(
        (p for p in errors if p.segment in ("UNH", "UNT") and p.fault is not Fault.SEGMENT_MISSING), None
    )
    action, code, tag, element, component = _told(whole) if whole else (REJECTED, None, None, None, None)
    faults: dict[tuple[int, str | None], list[Problem]] = {}
    for problem in errors:
        if problem.segment in ("UNH", "UNT") and problem.fault is not Fault.SEGMENT_MISSING:
            continue
        missing = problem.fault is Fault.SEGMENT_MISSING
        key = (max((problem.position or 1) - missing, 1), _SEGMENT_CODES.get(problem.fault))
        faults.setdefault(key, []).append(problem)
    segments = [
        SegmentAck(position, code_of_segment, () if code_of_segment else _elements(problems))
        for (position, code_of_segment), problems in faults.items()
    ]
    return MessageAck(
        bare.type, bare.control_number, bare.version, action, code, tag, element, component, tuple(segments)
    )


def _elements(problems: Iterable[Problem]) -> tuple[ElementAck, ...]:
    told = dict.fromkeys(
        ElementAck(
            problem.element or 1,
            problem.component,
            problem.repetition,
            _element_code(problem),
        )
        for problem in problems
    )
    return tuple(told)


def _element_code(problem: Problem) -> str:
    if problem.fault is Fault.NUMBER_INVALID and set(problem.value or "x") <= _NUMERIC:
        return "19"  # digits and marks, but not as a number has them
    return _ELEMENT_CODES.get(problem.fault, "18")


def _first_error(problems: Iterable[Problem]) -> Problem | None:
    return next((problem for problem in problems if problem.severity is Severity.ERROR), None)


def _told(problem: Problem | None) -> tuple[str, str | None, str | None, int | None, int | None]:
    """Action, code, tag and place of a problem of an envelope; of none, that there is none."""
    if problem is None:
        return ACCEPTED, None, None, None, None
    code = _ENVELOPE_CODES.get(problem.fault, "18")
    element, component = problem.element, problem.component
    if problem.fault is Fault.VERSION_UNKNOWN and problem.segment == "UNH":
        element, component = 2, 3
    elif problem.fault is Fault.VERSION_UNKNOWN:
        code = "2"
    elif problem.fault is Fault.SET_UNKNOWN:
        component = 1
    if problem.fault is Fault.HEADER_MISSING and problem.segment == "UNG":
        code = "30"
    tag = problem.segment if problem.segment in _SERVICE_TAGS else None
    return REJECTED, code, tag, element if tag else None, component if tag else None


_SERVICE_TAGS = frozenset(("UNA", "UNB", "UNG", "UNH", "UNT", "UNE", "UNZ", "UNO", "UNP"))


def _replaced(
    ack: InterchangeAck,
    action: str,
    code: str | None,
    tag: str | None,
    element: int | None = None,
    component: int | None = None,
) -> InterchangeAck:
    return InterchangeAck(ack.control_number, ack.sender, ack.receiver, action, code, tag, element, component)


def _is_repeatable(ack: MessageAck) -> bool:
    """Whether UCM can name a message: its reference and its identifier as S009 has them."""
    parts = identifier(ack.type, ack.version)
    longest = (6, 3, 3, 3, 6)
    fits = all(0 < len(part) <= most for part, most in zip(parts, longest, strict=False))
    return fits and _is_printable("".join(parts)) and _is_reference(ack.control_number)


def _is_reference(text: str) -> bool:
    return 1 <= len(text) <= _LONGEST_REFERENCE and _is_printable(text)


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()
