"""Where an order stands: the question and the answer."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from edi.documents.parts import (
    Contact,
    Dated,
    Detail,
    Extra,
    HasParties,
    Nested,
    Note,
    Party,
    Quantity,
    Reference,
    Routing,
    Value,
    once,
)


class AboutOrders(HasParties, frozen=True):
    """The look-up that the question and the answer share."""

    @property
    def purchase_orders(self) -> tuple[str, ...]:
        """The orders that are asked or told about, each once."""
        levels: tuple[InquiryLevel | StatusLevel, ...] = getattr(self, "levels", ())
        return once(level.purchase_order for top in levels for level in top.walk())


class InquiredItem(Value, frozen=True):
    """An item that is asked about."""

    number: str | None = None
    ids: dict[str, str] = {}
    extra: Extra = ()


class InquiryLevel(Nested, frozen=True):
    """An order or, inside it, an item (`kind`) that is asked about."""

    kind: str
    purchase_order: str | None = None
    release: str | None = None
    ordered_on: dt.date | None = None
    contract: str | None = None
    dates: tuple[Dated, ...] = ()
    items: tuple[InquiredItem, ...] = ()
    details: tuple[Detail, ...] = ()
    quantity_type: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    levels: tuple[InquiryLevel, ...] = ()
    extra: Extra = ()


class OrderStatusInquiry(
    AboutOrders, frozen=True, tag_field="schema", tag="tradelane.order_status_inquiry/1"
):
    """A customer asks where orders stand. `scope` tells of which orders and items: "all_items" ..."""

    number: str
    asked_on: dt.date | None = None
    asked_time: dt.time | None = None
    scope: str | None = None
    product_scope: str | None = None
    location_scope: str | None = None
    purpose: str | None = None
    type: str | None = None
    action: str | None = None
    notes: tuple[Note, ...] = ()
    levels: tuple[InquiryLevel, ...] = ()
    partner: str | None = None
    extra: Extra = ()


class ItemStatus(HasParties, frozen=True):
    """A `status` such as "back_ordered", since or until a date, and of how much."""

    status: str
    on: dt.date | None = None
    reason: str | None = None
    details: tuple[Detail, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    dates: tuple[Dated, ...] = ()
    routing: tuple[Routing, ...] = ()
    references: tuple[Reference, ...] = ()
    extra: Extra = ()


class StatusLine(HasParties, frozen=True):
    """One ordered item and where it stands."""

    number: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    price_basis: str | None = None
    ids: dict[str, str] = {}
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    statuses: tuple[ItemStatus, ...] = ()
    extra: Extra = ()


class StatusLevel(Nested, frozen=True):
    """An order, a shipment or an item (`kind`), where it stands and what is inside it."""

    kind: str
    purchase_order: str | None = None
    release: str | None = None
    ordered_on: dt.date | None = None
    contract: str | None = None
    statuses: tuple[ItemStatus, ...] = ()
    contacts: tuple[Contact, ...] = ()
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[StatusLine, ...] = ()
    levels: tuple[StatusLevel, ...] = ()
    extra: Extra = ()


class OrderStatus(AboutOrders, frozen=True, tag_field="schema", tag="tradelane.order_status/1"):
    """A seller tells where orders stand. `report` tells whether an OrderStatusInquiry is answered."""

    number: str
    reported_on: dt.date | None = None
    reported_time: dt.time | None = None
    report: str | None = None
    scope: str | None = None
    product_scope: str | None = None
    location_scope: str | None = None
    inquiry: str | None = None
    inquired_on: dt.date | None = None
    inquired_time: dt.time | None = None
    purpose: str | None = None
    action: str | None = None
    routing: tuple[Routing, ...] = ()
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    levels: tuple[StatusLevel, ...] = ()
    partner: str | None = None
    extra: Extra = ()
