"""What will be needed, what is to be shipped when, and what sells."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from edi.documents.parts import (
    Amount,
    Charge,
    Contact,
    Dated,
    Detail,
    Distribution,
    Extra,
    FreightTerms,
    HasParties,
    Lading,
    LeadTime,
    Mark,
    Measure,
    Packing,
    Party,
    Price,
    Quantity,
    Reference,
    Routing,
    Terms,
    Value,
)


class TimedQuantity(HasParties, frozen=True):
    """A part of a day's quantity, due at a time."""

    quantity: Decimal
    time: dt.time
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    extra: Extra = ()


class PlannedQuantity(HasParties, frozen=True):
    """A quantity and when it is needed: `certainty` is "firm" or "planning", `timing` "daily", "weekly" ...

    `on` is the day, or with `until` the first day of a period; `date_type` and `time` tell a time of it.
    """

    quantity: Decimal
    certainty: str
    timing: str
    on: dt.date
    until: dt.date | None = None
    date_type: str | None = None
    time: dt.time | None = None
    reference_type: str | None = None
    reference_number: str | None = None
    forecast_type: str | None = None
    quantities: tuple[Quantity, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    dates: tuple[Dated, ...] = ()
    times: tuple[TimedQuantity, ...] = ()
    extra: Extra = ()


class DeliveryPattern(Value, frozen=True):
    """The days of a week (`days`) and the shift (`time`) on which quantities are shipped or delivered."""

    days: str
    time: str
    planned: tuple[PlannedQuantity, ...] = ()
    extra: Extra = ()


class ShippedQuantity(HasParties, frozen=True):
    """What was shipped or received so far, the last time or since a date."""

    type: str | None = None
    quantity: Decimal | None = None
    date_type: str | None = None
    on: dt.date | None = None
    time: dt.time | None = None
    until: dt.date | None = None
    references: tuple[Reference, ...] = ()
    extra: Extra = ()


class Authorization(Value, frozen=True):
    """Up to which date the buyer pays for material or labor, and how much of it."""

    type: str
    until: dt.date | None = None
    quantity: Decimal | None = None
    cumulative: Decimal | None = None
    since: dt.date | None = None
    extra: Extra = ()


class PlannedLine(HasParties, frozen=True):
    """One item: what is planned, on which days, and what was shipped or received of it."""

    number: str | None = None
    ids: dict[str, str] = {}
    unit: str | None = None
    price: Decimal | None = None
    price_basis: str | None = None
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    measures: tuple[Measure, ...] = ()
    packing: tuple[Packing, ...] = ()
    status: str | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    lead_times: tuple[LeadTime, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    authorizations: tuple[Authorization, ...] = ()
    lading: tuple[Lading, ...] = ()
    routing: tuple[Routing, ...] = ()
    marks: tuple[Mark, ...] = ()
    parties: tuple[Party, ...] = ()
    days: str | None = None
    days_time: str | None = None
    planned: tuple[PlannedQuantity, ...] = ()
    patterns: tuple[DeliveryPattern, ...] = ()
    shipped: tuple[ShippedQuantity, ...] = ()
    extra: Extra = ()


class Forecast(HasParties, frozen=True, tag_field="schema", tag="tradelane.forecast/1"):
    """What a customer expects to need. It is known by its `number` or its `release`.

    `based_on` tells whether dates are of "shipment" or "delivery", `quantity_type` whether quantities are
    "discrete", "cumulative", a "net_change" or a "replacement".
    """

    number: str | None = None
    release: str | None = None
    purpose: str | None = None
    based_on: str | None = None
    quantity_type: str | None = None
    starts_on: dt.date | None = None
    ends_on: dt.date | None = None
    issued_on: dt.date | None = None
    updated_on: dt.date | None = None
    contract: str | None = None
    purchase_order: str | None = None
    type: str | None = None
    action: str | None = None
    currency: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    charges: tuple[Charge, ...] = ()
    terms: tuple[Terms, ...] = ()
    dates: tuple[Dated, ...] = ()
    routing: tuple[Routing, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[PlannedLine, ...] = ()
    partner: str | None = None
    extra: Extra = ()


class ShipSchedule(HasParties, frozen=True, tag_field="schema", tag="tradelane.ship_schedule/1"):
    """What a customer wants to be shipped when; it makes a Forecast exact for the days ahead."""

    number: str
    purpose: str | None = None
    issued_on: dt.date | None = None
    based_on: str | None = None
    starts_on: dt.date | None = None
    ends_on: dt.date | None = None
    release: str | None = None
    reference_number: str | None = None
    contract: str | None = None
    purchase_order: str | None = None
    quantity_type: str | None = None
    dates: tuple[Dated, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[PlannedLine, ...] = ()
    partner: str | None = None
    extra: Extra = ()


class Activity(Value, frozen=True):
    """How much of an item was sold, is on hand or on order (`type`), and of that in each store."""

    type: str
    quantity: Decimal | None = None
    unit: str | None = None
    date_type: str | None = None
    on: dt.date | None = None
    reference_type: str | None = None
    reference_number: str | None = None
    quantities: tuple[Quantity, ...] = ()
    prices: tuple[Price, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    extra: Extra = ()


class ActivityLine(HasParties, frozen=True):
    """One item and what happened to it in the period."""

    number: str | None = None
    ids: dict[str, str] = {}
    prices: tuple[Price, ...] = ()
    packing: tuple[Packing, ...] = ()
    references: tuple[Reference, ...] = ()
    amounts: tuple[Amount, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    activities: tuple[Activity, ...] = ()
    extra: Extra = ()


class ProductActivity(HasParties, frozen=True, tag_field="schema", tag="tradelane.product_activity/1"):
    """What a customer sold and has in stock from `starts_on` to `ends_on`, item by item."""

    starts_on: dt.date
    ends_on: dt.date | None = None
    handling: str | None = None
    number: str | None = None
    purpose: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[ActivityLine, ...] = ()
    partner: str | None = None
    extra: Extra = ()
