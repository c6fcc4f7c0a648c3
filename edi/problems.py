"""What can be wrong with a message, as data. Exceptions here mean "this is no EDI at all"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """ERROR rejects what it stands in; WARNING is told and accepted; NOTE only explains."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Fault(StrEnum):
    """The kinds of problem, one name for X12 and EDIFACT; each syntax maps them to its own codes."""

    NOT_EDI = "NOT_EDI"
    # envelope
    ENVELOPE_MALFORMED = "ENVELOPE_MALFORMED"  # widths, dates or elements of a service segment
    SEPARATORS_INVALID = "SEPARATORS_INVALID"  # alphanumeric, or one character with two jobs
    TEXT_OUTSIDE_INTERCHANGE = "TEXT_OUTSIDE_INTERCHANGE"
    HEADER_MISSING = "HEADER_MISSING"  # a segment stands outside the envelope it needs
    TRAILER_MISSING = "TRAILER_MISSING"
    COUNT_MISMATCH = "COUNT_MISMATCH"
    CONTROL_NUMBER_MISMATCH = "CONTROL_NUMBER_MISMATCH"
    CONTROL_NUMBER_INVALID = "CONTROL_NUMBER_INVALID"
    CONTROL_NUMBER_REPEATED = "CONTROL_NUMBER_REPEATED"
    FUNCTIONAL_ID_MISMATCH = "FUNCTIONAL_ID_MISMATCH"  # the group is not one for this set
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    # what is not known here
    SET_UNKNOWN = "SET_UNKNOWN"
    VERSION_UNKNOWN = "VERSION_UNKNOWN"
    # structure
    SEGMENT_UNKNOWN = "SEGMENT_UNKNOWN"  # in no set of this version
    SEGMENT_NOT_IN_SET = "SEGMENT_NOT_IN_SET"
    SEGMENT_OUT_OF_ORDER = "SEGMENT_OUT_OF_ORDER"
    SEGMENT_MISSING = "SEGMENT_MISSING"
    SEGMENT_TOO_OFTEN = "SEGMENT_TOO_OFTEN"
    LOOP_TOO_OFTEN = "LOOP_TOO_OFTEN"
    SEGMENT_NOT_USED = "SEGMENT_NOT_USED"  # the set has it, the partner's guide does not
    # elements; `component` and `repetition` tell where inside one
    ELEMENT_MISSING = "ELEMENT_MISSING"
    ELEMENT_NOT_DEFINED = "ELEMENT_NOT_DEFINED"  # more elements than the segment has
    ELEMENT_NOT_USED = "ELEMENT_NOT_USED"  # the segment has it, the partner's guide does not
    COMPONENT_NOT_DEFINED = "COMPONENT_NOT_DEFINED"
    REPEATED_TOO_OFTEN = "REPEATED_TOO_OFTEN"
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"
    CHARACTER_INVALID = "CHARACTER_INVALID"
    NUMBER_INVALID = "NUMBER_INVALID"
    DATE_INVALID = "DATE_INVALID"
    TIME_INVALID = "TIME_INVALID"
    CODE_UNKNOWN = "CODE_UNKNOWN"
    CONDITION_UNMET = "CONDITION_UNMET"  # syntax notes P, R, C, L
    CONDITION_EXCLUDES = "CONDITION_EXCLUDES"  # syntax note E
    # meaning within one transaction
    HIERARCHY_BROKEN = "HIERARCHY_BROKEN"
    TOTAL_MISMATCH = "TOTAL_MISMATCH"
    CHECK_DIGIT_WRONG = "CHECK_DIGIT_WRONG"  # where a guide asks for it
    # between tree and document
    MAPPING_FAILED = "MAPPING_FAILED"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding with its place. Counts are from 1; `offset` is in bytes of the file."""

    fault: Fault
    message: str
    severity: Severity = Severity.ERROR
    segment: str | None = None
    position: int | None = None  # ordinal in the transaction, ST/UNH = 1
    element: int | None = None
    component: int | None = None
    repetition: int | None = None
    offset: int | None = None
    value: str | None = None
    loop: str | None = None  # id of the loop the segment stands in
    reference: str | None = None  # number of the data element in its dictionary, e.g. "353"
    trigger: int | None = None  # the element of the same segment that makes this one required or excluded
    guide: str | None = None  # whose guide asks for it; None where the standard does


def status_of(problems: Iterable[Problem]) -> str:
    """`accepted`, `accepted_with_errors` (warnings only) or `rejected`."""
    severities = {problem.severity for problem in problems}
    if Severity.ERROR in severities:
        return "rejected"
    return "accepted_with_errors" if Severity.WARNING in severities else "accepted"


class EdiError(Exception):
    """Base of what this package raises."""


class NotEdi(EdiError):
    """The bytes are no EDI at all: no ISA, UNA or UNB within the first bytes."""


class CannotWrite(EdiError):
    """A document cannot be expressed in the chosen set; `problems` says why."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems
