"""INVOIC: which of its totals is to be paid, and of what its taxes are."""

from __future__ import annotations

from decimal import Decimal

import pytest
from maps_support import DAY, carried, read_body, read_canonical, standard

from edi.documents import Amount, Invoice, InvoiceLine
from edi.problems import CannotWrite

INVOICE = """
BGM+380+INV-1+9
DTM+137:20260105:102
LIN+1++4000862141404:EN
QTY+47:10
UNS+S
CNT+2:1
MOA+77:119.00
MOA+79:100.00
"""
TOTALS = (Amount("invoice_total", Decimal("119.00")), Amount("lines_total", Decimal("100.00")))


def test_the_total_of_the_invoice_is_to_be_paid_where_none_of_the_message_is_told() -> None:
    invoice = read_canonical(INVOICE, "INVOIC", "D.96A")
    assert (invoice.total, invoice.amounts) == (Decimal("119.00"), TOTALS)


def test_the_total_of_the_message_is_to_be_paid_where_it_is_told() -> None:
    invoice = read_body(INVOICE.replace("MOA+79", "MOA+86:120.00\nMOA+79"), "INVOIC", "D.96A")
    assert (invoice.total, invoice.amounts) == (Decimal("120.00"), TOTALS)


def test_what_is_to_be_paid_is_told_once() -> None:
    invoice = Invoice(number="1", invoiced_on=DAY, total=Decimal("119.0"), lines=(InvoiceLine("1"),))
    assert carried(invoice, "INVOIC", "D.96A")[-1] == "MOA+86:119.0"
    national = Invoice(number="1", invoiced_on=DAY, total=Decimal(119), amounts=TOTALS)
    assert carried(national, "INVOIC", "D.96A")[-2:] == ["MOA+77:119.00", "MOA+79:100.00"]


def test_a_total_that_stands_among_the_amounts_alone_is_refused() -> None:
    with pytest.raises(CannotWrite, match=r"Invoice\.total: is told among the amounts, as invoice_total"):
        standard("INVOIC").write(Invoice(number="1", invoiced_on=DAY, amounts=TOTALS))


def test_a_tax_says_of_what_it_is() -> None:
    body = INVOICE + "TAX+7+VAT+++:::19+S\nMOA+124:19.00\nMOA+125:100.00\n"
    invoice = read_canonical(body, "INVOIC", "D.96A")
    (tax,) = invoice.taxes
    assert (tax.percent, tax.amount, tax.taxable) == (Decimal(19), Decimal("19.00"), Decimal("100.00"))
