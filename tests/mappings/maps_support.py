"""What the tests of maps share: real transactions from the samples, and the standard maps."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase

import mappings
import x12
from edi import edifact
from edi.checker import Checker
from edi.documents import Address, Document, Party
from edi.edifact import codec as edifact_codec
from edi.edifact import writer as edifact_writer
from edi.edifact.writer import Envelope
from edi.example import example
from edi.schema import Check
from edi.tree import NORMAL, PartyId, Separators, Transaction
from mappings import Map, Row
from mappings.writer import placed_rows
from x12 import codec

SAMPLES = Path(__file__).parent.parent / "samples" / "x12"

SETS = sorted(file.stem for file in (Path(mappings.__file__).parent / "x12").glob("[0-9]*.toml"))
"""Every X12 set that has a standard map."""

MESSAGES = sorted(file.stem for file in (Path(mappings.__file__).parent / "edifact").glob("[A-Z]*.toml"))
"""Every EDIFACT message that has one, and DESADV.shipment_confirmation for another document of one."""

QUICKLY = [phase for phase in Phase if phase is not Phase.shrink]
"""Documents are large: to shrink one takes minutes, and says little more."""

NOON = dt.datetime(2026, 1, 5, 12)
DAY, LATER = dt.date(2026, 1, 5), dt.date(2026, 1, 12)
PLACE = Address(street=("1 MAIN ST",), city="AKRON", state="OH", postal_code="44301", country="US")
SHIP_TO = Party(role="ship_to", name="STORE 12", ids={"buyer_assigned": "0012"}, address=PLACE)
BUYER = Party(role="buyer", name="BIGMART", ids={"gln": "0012345000010"})


def transactions(data: bytes) -> list[Transaction]:
    """The transactions of one X12 file."""
    return [event for event in codec.read(io.BytesIO(data)) if isinstance(event, Transaction)]


def interchange(body: str, version: str = "004010", functional_id: str = "PO") -> bytes:
    """An interchange around one transaction, given as lines from ST to before SE, `*` between elements."""
    lines = [line.strip() for line in body.strip().splitlines()]
    kind = lines[0].split("*")[1]
    segments = [
        "ISA*00*          *00*          *ZZ*RETAILER       *ZZ*TRADELANE      *260105*1200*U*00401"
        "*000000001*0*T*>",
        f"GS*{functional_id}*RETAILER*TRADELANE*20260105*1200*1*X*{version}",
        *lines,
        f"SE*{len(lines) + 1}*0001",
        "GE*1*1",
        "IEA*1*000000001",
    ]
    assert kind.isdigit()
    return ("~".join(segments) + "~").encode("latin-1")


def messages(data: bytes) -> list[Transaction]:
    """The messages of one EDIFACT file."""
    return [event for event in edifact_codec.read(io.BytesIO(data)) if isinstance(event, Transaction)]


def message(body: str, type: str = "ORDERS", version: str = "D:96A:UN") -> Transaction:
    """A message given as lines from BGM to before UNT, with the separators of UNA:+.? '."""
    lines = [line.strip() for line in body.strip().splitlines()]
    segments = [
        "UNB+UNOC:3+5412345000013:14+4012345500004:14+260105:1200+1",
        f"UNH+1+{type}:{version}",
        *lines,
        f"UNT+{len(lines) + 2}+1",
        "UNZ+1+1",
    ]
    (found,) = messages(("'".join(segments) + "'").encode("latin-1"))
    return found


def versions(transaction_set: str) -> list[str]:
    """The versions that have the set: some are younger than 004010."""
    known = ("004010", "005010") if transaction_set.isdigit() else ("D.96A", "D.01B")
    return [version for version in known if checker_of(transaction_set, version)]


def checker_of(transaction_set: str, version: str) -> Checker | None:
    """The checker of an X12 set or an EDIFACT message."""
    type = transaction_set.partition(".")[0]
    return x12.checker(type, version) if type.isdigit() else edifact.checker(type, version)


def separators_of(map: Map) -> Separators:
    """Those that rows have which `map` reads: EDIFACT's are in normal form."""
    return Separators() if map.definition.type.isdigit() else NORMAL


def shaped(map: Map, document: Document) -> Any:
    """What the map binds to: the document, or the shape that the message has of it."""
    return map._shape.from_document(document) if map._shape else document


def placed(map: Map, document: Document) -> list[tuple[int, list[str]]]:
    """The rows of a document, each with its node."""
    separator = separators_of(map).component
    return [*placed_rows(map._scope, shaped(map, document), map.definition.nodes, separator)]


def each(sets: Iterable[str]) -> pytest.MarkDecorator:
    """A test of every one of `sets` in every version that has it."""
    pairs = [(kind, version) for kind in sets for version in versions(kind)]
    return pytest.mark.parametrize(("transaction_set", "version"), pairs)


def standard(transaction_set: str, version: str | None = None, overlay: bytes | None = None) -> Map:
    """The standard map of a set (in the first version that has it), or an overlay on it."""
    checker = checker_of(transaction_set, version or versions(transaction_set)[0])
    assert checker is not None
    return mappings.load(checker.definition, overlay, transaction_set.partition(".")[2])


def checked(data: bytes) -> tuple[Transaction, Check]:
    """The first transaction of a file, checked."""
    transaction = transactions(data)[0]
    return transaction, x12.check(transaction)


def flat(rows: Iterable[Row], separators: Separators = Separators()) -> list[list[str]]:  # noqa: B008
    """Written rows as `Check.rows` has them: each composite, and each element that repeats, one text."""
    return [[_text(element, separators) for element in row] for row in rows]


def _text(element: str | tuple[str, ...] | list[str | tuple[str, ...]], separators: Separators) -> str:
    if isinstance(element, list):
        return separators.repetition.join(_text(part, separators) for part in element)
    return element if isinstance(element, str) else separators.component.join(element)


def accepted(document: Document, transaction_set: str, version: str) -> list[list[str]]:
    """The rows a document is written as, once the full check has accepted them and they read back equal."""
    map = standard(transaction_set, version)
    rows = map.write(document)
    body = ["*".join(row) for row in flat(rows)]
    segments = (f"ST*{transaction_set}*0001", *body, f"SE*{len(body) + 2}*0001")
    check = x12.check(Transaction(transaction_set, "0001", version, Separators(), segments, 0))
    assert (check.status, check.problems) == ("accepted", ())
    assert map.read(check.rows, check.places) == (document, ())
    return check.rows[1:-1]


def read_canonical(body: str, name: str, version: str) -> Any:
    """The document in a message in canonical form (as `message` takes it), which is written as it was."""
    document = read_body(body, name, version)
    rows = standard(name, version).write(document)
    assert told(rows) == [line.strip() for line in body.strip().splitlines()]
    return document


def read_body(body: str, name: str, version: str) -> Any:
    """The document in a message (as `message` takes it)."""
    map = standard(name, version)
    agency, number = version.split(".")
    transaction = message(body, map.definition.type, f"{agency}:{number}:UN")
    check = edifact.check(transaction)
    assert (check.status, check.problems) == ("accepted", ())
    document, problems = map.read(check.rows, check.places, NORMAL)
    assert problems == ()
    assert document is not None
    return document


def carried(document: Document, name: str, version: str) -> list[str]:
    """The segments a document is written as, once they are accepted as bytes and read back equal."""
    map = standard(name, version)
    rows = map.write(document)
    envelope = Envelope(PartyId("14", "4012345500004"), PartyId("14", "5412345000013"), "1", NOON)
    data = edifact_writer.write(
        envelope, [edifact_writer.Body(map.definition.type, "1", version, rows)], check=True
    )
    (transaction,) = messages(data)
    check = edifact.check(transaction)
    assert (check.status, check.problems) == ("accepted", ())
    assert map.read(check.rows, check.places, NORMAL) == (document, ())
    return told(rows)


def rows_of_everything(name: str, version: str) -> tuple[list[list[str]], tuple[int, ...]]:
    """The rows of a message that has one of everything, and their places, as they are checked."""
    definition = standard(name, version).definition
    body = edifact_writer.Body(definition.type, "1", version, example(definition, full=True))
    segments = tuple(edifact_writer.write_transaction(body, NORMAL, check=True))
    check = edifact.check(Transaction(body.type, "1", version, NORMAL, segments, 0))
    assert (check.status, check.problems) == ("accepted", ())
    assert check.places is not None
    return check.rows, check.places


def read_one_of_everything(name: str, version: str) -> Any:
    """The document in a message that has one of everything, which is written as it was."""
    map = standard(name, version)
    rows, places = rows_of_everything(name, version)
    document, problems = map.read(rows, places, NORMAL)
    assert problems == ()
    assert document is not None
    assert flat(map.write(document), NORMAL) == rows[1:-1]
    return document


def told(rows: Iterable[Row]) -> list[str]:
    """Rows as a message that needs no release character has them."""
    return ["+".join(row).replace(NORMAL.component, ":") for row in flat(rows, NORMAL)]
