"""What buyers and sellers agree on: orders."""

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
    Lading,
    Mark,
    Measure,
    Message,
    Packing,
    Party,
    Reference,
    Routing,
    Schedule,
    Tax,
    Terms,
)


class OrderLine(HasParties, frozen=True):
    """One ordered item. `price` is per `unit` unless `price_basis` says otherwise."""

    number: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    price_basis: str | None = None
    ids: dict[str, str] = {}
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    packing: tuple[Packing, ...] = ()
    measures: tuple[Measure, ...] = ()
    references: tuple[Reference, ...] = ()
    charges: tuple[Charge, ...] = ()
    terms: tuple[Terms, ...] = ()
    taxes: tuple[Tax, ...] = ()
    dates: tuple[Dated, ...] = ()
    routing: tuple[Routing, ...] = ()
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    messages: tuple[Message, ...] = ()
    parties: tuple[Party, ...] = ()
    components: tuple[Component, ...] = ()
    extra: Extra = ()


class SalesOrder(HasParties, frozen=True, tag_field="schema", tag="tradelane.sales_order/1"):
    """A customer's order. `number` is the customer's purchase order number."""

    number: str
    ordered_on: dt.date | None = None
    purpose: str | None = None
    type: str | None = None
    release: str | None = None
    contract: str | None = None
    currency: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    charges: tuple[Charge, ...] = ()
    terms: tuple[Terms, ...] = ()
    dates: tuple[Dated, ...] = ()
    lading: tuple[Lading, ...] = ()
    routing: tuple[Routing, ...] = ()
    taxes: tuple[Tax, ...] = ()
    amounts: tuple[Amount, ...] = ()
    messages: tuple[Message, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[OrderLine, ...] = ()
    total: Decimal | None = None
    partner: str | None = None
    extra: Extra = ()
