"""What follows from a shipment, without a gateway around it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from edi.documents import OrderLine, Pack, SalesOrder, ShipmentConfirmation, ShippedLine
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
