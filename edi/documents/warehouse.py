"""What is asked of a warehouse and what it did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from edi.documents.parts import (
    Contact,
    Dated,
    Extra,
    HasParties,
    Mark,
    Measure,
    Note,
    Party,
    Reference,
    Routing,
)


class WarehouseLine(HasParties, frozen=True):
    """One item the warehouse is to ship."""

    quantity: Decimal
    unit: str | None = None
    ids: dict[str, str] = {}
    lot: str | None = None
    description: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    notes: tuple[Note, ...] = ()
    dates: tuple[Dated, ...] = ()
    parties: tuple[Party, ...] = ()
    extra: Extra = ()


class LineGroup(HasParties, frozen=True):
    """Lines that share marks, a date or a destination; mostly one line each, numbered from 1."""

    number: int
    marks: tuple[Mark, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    dates: tuple[Dated, ...] = ()
    lines: tuple[WarehouseLine, ...] = ()
    extra: Extra = ()


class WarehouseOrder(HasParties, frozen=True, tag_field="schema", tag="tradelane.warehouse_order/1"):
    """An order to ship from stock. `number` is the depositor's (our) order number."""

    number: str
    purchase_order: str | None = None
    status: str | None = None
    master_reference: str | None = None
    link_sequence: str | None = None
    type: str | None = None
    parties: tuple[Party, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    dates: tuple[Dated, ...] = ()
    notes: tuple[Note, ...] = ()
    routing: tuple[Routing, ...] = ()
    groups: tuple[LineGroup, ...] = ()
    quantity: Decimal | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    partner: str | None = None
    extra: Extra = ()

    @property
    def lines(self) -> tuple[WarehouseLine, ...]:
        """All lines, in order."""
        return tuple(line for group in self.groups for line in group.lines)


def grouped(lines: Iterable[WarehouseLine]) -> tuple[LineGroup, ...]:
    """Each line in a group of its own, numbered from 1: the usual shape of `WarehouseOrder.groups`."""
    return tuple(LineGroup(number=number, lines=(line,)) for number, line in enumerate(lines, 1))


class ShippedLine(HasParties, frozen=True):
    """One item as it left: `shipped` of `ordered`; `difference` is ordered minus shipped where told."""

    status: str | None = None
    ordered: Decimal | None = None
    shipped: Decimal | None = None
    difference: Decimal | None = None
    unit: str | None = None
    ids: dict[str, str] = {}
    lot: str | None = None
    weight: Decimal | None = None
    weight_type: str | None = None
    weight_unit: str | None = None
    change_reason: str | None = None
    description: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    measures: tuple[Measure, ...] = ()
    parties: tuple[Party, ...] = ()
    extra: Extra = ()


class Pack(HasParties, frozen=True):
    """A carton or pallet and what is in it; its SSCC or tracking number among `marks`.

    `inside` is the number of the pack that it stands in, as a carton on a pallet; `packages` are how many of
    a kind of `packaging` share its number.
    """

    number: int
    inside: int | None = None
    packages: int | None = None
    packaging: str | None = None
    marks: tuple[Mark, ...] = ()
    references: tuple[Reference, ...] = ()
    lines: tuple[ShippedLine, ...] = ()
    extra: Extra = ()


class ShipmentConfirmation(
    HasParties, frozen=True, tag_field="schema", tag="tradelane.shipment_confirmation/1"
):
    """What a warehouse shipped for a WarehouseOrder, `number` being that order's number."""

    number: str | None = None
    shipped_on: dt.date | None = None
    shipment: str | None = None
    purchase_order: str | None = None
    reporting: str | None = None
    agent_shipment: str | None = None
    master_reference: str | None = None
    link_sequence: str | None = None
    type: str | None = None
    parties: tuple[Party, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    dates: tuple[Dated, ...] = ()
    notes: tuple[Note, ...] = ()
    routing: tuple[Routing, ...] = ()
    packs: tuple[Pack, ...] = ()
    shipped: Decimal | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    packages: int | None = None
    package_unit: str | None = None
    partner: str | None = None
    extra: Extra = ()

    @property
    def lines(self) -> tuple[ShippedLine, ...]:
        """All lines, in order."""
        return tuple(line for pack in self.packs for line in pack.lines)
