"""What of a document another map carries: what is left of it can be written, and is read back equal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
from maps_support import MESSAGES, SAMPLES, SETS, standard, transactions
from test_edifact_orders import SAMPLES_OF_ORDERS
from test_edifact_orders import known as known_messages

import x12
from edi import edifact
from edi.documents import (
    Contact,
    Dated,
    Document,
    Message,
    OrderLine,
    Packing,
    Party,
    Reference,
    SalesOrder,
    ShipNotice,
    Terms,
)
from edi.edifact.directory import base_version
from edi.problems import NotEdi
from edi.tree import NORMAL
from mappings import Map
from mappings.coverage import Coverage, Finding, coverage, together


def reduced(document: Document, map: Map) -> Coverage:
    """The coverage of a document, whose rest is written and read back equal."""
    found = coverage(document, map)
    if found.document is not None:
        rows, places = map.placed(found.document, strict=True)
        assert map.read(rows, places, NORMAL) == (found.document, ())
        again = coverage(found.document, map)
        assert again.document == found.document
        assert all(finding.lost == "" for finding in again.findings)
    return found


ORDERS_850 = [path for name in ("850", "875") for path in sorted((SAMPLES / name).glob("*"))]


def orders_of_x12() -> Iterator[Document]:
    for path in ORDERS_850:
        try:
            found = transactions(path.read_bytes())
        except NotEdi:
            continue
        for transaction in found:
            check = x12.check(transaction)
            if check.places is not None:
                map = standard(transaction.type, transaction.version)
                order, _ = map.read(check.rows, check.places, transaction.separators)
                if order is not None:
                    yield order


def orders_of_edifact() -> Iterator[Document]:
    for transaction in (message for path in SAMPLES_OF_ORDERS for message in known_messages(path)):
        check = edifact.check(transaction)
        map = standard("ORDERS", base_version(transaction.version))
        order, _ = map.read(check.rows, check.places, transaction.separators)
        if order is not None:
            yield order


@pytest.mark.parametrize("version", ["D.96A", "D.01B"])
def test_orders_of_x12_are_carried_as_edifact_but_for_what_is_told(version: str) -> None:
    map = standard("ORDERS", version)
    found = [reduced(order, map) for order in orders_of_x12()]
    assert len(found) > 20
    assert all(one.document is not None for one in found)
    told = {(finding.field, finding.lost) for finding in together(found)}
    assert ("contacts", "the map has no place for it") in told
    assert ("lines.ids.buyer_catalog", "has no code here") in told
    assert ("references", "its type has no code here") in told
    assert ("extra.PKG", "extra: PKG has no place") in told
    kept = {"number", "ordered_on", "purpose", "parties.name", "lines.quantity", "lines.unit", "lines.price"}
    assert kept.isdisjoint(field for field, _ in told)
    assert all("DTM" in problem.message for one in found for problem in one.refused)


@pytest.mark.parametrize("version", ["004010", "005010"])
def test_orders_of_edifact_are_carried_as_x12_but_for_what_is_told(version: str) -> None:
    map = standard("850", version)
    found = [reduced(order, map) for order in orders_of_edifact()]
    assert len(found) > 20
    assert all(one.document is not None for one in found)
    told = {(finding.field, finding.lost) for finding in together(found)}
    assert ("lines.destinations", "the map has no place for it") in told
    assert ("parties.ids.unqualified", "has no code here") in told
    required = {"BEG01", "BEG05", "mandatory loop PO1"}
    assert all(any(what in problem.message for what in required) for one in found for problem in one.refused)


def documents_of_x12() -> Iterator[Document]:
    for path in sorted(SAMPLES.rglob("*")):
        if path.parent.name not in SETS or path.stat().st_size > 40_000:
            continue
        try:
            found = transactions(path.read_bytes())[:2]
        except NotEdi:
            continue
        for transaction in found:
            check = x12.check(transaction)
            if check.places is not None and transaction.type in SETS:
                map = standard(transaction.type, transaction.version)
                document, _ = map.read(check.rows, check.places, transaction.separators)
                if document is not None:
                    yield document


def test_any_document_of_x12_is_carried_by_the_message_for_it_or_told_why_not() -> None:
    maps: dict[type[Document], list[Map]] = {}
    for name in MESSAGES:
        maps.setdefault(standard(name, "D.01B").document, []).append(standard(name, "D.01B"))
    whole = {True: 0, False: 0}
    for document in documents_of_x12():
        for map in maps.get(type(document), ()):
            found = reduced(document, map)
            whole[found.document is not None] += 1
            assert found.document is not None or any(finding.lost for finding in found.findings)
    assert whole[True] > 60
    assert whole[False] < 10


def test_what_a_partner_says_beyond_the_map_is_told_as_kept() -> None:
    for order in orders_of_edifact():
        found = reduced(order, standard("ORDERS", "D.96A"))
        for finding in found.findings:
            assert (".extra." in f".{finding.field}") or finding.lost
    order = SalesOrder(number="1", ordered_on=dt.date(2026, 1, 5), extra=(("BGM04", "AC"),))
    (finding,) = coverage(order, standard("ORDERS", "D.96A")).findings
    assert finding == Finding("extra.BGM04", 1, "BGM04 AC", "")


LINE = OrderLine(number="1", quantity=Decimal(1), unit="each")


@pytest.mark.parametrize(
    ("order", "field", "times", "lost"),
    [
        (
            SalesOrder(number="1", contacts=(Contact(role="buyer"),)),
            *("contacts", 1, "the map has no place for it"),
        ),
        (SalesOrder(number="1", type="dropship"), "type", 1, "has no code here"),
        (SalesOrder(number="N" * 36), "number", 1, "has 36 characters, at most 35 are allowed"),
        (
            SalesOrder(number="1", references=(Reference(type="merchandise_type", value="X"),) * 2),
            *("references", 2, "its type has no code here"),
        ),
        (
            SalesOrder(number="1", references=(Reference(type="contract", value="X"),)),
            *("references", 1, "RFF CT X would be read as RFF[CT]"),
        ),
        (
            SalesOrder(number="1", dates=(Dated(type="created", on=dt.date(2026, 1, 5), zone="ET"),)),
            *("dates.zone", 1, "the map has no place for it"),
        ),
        (
            SalesOrder(number="1", lines=(OrderLine(ids={"upc": "1", "buyer_catalog": "2"}),)),
            *("lines.ids.buyer_catalog", 1, "has no code here"),
        ),
        (
            SalesOrder(number="1", lines=(OrderLine(notes=("A", "B" * 71, "C")),)),
            *("lines.notes", 1, "has 71 characters, at most 70 are allowed"),
        ),
        (
            SalesOrder(number="1", messages=(Message(type="mutual", text=tuple("ABCDEFG")),)),
            *("messages.text", 2, "has 7 texts where 5 fit"),
        ),
        (
            SalesOrder(number="1", lines=(OrderLine(packing=(Packing(weight=Decimal(1)),)),)),
            *("lines.packing", 1, "is always 'AAB' here"),
        ),
        (
            SalesOrder(number="1", lines=(OrderLine(unit="each"),)),
            *("lines.unit", 1, "QTY01-2 Quantity (6060) is required"),
        ),
        (
            SalesOrder(number="1", terms=(Terms(description="X" * 99), Terms(type="01", net_days=5))),
            *("terms.description", 1, "has 99 characters where 70 fit"),
        ),
        (
            SalesOrder(number="1", terms=(Terms(type="discount", net_days=5),)),
            *("terms", 1, "would be read otherwise"),
        ),
        (
            SalesOrder(number="1", parties=(Party(role="ship_to", extra=(("PER", "X"),)),)),
            *("parties.extra.PER", 1, "extra: PER has no place"),
        ),
        (
            SalesOrder(number="1", extra=(("ALI", *("",) * 7, "X"),)),
            *("extra.ALI", 1, "extra: ALI: ALI has 7 elements, this is one more"),
        ),
        (
            SalesOrder(number="1", extra=(("MOA", "79\x1f5"),)),
            *("extra.MOA", 1, "would not be read back as it is"),
        ),
    ],
)  # fmt: skip
def test_what_is_lost_is_told_with_its_field_and_the_reason(
    order: SalesOrder, field: str, times: int, lost: str
) -> None:
    found = reduced(order, standard("ORDERS", "D.96A"))
    assert [(finding.field, finding.times, finding.lost) for finding in found.findings] == [
        (field, times, lost)
    ]
    assert (found.document is None) == (field == "number")


def test_a_line_keeps_what_can_be_said_of_it() -> None:
    line = OrderLine(
        number="1", quantity=Decimal(2), unit="each", ids={"upc": "1", "buyer_catalog": "2"}, price_basis="TE"
    )
    order = SalesOrder(number="1", ordered_on=dt.date(2026, 1, 5), lines=(line,), partner="acme")
    found = reduced(order, standard("ORDERS", "D.96A"))
    left = OrderLine(number="1", quantity=Decimal(2), unit="each", ids={"upc": "1"})
    assert found.document == SalesOrder(number="1", ordered_on=order.ordered_on, lines=(left,))
    assert [finding.example for finding in found.findings] == ["2", "TE"]
    assert found.refused == ()


def test_what_a_set_asks_of_the_rest_is_told() -> None:
    found = reduced(SalesOrder(number="1", lines=(LINE,)), standard("ORDERS", "D.96A"))
    assert found.findings == ()
    assert ["DTM" in problem.message for problem in found.refused] == [True]


def test_findings_of_several_documents_are_counted_together() -> None:
    map = standard("ORDERS", "D.96A")
    orders = [SalesOrder(number=str(n), type="dropship") for n in range(3)]
    found = together(coverage(order, map) for order in orders)
    assert found == (Finding("type", 3, "dropship", "has no code here"),)


def test_a_document_of_another_kind_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="writes SalesOrder"):
        coverage(ShipNotice(number="1"), standard("ORDERS", "D.96A"))
