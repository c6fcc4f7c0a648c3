"""Rows to X12 bytes.

A row is a segment split into elements, `row[0]` the tag; a composite is a tuple of its components, and an
element that repeats a list of its repetitions. Data that holds a service character, a control character or no
latin-1 character is refused, unless the caller gives a character to put in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import x12
from edi.elements import decoded
from edi.problems import CannotWrite, Fault, Problem, Severity
from edi.tree import PartyId, Separators, Transaction
from x12 import dictionary

if TYPE_CHECKING:
    from edi.guide import Guide

_USAGES = frozenset("PTI")  # I14: production, test, information

Element = str | tuple[str, ...] | list[str | tuple[str, ...]]
Row = Sequence[Element]


class Body(NamedTuple):
    """A transaction set to write: its rows between ST and SE."""

    type: str
    control_number: int  # ST02, written with four digits or more
    rows: Sequence[Row]
    convention: str = ""  # ST03, from 005010 on


@dataclass(frozen=True, slots=True)
class Envelope:
    """What ISA and GS say. `now` is written as it is given: say the local time that partners expect."""

    sender: PartyId
    receiver: PartyId
    control_number: int  # ISA13
    group_control_number: int  # GS06
    functional_id: str
    version: str  # GS08, "004010" or "004010VICS"
    now: datetime
    usage: str = "P"
    ack_requested: bool = False
    group_sender: str = ""  # GS02 where it is not ISA06
    group_receiver: str = ""
    separators: Separators = Separators()  # noqa: RUF009  (a NamedTuple is immutable)


def write(
    envelope: Envelope,
    bodies: Iterable[Body],
    *,
    loose: Sequence[Row] = (),
    check: bool = False,
    guide: Guide | None = None,
    replace: str | None = None,
) -> bytes:
    """One interchange with one group of `bodies`, or with none where there are no bodies.

    `loose` are segments outside the group (TA1). With `check`, what the checker of the set would reject is
    not written, as the receiver's `guide` narrows it. Raises CannotWrite.
    """
    return join([(envelope, bodies)], loose=loose, check=check, guide=guide, replace=replace)


def join(
    groups: Sequence[tuple[Envelope, Iterable[Body]]],
    *,
    loose: Sequence[Row] = (),
    check: bool = False,
    guide: Guide | None = None,
    replace: str | None = None,
) -> bytes:
    """One interchange of several groups, each with the GS of its envelope and the first one's ISA.

    A group without bodies is left out. Otherwise as `write`.
    """
    first = groups[0][0]
    separators = writable(first.separators, first.version)
    between = separators.segment + separators.suffix
    parts = [_segment(row, separators, replace) for row in loose]
    written = 0
    for envelope, bodies in groups:
        sets = 0
        numbers: set[int] = set()
        for body in bodies:
            if not sets:
                parts.append(_gs(envelope, separators))
            sets += 1
            if check:
                _refuse_misplaced(body, envelope, numbers)
            version = envelope.version if check else None
            parts += write_transaction(body, separators, version, guide, replace=replace)
        if sets:
            written += 1
            parts.append(separators.element.join(("GE", str(sets), str(envelope.group_control_number))))
    number = f"{first.control_number:09}"
    parts.append(separators.element.join(("IEA", str(written), number)))
    text = between.join([_isa(first, number, separators), *parts, ""])
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise CannotWrite(f"{text[error.start]!r} is no latin-1 character") from None


def write_transaction(
    body: Body,
    separators: Separators,
    version: str | None = None,
    guide: Guide | None = None,
    *,
    replace: str | None = None,
) -> list[str]:
    """The segments ST to SE of one transaction set, without terminators.

    Given the `version` of its group, what the checker would reject is not written, as a `guide` narrows the
    set. Raises CannotWrite.
    """
    number = f"{body.control_number:04}"
    header = ["ST", body.type, number, body.convention]
    trailer = ["SE", str(len(body.rows) + 2), number]
    segments = _segments([header, *body.rows, trailer], separators, replace)
    if version is not None:
        governing = body.convention or version
        verdict = x12.check(Transaction(body.type, number, governing, separators, tuple(segments), 0), guide)
        if verdict.status == "rejected":
            first = next(p for p in verdict.problems if p.severity is Severity.ERROR)
            raise CannotWrite(f"the {body.type} would be rejected: {first.message}", verdict.problems)
    return segments


def _refuse_misplaced(body: Body, envelope: Envelope, numbers: set[int]) -> None:
    """What a reader would say of a transaction set in its group; `numbers` are those of sets before it."""
    belongs = dictionary.functional_id(body.type)
    if belongs is not None and belongs != envelope.functional_id:
        raise CannotWrite(
            f"GS01 {envelope.functional_id} is no group of {body.type}, which goes in {belongs}"
        )
    if body.control_number in numbers:
        raise CannotWrite(f"ST02 {body.control_number:04} stands twice in one group")
    numbers.add(body.control_number)


def _segments(rows: Sequence[Row], separators: Separators, replace: str | None) -> list[str]:
    """Joined rows; counting separators in all their text at once tells whether data holds one."""
    element = separators.element
    try:
        segments = [element.join(row) for row in rows]  # type: ignore[arg-type]
    except TypeError:  # a composite among them
        return _looked_at(rows, separators, replace)
    text = "".join(segments)
    if (
        text.count(element) != sum(map(len, rows)) - len(rows)
        or not (text.isascii() and text.isprintable())
        or any(s and s in text for s in (separators.component, separators.segment, separators.repetition))
    ):
        return _looked_at(rows, separators, replace)
    return [segment.rstrip(element) for segment in segments]


def _looked_at(rows: Sequence[Row], separators: Separators, replace: str | None) -> list[str]:
    """Joined rows, each value looked at. Raises CannotWrite with every one that cannot be written."""
    segments = []
    problems: list[Problem] = []
    for position, row in enumerate(rows, 1):
        try:
            segments.append(_segment(row, separators, replace))
        except CannotWrite as refused:
            problems += [dataclasses.replace(problem, position=position) for problem in refused.problems]
    if problems:
        raise CannotWrite(problems[0].message, tuple(problems))
    return segments


def _segment(row: Row, separators: Separators, replace: str | None) -> str:
    tag = str(row[0])
    elements = []
    problems: list[Problem] = []
    for position, element in enumerate(row):
        try:
            repetitions = element if isinstance(element, list) else [element]
            if len(repetitions) > 1 and not separators.repetition:
                raise _refused("repeats, which this version has no separator for", tag, position, "")
            clean = [_composite(part, tag, position, separators, replace) for part in repetitions]
            elements.append(separators.repetition.join(clean))
        except CannotWrite as refused:
            problems += refused.problems
    if problems:
        raise CannotWrite(problems[0].message, tuple(problems))
    while len(elements) > 1 and not elements[-1]:
        elements.pop()
    return separators.element.join(elements)


def _composite(
    element: str | tuple[str, ...], tag: str, position: int, separators: Separators, replace: str | None
) -> str:
    parts = (element,) if isinstance(element, str) else element
    clean = [_clean(part, tag, position, separators, replace) for part in parts]
    while len(clean) > 1 and not clean[-1]:
        clean.pop()
    return separators.component.join(clean)


def _clean(value: str, tag: str, position: int, separators: Separators, replace: str | None) -> str:
    """The value as it may be written; `replace` stands in for each character that may not."""
    service = "".join(separators[:4])
    if value.isascii() and value.isprintable() and not any(c in service for c in value):
        return value
    garbled = decoded(value) is None
    bad = {c for c in value if c in service or c < " " or c == "\x7f" or c > ("\x7f" if garbled else "\xff")}
    if bad and (replace is None or replace in bad):
        shown = " ".join(sorted(map(repr, bad)))
        raise _refused(f"{value[:40]!r} holds {shown}, which cannot be written", tag, position, value)
    return "".join(replace if replace is not None and c in bad else c for c in value)


def _refused(why: str, tag: str, position: int, value: str) -> CannotWrite:
    message = f"{tag}{position:02} {why}"
    return CannotWrite(
        message, (Problem(Fault.CHARACTER_INVALID, message, segment=tag, element=position, value=value),)
    )


def writable(given: Separators, version: str) -> Separators:
    """The separators as `version` writes them, to mirror what was read.

    ISA11 is a separator from 004020 on. A separator that was absent or is more than one byte gives way to a
    usual one. Raises CannotWrite for separators that cannot be told apart, or from data.
    """
    separators = given._replace(release="", repetition=given.repetition if version >= "004020" else "")
    for field, usual in (("element", "*|"), ("component", ">:"), ("segment", "~'"), ("repetition", "^!")):
        needed = field != "repetition" or version >= "004020"
        if needed and len(getattr(separators, field)) != 1:
            free = next(c for c in usual + "<+=%" if c not in separators[:4])
            separators = separators._replace(**{field: free})
    service = [s for s in separators[:4] if s]
    if len(set(service)) < len(service) or any(s.isalnum() or s == " " for s in service):
        raise CannotWrite(f"these separators cannot be told apart from data: {' '.join(service)}")
    return separators


def _isa(envelope: Envelope, number: str, separators: Separators) -> str:
    """ISA has fixed widths, so its elements are padded (X12.5)."""
    parties = []
    for party in (envelope.sender, envelope.receiver):
        if len(party.qualifier) != 2 or not 1 <= len(party.id) <= 15:
            raise CannotWrite(f"{party} is no interchange id: a qualifier has 2 characters, an id up to 15")
        parties += [_clean(party.qualifier, "ISA", 5, separators, None)]
        parties += [_clean(party.id, "ISA", 6, separators, None).ljust(15)]
    if not (len(number) == 9 and number.isdecimal()):
        raise CannotWrite(f"ISA13 has nine digits, {number} does not fit")
    if envelope.usage not in _USAGES:
        raise CannotWrite(f"ISA15 is P, T or I, not {envelope.usage[:20]!r}")
    elements = ["ISA", "00", " " * 10, "00", " " * 10, *parties]
    elements += [f"{envelope.now:%y%m%d}", f"{envelope.now:%H%M}", separators.repetition or "U"]
    elements += [envelope.version[:5], number, "1" if envelope.ack_requested else "0", envelope.usage]
    return separators.element.join([*elements, separators.component])


def _gs(envelope: Envelope, separators: Separators) -> str:
    if not 1 <= envelope.group_control_number <= 999_999_999:
        raise CannotWrite(f"GS06 has one to nine digits, {envelope.group_control_number} does not fit")
    if envelope.functional_id not in dictionary.functional_ids():
        raise CannotWrite(f"GS01 {envelope.functional_id[:20]!r} is no functional identifier")
    if not 6 <= len(envelope.version) <= 12:
        raise CannotWrite(f"GS08 {envelope.version[:20]!r} is no version such as 004010 or 005010X231A1")
    sender = envelope.group_sender or envelope.sender.id
    receiver = envelope.group_receiver or envelope.receiver.id
    row = ["GS", envelope.functional_id, sender, receiver, f"{envelope.now:%Y%m%d}", f"{envelope.now:%H%M}"]
    return _segment([*row, str(envelope.group_control_number), "X", envelope.version], separators, None)
