"""Which engine speaks the bytes, and what can be done with a file that stands by itself.

The first bytes of a file decide its syntax, the name of a set that of the set, `Interchange.syntax` that of
what was read. Nothing here knows partners, numbers in use or a store: identities and control numbers come
from the file or from the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import mappings
import mappings.coverage
from edi.documents import Document, schema_of
from edi.pretty import Line, Names, lines
from edi.problems import CannotWrite, Fault, Problem
from edi.report import report, structural
from edi.tree import Event, Interchange, InterchangeEnd, Transaction, syntax_of
from gateway.edi import edifact, x12
from gateway.edi.syntax import Acknowledged, Answer, Answering, Body, Envelope, Numbered, Row, Syntax
from gateway.errors import Code, Failure
from mappings import MapError
from mappings.coverage import Coverage

if TYPE_CHECKING:
    from edi.guide import Guide
    from edi.schema import SetDef

__all__ = [
    "STANDARD", "SYNTAXES", "Acknowledged", "Answer", "Answering", "Body", "Envelope", "MapChoice", "Mapped",
    "Numbered", "Row", "Syntax", "acknowledge", "check", "coverage", "documents", "inspect", "located",
    "map_of", "of", "of_type", "of_version", "pretty", "read", "undefined", "unread", "write",
]  # fmt: skip

SYNTAXES: dict[str, Syntax] = {x12.NAME: x12, edifact.NAME: edifact}

_LOOKED_AT = 64 * 1024  # bytes that may stand before the first interchange
_BEGINNING = re.compile(rb"ISA([^A-Za-z0-9\s])..\1|UN(?:A.{6}\s*UNB|B[+\x1d]|[GH]\+)", re.DOTALL)


def of(header: Interchange) -> Syntax:
    """The syntax of an interchange that was read."""
    return SYNTAXES[header.syntax]


def of_type(type: str) -> Syntax:
    """The syntax that has sets of such a name."""
    return SYNTAXES[syntax_of(type)]


def of_version(version: str) -> Syntax | None:
    """The syntax of which a version is defined."""
    return next((one for one in SYNTAXES.values() if one.base_version(version) is not None), None)


def read(stream: BinaryIO) -> Iterator[Event]:
    """The events of every interchange in a stream. Raises NotEdi, on the first step, where there is none."""
    syntax, stream = _begun(stream)
    yield from syntax.read(stream)


def _begun(stream: BinaryIO) -> tuple[Syntax, BinaryIO]:
    """The syntax of a stream, by what it begins with first, and the stream whole.

    What is no EDI at all is left to a reader to say so.
    """
    head = stream.read(_LOOKED_AT)
    found = _BEGINNING.search(head)
    syntax: Syntax = edifact if found is not None and found[0].startswith(b"UN") else x12
    return syntax, cast("BinaryIO", _Rejoined(head, stream))


def unread(end: InterchangeEnd) -> str | None:
    """Where behind an interchange EDI begins that is not read, in words: of the other syntax, or bare."""
    for problem in end.problems:
        if problem.fault is Fault.TEXT_OUTSIDE_INTERCHANGE and problem.offset is not None:
            found = _BEGINNING.search((problem.value or "").encode("latin-1"))
            if found is not None:
                place = problem.offset + found.start()
                return f"what begins at byte {place} is not read: it is no interchange of this file's syntax"
    return None


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
    syntax, stream = _begun(stream)
    return report(syntax.read(stream), structural(syntax.check))


def check(stream: BinaryIO, guide_for: Callable[[str], Guide | None] = lambda type: None) -> dict[str, Any]:
    """The report on a file with everything its definitions say, and the guide of each set where there is one.

    Raises GuideError for a guide that does not fit.
    """
    syntax, stream = _begun(stream)
    return report(
        syntax.read(stream), lambda transaction: syntax.check(transaction, guide_for(transaction.type))
    )


def pretty(
    stream: BinaryIO,
    guide_for: Callable[[str], Guide | None] = lambda type: None,
    transaction: str | None = None,
    *,
    only_problems: bool = False,
) -> Iterator[Line]:
    """The lines of a file for human eyes (`edi.pretty`), checked as by `check`.

    `transaction` selects by control number, whatever its zeros in front. Raises NotEdi.
    """
    syntax, stream = _begun(stream)
    names = Names(
        lambda found: syntax.check(found, guide_for(found.type)),
        syntax.definition,
        syntax.segment,
        syntax.meaning,
        syntax.service_row,
    )
    wanted = None
    if transaction is not None:
        number = transaction.lstrip("0")
        wanted = lambda found: found.control_number.lstrip("0") == number  # noqa: E731
    events = syntax.read(stream)
    first = next(events)
    return lines(chain([first], events), names, wanted, only_problems=only_problems)


def acknowledge(
    stream: BinaryIO, *, now: datetime, control_number: int = 1, kind: str | None = None
) -> Iterator[Acknowledged]:
    """How each interchange of a file is acknowledged: `kind`, or what is usual in its syntax.

    Sides, versions, separators and usage mirror what is answered. Raises NotEdi, CannotWrite for an envelope
    that cannot be mirrored, and Failure for a kind that its syntax has not.
    """
    syntax, stream = _begun(stream)
    if kind is not None and kind not in syntax.ACKNOWLEDGMENTS:
        name = {"x12": "X12", "edifact": "EDIFACT"}[syntax.NAME]
        raise Failure(
            Code.USAGE, f"{name} is not answered by {kind}, but by {', '.join(syntax.ACKNOWLEDGMENTS)}"
        )
    yield from syntax.acknowledge(stream, now, control_number, kind)


class MapChoice(NamedTuple):
    """By which map a set is read or written: a partner's own, and for which of several documents."""

    overlay: Path | None = None
    document: str = ""


STANDARD = MapChoice()


class Mapped(NamedTuple):
    """A transaction or TA1 of a file (`name`: "850 0001") as a document, or None with what prevents it."""

    name: str
    document: Document | None
    problems: tuple[Problem, ...]


def documents(
    stream: BinaryIO, choose: Callable[[str], MapChoice] = lambda type: STANDARD
) -> Iterator[Mapped]:
    """Every transaction and TA1 of a file as a canonical document, by the map chosen for its set.

    What the checker rejects is not mapped. Raises NotEdi, and MapError for an overlay that is wrong.
    """
    for event in read(stream):
        match event:
            case Interchange():
                header, syntax = event, of(event)
            case Transaction():
                yield _mapped(syntax, event, choose(event.type))
            case InterchangeEnd():
                for answer in syntax.answers_in(header, event):
                    yield Mapped(f"TA1 {answer.control_number}", answer, ())


def _mapped(syntax: Syntax, transaction: Transaction, chosen: MapChoice) -> Mapped:
    name = f"{transaction.type} {transaction.control_number}"
    definition = syntax.definition(transaction.type, transaction.version)
    if definition is None:
        return Mapped(name, None, syntax.check(transaction).problems)
    try:
        map = mappings.load(definition, *chosen)
    except MapError as error:
        if chosen.overlay is not None:
            raise
        problems = syntax.check(transaction).problems or (Problem(Fault.MAPPING_FAILED, str(error)),)
        return Mapped(name, None, problems)
    checked = syntax.check(transaction, readers=map.readers)
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
    *,
    now: datetime,
    control_number: int = 1,
) -> bytes:
    """Documents as transactions of one set, in one group of one interchange, numbered from 1.

    Raises CannotWrite, with the problems of every document that the set, the map, the checker or the guide
    does not allow; each says which document it is of.
    """
    syntax = of_type(type)
    definition = syntax.definition(type, envelope.version)
    if definition is None:
        raise CannotWrite(undefined(type, envelope.version))
    bodies: list[tuple[int, Body]] = []
    refused: list[int] = []
    problems: list[Problem] = []
    number = 0
    for number, document in enumerate(found, 1):
        try:
            body = Body(type, map_of(definition, document, MapChoice(overlay)).write(document))
            syntax.write_transaction(body, number, envelope, guide)
        except CannotWrite as error:
            refused.append(number)
            told = error.problems or (Problem(Fault.MAPPING_FAILED, str(error)),)
            problems += [replace(p, message=f"document {number}: {p.message}", offset=None) for p in told]
        else:
            bodies.append((number, body))
    if refused:
        which = "the document" if number == 1 else f"{len(refused)} of {number} documents"
        raise CannotWrite(f"{which} cannot be written as {type}", tuple(problems))
    group = Numbered(envelope, control_number if envelope.grouped else None, bodies)
    return syntax.write(envelope, now, control_number, [group])


def coverage(
    type: str, version: str, found: Iterable[Document], overlay: Path | None = None
) -> list[Coverage]:
    """What of each document a set carries, and what not (`mappings.coverage`).

    Raises CannotWrite for a set that is not defined, or that carries none of such a document; MapError.
    """
    definition = of_type(type).definition(type, version)
    if definition is None:
        raise CannotWrite(undefined(type, version))
    covered = []
    for document in found:
        map = map_of(definition, document, MapChoice(overlay))
        covered.append(mappings.coverage.coverage(document, map))
    return covered


def map_of(definition: SetDef, document: Document, chosen: MapChoice = STANDARD) -> mappings.Map:
    """The map that writes a document as a set: of several the one that was chosen, else the one for it.

    Raises CannotWrite where the set carries none such, or the choice was another; MapError.
    """
    kind = schema_of(document).partition(".")[2].partition("/")[0]
    fits = kind if kind in mappings.documents_of(definition.type)[1:] else ""
    map = mappings.load(definition, chosen.overlay, chosen.document or fits)
    if not isinstance(document, map.document):
        carried = map.document.__name__
        raise CannotWrite(f"{definition.type} carries {carried}, not {document.__class__.__name__}")
    return map


def undefined(type: str, version: str) -> str:
    """Why a set is not defined in a version: which versions are, or which sets in it."""
    syntax = of_type(type)
    base = syntax.base_version(version)
    if base is None:
        return f"version {version[:20]!r} is not defined here: {' and '.join(syntax.VERSIONS)} are"
    return f"{type[:20]!r} is not defined in version {base}; these are: {', '.join(syntax.sets(base))}"
