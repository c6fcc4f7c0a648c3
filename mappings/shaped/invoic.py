"""INVOIC, the invoice: its terms stand in groups, and it always says what kind of invoice it is.

What is to be paid is the total of the message (MOA+86); where that is not told, that of the invoice (MOA+77),
which stands among the amounts as well.
"""

from __future__ import annotations

from decimal import Decimal

from edi.documents import Invoice
from edi.problems import Problem
from mappings.shaped import recast, refuse
from mappings.shaped.terms import PaymentTerms, from_terms, to_terms

_TOTAL = "invoice_total"
_USUAL = "invoice"  # the word for the type of an invoice whose document tells none


class InvoiceMessage(Invoice, frozen=True, tag_field="schema", tag="invoice"):
    """The message."""

    payment: tuple[PaymentTerms, ...] = ()


def to_invoice(message: InvoiceMessage) -> tuple[Invoice, tuple[Problem, ...]]:
    """The invoice in a message."""
    type = None if message.type == _USUAL else message.type
    total = _invoiced(message) if message.total is None else message.total
    return recast(Invoice, message, type=type, total=total, terms=to_terms(message.payment)), ()


def from_invoice(invoice: Invoice) -> InvoiceMessage:
    """The message of an invoice."""
    if invoice.type == _USUAL:
        raise refuse("Invoice.type", "is told of other invoices only")
    invoiced = _invoiced(invoice)
    if invoice.total is None and invoiced is not None:
        raise refuse("Invoice.total", f"is told among the amounts, as {_TOTAL}")
    return recast(
        InvoiceMessage,
        invoice,
        type=invoice.type or _USUAL,
        total=None if invoice.total == invoiced else invoice.total,
        terms=(),
        payment=from_terms(invoice.terms, "Invoice"),
    )


def _invoiced(invoice: Invoice) -> Decimal | None:
    """The total of the invoice among the amounts."""
    return next((one.amount for one in invoice.amounts if one.type == _TOTAL), None)
