"""Loads offered to a carrier, and whether it takes them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from edi.documents.freight import (
    FreightDate,
    FreightParty,
    FreightReference,
    HasReferences,
    Leg,
    Load,
    SpecialHandling,
    Trailer,
    once,
)
from edi.documents.parts import Extra, Note, Value


class Pallets(Value, frozen=True):
    """How many pallets there are, and what they weigh."""

    count: int | None = None
    exchange: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None


class LadingItem(Value, frozen=True):
    """Packages of one item; `weight` is that of all of them."""

    packaging: str | None = None
    packages: int | None = None
    unit_weight: Decimal | None = None
    unit_weight_unit: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    ids: dict[str, str] = {}
    description: str | None = None
    extra: Extra = ()


class DangerousGoods(Value, frozen=True):
    """A dangerous good: its UN number (`code`), class, packing group and, as `description`, shipping name."""

    unit: str
    packages: int
    code: str | None = None
    commodity: str | None = None
    quantity: Decimal | None = None
    quantity_unit: str | None = None
    packing_group: str | None = None
    hazard_class: str | None = None
    description: str | None = None
    extra: Extra = ()


class GoodsContact(HasReferences, frozen=True):
    """Whom to ask about goods, their references and what is dangerous in them."""

    role: str
    name: str
    numbers: dict[str, str] = {}
    references: tuple[FreightReference, ...] = ()
    hazards: tuple[DangerousGoods, ...] = ()
    extra: Extra = ()


class TenderedGoods(Value, frozen=True):
    """What is carried, in words and by commodity code, and how much of it."""

    line: int | None = None
    text: str | None = None
    commodity: str | None = None
    commodity_type: str | None = None
    packaging: str | None = None
    mark: str | None = None
    mark_type: str | None = None
    load: Load | None = None
    contacts: tuple[GoodsContact, ...] = ()
    extra: Extra = ()


class TenderedOrder(Value, frozen=True):
    """The part of a purchase order that is picked up or delivered at a stop."""

    reference: str | None = None
    purchase_order: str | None = None
    other_reference: str | None = None
    packaging: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    dates: tuple[FreightDate, ...] = ()
    items: tuple[LadingItem, ...] = ()
    goods: tuple[TenderedGoods, ...] = ()
    extra: Extra = ()


class TenderStop(HasReferences, frozen=True):
    """A stop of the truck: where, when, and what is loaded or unloaded (`reason`)."""

    number: int
    reason: str
    weight: Decimal | None = None
    weight_unit: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    description: str | None = None
    references: tuple[FreightReference, ...] = ()
    dates: tuple[FreightDate, ...] = ()
    load: Load | None = None
    items: tuple[LadingItem, ...] = ()
    handling: tuple[SpecialHandling, ...] = ()
    pallets: Pallets | None = None
    notes: tuple[Note, ...] = ()
    parties: tuple[FreightParty, ...] = ()
    goods: tuple[TenderedGoods, ...] = ()
    orders: tuple[TenderedOrder, ...] = ()
    equipment: tuple[Trailer, ...] = ()
    extra: Extra = ()


class LoadTender(HasReferences, frozen=True, tag_field="schema", tag="tradelane.load_tender/1"):
    """A load that a carrier is asked to take: its stops in order. `number` is the shipper's of the load.

    The totals of all stops: `charges`, `weight`, `volume`, `packages`. `certificates` are those of dangerous
    goods, in words.
    """

    number: str | None = None
    purpose: str | None = None
    application: str | None = None
    carrier: str | None = None
    payment: str | None = None
    tender_unit: str | None = None
    shipment_type: str | None = None
    trailers: int | None = None
    transport_terms: str | None = None
    references: tuple[FreightReference, ...] = ()
    dates: tuple[FreightDate, ...] = ()
    legs: tuple[Leg, ...] = ()
    handling: tuple[SpecialHandling, ...] = ()
    pallets: Pallets | None = None
    certificates: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    parties: tuple[FreightParty, ...] = ()
    equipment: tuple[Trailer, ...] = ()
    stops: tuple[TenderStop, ...] = ()
    weight: Decimal | None = None
    weight_type: str | None = None
    weight_unit: str | None = None
    rate: Decimal | None = None
    rate_basis: str | None = None
    charges: Decimal | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    packages: int | None = None
    declared_value: Decimal | None = None
    declared_basis: str | None = None
    partner: str | None = None
    extra: Extra = ()

    @property
    def purchase_orders(self) -> tuple[str, ...]:
        """The orders of what is to be carried, each once."""
        return once(order.purchase_order for stop in self.stops for order in stop.orders)


class AnsweredStop(HasReferences, frozen=True):
    """What a carrier says about one stop."""

    number: int
    reason: str
    references: tuple[FreightReference, ...] = ()
    dates: tuple[FreightDate, ...] = ()
    notes: tuple[str, ...] = ()
    extra: Extra = ()


class LoadTenderAnswer(HasReferences, frozen=True, tag_field="schema", tag="tradelane.load_tender_answer/1"):
    """Whether a carrier takes a load (`answer` "accepted", "declined"), `number` being the LoadTender's."""

    number: str | None = None
    carrier: str | None = None
    answered_on: dt.date | None = None
    answer: str | None = None
    reason: str | None = None
    references: tuple[FreightReference, ...] = ()
    dates: tuple[FreightDate, ...] = ()
    equipment: tuple[Trailer, ...] = ()
    notes: tuple[str, ...] = ()
    stops: tuple[AnsweredStop, ...] = ()
    partner: str | None = None
    extra: Extra = ()
