"""What can be wrong with a message, as data. Exceptions here mean "this is no EDI at all"."""

from __future__ import annotations

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
    ENVELOPE_MALFORMED = "ENVELOPE_MALFORMED"


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


class EdiError(Exception):
    """Base of what this package raises."""


class NotEdi(EdiError):
    """The bytes are no EDI at all: no ISA, UNA or UNB within the first bytes."""


class CannotWrite(EdiError):
    """A document cannot be expressed in the chosen set; `problems` says why."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems
