"""The values a reader yields: envelopes, and one transaction at a time.

A file is a stream of events, in the order of the bytes::

    Interchange  (Group  Transaction*  GroupEnd)*  InterchangeEnd

Nothing holds the whole file: the unit of work is one `Transaction`, whose segments are kept as the raw
text between terminators. Text is latin-1, so an index into it is a byte offset.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, NamedTuple

from edi.problems import Problem

Syntax = Literal["x12", "edifact"]
_MESSAGE_LENGTH = 6  # of 0065: ORDERS


def syntax_of(type: str) -> Syntax:
    """The syntax that has sets named so: ORDERS is a message of EDIFACT, 850 a set of X12."""
    return "edifact" if len(type) == _MESSAGE_LENGTH and type.isalpha() else "x12"


class Separators(NamedTuple):
    """The service characters of one interchange (X12.6 sect. 3; ISO 9735-1 annex A)."""

    element: str = "*"
    component: str = ">"
    segment: str = "~"
    repetition: str = ""  # "" where the version has none: X12 before 00402, or ISA11 = U
    release: str = ""  # EDIFACT only
    decimal: str = "."
    suffix: str = ""  # what follows each terminator for the reader's eye: "", "\n", "\r\n"


class PartyId(NamedTuple):
    """An interchange identity: ISA05/06, or UNB S002 as (id code qualifier, id). Padding removed."""

    qualifier: str
    id: str

    def __str__(self) -> str:
        return f"{self.qualifier}:{self.id}"


NORMAL = Separators("\x1c", "\x1f", "\x1e", "\x1d")
"""What separates the values of an EDIFACT transaction's segments, whatever separated them in the file."""
_READABLE = str.maketrans({NORMAL.element: "+", NORMAL.component: ":", NORMAL.repetition: "*"})


def readable(text: str) -> str:
    """Text in normal form with the service characters that EDIFACT usually has."""
    return text.translate(_READABLE)


@dataclass(frozen=True, slots=True)
class Interchange:
    """ISA or UNB has been read, at `offset`; where UNA stands before it, it `begins_at` that."""

    syntax: Syntax
    separators: Separators
    sender: PartyId
    receiver: PartyId
    control_number: str
    version: str  # ISA12 "00401"; UNB syntax "UNOC:3"
    usage: str  # ISA15, or "T" for UNB 0035 = 1 and "P" otherwise
    ack_requested: bool  # ISA14 or UNB 0031
    date: str  # as written
    time: str
    begins_at: int
    offset: int
    segment: str  # raw
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """GS or UNG has been read; for EDIFACT without UNG a group with empty ids is implied."""

    functional_id: str
    sender: str
    receiver: str
    control_number: str
    version: str  # GS08 as written
    offset: int
    segment: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction set (ST-SE) or message (UNH-UNT), as raw segments without terminators.

    `segments[0]` is ST/UNH and, unless the trailer is missing (which `problems` says), the last is SE/UNT.
    `offset` is the byte offset of ST; `gap` the bytes between the end of one segment's text and the start
    of the next where it is constant (terminator and suffix), else `offsets` lists every start.
    `problems` are those of the envelope pair: ST02 against SE02, SE01, a missing trailer. `plain` is true
    only where every character is printable ASCII and no value needs a second look: none separates
    repetitions, nor, in X12, components.

    Segments of EDIFACT are in normal form: `separators` are NORMAL, release characters are resolved and text
    is decoded. `unseen` lists, ascending, where the file has a byte that is no character of the text.
    """

    type: str
    control_number: str
    version: str  # that governs it: ST03 where present, else GS08; UNH S009
    separators: Separators
    segments: tuple[str, ...]
    offset: int
    gap: int = 1
    offsets: tuple[int, ...] | None = field(default=None, repr=False)
    problems: tuple[Problem, ...] = ()
    plain: bool = False
    unseen: tuple[int, ...] = field(default=(), repr=False)

    def starts(self) -> tuple[int, ...]:
        """Where in the file each segment begins."""
        if self.offsets is not None:
            return self.offsets
        lengths = (len(segment) + self.gap for segment in self.segments[:-1])
        return tuple(accumulate(lengths, initial=self.offset))

    def offset_of(self, position: int, element: int = 0, component: int = 0) -> int:
        """Where in the file a segment begins, counted from 1, or its element, or the component of that.

        One that is absent would begin where what is there ends.
        """
        start, segment = self.starts()[position - 1], self.segments[position - 1]
        if not element:
            return start
        parts = segment.split(self.separators.element)
        if element >= len(parts):
            return self.place(start, len(segment))
        index = sum(len(part) + 1 for part in parts[:element])
        if component and self.separators.component:
            inner = parts[element].split(self.separators.component)[: component - 1]
            index += min(sum(len(part) + 1 for part in inner), len(parts[element]))
        return self.place(start, index)

    def place(self, start: int, index: int) -> int:
        """Where in the file a character stands: `index` in the text of the segment that begins at `start`."""
        return place(start, index, self.unseen)


def place(start: int, index: int, unseen: Sequence[int]) -> int:
    """Where in the file a character of a text stands, the first of which stands at `start`."""
    offset = start + index
    for at in range(bisect_left(unseen, start), len(unseen)):
        if unseen[at] >= offset:
            break
        offset += 1
    return offset


@dataclass(frozen=True, slots=True)
class GroupEnd:
    """GE or UNE, or the place where it is missing. `transactions` is what was really there."""

    control_number: str
    transactions: int
    problems: tuple[Problem, ...] = ()
    segment: str = ""  # raw; "" where it is missing


@dataclass(frozen=True, slots=True)
class InterchangeEnd:
    """IEA or UNZ, or the place where it is missing."""

    control_number: str
    groups: int
    problems: tuple[Problem, ...] = ()
    loose: tuple[str, ...] = ()  # TA1, ISB, ISE and other service segments outside groups, raw
    segment: str = ""  # raw; "" where it is missing
    ends_at: int = 0  # the offset of the byte after it


Event = Interchange | Group | Transaction | GroupEnd | InterchangeEnd
