"""Goods that go back: asked for, allowed, refused, or told of when they have left."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from edi.documents.parts import (
    Amount,
    Charge,
    CodedFacts,
    Contact,
    Dated,
    Detail,
    Distribution,
    Extra,
    HasParties,
    Lading,
    Measure,
    Note,
    Party,
    Piece,
    Reference,
    Routing,
    Value,
    once,
)


class Disposition(Value, frozen=True):
    """What becomes of goods (`action` "return_authorized", "dispose") and why they are to go back (`reason`).

    `answer` is why the vendor does not do as asked; `used` is "yes" or "no".
    """

    action: str | None = None
    reason: str | None = None
    answer: str | None = None
    description: str | None = None
    used: str | None = None


class ReturnedQuantity(HasParties, frozen=True):
    """A part of a line: its quantity with its meaning, its worth, its pieces by serial number."""

    type: str
    quantity: Decimal | None = None
    unit: str | None = None
    text: str | None = None
    amounts: tuple[Amount, ...] = ()
    dates: tuple[Dated, ...] = ()
    parties: tuple[Party, ...] = ()
    facts: tuple[CodedFacts, ...] = ()
    pieces: tuple[Piece, ...] = ()
    extra: Extra = ()


class ReturnLine(HasParties, frozen=True):
    """One item that is to go back, or does not."""

    ids: dict[str, str] = {}
    quantity: Decimal | None = None
    unit: str | None = None
    price_type: str | None = None
    price: Decimal | None = None
    price_unit: str | None = None
    disposition: Disposition | None = None
    purchase_order: str | None = None
    release: str | None = None
    ordered_on: dt.date | None = None
    order_line: str | None = None
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    references: tuple[Reference, ...] = ()
    charges: tuple[Charge, ...] = ()
    amounts: tuple[Amount, ...] = ()
    measures: tuple[Measure, ...] = ()
    notes: tuple[Note, ...] = ()
    dates: tuple[Dated, ...] = ()
    routing: tuple[Routing, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    facts: tuple[CodedFacts, ...] = ()
    parties: tuple[Party, ...] = ()
    quantities: tuple[ReturnedQuantity, ...] = ()
    extra: Extra = ()


class ReturnAuthorization(
    HasParties, frozen=True, tag_field="schema", tag="tradelane.return_authorization/1"
):
    """A customer asks to return goods, the vendor answers, or either tells that they go back: see `purpose`.

    `number` is the sender's; `request` names what is answered. `claim` is what the customer is to get back.
    """

    number: str
    issued_on: dt.date
    issued_time: dt.time | None = None
    zone: str | None = None
    purpose: str | None = None
    request: str | None = None
    type: str | None = None
    action: str | None = None
    disposition: Disposition | None = None
    purchase_order: str | None = None
    release: str | None = None
    ordered_on: dt.date | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    charges: tuple[Charge, ...] = ()
    claim: Decimal | None = None
    claim_method: str | None = None
    claim_action: str | None = None
    lading: tuple[Lading, ...] = ()
    routing: tuple[Routing, ...] = ()
    notes: tuple[Note, ...] = ()
    parties: tuple[Party, ...] = ()
    facts: tuple[CodedFacts, ...] = ()
    lines: tuple[ReturnLine, ...] = ()
    partner: str | None = None
    extra: Extra = ()

    @property
    def purchase_orders(self) -> tuple[str, ...]:
        """The orders that the goods were bought with, each once."""
        about: tuple[ReturnAuthorization | ReturnLine, ...] = (self, *self.lines)
        named = [number for one in about for number in (one.purchase_order, one.reference("purchase_order"))]
        return once(named)
