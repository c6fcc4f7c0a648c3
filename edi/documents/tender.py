"""Loads offered to a carrier, and whether it takes them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from edi.documents.loads import Leg, Pallets, SpecialHandling, Stop, Trailer
from edi.documents.parts import Dated, Extra, HasParties, Note, Party, Reference, once


class LoadTender(HasParties, frozen=True, tag_field="schema", tag="tradelane.load_tender/1"):
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
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    legs: tuple[Leg, ...] = ()
    handling: tuple[SpecialHandling, ...] = ()
    pallets: Pallets | None = None
    certificates: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    parties: tuple[Party, ...] = ()
    equipment: tuple[Trailer, ...] = ()
    stops: tuple[Stop, ...] = ()
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


class AnsweredStop(HasParties, frozen=True):
    """What a carrier says about one stop."""

    number: int
    reason: str
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    notes: tuple[str, ...] = ()
    extra: Extra = ()


class LoadTenderAnswer(HasParties, frozen=True, tag_field="schema", tag="tradelane.load_tender_answer/1"):
    """Whether a carrier takes a load (`answer` "accepted", "declined"), `number` being the LoadTender's."""

    number: str | None = None
    carrier: str | None = None
    answered_on: dt.date | None = None
    answer: str | None = None
    reason: str | None = None
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    equipment: tuple[Trailer, ...] = ()
    notes: tuple[str, ...] = ()
    stops: tuple[AnsweredStop, ...] = ()
    partner: str | None = None
    extra: Extra = ()
