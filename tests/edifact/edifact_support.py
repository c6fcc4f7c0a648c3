"""Valid messages, and short ways from text to events and back."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from datetime import datetime

from edi import edifact
from edi.edifact import acks, directory
from edi.edifact.acks import InterchangeAck
from edi.edifact.codec import LEVEL_A, read, service_row
from edi.edifact.writer import Body, Envelope, Row, writable, write
from edi.guide import Guide
from edi.pretty import Names
from edi.problems import CannotWrite, Problem
from edi.reading import LIMITS, Limits
from edi.schema import Check, SegmentDef
from edi.tree import (
    NORMAL,
    Event,
    Group,
    GroupEnd,
    Interchange,
    InterchangeEnd,
    PartyId,
    Separators,
    Transaction,
)

VERSIONS = ("D.96A", "D.01B")
SYNTAXES = ("UNOC:3", "UNOC:4")

DOCUMENTS: dict[str, str] = {
    "ORDERS": """BGM+220+PO-1001+9
        DTM+137:20260105:102
        DTM+2:202601200800:203
        FTX+AAI+++Handle with care:keep dry
        RFF+CT:K-1
        DTM+171:20251201:102
        NAD+BY+5412345000013::9
        NAD+DP+4012345500004::9++Store 12+1 Main Street+Springfield++62701+US
        CTA+OC+:Jane Buyer
        COM+5550100:TE
        CUX+2:EUR:9
        LIN+1++4000862141404:EN
        PIA+1+B-100:SA
        IMD+F++:::Blue widget
        QTY+21:10:PCE
        PRI+AAA:9.25
        LIN+2++4000862141411:EN
        QTY+21:5:PCE
        PRI+AAA:100,5
        UNS+S
        CNT+1:15
        CNT+2:2""",
    "DESADV": """BGM+351+SHIP-77+9
        DTM+137:20260110:102
        RFF+ON:PO-1001
        NAD+SF+4012345500004::9
        TDT+20++30+31
        CPS+1
        PAC+2++201
        CPS+2+1
        PAC+1++201
        MEA+PD+AAB+KGM:20.5
        PCI+33E
        GIN+BJ+340123450000000017
        LIN+1++4000862141404:EN
        QTY+12:10:PCE
        CPS+3+1
        LIN+2++4000862141411:EN
        QTY+12:5:PCE
        CNT+2:2""",
    "INVOIC": """BGM+380+INV-5+9
        DTM+137:20260112:102
        RFF+ON:PO-1001
        NAD+SU+4012345500004::9
        RFF+VA:DE123456789
        NAD+BY+5412345000013::9
        TAX+7+VAT+++:::19+S
        CUX+2:EUR:4
        LIN+1++4000862141404:EN
        QTY+47:10:PCE
        MOA+203:92.5
        PRI+AAA:9.25
        UNS+S
        CNT+2:1
        MOA+77:110.08
        TAX+7+VAT+++:::19+S
        MOA+124:17.58""",
    "CONTRL": """UCI+7+ME:14+YOU:14+7
        UCM+1+ORDERS:D:96A:UN+4
        UCS+3
        UCD+12+1:2
        UCM+2+ORDERS:D:96A:UN+7""",
}


def lines(message: str) -> list[str]:
    """The segments of a valid body, as the usual service characters write them."""
    return [line.strip() for line in DOCUMENTS[message].splitlines()]


def rows(message: str) -> list[Row]:
    """The valid body of a message, fresh to be changed."""
    return [
        [tuple(element.split(":")) if ":" in element else element for element in line.split("+")]
        for line in lines(message)
    ]


def envelope(**changes: object) -> Envelope:
    values: dict[str, object] = {
        "sender": PartyId("14", "SENDER"),
        "receiver": PartyId("ZZ", "RECEIVER"),
        "control_number": "7",
        "now": datetime(2026, 1, 6, 12, 30),
        "separators": LEVEL_A._replace(suffix="\n"),
    }
    return Envelope(**(values | changes))  # type: ignore[arg-type]


def document(
    message: str, version: str = "D.96A", body: Iterable[Row] | None = None, **changes: object
) -> bytes:
    """An interchange with one message, as text that the tests may damage."""
    content = rows(message) if body is None else list(body)
    return write(envelope(**changes), [Body(message, "1", version, content)])


def raw(
    message: str,
    body: Iterable[str],
    version: str = "D:96A:UN",
    *,
    syntax: str = "UNOC:3",
    una: str = "",
    line_end: str = "\n",
) -> bytes:
    """An interchange around segments of text as they are, right in all else."""
    day = "20260106" if syntax.endswith(":4") else "260106"
    segments = [f"UNH+1+{message}:{version}", *body]
    written = [
        f"UNB+{syntax}+SENDER:14+RECEIVER:ZZ+{day}:1230+7",
        *segments,
        f"UNT+{len(segments) + 1}+1",
        "UNZ+1+7",
    ]
    text = una + "".join(f"{segment}'{line_end}" for segment in written)
    return text.encode("latin-1")


def damaged(message: str, old: str, new: str, version: str = "D:96A:UN") -> bytes:
    """A valid interchange in whose body `old` is replaced; `new` "" takes the segment out."""
    body = "\n".join(lines(message))
    assert old in body
    body = body.replace(old + "\n", "", 1) if not new else body.replace(old, new, 1)
    return raw(message, body.splitlines(), version)


class Pieces(io.RawIOBase):
    """A stream that gives its bytes in pieces of the sizes given, over and over."""

    def __init__(self, data: bytes, *sizes: int) -> None:
        self._rest = io.BytesIO(data)
        self._sizes = sizes
        self._given = 0

    def read(self, size: int = -1) -> bytes:
        self._given += 1
        return self._rest.read(self._sizes[self._given % len(self._sizes)])


def events(data: bytes, limits: Limits = LIMITS) -> list[Event]:
    return list(read(io.BytesIO(data), limits))


def transactions(data: bytes) -> list[Transaction]:
    return [event for event in events(data) if isinstance(event, Transaction)]


def check(data: bytes) -> Check:
    (transaction,) = transactions(data)
    return edifact.check(transaction)


def only(found: list[Event], kind: type) -> Event:
    (event,) = (event for event in found if isinstance(event, kind))
    return event


def shape(found: list[Event]) -> str:
    """The kinds of events in order, a letter each: I G T g i."""
    letters = {Interchange: "I", Group: "G", Transaction: "T", GroupEnd: "g", InterchangeEnd: "i"}
    return "".join(letters[type(event)] for event in found)


def problems(found: list[Event]) -> list[Problem]:
    """Every problem of the envelopes."""
    return [problem for event in found for problem in event.problems]


def faults(data: bytes) -> set[tuple[str, str | None, int | None]]:
    """Every problem of a file as (fault, segment, element), messages checked in full."""
    told: set[tuple[str, str | None, int | None]] = set()
    for event in events(data):
        found = edifact.check(event).problems if isinstance(event, Transaction) else event.problems
        told |= {(p.fault.value, p.segment, p.element) for p in found}
    return told


def answer(found: list[Event], guide: Guide | None = None) -> InterchangeAck:
    """The answer to the events of one interchange."""
    for event in found:
        if isinstance(event, Interchange):
            builder = acks.InterchangeAnswer(event)
        elif isinstance(event, Group):
            builder.begin(event)
        elif isinstance(event, Transaction):
            builder.add(event, edifact.check(event, guide))
        elif isinstance(event, GroupEnd):
            builder.end(event)
        else:
            return builder.finish(event)
    raise AssertionError


def flat(rows: Iterable[Row]) -> list[list[str]]:
    """Rows of an acknowledgment as the usual service characters write them."""
    written = []
    for row in rows:
        elements = [e if isinstance(e, str) else ":".join(map(str, e)).rstrip(":") for e in row]
        while not elements[-1]:
            elements.pop()
        written.append(elements)
    return written


def mirrored(header: Interchange) -> Envelope:
    """The envelope of an answer: sides exchanged, the rest as in what is answered as far as that works."""
    syntax = header.version if re.fullmatch("UNO[A-Z]:[1-4]", header.version) else "UNOC:3"
    try:
        separators = writable(header.separators, syntax)
    except CannotWrite:
        separators = LEVEL_A
    sides = {"sender": header.receiver, "receiver": header.sender, "usage": header.usage}
    return envelope(**sides, syntax=syntax, separators=separators)


def contrl(data: bytes) -> bytes:
    """The CONTRL that answers an interchange; raises CannotWrite where none can."""
    found = events(data)
    header = found[0]
    assert isinstance(header, Interchange)
    body = Body("CONTRL", "1", acks.version_for(header), acks.write_contrl(answer(found)))
    return write(mirrored(header), [body], check=True)


def _segment(tag: str, version: str) -> SegmentDef | None:
    known = directory.segment(tag, directory.base_version(version) or "D.96A")
    return known or directory.service(tag, "4" if version.endswith(":4") else "3")


def _row(segment: str, separators: Separators) -> tuple[list[str], Separators]:
    return service_row(segment, separators), NORMAL


NAMES = Names(edifact.check, directory.definition, _segment, directory.meaning, _row)
