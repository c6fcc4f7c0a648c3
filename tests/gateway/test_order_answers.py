"""Answers to orders, changes of them, and the grocery trade's own sets, through the gateway."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from trading import ORDER, PARTNERS, RETAILER, SHIPMENT, WAREHOUSE, Trading, eventually, trading

from edi.documents import (
    AnsweredLine,
    ChangedLine,
    Document,
    Invoice,
    InvoiceLine,
    LineAnswer,
    OrderAcknowledgment,
    OrderChange,
    OrderLine,
    Party,
    SalesOrder,
    decode,
)
from edi.tree import PartyId
from gateway import orders
from gateway.pipeline.from_erp import Refused

OTHER = PartyId("ZZ", "OTHER")
SETS = ("855", "860", "865", "875", "880")
DAY = dt.date(2026, 11, 2)

ANSWERING = PARTNERS.replace(
    '  { type = "856", direction = "out" },\n',
    """\
  { type = "860", direction = "in" },
  { type = "855", direction = "out" },
  { type = "865", direction = "out" },
  { type = "856", direction = "out" },
""",
).replace(
    "[partner.depot]",
    """\
[partner.other]
role = "supplier"
status = "live"
usage = "P"
isa = { qualifier = "ZZ", id = "OTHER" }
sftp_account = { user = "other", keys = [] }
x12 = { version = "005010" }
document = ["""
    + ", ".join(f'{{ type = "{type}", direction = "{way}" }}' for type in SETS for way in ("in", "out"))
    + "]\n\n[partner.depot]",
)
GROCER = PARTNERS.replace('"850"', '"875"').replace('"810"', '"880"')

CHANGE: list[list[str]] = [
    ["BCH", "04", "SA", "PO-77", "", "1", "20261101", "", "", "", "", "20261102"],
    ["POC", "1", "QD", "6", "0", "EA", "2.5", "", "VN", "AB1"],
    ["CTT", "1"],
]
GROCERY_ORDER: list[list[str]] = [
    ["G50", "N", "20261101", "PO-77"],
    ["G62", "02", "20261110"],
    ["N1", "ST", "STORE 12", "92", "0012"],
    ["G68", "12", "EA", "2.5", "000123456789", "VN", "AB1"],
    ["G69", "SOUP"],
    ["G68", "4", "EA", "10", "", "VN", "AB2"],
    ["G76", "16", "EA"],
]
ANSWER = OrderAcknowledgment(
    number="PO-77",
    answer="acknowledged_with_detail",
    purpose="original",
    ordered_on=DAY,
    lines=(
        AnsweredLine(number="1", quantity=Decimal(12), unit="each", answers=(LineAnswer(status="accepted"),)),
    ),
)
ANSWER_TO_CHANGE = OrderAcknowledgment(
    number="PO-77",
    answer="accepted",
    purpose="original",
    ordered_on=DAY,
    sequence="1",
    lines=(
        AnsweredLine(
            number="1",
            change="decrease_quantity",
            quantity=Decimal(6),
            outstanding=Decimal(0),
            unit="each",
            answers=(LineAnswer(status="accepted"),),
        ),
    ),
)


def owed(t: Trading) -> list[str]:
    """What the order PO-77 still waits for."""
    with t.home.store.read() as conn:
        found = orders.find(conn, "PO-77")
        assert found is not None
        return [one["what"] for one in orders.due(t.home, conn, found)]


def test_an_order_is_answered_by_the_erp_and_so_is_its_change(tmp_path: Path) -> None:
    with trading(tmp_path, ANSWERING) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        assert "the 855" in owed(t)
        t.leave(ANSWER)  # it names no partner: whoever ordered gets it
        eventually(lambda: t.sent("shop", "855"))
        assert not {"the 855", "the 865"} & set(owed(t))

        t.drop(t.file("860", CHANGE, RETAILER), "shop", "change.x12")
        change, row = t.at_the_erp("860")
        (order,) = t.documents(type="850")
        assert isinstance(change, OrderChange)
        assert (change.partner, change.lines[0].change, row.correlation) == (
            "shop",
            "decrease_quantity",
            order.id,
        )
        assert "the 865" in owed(t)
        t.leave(ANSWER_TO_CHANGE)
        ((_, beginning, *_),) = eventually(lambda: t.sent("shop", "865"))
        assert beginning[:6] == ["BCA", "00", "AT", "PO-77", "", "1"]
        assert "the 865" not in owed(t)
        assert {row.correlation for row in t.documents(direction="out") if row.type in ("855", "865")} == {
            order.id
        }


def test_an_order_that_its_customer_has_changed_is_not_billed_at_its_old_terms(tmp_path: Path) -> None:
    with trading(tmp_path, ANSWERING) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        t.drop(t.file("860", CHANGE, RETAILER), "shop", "change.x12")
        t.at_the_erp("860")
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot", "shipped.x12")
        eventually(lambda: t.sent("shop", "856"))
        (bill,) = t.documents(type="810")
        assert bill.status == "held"
        assert "has changed the order by 860" in bill.error
        assert t.sent("shop", "810") == []


def test_a_change_of_an_order_that_nobody_placed_still_reaches_the_erp(tmp_path: Path) -> None:
    with trading(tmp_path, ANSWERING) as t:
        t.drop(t.file("860", CHANGE, RETAILER), "shop")
        change, row = t.at_the_erp("860")
        assert (change.number, row.correlation) == ("PO-77", None)


def test_a_change_that_we_make_goes_to_whom_it_names_and_to_nobody_else(tmp_path: Path) -> None:
    change = OrderChange(number="PO-77", purpose="change", type="stand_alone", ordered_on=DAY)
    with trading(tmp_path, ANSWERING) as t:
        t.drop(t.file("850", ORDER, RETAILER), "shop")
        eventually(lambda: t.sent("depot", "940"))
        with pytest.raises(Refused, match="it names no partner"):
            t.leave(change)
        (t.home.erp.inbox / "order_change.json").unlink()
        t.leave(replace(change, partner="other"))
        eventually(lambda: t.sent("other", "860"))
        assert [row.correlation for row in t.documents(type="860")] == [None]


def test_a_grocery_order_is_shipped_noticed_and_billed_as_the_grocer_agreed(tmp_path: Path) -> None:
    with trading(tmp_path, GROCER) as t:
        t.drop(t.file("875", GROCERY_ORDER, RETAILER), "shop")
        order, row = t.at_the_erp("875")
        assert isinstance(order, SalesOrder)
        assert order.lines[0].description == "SOUP"
        (warehouse_order,) = eventually(lambda: t.sent("depot", "940"))
        assert ["W01", "12", "EA", "000123456789", "VN", "AB1"] in warehouse_order
        t.drop(t.file("945", SHIPMENT, WAREHOUSE), "depot", "shipped.x12")
        (bill,) = eventually(lambda: t.sent("shop", "880"))
        assert [line for line in bill if line[0] in ("G01", "G17", "G31", "G33")] == [
            ["G01", bill[1][1], "PO-77-1", "20261101", "PO-77"],
            ["G17", "12", "EA", "2.5", "000123456789", "VN", "AB1"],
            ["G17", "1", "EA", "10", "", "VN", "AB2"],
            ["G31", "13", "EA"],
            ["G33", "4000"],
        ]
        eventually(lambda: t.sent("shop", "856"))
        assert {one.correlation for one in t.documents(direction="out") if one.type == "880"} == {row.id}


OUT: dict[str, Document] = {
    "855": ANSWER,
    "860": OrderChange(
        number="OUR-1",
        purpose="change",
        type="stand_alone",
        ordered_on=DAY,
        lines=(ChangedLine(number="1", change="delete"),),
    ),
    "865": ANSWER_TO_CHANGE,
    "875": SalesOrder(
        number="OUR-1",
        purpose="original",
        ordered_on=DAY,
        parties=(Party(role="ship_to", name="DEPOT"),),
        lines=(OrderLine(quantity=Decimal(10), unit="case", ids={"vendor": "AB1"}),),
        quantity=Decimal(10),
        quantity_unit="case",
    ),
    "880": Invoice(
        number="INV-1",
        invoiced_on=DAY,
        parties=(Party(role="remit_to", name="NORTHWIND"),),
        lines=(InvoiceLine(quantity=Decimal(8), unit="case", price=Decimal("12.4"), ids={"vendor": "AB1"}),),
        shipped=Decimal(8),
        shipped_unit="case",
        total=Decimal("99.20"),
    ),
}


@pytest.mark.parametrize("type", sorted(OUT))
def test_what_the_erp_leaves_is_issued_as_its_set_and_read_again_where_it_comes_back(
    tmp_path: Path, type: str
) -> None:
    document = replace(OUT[type], partner="other")
    with trading(tmp_path, ANSWERING) as t:
        t.leave(document)
        (rows,) = eventually(lambda: t.sent("other", type))
        (row,) = t.documents(type=type)
        assert decode(row.body) == document
        t.drop(t.file(type, rows[1:-1], OTHER, "005010"), "other", f"{type}.x12")
        assert t.at_the_erp(type)[0] == document
