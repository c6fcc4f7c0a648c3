"""Which engine speaks the bytes, and what can be done with a file that stands by itself.

The first bytes decide the syntax. Nothing here knows partners, numbers in use or a store: identities and
control numbers come from the file or from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import mappings
import x12
from edi.documents import Document, InterchangeAcknowledgment
from edi.guide import Guide
from edi.pretty import Line, Names, lines
from edi.problems import CannotWrite, Fault, NotEdi, Problem
from edi.report import report, structural
from edi.schema import SegmentDef
from edi.tree import Event, Group, GroupEnd, Interchange, InterchangeEnd, Transaction
from mappings import MapError
from x12 import acks, codec, dictionary, writer
from x12.acks import GroupAck, InterchangeAck
from x12.writer import Envelope

__all__ = [
    "Answer", "Envelope", "Mapped", "acknowledge", "check", "documents", "inspect", "located", "pretty",
    "read", "write",
]  # fmt: skip

_STATUS = {"A": "accepted", "E": "accepted_with_errors", "R": "rejected"}  # TA104
_LOOKED_AT = 64 * 1024  # bytes that may stand before the first interchange


def read(stream: BinaryIO) -> Iterator[Event]:
    """The events of every interchange in a stream. Raises NotEdi, on the first step, where there is none."""
    head = stream.read(_LOOKED_AT)
    if b"ISA" not in head and (b"UNB+" in head or head.lstrip().startswith(b"UNA")):
        raise NotEdi("this is EDIFACT, which this version does not read")
    yield from codec.read(cast("BinaryIO", _Rejoined(head, stream)))


class _Rejoined:
    """A stream with what was read of it put back in front."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head or self._rest.read(size)


def inspect(stream: BinaryIO) -> dict[str, Any]:
    """The report on a file's envelopes and structure (`edi.report`); one that is no EDI has one problem."""
    return report(read(stream), structural(x12.check))


def check(stream: BinaryIO, guide_for: Callable[[str], Guide | None] = lambda type: None) -> dict[str, Any]:
    """The report on a file with everything its definitions say, and the guide of each set where there is one.

    Raises GuideError for a guide that does not fit.
    """
    return report(read(stream), lambda transaction: x12.check(transaction, guide_for(transaction.type)))


def pretty(
    stream: BinaryIO,
    guide_for: Callable[[str], Guide | None] = lambda type: None,
    transaction: str | None = None,
    *,
    only_problems: bool = False,
) -> Iterator[Line]:
    """The lines of a file for human eyes (`edi.pretty`), checked as by `check`.

    `transaction` selects by ST02, whatever its zeros in front. Raises NotEdi.
    """
    names = Names(
        lambda found: x12.check(found, guide_for(found.type)),
        dictionary.definition,
        _segment,
        dictionary.meaning,
    )
    wanted = None
    if transaction is not None:
        number = transaction.lstrip("0")
        wanted = lambda found: found.control_number.lstrip("0") == number  # noqa: E731
    events = read(stream)
    first = next(events)
    return lines(chain([first], events), names, wanted, only_problems=only_problems)


def _segment(tag: str, version: str) -> SegmentDef | None:
    """A segment as the version has it; those of envelopes are the same in all."""
    known = (base for base in dictionary.VERSIONS if base.startswith(version[:6] or "-"))
    return dictionary.segment(tag, next(known, dictionary.VERSIONS[-1]))


class Answer(NamedTuple):
    """How one interchange is acknowledged; `data` is what carries it, empty where nothing may be answered."""

    data: bytes
    interchange: InterchangeAck
    groups: tuple[GroupAck, ...]


def acknowledge(
    stream: BinaryIO, *, now: datetime, control_number: int = 1, kind: str = "997"
) -> Iterator[Answer]:
    """The acknowledgment of each interchange in a file: one of `kind` for every group, and a TA1.

    `kind` is "997", "999", or "TA1" for that alone; with the others a TA1 is written where ISA14 asks for it
    or the interchange is rejected. Sides, versions, separators and usage mirror what is answered; control
    numbers count from `control_number`. Raises NotEdi, and CannotWrite for an envelope that cannot be
    mirrored.
    """
    answer: acks.FunctionalAck | None = None
    for event in read(stream):
        match event:
            case Interchange():
                header, groups = event, list[tuple[Group, GroupAck]]()
            case Group():
                group = event
                answer = acks.FunctionalAck(event) if acks.answers(event) else None
            case Transaction() if answer is not None:
                answer.add(event, x12.check(event))
            case GroupEnd() if answer is not None:
                groups.append((group, answer.finish(event)))
                answer = None
            case InterchangeEnd():
                about = acks.answer_interchange(header, event)
                data = _acknowledgment(header, about, groups, now, control_number, kind)
                control_number += 1
                yield Answer(data, about, tuple(ack for _, ack in groups))


def _acknowledgment(
    header: Interchange,
    about: InterchangeAck,
    groups: list[tuple[Group, GroupAck]],
    now: datetime,
    control_number: int,
    kind: str,
) -> bytes:
    """The interchange with a 997 or 999 in a group of its own for each group, and with the TA1."""
    only_ta1 = kind == "TA1"
    loose = [acks.write_ta1(about)] if only_ta1 or header.ack_requested or about.status == "R" else []
    answered = [] if only_ta1 else groups
    if not answered and not loose:
        return b""
    bare = Envelope(
        header.receiver,
        header.sender,
        control_number,
        control_number,
        "FA",
        acks.version_of(header.version),
        now,
        usage=header.usage,
        separators=header.separators,
    )
    parts: list[tuple[Envelope, list[writer.Body]]] = []
    for number, (group, ack) in enumerate(answered):
        version = acks.version_for(kind, group)
        body = acks.body(kind, ack, 1, header.separators, version)
        envelope = replace(
            bare,
            version=version,
            group_control_number=control_number + number,
            group_sender=group.receiver,
            group_receiver=group.sender,
        )
        parts.append((envelope, [body]))
    return writer.join(parts or [(bare, [])], loose=loose, check=True)


class Mapped(NamedTuple):
    """A transaction or TA1 of a file (`name`: "850 0001") as a document, or None with what prevents it."""

    name: str
    document: Document | None
    problems: tuple[Problem, ...]


def documents(
    stream: BinaryIO, overlay: Callable[[str], Path | None] = lambda type: None
) -> Iterator[Mapped]:
    """Every transaction and TA1 of a file as a canonical document. `overlay` names a partner's map of a set.

    What the checker rejects is not mapped. Raises NotEdi, and MapError for an overlay that is wrong.
    """
    for event in read(stream):
        match event:
            case Interchange():
                separators = event.separators
            case Transaction():
                yield _mapped(event, overlay)
            case InterchangeEnd():
                answers = (segment for segment in event.loose if segment.startswith("TA1"))
                for ack in (acks.read_ta1(segment, separators) for segment in answers):
                    yield Mapped(f"TA1 {ack.control_number}", _interchange_answer(ack), ())


def _interchange_answer(ack: InterchangeAck) -> InterchangeAcknowledgment:
    """A TA1 as a document; a date or time that is none is left out."""
    try:
        sent = datetime.strptime(f"20{ack.date}{ack.time}", "%Y%m%d%H%M")
    except ValueError:
        sent = None
    return InterchangeAcknowledgment(
        control_number=ack.control_number,
        status=_STATUS.get(ack.status, ack.status),
        note=None if ack.note in ("", "000") else ack.note,
        sent_on=sent.date() if sent else None,
        sent_time=sent.time() if sent else None,
    )


def _mapped(transaction: Transaction, overlay: Callable[[str], Path | None]) -> Mapped:
    name = f"{transaction.type} {transaction.control_number}"
    definition = dictionary.definition(transaction.type, transaction.version)
    if definition is None:
        return Mapped(name, None, x12.check(transaction).problems)
    chosen = overlay(transaction.type)
    try:
        map = mappings.load(definition, chosen)
    except MapError as error:
        if chosen is not None:
            raise
        problems = x12.check(transaction).problems or (Problem(Fault.MAPPING_FAILED, str(error)),)
        return Mapped(name, None, problems)
    checked = x12.check(transaction, readers=map.readers)
    if checked.status == "rejected":
        return Mapped(name, None, checked.problems)
    document, problems = map.read_checked(checked, transaction.separators)
    return Mapped(name, document, tuple(located(problem, transaction) for problem in problems))


def located(problem: Problem, transaction: Transaction) -> Problem:
    """A problem that a map has told by segment and element, with its place in the file."""
    if problem.position is None or problem.offset is not None:
        return problem
    place = transaction.offset_of(problem.position, problem.element or 0, problem.component or 0)
    return replace(problem, offset=place)


def write(
    type: str,
    found: Iterable[Document],
    envelope: Envelope,
    overlay: Path | None = None,
    guide: Guide | None = None,
) -> bytes:
    """Documents as transactions of one set, in one group of one interchange, numbered from 1.

    Raises CannotWrite, with the problems of every document that the set, the map, the checker or the guide
    does not allow; each says which document it is of.
    """
    definition = dictionary.definition(type, envelope.version)
    if definition is None:
        raise CannotWrite(_undefined(type, envelope.version))
    map = mappings.load(definition, overlay)
    separators = writer.writable(envelope.separators, envelope.version)
    bodies: list[writer.Body] = []
    refused: list[int] = []
    problems: list[Problem] = []
    number = 0
    for number, document in enumerate(found, 1):
        try:
            if not isinstance(document, map.document):
                raise CannotWrite(f"this is no {map.document.__name__}, which {type} carries")
            body = writer.Body(type, number, map.write(document))
            writer.write_transaction(body, separators, envelope.version, guide)
        except CannotWrite as error:
            refused.append(number)
            told = error.problems or (Problem(Fault.MAPPING_FAILED, str(error)),)
            problems += [replace(p, message=f"document {number}: {p.message}", offset=None) for p in told]
        else:
            bodies.append(body)
    if refused:
        which = "the document" if number == 1 else f"{len(refused)} of {number} documents"
        raise CannotWrite(f"{which} cannot be written as {type}", tuple(problems))
    return writer.write(envelope, bodies)


def _undefined(type: str, version: str) -> str:
    base = dictionary.base_version(version)
    if base is None:
        return f"version {version[:20]!r} is not defined here: {' and '.join(dictionary.VERSIONS)} are"
    return f"{type[:20]!r} is not defined in version {base}; these are: {', '.join(dictionary.sets(base))}"
