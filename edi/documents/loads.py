"""What a truck carries for whom, and where it stops."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from edi.documents.parts import Dated, Extra, HasParties, Note, Party, Reference, Value


class Load(Value, frozen=True):
    """Weight, volume and handling units: `packages` that are loose and `unitized` ones (pallets)."""

    weight_type: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    packages: int | None = None
    unitized: int | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    extra: Extra = ()


class Leg(Value, frozen=True):
    """One carrier of several that carry a shipment, in its `sequence`, and where it hands over."""

    carrier: str
    sequence: str
    city: str | None = None
    state: str | None = None
    method: str | None = None
    invoice: str | None = None
    on: dt.date | None = None
    amount: Decimal | None = None
    description: str | None = None
    extra: Extra = ()


class SpecialHandling(Value, frozen=True):
    """How goods are to be treated: a `code`, the `service` asked for, or words."""

    code: str | None = None
    service: str | None = None
    description: str | None = None
    extra: Extra = ()


class Trailer(Value, frozen=True):
    """A trailer or container; `length` in feet and inches as the standard writes it: 5300 is 53 feet."""

    number: str
    initial: str | None = None
    carrier: str | None = None
    type: str | None = None
    length: str | None = None
    weight_type: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    tare: int | None = None
    tare_type: str | None = None
    temperature: str | None = None
    seals: tuple[str, ...] = ()
    extra: Extra = ()


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


class GoodsContact(HasParties, frozen=True):
    """Whom to ask about goods, their references and what is dangerous in them."""

    role: str
    name: str
    numbers: dict[str, str] = {}
    references: tuple[Reference, ...] = ()
    hazards: tuple[DangerousGoods, ...] = ()
    extra: Extra = ()


class Goods(Value, frozen=True):
    """What is carried, in words and by commodity code (`commodity_type` "N" is the NMFC's), and how much."""

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


class FreightOrder(Value, frozen=True):
    """The part of a purchase order in a shipment or at a stop. `reference` is the seller's order number."""

    reference: str | None = None
    purchase_order: str | None = None
    other_reference: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    packaging: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    commodity: str | None = None
    freight_class: str | None = None
    dates: tuple[Dated, ...] = ()
    items: tuple[LadingItem, ...] = ()
    goods: tuple[Goods, ...] = ()
    extra: Extra = ()


class Stop(HasParties, frozen=True):
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
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    load: Load | None = None
    items: tuple[LadingItem, ...] = ()
    handling: tuple[SpecialHandling, ...] = ()
    pallets: Pallets | None = None
    notes: tuple[Note, ...] = ()
    parties: tuple[Party, ...] = ()
    goods: tuple[Goods, ...] = ()
    orders: tuple[FreightOrder, ...] = ()
    equipment: tuple[Trailer, ...] = ()
    extra: Extra = ()
