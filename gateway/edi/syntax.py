"""What the gateway asks of a syntax, whichever it is; a module of this package answers for each.

Above this package nobody names a syntax but to say which interchange, set or identity is of which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

from edi.checker import NO_READERS, Checker
from edi.documents import InterchangeAcknowledgment
from edi.schema import Check, Run, RunReader, SegmentDef, SetDef
from edi.tree import (
    Event,
    Group,
    GroupEnd,
    Interchange,
    InterchangeEnd,
    PartyId,
    Separators,
    Transaction,
)
from edi.tree import Syntax as Name
from gateway.errors import DeadReason

if TYPE_CHECKING:
    from edi.guide import Guide

Element = str | tuple[str, ...] | list[str | tuple[str, ...]]
Row = Sequence[Element]


@dataclass(frozen=True)
class Envelope:
    """From whom to whom an interchange goes and how it is written: what its headers say beside numbers."""

    sender: PartyId
    receiver: PartyId
    version: str  # of the sets in it
    usage: str = "P"
    group_sender: str = ""  # where it is not the interchange's
    group_receiver: str = ""
    separators: Separators = Separators()  # noqa: RUF009  (a NamedTuple is immutable)
    ack_requested: bool = False
    syntax: str = "UNOC:3"  # S001 of UNB
    una: bool | None = None  # None: where a service character is not the usual one
    grouped: bool = True  # messages stand in groups, UNG to UNE; sets of X12 always do


class Body(NamedTuple):
    """A transaction to write: its rows without header and trailer."""

    type: str
    rows: Sequence[Row]
    convention: str = ""  # ST03
    version: str = ""  # where it is not that of its envelope, as in an interchange without groups


class Numbered(NamedTuple):
    """The transactions of one group, each with its control number."""

    envelope: Envelope
    control_number: int | None  # None where the envelope has no groups
    bodies: Sequence[tuple[int, Body]]


class Answer(NamedTuple):
    """An acknowledgment: of a group or of an interchange, of which `number` is the control number.

    It mirrors version, separators and usage of what it answers, sides exchanged. `says` and `about` are words
    for the timeline.
    """

    kind: str  # 997, 999, TA1, CONTRL
    number: str
    version: str  # as recorded
    says: str
    about: str
    envelope: Envelope
    body: Body | None
    loose: Sequence[Row] = ()
    group: Group | None = None  # that is answered; None for an interchange


class Answering(Protocol):
    """Collects what is to be answered to one interchange while it is read.

    `mode` is how the partner wants it: "997", "999", "CONTRL" or "none".
    """

    def begin(self, group: Group) -> None:
        """A group has been read."""

    def add(self, transaction: Transaction, check: Check) -> None:
        """A transaction of it has been checked."""

    def end(self, end: GroupEnd, mode: str) -> Answer | None:
        """The answer to the group, where the syntax answers groups and this one may be answered."""

    def finish(self, end: InterchangeEnd, mode: str) -> Answer | None:
        """The answer to the interchange and all in it, where the syntax has one such."""


class Acknowledged(NamedTuple):
    """How one interchange of a file is answered: the bytes, and as JSON what they say.

    `data` is empty where nothing may be answered.
    """

    control_number: str
    data: bytes
    told: dict[str, Any]


class Syntax(Protocol):
    """What a syntax's module has."""

    NAME: Name
    CONTENT_TYPE: str
    SUFFIX: str  # of the names of files
    ACKNOWLEDGMENTS: tuple[str, ...]  # by which it is answered, the usual one first
    VERSIONS: tuple[str, ...]  # that are defined, the usual one first
    SEPARATORS: Separators  # the usual ones

    def read(self, stream: BinaryIO) -> Iterator[Event]:
        """The events of every interchange in a stream. Raises NotEdi, on the first step."""

    def service_row(self, segment: str, separators: Separators) -> tuple[list[str], Separators]:
        """A raw segment of an envelope as its elements, and what separates the parts of one."""

    # What the standard says.

    def base_version(self, version: str) -> str | None:
        """The defined version whose tables govern one; None where there are none."""

    def sets(self, version: str) -> tuple[str, ...]:
        """The types that are defined in a defined version."""

    def definition(self, type: str, version: str) -> SetDef | None:
        """A set in a version, or None where it is not defined."""

    def segment(self, tag: str, version: str) -> SegmentDef | None:
        """A segment as a version has it; those of envelopes are the same in all."""

    def meaning(self, element: str, code: str) -> str | None:
        """What a code of an element stands for, where it has a short name."""

    def functional_id(self, type: str) -> str | None:
        """By which groups that carry a set are known."""

    def checker(self, type: str, version: str, guide: Guide | None = None) -> Checker | None:
        """The checker of a set, as a guide narrows it; None where it is not defined. Raises GuideError."""

    def check(
        self,
        transaction: Transaction,
        guide: Guide | None = None,
        readers: Mapping[Run, RunReader] = NO_READERS,
    ) -> Check:
        """The check of a transaction against its own set and version. Raises GuideError."""

    # Acknowledgments.

    def is_answered(self, transaction: Transaction, group: Group) -> bool:
        """Whether a transaction may be acknowledged: acknowledgments are not."""

    def refuse(
        self,
        header: Interchange,
        end: InterchangeEnd | None,
        groups: Sequence[Group],
        *,
        answerable: bool,
        reason: DeadReason | None = None,
    ) -> Answer | None:
        """The answer to an interchange of which nothing is read, by its problems or for a reason.

        None where it may not be answered. `answerable`: it holds more than acknowledgments.
        """

    def received(
        self, header: Interchange, end: InterchangeEnd | None, groups: Sequence[Group]
    ) -> Answer | None:
        """What an interchange that is right and asks for it is answered before anything in it is."""

    def answering(self, header: Interchange, *, answerable: bool) -> Answering:
        """What collects the answers to an interchange; `answerable` as for `refuse`."""

    def acknowledge(
        self, stream: BinaryIO, now: datetime, control_number: int, kind: str | None
    ) -> Iterator[Acknowledged]:
        """How each interchange of a file is answered. Raises NotEdi, CannotWrite."""

    def answers_in(self, header: Interchange, end: InterchangeEnd) -> Iterator[InterchangeAcknowledgment]:
        """Acknowledgments that stand in an interchange outside of transactions."""

    # Writing.

    def group_of(self, body: Body, envelope: Envelope) -> tuple[str, str]:
        """What transactions of one group have in common: functional id and version."""

    def write(
        self,
        envelope: Envelope,
        now: datetime,
        control_number: int,
        groups: Sequence[Numbered],
        loose: Sequence[Row] = (),
        *,
        check: bool = False,
        guide: Guide | None = None,
    ) -> bytes:
        """An interchange. With `check` what would be rejected is not written. Raises CannotWrite."""

    def write_transaction(
        self, body: Body, control_number: int, envelope: Envelope, guide: Guide | None = None
    ) -> list[str]:
        """The segments of one checked transaction, header to trailer, without terminators.

        Raises CannotWrite, with the problems.
        """
