"""What follows from a shipment, without a gateway around it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from edi.documents import OrderLine, Pack, Reference, SalesOrder, ShipmentConfirmation, ShippedLine
from gateway import derivation

DAY = date(2026, 1, 5)
AT_TWO_PRICES = SalesOrder(
    number="PO1",
    lines=(
        OrderLine("1", Decimal(5), "each", Decimal("27.50"), ids={"vendor": "A"}),
        OrderLine("2", Decimal(1), "each", Decimal("10.87"), ids={"upc": "B"}),
        OrderLine("3", Decimal(3), "each", Decimal("3.85"), ids={"vendor": "A"}),
    ),
)


def shipped(*lines: tuple[int, dict[str, str]]) -> ShipmentConfirmation:
    packs = (
        Pack(number, lines=(ShippedLine(shipped=Decimal(quantity), unit="each", ids=ids),))
        for number, (quantity, ids) in enumerate(lines, 1)
    )
    return ShipmentConfirmation(number="PO1", shipped_on=DAY, packs=tuple(packs))


@pytest.mark.parametrize(
    "lines",
    [
        [(5, {"vendor": "A"}), (1, {"upc": "B"}), (3, {"vendor": "A"})],
        [(3, {"vendor": "A"}), (1, {"upc": "B"}), (5, {"vendor": "A"})],
        [(4, {"vendor": "A"}), (1, {"vendor": "A"}), (3, {"vendor": "A"}), (1, {"upc": "B"})],
    ],
)
def test_goods_ordered_at_two_prices_are_billed_at_both_once_all_of_them_are_shipped(
    lines: list[tuple[int, dict[str, str]]],
) -> None:
    invoice = derivation.invoice(AT_TWO_PRICES, shipped(*lines), "I1", DAY)
    assert invoice.total == Decimal("159.92")
    assert derivation.unpriced(invoice) is None


def test_goods_ordered_at_two_prices_are_not_billed_by_themselves_while_some_are_to_come() -> None:
    invoice = derivation.invoice(AT_TWO_PRICES, shipped((1, {"upc": "B"}), (3, {"vendor": "A"})), "I1", DAY)
    assert [line.price for line in invoice.lines] == [Decimal("10.87"), None]
    why = derivation.unpriced(invoice)
    assert why is not None
    assert "no one price" in why


@pytest.mark.parametrize(
    ("basis", "unit", "total"),
    [
        (None, "each", "25000.00"),
        ("PE", "each", "25000.00"),
        ("CT", "each", "25000.00"),
        ("HP", "each", "250.00"),
        ("TP", "each", "25.00"),
        ("PD", "each", "2083.33"),
        ("PD", "dozen", "25000.00"),
        ("PK", "kilogram", "25000.00"),
    ],
)
def test_a_price_for_several_units_is_billed_as_one(basis: str | None, unit: str, total: str) -> None:
    line = OrderLine("1", Decimal(100), unit, Decimal(250), basis, ids={"vendor": "A"})
    packs = (Pack(1, lines=(ShippedLine(shipped=Decimal(100), unit=unit, ids={"vendor": "A"}),)),)
    invoice = derivation.invoice(
        SalesOrder("PO1", lines=(line,)), ShipmentConfirmation("PO1", packs=packs), "I1", DAY
    )
    assert invoice.total == Decimal(total)
    assert derivation.unpriced(invoice) is None
    told = invoice.lines[0].price_basis
    assert told == (basis if total != "25000.00" else None)


@pytest.mark.parametrize(
    "line",
    [
        OrderLine("1", Decimal(100), "each", Decimal(250), "PK", ids={"vendor": "A"}),
        OrderLine("1", Decimal(100), "each", Decimal(250), "PT", ids={"vendor": "A"}),
        OrderLine(
            "1", Decimal(100), "each", Decimal(250), ids={"vendor": "A"}, extra=(("PRI[AAA]01-5", "100"),)
        ),
    ],
)
def test_a_price_for_what_cannot_be_told_is_not_billed_by_itself(line: OrderLine) -> None:
    packs = (Pack(1, lines=(ShippedLine(shipped=Decimal(100), unit="each", ids={"vendor": "A"}),)),)
    invoice = derivation.invoice(
        SalesOrder("PO1", lines=(line,)), ShipmentConfirmation("PO1", packs=packs), "I1", DAY
    )
    assert invoice.lines[0].price is None
    assert derivation.unpriced(invoice) is not None


def test_a_description_is_cut_where_the_other_syntax_has_less_room_for_it() -> None:
    order = SalesOrder("PO1", lines=(OrderLine("1", Decimal(1), ids={"vendor": "A"}, description="x" * 90),))
    bill = derivation.invoice(order, shipped((1, {"vendor": "A"})), "I1", DAY)
    notice = derivation.ship_notice(order, shipped((1, {"vendor": "A"})), "S1", datetime(2026, 1, 5, 12))
    assert derivation.in_x12(bill).lines[0].description == "x" * 80
    assert derivation.in_edifact(bill, order).lines[0].description == "x" * 70
    (item,) = derivation.in_edifact(notice, order).of_kind("item")
    assert item.description == "x" * 70


def test_a_bill_in_edifact_is_the_sum_of_its_lines_in_cents() -> None:
    lines = (
        OrderLine("1", Decimal(3), "each", Decimal("0.335"), ids={"vendor": "A"}),
        OrderLine("2", Decimal(3), "each", Decimal("0.335"), ids={"vendor": "B"}),
        OrderLine("3", Decimal(100), "each", Decimal("50"), "HP", ids={"vendor": "C"}),
    )
    order = SalesOrder("PO1", lines=lines)
    bill = derivation.invoice(
        order, shipped((3, {"vendor": "A"}), (3, {"vendor": "B"}), (100, {"vendor": "C"})), "I1", DAY
    )
    told = derivation.in_edifact(bill, order)
    assert [str(line.amount) for line in told.lines] == ["1.01", "1.01", "50.00"]
    assert (bill.total, told.total) == (Decimal("52.01"), Decimal("52.02"))


def test_lines_in_edifact_are_numbered_as_they_come_and_name_that_of_the_order() -> None:
    order = SalesOrder("PO1", lines=(OrderLine("20", Decimal(5), "each", Decimal(1), ids={"vendor": "A"}),))
    twice = shipped((2, {"vendor": "A"}), (3, {"vendor": "A"}))
    bill = derivation.in_edifact(derivation.invoice(order, twice, "I1", DAY), order)
    notice = derivation.in_edifact(
        derivation.ship_notice(order, twice, "S1", datetime(2026, 1, 5, 12)), order
    )
    of_order = (Reference("purchase_order", "PO1", extra=(("RFF01-3", "20"),)),)
    assert [(line.number, line.references) for line in bill.lines] == [("1", of_order), ("2", of_order)]
    assert [(item.item, item.references) for item in notice.of_kind("item")] == [
        ("1", of_order),
        ("2", of_order),
    ]
