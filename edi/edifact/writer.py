"""Rows to EDIFACT bytes (ISO 9735 syntax versions 1 to 4).

A row is a segment split into elements, `row[0]` the tag; a composite is a tuple of its components, and an
element that repeats a list of its repetitions. Service characters within data are released. Data that holds a
control character, or one that the interchange's character set has not, is refused, unless the caller gives a
character to put in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from edi import edifact
from edi.edifact import directory
from edi.edifact.codec import CHARACTER_SETS, LEVEL_A
from edi.elements import is_visible
from edi.problems import CannotWrite, Fault, Problem, Severity
from edi.tree import NORMAL, PartyId, Separators, Transaction

if TYPE_CHECKING:
    from edi.guide import Guide

_LONGEST_REFERENCE = 14  # 0020, 0048, 0062
_LONGEST_ID = 35  # 0004, 0010

Element = str | tuple[str, ...] | list[str | tuple[str, ...]]
Row = Sequence[Element]


class Body(NamedTuple):
    """A message to write: its rows between UNH and UNT. `version` is D.96A or D.96A/EAN008."""

    type: str
    control_number: str  # UNH 0062
    version: str
    rows: Sequence[Row]


class Heading(NamedTuple):
    """What UNG says of a group of messages."""

    functional_id: str  # 0038, the type of its messages
    sender: str
    receiver: str
    control_number: str  # 0048
    version: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """What UNB says. `now` is written as it is given: say the local time that partners expect.

    UNA is written where service characters are not the usual ones, or as `una` says. Numbers get the decimal
    mark of `separators`.
    """

    sender: PartyId
    receiver: PartyId
    control_number: str  # 0020
    now: datetime
    syntax: str = "UNOC:3"
    usage: str = "P"
    ack_requested: bool = False
    separators: Separators = LEVEL_A
    una: bool | None = None


def write(
    envelope: Envelope,
    bodies: Iterable[Body],
    *,
    check: bool = False,
    guide: Guide | None = None,
    replace: str | None = None,
) -> bytes:
    """One interchange of `bodies`, without groups.

    With `check`, what the checker of the message would reject is not written, as the receiver's `guide`
    narrows it. Raises CannotWrite.
    """
    return join(envelope, [(None, bodies)], check=check, guide=guide, replace=replace)


def join(
    envelope: Envelope,
    groups: Iterable[tuple[Heading | None, Iterable[Body]]],
    *,
    check: bool = False,
    guide: Guide | None = None,
    replace: str | None = None,
) -> bytes:
    """One interchange of groups, each in its UNG; or of messages alone, where the heading is None.

    Otherwise as `write`.
    """
    writing = _Writing(writable(envelope.separators, envelope.syntax), envelope.syntax, replace)
    unb = _unb(envelope)
    parts = [writing.segment(unb)]
    headings = messages = 0
    for heading, bodies in groups:
        if heading is not None:
            headings += 1
            parts.append(writing.segment(_ung(heading, envelope)))
        written = 0
        numbers: set[str] = set()
        for body in bodies:
            if body.control_number in numbers:
                raise CannotWrite(f"UNH01 {body.control_number} stands twice in one interchange")
            numbers.add(body.control_number)
            written += 1
            parts += writing.message(body, check=check, guide=guide)
        messages += written
        if heading is not None:
            parts.append(writing.segment(["UNE", str(written), heading.control_number]))
    parts.append(writing.segment(["UNZ", str(headings or messages), envelope.control_number]))
    return writing.interchange(parts, una=envelope.una)


def write_transaction(
    body: Body,
    separators: Separators = LEVEL_A,
    syntax: str = "UNOC:3",
    guide: Guide | None = None,
    *,
    check: bool = False,
    replace: str | None = None,
) -> list[str]:
    """The segments UNH to UNT of one message, without terminators.

    With `check`, what the checker would reject is not written, as a `guide` narrows the message. Raises
    CannotWrite.
    """
    return _Writing(writable(separators, syntax), syntax, replace).message(body, check=check, guide=guide)


def writable(given: Separators, syntax: str) -> Separators:
    """The service characters as a syntax ("UNOC:3") writes them, to mirror what was read.

    There is a repetition separator from version 4 on, also where none was given. Raises CannotWrite for those
    that cannot be told apart, or from data.
    """
    later = syntax.endswith(":4")
    if later and not (given.repetition or given.release):
        raise CannotWrite("a separator of repetitions cannot be told apart from data that nothing releases")
    separators = given._replace(
        repetition=(given.repetition or LEVEL_A.repetition) if later else "",
        decimal=given.decimal if given.decimal == "," else ".",
    )
    service = [character for character in separators[:5] if character]
    blank = " \r\n" if separators.segment not in ("\n", "\r") else " \r\n".replace(separators.segment, "")
    unfit = any(len(c) != 1 or c.isalnum() or c in "-,." + blank or not c.isascii() for c in service)
    if unfit or len(set(service)) < len(service) or not all(separators[:3]):
        raise CannotWrite(f"these service characters cannot be told apart from data: {' '.join(service)}")
    return separators


def identifier(type: str, version: str) -> tuple[str, ...]:
    """The composite S009 of a message: ("ORDERS", "D", "96A", "UN", "EAN008") for D.96A/EAN008."""
    governing, _, association = version.partition("/")
    agency, _, governing = governing.rpartition(":")
    number, _, release = governing.partition(".")
    parts = (type, number, release, agency or "UN", association)
    return parts if association else parts[:-1]


def _unb(envelope: Envelope) -> Row:
    for party in (envelope.sender, envelope.receiver):
        if not 1 <= len(party.id) <= _LONGEST_ID or len(party.qualifier) > 4:
            raise CannotWrite(
                f"{party} is no interchange id: an id has 1 to 35 characters, a qualifier up to 4"
            )
    if not 1 <= len(envelope.control_number) <= _LONGEST_REFERENCE:
        raise CannotWrite(f"UNB 0020 has 1 to 14 characters, {envelope.control_number[:20]!r} does not fit")
    if envelope.usage not in ("P", "T"):
        raise CannotWrite(f"the usage is P or T, not {envelope.usage[:20]!r}")
    name, _, version = envelope.syntax.partition(":")
    if version not in ("1", "2", "3", "4") or len(name) != 4:
        raise CannotWrite(f"{envelope.syntax[:20]!r} is no syntax such as UNOC:3")
    day = f"{envelope.now:%Y%m%d}" if version == "4" else f"{envelope.now:%y%m%d}"
    row: list[Element] = ["UNB", (name, version), *_sides(envelope), (day, f"{envelope.now:%H%M}")]
    row += [envelope.control_number, "", "", ""]
    return [*row, "1" if envelope.ack_requested else "", "", "1" if envelope.usage == "T" else ""]


def _sides(envelope: Envelope) -> Iterator[Element]:
    for party in (envelope.sender, envelope.receiver):
        yield (party.id, party.qualifier) if party.qualifier else party.id


def _ung(heading: Heading, envelope: Envelope) -> Row:
    _, number, release, agency, *association = identifier(heading.functional_id, heading.version)
    day = f"{envelope.now:%Y%m%d}" if envelope.syntax.endswith(":4") else f"{envelope.now:%y%m%d}"
    when = (day, f"{envelope.now:%H%M}")
    version = (number, release, *association)
    return [
        "UNG", heading.functional_id, heading.sender, heading.receiver, when, heading.control_number, agency,
        version,
    ]  # fmt: skip


class _Writing:
    """Segments of one interchange: its service characters, its character set."""

    def __init__(self, separators: Separators, syntax: str, replace: str | None) -> None:
        self._separators = separators
        self._replace = replace
        self._syntax = syntax
        self._character_set = CHARACTER_SETS.get(syntax.partition(":")[0], "ascii")
        service = [character for character in separators[:5] if character]
        release = separators.release
        self._service = frozenset(service)
        self._released = str.maketrans({c: f"{release}{c}" for c in service}) if release else {}

    def interchange(self, parts: Sequence[str], *, una: bool | None) -> bytes:
        """The bytes of segments, with UNA where it is needed or wanted."""
        separators = self._separators
        between = separators.segment + separators.suffix
        usual = LEVEL_A._replace(repetition=separators.repetition, suffix=separators.suffix)
        if una or (una is None and separators != usual) or separators.repetition not in ("", "*"):
            service = (
                separators.component,
                separators.element,
                separators.decimal,
                separators.release or " ",
            )
            parts = [f"UNA{''.join(service)}{separators.repetition or ' '}", *parts]
        return between.join([*parts, ""]).encode(self._character_set)

    def message(self, body: Body, *, check: bool, guide: Guide | None) -> list[str]:
        """The segments of a message."""
        if not 1 <= len(body.control_number) <= _LONGEST_REFERENCE:
            raise CannotWrite(f"UNH01 has 1 to 14 characters, {body.control_number[:20]!r} does not fit")
        header: Row = ["UNH", body.control_number, identifier(body.type, body.version)]
        trailer: Row = ["UNT", str(len(body.rows) + 2), body.control_number]
        rows: list[Row] = [header, *body.rows, trailer]
        if check:
            self._refuse_rejected(body, rows, guide)
        if self._separators.decimal == ",":
            rows = [_with_commas(row, body.version) for row in rows]
        return self._joined(rows) or self._looked_at(rows)

    def _joined(self, rows: Sequence[Row]) -> list[str] | None:
        """Joined rows, where counting separators in all of them at once shows that no data holds one."""
        element, component, terminator, repetition, release = self._separators[:5]
        segments = []
        elements = components = 0
        for row in rows:
            parts: list[str] = []
            for value in row:
                if type(value) is str:
                    parts.append(value)
                elif type(value) is tuple and value and value[-1]:
                    parts.append(component.join(value))
                    components += len(value) - 1
                else:
                    return None
            while not parts[-1]:
                parts.pop()
            elements += len(parts) - 1
            segments.append(element.join(parts))
        text = "".join(segments)
        if text.count(element) != elements or text.count(component) != components:
            return None
        text = text.replace(element, "").replace(component, "")
        if any(c and c in text for c in (terminator, repetition, release)):
            return None
        return segments if text.isascii() and text.isprintable() else None

    def _looked_at(self, rows: Sequence[Row]) -> list[str]:
        """Joined rows, each value looked at. Raises CannotWrite with every one that cannot be written."""
        segments = []
        problems: list[Problem] = []
        for position, row in enumerate(rows, 1):
            try:
                segments.append(self.segment(row))
            except CannotWrite as refused:
                problems += [dataclasses.replace(problem, position=position) for problem in refused.problems]
        if problems:
            raise CannotWrite(problems[0].message, tuple(problems))
        return segments

    def _refuse_rejected(self, body: Body, rows: Sequence[Row], guide: Guide | None) -> None:
        normal = _Writing(NORMAL, self._syntax, self._replace)
        plain = normal._joined(rows)
        segments = tuple(plain or normal._looked_at(rows))
        found = Transaction(
            body.type, body.control_number, body.version, NORMAL, segments, 0, plain=plain is not None
        )
        verdict = edifact.check(found, guide)
        if verdict.status == "rejected":
            first = next(p for p in verdict.problems if p.severity is Severity.ERROR)
            raise CannotWrite(f"the {body.type} would be rejected: {first.message}", verdict.problems)

    def segment(self, row: Row) -> str:
        """A segment without its terminator; trailing elements and components that are empty are left out."""
        tag = str(row[0])
        elements = []
        problems: list[Problem] = []
        for position, element in enumerate(row):
            try:
                repetitions = element if isinstance(element, list) else [element]
                if len(repetitions) > 1 and not self._separators.repetition:
                    raise _refused("repeats, which this syntax has no separator for", tag, position, 0, "")
                clean = [self._composite(part, tag, position) for part in repetitions]
                elements.append(self._separators.repetition.join(clean))
            except CannotWrite as refused:
                problems += refused.problems
        if problems:
            raise CannotWrite(problems[0].message, tuple(problems))
        while len(elements) > 1 and not elements[-1]:
            elements.pop()
        return self._separators.element.join(elements)

    def _composite(self, element: str | tuple[str, ...], tag: str, position: int) -> str:
        if isinstance(element, str):
            return self._clean(element, tag, position, 0)
        clean = [self._clean(part, tag, position, number) for number, part in enumerate(element, 1)]
        while len(clean) > 1 and not clean[-1]:
            clean.pop()
        return self._separators.component.join(clean)

    def _clean(self, value: str, tag: str, position: int, component: int) -> str:
        """The value as it may be written."""
        plain = value.isascii() and value.isprintable()
        if plain and self._service.isdisjoint(value):
            return value
        bad = set() if plain else {c for c in value if not self._has(c)}
        if not self._released:
            bad |= self._service.intersection(value)
        if bad and not self._is_way_out(self._replace):
            shown = " ".join(sorted(map(repr, bad)))
            what = f"{value[:40]!r} holds {shown}, which {self._syntax.partition(':')[0]} cannot write"
            raise _refused(what, tag, position, component, value)
        if bad:
            value = "".join(self._replace if c in bad and self._replace else c for c in value)
        return value.translate(self._released)

    def _is_way_out(self, replacement: str | None) -> bool:
        """Whether a character may be put in the place of one that cannot be written."""
        if replacement is None or not self._has(replacement):
            return False
        return bool(self._released) or replacement not in self._service

    def _has(self, character: str) -> bool:
        """Whether the character set has a character that may stand in data, and its reader follows to it."""
        if not is_visible(character):
            return False
        try:
            encoded = character.encode(self._character_set)
        except UnicodeEncodeError:
            return False
        return encoded[:1] != b"\x1b" or encoded[:2] == b"\x1b$"


def _refused(why: str, tag: str, position: int, component: int, value: str) -> CannotWrite:
    message = f"{tag}{position:02}{f'-{component}' if component else ''} {why}"
    return CannotWrite(
        message,
        (
            Problem(
                Fault.CHARACTER_INVALID,
                message,
                segment=tag,
                element=position,
                component=component or None,
                value=value,
            ),
        ),
    )


def _with_commas(row: Row, version: str) -> Row:
    """The row with commas as the decimal marks of its numbers."""
    numbers = _numbers(str(row[0]), directory.base_version(version) or directory.VERSIONS[0])
    return [_comma(element, numbers.get(at, ())) for at, element in enumerate(row)] if numbers else row


def _comma(element: Element, components: tuple[int, ...]) -> Element:
    if isinstance(element, list):
        return [_comma(part, components) for part in element]  # type: ignore[misc]
    if isinstance(element, str):
        return element.replace(".", ",") if 0 in components or 1 in components else element
    return tuple(
        part.replace(".", ",") if number in components else part for number, part in enumerate(element, 1)
    )


@lru_cache(maxsize=1024)
def _numbers(tag: str, version: str) -> dict[int, tuple[int, ...]]:
    """The elements of a segment that hold numbers: 0, or the components that do."""
    segment = directory.segment(tag, version)
    found: dict[int, tuple[int, ...]] = {}
    for at, use in enumerate(segment.elements if segment else (), 1):
        if use.element.type == "n":
            found[at] = (0,)
        elif parts := tuple(
            n for n, part in enumerate(use.element.components, 1) if part.element.type == "n"
        ):
            found[at] = parts
    return found
