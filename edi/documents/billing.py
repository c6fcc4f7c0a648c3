"""What is to be paid."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from edi.documents.parts import (
    Amount,
    Charge,
    Component,
    Contact,
    Dated,
    Detail,
    Extra,
    FreightTerms,
    HasParties,
    Measure,
    Message,
    Note,
    Packing,
    Party,
    Reference,
    Routing,
    Tax,
    Terms,
    Value,
)


class QuantityDifference(Value, frozen=True):
    """What was shipped of an item otherwise than ordered, and why: `status` is "back_ordered" ...

    `difference` is ordered minus shipped; `ids` name what was shipped instead.
    """

    shipped: Decimal | None = None
    unit: str | None = None
    difference: Decimal | None = None
    status: str | None = None
    price_reason: str | None = None
    ids: dict[str, str] = {}
    extra: Extra = ()


class InvoiceLine(HasParties, frozen=True):
    """One invoiced item. `amount` is the line's total where it is told."""

    number: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    price_basis: str | None = None
    ids: dict[str, str] = {}
    taxes: tuple[Tax, ...] = ()
    measures: tuple[Measure, ...] = ()
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    packing: tuple[Packing, ...] = ()
    terms: tuple[Terms, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    routing: tuple[Routing, ...] = ()
    charges: tuple[Charge, ...] = ()
    components: tuple[Component, ...] = ()
    parties: tuple[Party, ...] = ()
    amount: Decimal | None = None
    shipped: Decimal | None = None
    shipped_unit: str | None = None
    more_description: tuple[Note, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    differences: tuple[QuantityDifference, ...] = ()
    extra: Extra = ()


class Invoice(HasParties, frozen=True, tag_field="schema", tag="tradelane.invoice/1"):
    """An invoice. `total` is what is to be paid before a terms discount.

    `sales_order` is the seller's own number of the order.
    """

    number: str
    invoiced_on: dt.date | None = None
    ordered_on: dt.date | None = None
    purchase_order: str | None = None
    release: str | None = None
    type: str | None = None
    purpose: str | None = None
    notes: tuple[Note, ...] = ()
    currency: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    parties: tuple[Party, ...] = ()
    terms: tuple[Terms, ...] = ()
    dates: tuple[Dated, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    messages: tuple[Message, ...] = ()
    lines: tuple[InvoiceLine, ...] = ()
    total: Decimal | None = None
    discountable: Decimal | None = None
    discounted_total: Decimal | None = None
    discount: Decimal | None = None
    taxes: tuple[Tax, ...] = ()
    routing: tuple[Routing, ...] = ()
    amounts: tuple[Amount, ...] = ()
    charges: tuple[Charge, ...] = ()
    shipped: Decimal | None = None
    shipped_unit: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    sales_order: str | None = None
    master_reference: str | None = None
    link_sequence: str | None = None
    partner: str | None = None
    extra: Extra = ()
