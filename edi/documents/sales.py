"""What buyers and sellers agree on: orders, changes of them, and the answers to both."""

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
    Distribution,
    Extra,
    FreightTerms,
    HasParties,
    Lading,
    Mark,
    Measure,
    Message,
    Note,
    Packing,
    Party,
    Price,
    Reference,
    Routing,
    Schedule,
    Tax,
    Terms,
    Value,
)


class Destination(Value, frozen=True):
    """A place that part of a line's quantity is for, such as one store."""

    role: str
    name: str | None = None
    ids: dict[str, str] = {}
    quantity_type: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    references: tuple[Reference, ...] = ()
    extra: Extra = ()


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
    more_description: tuple[Note, ...] = ()
    prices: tuple[Price, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    destinations: tuple[Destination, ...] = ()
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
    notes: tuple[Note, ...] = ()
    master_reference: str | None = None
    link_sequence: str | None = None
    quantity: Decimal | None = None
    quantity_unit: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    partner: str | None = None
    extra: Extra = ()


class ChangedLine(HasParties, frozen=True):
    """One item and what becomes of it: `change` is "add", "delete", "decrease_quantity" ...

    `quantity` is the new one, `outstanding` what of it is still to be shipped.
    """

    number: str | None = None
    change: str | None = None
    quantity: Decimal | None = None
    outstanding: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    price_basis: str | None = None
    ids: dict[str, str] = {}
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    prices: tuple[Price, ...] = ()
    packing: tuple[Packing, ...] = ()
    measures: tuple[Measure, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    charges: tuple[Charge, ...] = ()
    terms: tuple[Terms, ...] = ()
    taxes: tuple[Tax, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    dates: tuple[Dated, ...] = ()
    routing: tuple[Routing, ...] = ()
    marks: tuple[Mark, ...] = ()
    amounts: tuple[Amount, ...] = ()
    notes: tuple[str, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    messages: tuple[Message, ...] = ()
    parties: tuple[Party, ...] = ()
    components: tuple[Component, ...] = ()
    extra: Extra = ()


class OrderChange(HasParties, frozen=True, tag_field="schema", tag="tradelane.order_change/1"):
    """A customer changes or cancels an order. `number` is the purchase order number, `sales_order` ours.

    `sequence` counts the changes of one order, as the customer numbers them; `answered_on` is when we last
    answered.
    """

    number: str
    sequence: str | None = None
    ordered_on: dt.date | None = None
    changed_on: dt.date | None = None
    purpose: str | None = None
    type: str | None = None
    release: str | None = None
    request: str | None = None
    contract: str | None = None
    transaction_type: str | None = None
    sales_order: str | None = None
    answered_on: dt.date | None = None
    currency: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    charges: tuple[Charge, ...] = ()
    terms: tuple[Terms, ...] = ()
    dates: tuple[Dated, ...] = ()
    details: tuple[Detail, ...] = ()
    lading: tuple[Lading, ...] = ()
    routing: tuple[Routing, ...] = ()
    equipment: tuple[Routing, ...] = ()
    taxes: tuple[Tax, ...] = ()
    amounts: tuple[Amount, ...] = ()
    messages: tuple[Message, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[ChangedLine, ...] = ()
    total: Decimal | None = None
    partner: str | None = None
    extra: Extra = ()


class LineAnswer(HasParties, frozen=True):
    """What a seller says of an item, or of a part of its quantity: `status` is "accepted", "back_ordered" ...

    `on` is a date of kind `date_type`; `ids` name a substitute. `reason` is a code of an agency's list.
    """

    status: str
    quantity: Decimal | None = None
    unit: str | None = None
    date_type: str | None = None
    on: dt.date | None = None
    dates: tuple[Dated, ...] = ()
    request: str | None = None
    ids: dict[str, str] = {}
    reason_agency: str | None = None
    reason_list: str | None = None
    reason: str | None = None
    extra: Extra = ()


class AnsweredComponent(Value, frozen=True):
    """A part that a line consists of, and what the seller says of it."""

    number: str | None = None
    relationship: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    ids: dict[str, str] = {}
    answers: tuple[LineAnswer, ...] = ()
    extra: Extra = ()


class AnsweredLine(HasParties, frozen=True):
    """One item of an order and what the seller says of it; `change` and `outstanding` as in ChangedLine."""

    number: str | None = None
    change: str | None = None
    quantity: Decimal | None = None
    outstanding: Decimal | None = None
    unit: str | None = None
    answers: tuple[LineAnswer, ...] = ()
    price: Decimal | None = None
    price_basis: str | None = None
    ids: dict[str, str] = {}
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    prices: tuple[Price, ...] = ()
    packing: tuple[Packing, ...] = ()
    measures: tuple[Measure, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    charges: tuple[Charge, ...] = ()
    terms: tuple[Terms, ...] = ()
    taxes: tuple[Tax, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    dates: tuple[Dated, ...] = ()
    routing: tuple[Routing, ...] = ()
    marks: tuple[Mark, ...] = ()
    amounts: tuple[Amount, ...] = ()
    notes: tuple[str, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    messages: tuple[Message, ...] = ()
    parties: tuple[Party, ...] = ()
    components: tuple[AnsweredComponent, ...] = ()
    extra: Extra = ()


class OrderAcknowledgment(
    HasParties, frozen=True, tag_field="schema", tag="tradelane.order_acknowledgment/1"
):
    """A seller's answer to an order or to a change of it. `number` is the purchase order number.

    `answer` is "accepted", "rejected", "acknowledged_with_changes" ...; `sales_order` is the seller's number;
    `sequence` and `changed_on` are those of the change that is answered.
    """

    number: str
    answer: str | None = None
    purpose: str | None = None
    ordered_on: dt.date | None = None
    answered_on: dt.date | None = None
    sales_order: str | None = None
    sequence: str | None = None
    changed_on: dt.date | None = None
    type: str | None = None
    release: str | None = None
    request: str | None = None
    contract: str | None = None
    transaction_type: str | None = None
    currency: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    charges: tuple[Charge, ...] = ()
    terms: tuple[Terms, ...] = ()
    dates: tuple[Dated, ...] = ()
    details: tuple[Detail, ...] = ()
    lading: tuple[Lading, ...] = ()
    routing: tuple[Routing, ...] = ()
    equipment: tuple[Routing, ...] = ()
    taxes: tuple[Tax, ...] = ()
    amounts: tuple[Amount, ...] = ()
    messages: tuple[Message, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[AnsweredLine, ...] = ()
    total: Decimal | None = None
    partner: str | None = None
    extra: Extra = ()

    @property
    def answers_change(self) -> bool:
        """Whether it answers a change of an order, not the order itself."""
        return bool(self.sequence or self.changed_on or any(line.change for line in self.lines))
