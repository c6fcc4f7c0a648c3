"""Goods on their way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from edi.documents.parts import (
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
    Nested,
    Packing,
    Party,
    Reference,
    Routing,
)


class Level(Nested, frozen=True):
    """One level of a shipment's hierarchy and the levels inside it.

    `kind` is "shipment", "order", "tare" (pallet), "pack" (carton) or "item"; which fields are filled
    depends on it: routing and dates on a shipment, purchase_order on an order, marks (SSCC) on a pack,
    ids and shipped on an item.
    """

    kind: str
    number: str | None = None
    ids: dict[str, str] = {}
    item: str | None = None
    shipped: Decimal | None = None
    unit: str | None = None
    shipped_to_date: Decimal | None = None
    ordered: Decimal | None = None
    ordered_unit: str | None = None
    status: str | None = None
    components: tuple[Component, ...] = ()
    purchase_order: str | None = None
    release: str | None = None
    ordered_on: dt.date | None = None
    contract: str | None = None
    packing: tuple[Packing, ...] = ()
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    measures: tuple[Measure, ...] = ()
    lading: tuple[Lading, ...] = ()
    routing: tuple[Routing, ...] = ()
    equipment: tuple[Routing, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    marks: tuple[Mark, ...] = ()
    dates: tuple[Dated, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    parties: tuple[Party, ...] = ()
    charges: tuple[Charge, ...] = ()
    levels: tuple[Level, ...] = ()
    extra: Extra = ()


class ShipNotice(HasParties, frozen=True, tag_field="schema", tag="tradelane.ship_notice/1"):
    """What a customer is to expect: shipment > order > pack > item. `number` names the shipment."""

    number: str
    sent_on: dt.date | None = None
    sent_time: dt.time | None = None
    purpose: str | None = None
    structure: str | None = None
    type: str | None = None
    dates: tuple[Dated, ...] = ()
    levels: tuple[Level, ...] = ()
    partner: str | None = None
    extra: Extra = ()

    def walk(self) -> Iterator[Level]:
        """All levels, in the order they are written."""
        for level in self.levels:
            yield from level.walk()

    def of_kind(self, kind: str) -> tuple[Level, ...]:
        """All levels of one kind: `of_kind("item")` are the lines."""
        return tuple(level for level in self.walk() if level.kind == kind)
