"""What a customer received of what was shipped."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from edi.documents.parts import (
    Charge,
    Contact,
    Dated,
    Detail,
    Extra,
    HasParties,
    Lading,
    Mark,
    Measure,
    Packing,
    Party,
    Reference,
    Routing,
    Value,
    once,
)


class OrderReference(Value, frozen=True):
    """The purchase order that something belongs to."""

    purchase_order: str
    release: str | None = None
    ordered_on: dt.date | None = None
    line: str | None = None
    contract: str | None = None
    type: str | None = None
    extra: Extra = ()


class Discrepancy(Value, frozen=True):
    """A quantity that is not as it should be: `condition` is "short", "over", "damaged" ..."""

    quantity: Decimal | None = None
    unit: str | None = None
    condition: str | None = None


class ReceivedLine(HasParties, frozen=True):
    """One item: what was shipped, received and returned, and up to three discrepancies."""

    number: str | None = None
    received: Decimal | None = None
    received_unit: str | None = None
    returned: Decimal | None = None
    returned_unit: str | None = None
    discrepancy: Discrepancy | None = None
    second_discrepancy: Discrepancy | None = None
    third_discrepancy: Discrepancy | None = None
    shipped: Decimal | None = None
    shipped_unit: str | None = None
    ordered: Decimal | None = None
    ordered_unit: str | None = None
    ids: dict[str, str] = {}
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    packing: tuple[Packing, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    orders: tuple[OrderReference, ...] = ()
    measures: tuple[Measure, ...] = ()
    charges: tuple[Charge, ...] = ()
    marks: tuple[Mark, ...] = ()
    parties: tuple[Party, ...] = ()
    extra: Extra = ()


class ReceivingAdvice(HasParties, frozen=True, tag_field="schema", tag="tradelane.receiving_advice/1"):
    """What a customer received, or accepted, of a shipment. `number` is the customer's."""

    number: str
    advised_on: dt.date | None = None
    advised_time: dt.time | None = None
    purpose: str | None = None
    type: str | None = None
    condition: str | None = None
    action: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    dates: tuple[Dated, ...] = ()
    orders: tuple[OrderReference, ...] = ()
    lading: tuple[Lading, ...] = ()
    routing: tuple[Routing, ...] = ()
    equipment: tuple[Routing, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[ReceivedLine, ...] = ()
    partner: str | None = None
    extra: Extra = ()

    @property
    def purchase_orders(self) -> tuple[str, ...]:
        """The orders of what was received, each once."""
        orders = (*self.orders, *(order for line in self.lines for order in line.orders))
        referred = (
            self.reference("purchase_order"),
            *(line.reference("purchase_order") for line in self.lines),
        )
        numbers = (*(order.purchase_order for order in orders), *referred)
        return once(numbers)
