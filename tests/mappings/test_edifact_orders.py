"""ORDERS as sales orders, in the manner of EANCOM, and the orders of partners as they came."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from maps_support import (
    SAMPLES,
    carried,
    each,
    messages,
    read_canonical,
    read_one_of_everything,
    separators_of,
    standard,
)

from edi import edifact
from edi.documents import (
    Address,
    Amount,
    Charge,
    Contact,
    Dated,
    Destination,
    Detail,
    FreightTerms,
    Lading,
    Mark,
    Measure,
    Message,
    OrderLine,
    Packing,
    Party,
    Price,
    Reference,
    Routing,
    SalesOrder,
    Schedule,
    Tax,
    Terms,
    decode,
    encode,
)
from edi.edifact.directory import base_version
from edi.problems import NotEdi
from edi.tree import NORMAL, Transaction

VERSIONS = ["D.96A", "D.01B"]

ORDER = """
    BGM+220+PO-1001+9
    DTM+137:20260105:102
    DTM+2:202601120830:203
    DTM+63:20260113:102
    FTX+DEL+++CALL BEFORE:GATE 4
    RFF+CT:C-77
    DTM+171:20250601:102
    RFF+PD:P-3
    NAD+BY+5412345000013::9++BIGMART:PURCHASING+HIGH STREET 1+BRUSSELS++1000+BE
    RFF+VA:BE0123456789
    CTA+OC+:ANN
    COM+555-0100:TE
    COM+ann@example.com:EM
    NAD+SU+4012345500004::9
    NAD+DP+0012::92++STORE 12+MAIN ST 1:DOCK 4+AKRON+OH+44301+US
    LOC+7+AKR
    TAX+7+VAT+++:::21+S
    CUX+2:EUR:9
    PAT+1++5:3:D:30
    PAT+22++5:3:D:10
    PCD+12:2
    TDT+20++30++UPSN::182:UPS
    TOD+3+PP+EXW
    PAC+4++CT
    MEA+PD+AAB+KGM:24.5
    ALC+C++6++FC
    MOA+8:15.00
    TAX+7+VAT+++:::21
    LIN+1++5412345111113:EN
    PIA+1+AB-1:SA+77:IN
    IMD+F++:::WIDGET
    IMD+F+35+:::BLUE
    MEA+PD+HT+MMT:120
    QTY+21:12:PCE
    DTM+2:20260112:102
    GIN+BJ+354123450000000012
    FTX+AAI+++KEEP DRY
    FTX+PUR+++ASK FOR BOB
    PRI+AAA:2.50
    PRI+INF:3.99::::PCE
    RFF+LI:10
    PAC++:52+CT
    QTY+52:6
    LOC+7+5412345000020::9
    QTY+11:5:PCE
    TAX+7+VAT+++:::21
    ALC+A++2++DI
    PCD+3:5
    SCC+1
    QTY+21:6:PCE
    DTM+2:20260112:102
    QTY+21:6:PCE
    LIN+2
    PIA+5+AB-2:SA
    QTY+21:5.5:KGM
    UNS+S
    MOA+86:45.00
    CNT+2:2
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_an_order_is_read_and_written_as_eancom_has_it(version: str) -> None:
    code, kind = (":EN", "ean") if version == "D.96A" else (":SRV", "gtin")
    body = ORDER.replace("111113:EN", f"111113{code}")
    if version == "D.01B":
        body = body.replace("TOD+3+PP+EXW", "TOD+3+PP+EXW::9")
    order = read_canonical(body, "ORDERS", version)
    assert isinstance(order, SalesOrder)
    assert (order.number, order.type, order.purpose) == ("PO-1001", "stand_alone", "original")
    assert (order.ordered_on, order.currency, order.contract) == (dt.date(2026, 1, 5), "EUR", "C-77")
    assert order.dates[0] == Dated(type="requested_delivery", on=dt.date(2026, 1, 12), time=dt.time(8, 30))
    assert order.date("deliver_no_later") == dt.date(2026, 1, 13)
    assert order.messages == (Message(type="delivery", text=("CALL BEFORE", "GATE 4")),)
    assert order.references == (Reference(type="promotion", value="P-3"),)
    buyer, supplier, ship_to = order.parties
    assert (buyer.role, buyer.ids, buyer.name) == ("buyer", {"gln": "5412345000013"}, "BIGMART")
    assert (buyer.more_names, buyer.reference("tax_registration")) == (("PURCHASING",), "BE0123456789")
    numbers = {"phone": "555-0100", "email": "ann@example.com"}
    assert buyer.contacts == (Contact(role="order", name="ANN", numbers=numbers),)
    assert supplier == Party(role="supplier", ids={"gln": "4012345500004"})
    assert ship_to.address == Address(
        street=("MAIN ST 1", "DOCK 4"), city="AKRON", state="OH", postal_code="44301", country="US",
        location_type="7", location="AKR",
    )  # fmt: skip
    vat = Tax(type="value_added", percent=Decimal(21))
    assert [(tax.type, tax.percent) for tax in order.taxes] == [("value_added", Decimal(21))]
    assert order.terms == (
        Terms(type="01", basis="3", net_days=30, discount_days=10, discount_percent=Decimal(2)),
    )
    assert order.routing == (Routing(method="motor", ids={"scac": "UPSN"}, description="UPS"),)
    assert [(terms.payment, terms.terms) for terms in order.freight] == [("prepaid", "EXW")]
    assert order.lading == (
        Lading(
            packages=4,
            packaging="carton",
            weight_type="gross",
            weight=Decimal("24.5"),
            weight_unit="kilogram",
        ),
    )
    (charge,) = order.charges
    assert (charge.kind, charge.method, charge.amount, charge.taxes) == (
        *("charge", "06", Decimal("15.00")),
        (vat,),
    )
    assert order.total == Decimal(45)

    first, second = order.lines
    assert first.ids == {kind: "5412345111113", "vendor": "AB-1", "buyer_item": "77"}
    assert (first.number, first.quantity, first.unit) == ("1", Decimal(12), "piece")
    assert (first.price, first.description, first.notes) == (Decimal("2.50"), "WIDGET", ("KEEP DRY",))
    assert first.details == (Detail(format="free", type="color", text="BLUE"),)
    assert first.measures == (Measure(of="PD", type="HT", value=Decimal(120), unit="MM"),)
    assert first.marks == (Mark(type="sscc", number="354123450000000012"),)
    assert first.messages == (Message(type="purchasing", text=("ASK FOR BOB",)),)
    assert first.prices == (Price(price=Decimal("3.99"), unit="piece"),)
    assert first.reference("line_item") == "10"
    assert first.packing == (Packing(pack=6, packaging="carton", extra=(("PAC02", "\x1f52"),)),)
    assert first.destinations == (
        Destination(
            role="ship_to",
            ids={"gln": "5412345000020"},
            quantity_type="split",
            quantity=Decimal(5),
            unit="piece",
        ),
    )
    assert first.taxes == (vat,)
    assert [(charge.kind, charge.percent) for charge in first.charges] == [("allowance", Decimal(5))]
    assert first.schedules == (
        Schedule(quantity=Decimal(6), unit="piece", type="requested_delivery", on=dt.date(2026, 1, 12)),
        Schedule(quantity=Decimal(6), unit="piece"),
    )
    assert second == OrderLine(number="2", ids={"vendor": "AB-2"}, quantity=Decimal("5.5"), unit="kilogram")


FULL = SalesOrder(
    number="PO-1",
    ordered_on=dt.date(2026, 1, 5),
    purpose="change",
    type="blanket",
    release="R-1",
    contract="C-1",
    currency="USD",
    freight=(FreightTerms(payment="collect", description="AT OUR COST"),),
    charges=(
        Charge(
            kind="allowance", code="C310", amount=Decimal(5), percent=Decimal(2), rate=Decimal("0.5"),
            quantity=Decimal(10), unit="each", method="02", reference="A-1", description="X" * 50,
        ),
    ),
    taxes=(Tax(type="goods_and_services", amount=Decimal(7), percent=Decimal(5), id="T-1"),),
    amounts=(Amount(type="lines_total", amount=Decimal(40)),),
    messages=(Message(type="mutual", value="A1", text=("ONE", "TWO", "THREE", "FOUR", "FIVE")),),
    parties=(
        Party(
            role="mark_for", name="N" * 35, more_names=("A", "B"), ids={"unqualified": "9"},
            contacts=(Contact(role="receiving", reference="DOCK", numbers={"fax": "1", "mobile": "2"}),),
        ),
    ),
    quantity=Decimal(15),
    quantity_unit="each",
    weight=Decimal("12.5"),
    weight_unit="kilogram",
    volume=Decimal(2),
    volume_unit="cubic_meter",
    total=Decimal(99),
    lines=(
        OrderLine(
            number="1",
            quantity=Decimal(15),
            unit="each",
            price=Decimal(3),
            price_basis="CT",
            ids={"upc": "012345678905", "lot": "L1", "serial": "S1", "manufacturer": "M1"},
            description="D" * 70,
            description_type="size",
            terms=(Terms(type="01", basis="3", net_days=14),),
            prices=(Price(type="suggested_retail", trade="RS", price=Decimal(5), unit="each", basis="CA"),),
            notes=tuple("ABCDEF"),
            parties=(Party(role="ship_to", ids={"duns": "123456789"}),),
            routing=(Routing(reference="V-1", method="air", equipment_number="E-1"),),
        ),
    ),
)  # fmt: skip


@each(["ORDERS"])
def test_an_order_that_says_much_is_accepted_and_read_back_equal(transaction_set: str, version: str) -> None:
    assert carried(FULL if version == "D.01B" else decode_as_of_1996(FULL), transaction_set, version)


def decode_as_of_1996(order: SalesOrder) -> SalesOrder:
    """The order with the codes that D.96A has."""
    data = encode(order).replace(b'"mobile":"2"', b'"phone":"2"')
    changed = decode(data)
    assert isinstance(changed, SalesOrder)
    return changed


@each(["ORDERS"])
def test_one_of_everything_in_an_order_is_written_as_it_was_read(transaction_set: str, version: str) -> None:
    order = read_one_of_everything(transaction_set, version)
    assert order.terms
    assert order.lines[0].packing


SAMPLES_OF_ORDERS = sorted((SAMPLES.parent / "edifact" / "ORDERS").glob("*"))


def known(path: Path) -> list[Transaction]:
    """The orders in a file that are of a version with tables."""
    try:
        found = messages(path.read_bytes())[:20]
    except NotEdi:
        return []
    return [t for t in found if t.type == "ORDERS" and base_version(t.version)]


@pytest.mark.parametrize("path", SAMPLES_OF_ORDERS, ids=lambda path: path.name[:60])
def test_an_order_of_a_partner_becomes_a_document_and_loses_nothing(path: Path) -> None:
    for transaction in known(path):
        map = standard("ORDERS", base_version(transaction.version))
        check = edifact.check(transaction)
        if check.places is None:
            continue
        order, problems = map.read(check.rows, check.places, NORMAL)
        if order is None:
            assert check.status == "rejected"
            assert problems[0].message == "BGM02 is needed for 'number'"
            continue
        assert decode(encode(order)) == order
        for _ in range(6):
            met = edifact.check(transaction, readers=map.readers)
            assert map.read_checked(met, separators_of(map)) == (order, ())
        rows, places = map.placed(order)
        assert map.read(rows, places, NORMAL) == (order, ())
        if check.status != "rejected":
            assert texts(rows) == texts(check.rows[1:-1])


def texts(rows: list[list[str]]) -> Counter[str]:
    """How often each text stands in rows, but for what says in which PIA an id stands."""
    return Counter(
        text for row in rows for part in row[1:] for text in part.split("\x1f") if text not in ("", "1", "5")
    )


def test_most_of_the_samples_are_what_this_test_is_about() -> None:
    assert sum(len(known(path)) for path in SAMPLES_OF_ORDERS) > 30
