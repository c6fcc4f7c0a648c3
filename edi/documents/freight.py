"""Carriers: how goods are to be routed, where they are, and what carrying them costs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

from edi.documents.loads import FreightOrder, Goods, Leg, Load, SpecialHandling, Stop, Trailer
from edi.documents.parts import (
    Address,
    Contact,
    Dated,
    Extra,
    HasParties,
    Mark,
    Party,
    Reference,
    Terms,
    Value,
    once,
)


class RoutingDestination(HasParties, frozen=True):
    """Where goods are to go, when they are ready, on how many pallets or in how many cartons, and what.

    `quantity` counts the shipping units of kind `packaging`; `stackable` is "yes" or "no".
    """

    role: str
    name: str | None = None
    ids: dict[str, str] = {}
    more_names: tuple[str, ...] = ()
    address: Address | None = None
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    quantity: Decimal | None = None
    packaging: str | None = None
    stackable: str | None = None
    orders: tuple[FreightOrder, ...] = ()
    extra: Extra = ()


class RoutingRequest(HasParties, frozen=True, tag_field="schema", tag="tradelane.routing_request/1"):
    """A seller asks its customer how to ship what is ready. `parties` names where it is shipped from."""

    number: str
    purpose: str | None = None
    requested_on: dt.date | None = None
    requested_time: dt.time | None = None
    zone: str | None = None
    request: str | None = None
    type: str | None = None
    action: str | None = None
    contacts: tuple[Contact, ...] = ()
    parties: tuple[Party, ...] = ()
    destinations: tuple[RoutingDestination, ...] = ()
    partner: str | None = None
    extra: Extra = ()

    @property
    def purchase_orders(self) -> tuple[str, ...]:
        """The customer's order numbers, each once."""
        return once(order.purchase_order for place in self.destinations for order in place.orders)


class RoutedService(Value, frozen=True):
    """The service to be used: its level, who pays, and how goods are picked up."""

    level: str
    payment: str
    pickup: str | None = None
    extra: Extra = ()


class RoutedEquipment(Value, frozen=True):
    """How many trailers or containers of which size and weight; `length` as in Trailer."""

    type: str
    quantity: Decimal | None = None
    length: str | None = None
    height: Decimal | None = None
    width: Decimal | None = None
    weight_type: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    extra: Extra = ()


class RoutedShipment(HasParties, frozen=True):
    """One shipment and how it is to go: with which `carrier` (SCAC), when, and at which stop of a load."""

    number: int
    references: tuple[Reference, ...] = ()
    carrier: str | None = None
    effective_on: dt.date | None = None
    effective_time: dt.time | None = None
    services: tuple[RoutedService, ...] = ()
    orders: tuple[FreightOrder, ...] = ()
    dates: tuple[Dated, ...] = ()
    multi_stop: str | None = None
    stop: int | None = None
    equipment: tuple[RoutedEquipment, ...] = ()
    parties: tuple[Party, ...] = ()
    extra: Extra = ()


class RoutingInstructions(
    HasParties, frozen=True, tag_field="schema", tag="tradelane.routing_instructions/1"
):
    """A customer tells how to ship. `request` is the number of the RoutingRequest that is answered."""

    number: str
    purpose: str | None = None
    issued_on: dt.date | None = None
    issued_time: dt.time | None = None
    zone: str | None = None
    request: str | None = None
    type: str | None = None
    action: str | None = None
    contacts: tuple[Contact, ...] = ()
    parties: tuple[Party, ...] = ()
    shipments: tuple[RoutedShipment, ...] = ()
    partner: str | None = None
    extra: Extra = ()

    @property
    def purchase_orders(self) -> tuple[str, ...]:
        """The customer's order numbers, each once."""
        return once(order.purchase_order for shipment in self.shipments for order in shipment.orders)


class FreightEvent(Value, frozen=True):
    """What happened to a shipment, or (`appointment`) is to happen: when, where, why, in which trailer."""

    status: str | None = None
    reason: str | None = None
    appointment: str | None = None
    appointment_reason: str | None = None
    on: dt.date | None = None
    time: dt.time | None = None
    zone: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    longitude: str | None = None
    latitude: str | None = None
    carrier: str | None = None
    trailer: str | None = None
    trailer_type: str | None = None
    notes: tuple[str, ...] = ()
    seals: tuple[str, ...] = ()
    extra: Extra = ()


class LadingException(Value, frozen=True):
    """What is not as it should be with the goods: short, damaged, refused; how many of which packaging."""

    code: str
    packaging: str | None = None
    packages: int | None = None
    extra: Extra = ()


class TrackedPackage(HasParties, frozen=True):
    """One parcel: its tracking number among `marks` or `references`, and what happened to it."""

    weight_type: str | None = None
    weight: Decimal | None = None
    zone: str | None = None
    service: str | None = None
    references: tuple[Reference, ...] = ()
    events: tuple[FreightEvent, ...] = ()
    marks: tuple[Mark, ...] = ()
    parties: tuple[Party, ...] = ()
    extra: Extra = ()


class FreightProgress(HasParties, frozen=True):
    """What happened to a shipment, or to one stop of it."""

    number: int
    events: tuple[FreightEvent, ...] = ()
    references: tuple[Reference, ...] = ()
    marks: tuple[Mark, ...] = ()
    exceptions: tuple[LadingException, ...] = ()
    notes: tuple[str, ...] = ()
    handling: tuple[SpecialHandling, ...] = ()
    loads: tuple[Load, ...] = ()
    packages: tuple[TrackedPackage, ...] = ()
    orders: tuple[FreightOrder, ...] = ()
    parties: tuple[Party, ...] = ()
    extra: Extra = ()


class FreightStatus(HasParties, frozen=True, tag_field="schema", tag="tradelane.freight_status/1"):
    """Where a shipment is. `number` is the carrier's (its pro number), `shipment` the shipper's."""

    number: str | None = None
    shipment: str | None = None
    carrier: str | None = None
    inquiry: int | None = None
    reference_type: str | None = None
    reference_number: str | None = None
    reported_on: dt.date | None = None
    reported_time: dt.time | None = None
    references: tuple[Reference, ...] = ()
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    parties: tuple[Party, ...] = ()
    legs: tuple[Leg, ...] = ()
    progress: tuple[FreightProgress, ...] = ()
    partner: str | None = None
    extra: Extra = ()

    @property
    def events(self) -> Iterator[FreightEvent]:
        """All that happened, in the order it is told."""
        for progress in self.progress:
            yield from progress.events

    @property
    def purchase_orders(self) -> tuple[str, ...]:
        """The order numbers that the carrier was told, each once."""
        return once(number for part in (self, *self.progress) for number in _ordered(part))


class RatedQuantity(Value, frozen=True):
    """What a charge is computed from: the rated quantity, weight, volume and packages."""

    line: int | None = None
    rated: Decimal | None = None
    rated_as: str | None = None
    weight: Decimal | None = None
    weight_type: str | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    packages: int | None = None
    packaging: str | None = None
    extra: Extra = ()


class FreightCharge(Value, frozen=True):
    """A charge of a carrier: `rate` on a basis, or a special charge by its `code`; a discount is negative."""

    line: int | None = None
    rate: Decimal | None = None
    rate_basis: str | None = None
    amount: Decimal | None = None
    advances: Decimal | None = None
    prepaid: Decimal | None = None
    code: str | None = None
    rate_class: str | None = None
    entitlement: str | None = None
    payment: str | None = None
    description: str | None = None
    declared_value: Decimal | None = None
    declared_basis: str | None = None
    rated: Decimal | None = None
    rated_as: str | None = None
    percent: Decimal | None = None
    currency: str | None = None
    extra: Extra = ()


class Tariff(Value, frozen=True):
    """The tariff that a charge follows, and the freight class of the goods."""

    line: int | None = None
    agency: str | None = None
    number: str | None = None
    section: str | None = None
    item: str | None = None
    freight_class: str | None = None
    extra: Extra = ()


class Dimensions(Value, frozen=True):
    """Length, width and height of `quantity` pieces."""

    length: Decimal
    width: Decimal
    height: Decimal
    unit: str
    quantity: Decimal | None = None
    extra: Extra = ()


class HazardousMaterial(Value, frozen=True):
    """A dangerous good: its UN number, class and packing group."""

    code: str
    hazard_class: str | None = None
    code_type: str | None = None
    description: str | None = None
    contact: str | None = None
    packing_group: str | None = None
    extra: Extra = ()


class InvoicedPackage(HasParties, frozen=True):
    """One parcel and what it cost; `service` is its level of service, `zone` the carrier's."""

    weight_type: str | None = None
    weight: Decimal | None = None
    zone: str | None = None
    service: str | None = None
    pickup: str | None = None
    rate_basis: str | None = None
    amount: Decimal | None = None
    references: tuple[Reference, ...] = ()
    extra: Extra = ()


class InvoicedReceiver(HasParties, frozen=True):
    """Who received which parcels of an invoice."""

    role: str
    name: str | None = None
    ids: dict[str, str] = {}
    more_names: tuple[str, ...] = ()
    address: Address | None = None
    references: tuple[Reference, ...] = ()
    packages: tuple[InvoicedPackage, ...] = ()
    extra: Extra = ()


class FreightInvoiceLine(HasParties, frozen=True):
    """What was carried or done, and what is charged for it. `signed_by` took delivery."""

    number: int
    references: tuple[Reference, ...] = ()
    signed_on: dt.date | None = None
    signed_time: dt.time | None = None
    signed_by: str | None = None
    goods: tuple[Goods, ...] = ()
    hazards: tuple[HazardousMaterial, ...] = ()
    quantities: tuple[RatedQuantity, ...] = ()
    charges: tuple[FreightCharge, ...] = ()
    dimensions: tuple[Dimensions, ...] = ()
    tariffs: tuple[Tariff, ...] = ()
    notes: tuple[str, ...] = ()
    orders: tuple[FreightOrder, ...] = ()
    parties: tuple[InvoicedReceiver, ...] = ()
    extra: Extra = ()


class FreightInvoice(HasParties, frozen=True, tag_field="schema", tag="tradelane.freight_invoice/1"):
    """A carrier's invoice. `due` is to be paid; `shipment` is the shipper's number of what was carried.

    The totals of all lines: `charges`, of which `prepaid` and `advances`; `weight`, `volume`, `packages`.
    `on` is one more date, whose meaning the partners agree on: mostly that of the pickup.
    """

    number: str
    invoiced_on: dt.date | None = None
    due: Decimal | None = None
    carrier: str | None = None
    shipment: str | None = None
    shipment_type: str | None = None
    payment: str | None = None
    correction: str | None = None
    delivered_on: dt.date | None = None
    delivered_type: str | None = None
    on: dt.date | None = None
    tariff_service: str | None = None
    transport_terms: str | None = None
    currency: str | None = None
    terms: tuple[Terms, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    legs: tuple[Leg, ...] = ()
    handling: tuple[SpecialHandling, ...] = ()
    notes: tuple[str, ...] = ()
    parties: tuple[Party, ...] = ()
    equipment: tuple[Trailer, ...] = ()
    orders: tuple[FreightOrder, ...] = ()
    stops: tuple[Stop, ...] = ()
    lines: tuple[FreightInvoiceLine, ...] = ()
    weight: Decimal | None = None
    weight_type: str | None = None
    weight_unit: str | None = None
    billed_unit: str | None = None
    rate: Decimal | None = None
    rate_basis: str | None = None
    charges: Decimal | None = None
    advances: Decimal | None = None
    prepaid: Decimal | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    packages: int | None = None
    declared_value: Decimal | None = None
    declared_basis: str | None = None
    partner: str | None = None
    extra: Extra = ()

    @property
    def purchase_orders(self) -> tuple[str, ...]:
        """The order numbers that the carrier was told, each once."""
        return once(number for part in (self, *self.stops, *self.lines) for number in _ordered(part))


def _ordered(part: HasParties) -> Iterator[str | None]:
    """Purchase orders as carriers tell them: by reference, or with what of each is in the shipment."""
    references: tuple[Reference, ...] = getattr(part, "references", ())
    orders: tuple[FreightOrder, ...] = getattr(part, "orders", ())
    yield from (reference.value for reference in references if reference.type == "purchase_order")
    yield from (order.purchase_order for order in orders)
