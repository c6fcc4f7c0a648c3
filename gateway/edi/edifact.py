"""EDIFACT as the gateway asks for it (`gateway.edi.syntax`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from edi.documents import InterchangeAcknowledgment
from edi.edifact import acks, check, checker, codec, directory, writer
from edi.edifact.directory import base_version, definition, functional_id, meaning, sets
from edi.problems import CannotWrite
from edi.schema import Check, SegmentDef
from edi.tree import NORMAL, Group, GroupEnd, Interchange, InterchangeEnd, Separators, Transaction
from edi.tree import Syntax as Name
from gateway.edi.syntax import Acknowledged, Answer, Answering, Body, Envelope, Numbered, Row
from gateway.errors import DeadReason

if TYPE_CHECKING:
    from edi.guide import Guide

__all__ = [
    "ACKNOWLEDGMENTS", "CONTENT_TYPE", "NAME", "SEPARATORS", "SUFFIX", "VERSIONS", "acknowledge",
    "answering", "answers_in", "base_version", "check", "checker", "definition",
    "functional_id", "group_of", "is_answered", "meaning", "read", "received", "refuse", "segment",
    "service_row", "sets", "write", "write_transaction",
]  # fmt: skip

NAME: Name = "edifact"
CONTENT_TYPE = "application/EDIFACT"
SUFFIX = ".edi"
VERSIONS: tuple[str, ...] = directory.VERSIONS
SEPARATORS: Separators = codec.LEVEL_A

_CONTRL = "CONTRL"
ACKNOWLEDGMENTS: tuple[str, ...] = (_CONTRL,)

_USUAL_SYNTAX = "UNOC:3"
_SYNTAX = re.compile(r"[A-Z]{4}:[1-4]")
_LONGEST_REFERENCE = 14
_CODES = {  # 0085
    DeadReason.SENDER_MISMATCH: "23",
    DeadReason.RECEIVER_UNKNOWN: "7",
    DeadReason.DUPLICATE_ICN: "26",
}

read = codec.read


def segment(tag: str, version: str) -> SegmentDef | None:
    known = directory.segment(tag, base_version(version) or VERSIONS[0])
    return known or directory.service(tag, "4" if version.endswith(":4") else "3")


def service_row(segment: str, separators: Separators) -> tuple[list[str], Separators]:
    return codec.service_row(segment, separators), NORMAL


def is_answered(transaction: Transaction, group: Group) -> bool:
    return acks.answers(transaction.type)


def refuse(
    header: Interchange,
    end: InterchangeEnd | None,
    groups: Sequence[Group],
    *,
    answerable: bool,
    reason: DeadReason | None = None,
) -> Answer | None:
    """A CONTRL is never answered, nor is what has no reference to be named by."""
    if not answerable or not _is_named(header):
        return None
    code = _CODES[reason] if reason is not None else None
    return _contrl(header, acks.answer_interchange(header, end, code, groups=groups))


def received(header: Interchange, end: InterchangeEnd | None, groups: Sequence[Group]) -> Answer | None:
    """The CONTRL that answers what is in an interchange says as well that it came."""
    return None


def _is_named(header: Interchange) -> bool:
    """Whether its reference is one by which a CONTRL can name it."""
    return 1 <= len(header.control_number) <= _LONGEST_REFERENCE


def _contrl(header: Interchange, ack: acks.InterchangeAck) -> Answer:
    if not _is_named(header):
        raise CannotWrite(f"UNB05 {header.control_number[:20]!r} is no reference of 1 to 14 characters")
    envelope = _mirrored(header)
    return Answer(
        _CONTRL,
        header.control_number,
        envelope.version,
        str(ack),
        f"interchange {header.control_number}",
        envelope,
        Body(_CONTRL, acks.write_contrl(ack)),
    )


def _mirrored(header: Interchange) -> Envelope:
    syntax = header.version if _SYNTAX.fullmatch(header.version) else _USUAL_SYNTAX
    try:
        separators = writer.writable(header.separators, syntax)
    except CannotWrite:  # it is answered that they cannot work, in those that do
        separators = SEPARATORS
    return Envelope(
        header.receiver,
        header.sender,
        acks.version_for(header),
        header.usage,
        separators=separators,
        syntax=syntax,
        grouped=False,
    )


class _Answering:
    """One CONTRL for the interchange, where the partner wants it or this interchange asks for it (0031)."""

    def __init__(self, header: Interchange, *, answerable: bool) -> None:
        self._header = header
        self._answerable = answerable
        self._answer = acks.InterchangeAnswer(header)

    def begin(self, group: Group) -> None:
        self._answer.begin(group)

    def add(self, transaction: Transaction, check: Check) -> None:
        self._answer.add(transaction, check)

    def end(self, end: GroupEnd, mode: str) -> Answer | None:
        self._answer.end(end)
        return None

    def finish(self, end: InterchangeEnd, mode: str) -> Answer | None:
        wanted = mode != "none" or self._header.ack_requested
        return _contrl(self._header, self._answer.finish(end)) if wanted and self._answerable else None


def answering(header: Interchange, *, answerable: bool) -> Answering:
    return _Answering(header, answerable=answerable)


def acknowledge(
    stream: BinaryIO, now: datetime, control_number: int, kind: str | None
) -> Iterator[Acknowledged]:
    """A CONTRL for each interchange but those that hold only CONTRLs."""
    answerable = empty = True
    for event in read(stream):
        match event:
            case Interchange():
                header, answer, answerable, empty = event, acks.InterchangeAnswer(event), False, True
            case Group():
                answer.begin(event)
            case Transaction():
                empty = False
                answerable = answer.add(event, check(event)) is not None or answerable
            case GroupEnd():
                answer.end(event)
            case InterchangeEnd():
                ack = answer.finish(event)
                answered = _contrl(header, ack) if answerable or empty else None
                data = b""
                if answered is not None and answered.body is not None:
                    group = Numbered(answered.envelope, None, [(1, answered.body)])
                    data = write(answered.envelope, now, control_number, [group], check=True)
                    control_number += 1
                yield Acknowledged(
                    header.control_number, data, {"interchange": msgspec.to_builtins(ack), "groups": []}
                )


def answers_in(header: Interchange, end: InterchangeEnd) -> Iterator[InterchangeAcknowledgment]:
    """None: a CONTRL is a message."""
    return iter(())


def group_of(body: Body, envelope: Envelope) -> tuple[str, str]:
    return (body.type, body.version) if envelope.grouped else ("", "")


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
    headers = writer.Envelope(
        envelope.sender,
        envelope.receiver,
        str(control_number),
        now,
        envelope.syntax,
        envelope.usage,
        envelope.ack_requested,
        envelope.separators,
        envelope.una,
    )
    parts = [
        (_heading(group), [_body(body, number, group.envelope) for number, body in group.bodies])
        for group in groups
    ]
    return writer.join(headers, parts, check=check, guide=guide)


def _heading(group: Numbered) -> writer.Heading | None:
    if group.control_number is None or not group.bodies:
        return None
    envelope, (_, first) = group.envelope, group.bodies[0]
    return writer.Heading(
        first.type,
        envelope.group_sender or envelope.sender.id,
        envelope.group_receiver or envelope.receiver.id,
        str(group.control_number),
        first.version or envelope.version,
    )


def _body(body: Body, number: int, envelope: Envelope) -> writer.Body:
    return writer.Body(body.type, str(number), body.version or envelope.version, body.rows)


def write_transaction(
    body: Body, control_number: int, envelope: Envelope, guide: Guide | None = None
) -> list[str]:
    message = _body(body, control_number, envelope)
    return writer.write_transaction(message, envelope.separators, envelope.syntax, guide, check=True)
