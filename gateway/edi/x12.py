"""X12 as the gateway asks for it (`gateway.edi.syntax`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from edi.documents import InterchangeAcknowledgment
from edi.pretty import padded_row as service_row
from edi.schema import Check, SegmentDef
from edi.tree import Group, GroupEnd, Interchange, InterchangeEnd, Separators, Transaction
from edi.tree import Syntax as Name
from gateway.edi.syntax import Acknowledged, Answer, Answering, Body, Envelope, Numbered, Row
from gateway.errors import DeadReason
from x12 import acks, check, checker, codec, dictionary, writer
from x12.acks import InterchangeAck
from x12.dictionary import base_version, definition, functional_id, meaning, sets

if TYPE_CHECKING:
    from edi.guide import Guide

__all__ = [
    "ACKNOWLEDGMENTS", "CONTENT_TYPE", "NAME", "SEPARATORS", "SUFFIX", "VERSIONS", "acknowledge",
    "answering", "answers_in", "base_version", "check", "checker", "definition",
    "functional_id", "group_of", "in_words", "is_answered", "meaning", "read", "received", "refuse",
    "segment", "service_row", "sets", "write", "write_transaction",
]  # fmt: skip

NAME: Name = "x12"
CONTENT_TYPE = "application/EDI-X12"
SUFFIX = ".x12"
VERSIONS: tuple[str, ...] = dictionary.VERSIONS
SEPARATORS = Separators()

_NOTES = {  # TA105
    DeadReason.SENDER_MISMATCH: "006",
    DeadReason.RECEIVER_UNKNOWN: "009",
    DeadReason.DUPLICATE_ICN: "025",
}
_STATUS = {"A": "accepted", "E": "accepted_with_errors", "R": "rejected"}  # TA104
_ONLY_INTERCHANGE = "TA1"
ACKNOWLEDGMENTS: tuple[str, ...] = ("997", "999", _ONLY_INTERCHANGE)

read = codec.read


def segment(tag: str, version: str) -> SegmentDef | None:
    known = (base for base in VERSIONS if base.startswith(version[:6] or "-"))
    return dictionary.segment(tag, next(known, VERSIONS[-1]))


def is_answered(transaction: Transaction, group: Group) -> bool:
    return acks.answers(group)


def refuse(
    header: Interchange,
    end: InterchangeEnd | None,
    groups: Sequence[Group],
    *,
    answerable: bool,
    reason: DeadReason | None = None,
) -> Answer | None:
    """A TA1 is never answered (X12.5), nor is what has no control number to be named by."""
    only_ta1 = not groups and any(loose.startswith("TA1") for loose in (end.loose if end else ()))
    if not header.control_number.isdecimal() or only_ta1:
        return None
    note = _NOTES[reason] if reason is not None else None
    return _ta1(header, acks.answer_interchange(header, end, note, groups=groups))


def received(header: Interchange, end: InterchangeEnd | None, groups: Sequence[Group]) -> Answer | None:
    return refuse(header, end, groups, answerable=True) if header.ack_requested else None


def _ta1(header: Interchange, ack: InterchangeAck) -> Answer:
    return Answer(
        "TA1",
        header.control_number,
        header.version,
        str(ack),
        f"interchange {header.control_number}",
        _mirrored(header),
        None,
        [acks.write_ta1(ack)],
    )


def _mirrored(header: Interchange) -> Envelope:
    return Envelope(
        header.receiver,
        header.sender,
        acks.version_of(header.version),
        header.usage,
        separators=header.separators,
    )


def _group_answer(header: Interchange, group: Group, ack: acks.GroupAck, kind: str) -> Answer:
    version = acks.version_for(kind, group)
    body = acks.body(kind, ack, 1, header.separators, version)
    return Answer(
        kind,
        group.control_number,
        version,
        f"{kind} {ack.status}",
        f"group {group.functional_id} {group.control_number}",
        replace(_mirrored(header), version=version, group_sender=group.receiver, group_receiver=group.sender),
        Body(kind, body.rows, body.convention),
        group=group,
    )


class _Answering:
    """A 997 or 999 for each group (X12.20)."""

    def __init__(self, header: Interchange) -> None:
        self._header = header

    def begin(self, group: Group) -> None:
        self._group = group
        self._answer = acks.FunctionalAck(group)

    def add(self, transaction: Transaction, check: Check) -> None:
        self._answer.add(transaction, check)

    def end(self, end: GroupEnd, mode: str) -> Answer | None:
        if mode == "none" or not acks.answers(self._group):
            return None
        kind = "999" if mode == "999" else "997"  # the other syntax's is none of ours
        return _group_answer(self._header, self._group, self._answer.finish(end), kind)

    def finish(self, end: InterchangeEnd, mode: str) -> Answer | None:
        return None


def answering(header: Interchange, *, answerable: bool) -> Answering:
    return _Answering(header)


def acknowledge(
    stream: BinaryIO, now: datetime, control_number: int, kind: str | None
) -> Iterator[Acknowledged]:
    """One 997 or 999 for every group, and a TA1, all in one interchange.

    `kind` is "997", "999", or "TA1" for that alone; with the others a TA1 is written where ISA14 asks for it
    or the interchange is rejected. Control numbers count from `control_number`.
    """
    kind = kind or ACKNOWLEDGMENTS[0]
    answer: acks.FunctionalAck | None = None
    for event in read(stream):
        match event:
            case Interchange():
                header, groups = event, list[tuple[Group, acks.GroupAck]]()
            case Group():
                group = event
                answer = acks.FunctionalAck(event) if acks.answers(event) else None
            case Transaction() if answer is not None:
                answer.add(event, check(event))
            case GroupEnd() if answer is not None:
                groups.append((group, answer.finish(event)))
                answer = None
            case InterchangeEnd():
                about = acks.answer_interchange(header, event)
                told = {
                    "interchange": about._asdict(),
                    "groups": msgspec.to_builtins([ack for _, ack in groups]),
                }
                data = _acknowledgment(header, about, groups, now, control_number, kind)
                control_number += 1
                yield Acknowledged(header.control_number, data, told)


def _acknowledgment(
    header: Interchange,
    about: InterchangeAck,
    groups: list[tuple[Group, acks.GroupAck]],
    now: datetime,
    control_number: int,
    kind: str,
) -> bytes:
    """The interchange with a 997 or 999 in a group of its own for each group, and with the TA1."""
    only_ta1 = kind == _ONLY_INTERCHANGE
    loose = [acks.write_ta1(about)] if only_ta1 or header.ack_requested or about.status == "R" else []
    answers = [] if only_ta1 else [_group_answer(header, group, ack, kind) for group, ack in groups]
    if not answers and not loose:
        return b""
    parts = [
        Numbered(answer.envelope, control_number + number, [(1, answer.body)])
        for number, answer in enumerate(answers)
        if answer.body is not None
    ]
    return write(_mirrored(header), now, control_number, parts, loose, check=True)


def answers_in(header: Interchange, end: InterchangeEnd) -> Iterator[InterchangeAcknowledgment]:
    """The TA1 of an interchange; ISB, ISE and other service segments are no acknowledgments."""
    for loose in end.loose:
        if loose.startswith(f"TA1{header.separators.element}"):
            yield _interchange_answer(acks.read_ta1(loose, header.separators))


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


def in_words(answer: InterchangeAcknowledgment) -> str:
    """What a TA1 says: `TA1 R, 021: count of groups`."""
    status = {word: code for code, word in _STATUS.items()}.get(answer.status, answer.status)
    return str(InterchangeAck(answer.control_number, "", "", status, answer.note or "000"))


def group_of(body: Body, envelope: Envelope) -> tuple[str, str]:
    return functional_id(body.type) or "", envelope.version


def write(
    envelope: Envelope,
    now: datetime,
    control_number: int,
    groups: Sequence[Numbered],
    loose: Sequence[Row] = (),
    *,
    check: bool = False,
    guide: Guide | None = None,
) -> bytes:
    parts: list[tuple[writer.Envelope, list[writer.Body]]] = []
    for group in groups:
        bodies = [writer.Body(one.type, number, one.rows, one.convention) for number, one in group.bodies]
        type = bodies[0].type if bodies else ""
        number = group.control_number or 0
        parts.append((_headers(group.envelope, now, control_number, number, type), bodies))
    if not parts:
        parts = [(_headers(envelope, now, control_number, control_number, "997"), [])]
    return writer.join(parts, loose=loose, check=check, guide=guide)


def _headers(
    envelope: Envelope, now: datetime, control_number: int, group_control_number: int, type: str
) -> writer.Envelope:
    return writer.Envelope(
        envelope.sender,
        envelope.receiver,
        control_number,
        group_control_number,
        functional_id(type) or "",
        envelope.version,
        now,
        envelope.usage,
        envelope.ack_requested,
        envelope.group_sender,
        envelope.group_receiver,
        envelope.separators,
    )


def write_transaction(
    body: Body, control_number: int, envelope: Envelope, guide: Guide | None = None
) -> list[str]:
    separators = writer.writable(envelope.separators, envelope.version)
    numbered = writer.Body(body.type, control_number, body.rows, body.convention)
    return writer.write_transaction(numbered, separators, envelope.version, guide)
