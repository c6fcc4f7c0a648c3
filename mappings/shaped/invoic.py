"""INVOIC, the invoice: its terms stand in groups, and it always says what kind of invoice it is."""

from __future__ import annotations

from edi.documents import Invoice
from edi.problems import Problem
from mappings.shaped import recast, refuse
from mappings.shaped.terms import PaymentTerms, from_terms, to_terms

_USUAL = "invoice"  # the word for the type of an invoice whose document tells none


class InvoiceMessage(Invoice, frozen=True, tag_field="schema", tag="invoice"):
    """The message."""

    payment: tuple[PaymentTerms, ...] = ()


def to_invoice(message: InvoiceMessage) -> tuple[Invoice, tuple[Problem, ...]]:
    """The invoice in a message."""
    type = None if message.type == _USUAL else message.type
    return recast(Invoice, message, type=type, terms=to_terms(message.payment)), ()


def from_invoice(invoice: Invoice) -> InvoiceMessage:
    """The message of an invoice."""
    if invoice.type == _USUAL:
        raise refuse("Invoice.type", "is told of other invoices only")
    payment = from_terms(invoice.terms, "Invoice")
    return recast(InvoiceMessage, invoice, type=invoice.type or _USUAL, terms=(), payment=payment)
