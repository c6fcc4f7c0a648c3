"""Stock in a warehouse: on its way to it, received, corrected, and how much there is."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from edi.documents.parts import (
    Amount,
    CodedFacts,
    Component,
    Contact,
    Dated,
    Detail,
    Distribution,
    Extra,
    HasParties,
    Lading,
    LeadTime,
    Mark,
    Measure,
    Note,
    Packing,
    Party,
    Piece,
    Price,
    Reference,
    Schedule,
    Value,
)


class Transport(Value, frozen=True):
    """How stock comes to a warehouse: the carrier by `ids` ("scac"), the trailer, its seals and pallets.

    Temperatures are those to keep: one, or the two ends of a range.
    """

    ids: dict[str, str] = {}
    method: str | None = None
    description: str | None = None
    payment: str | None = None
    equipment: str | None = None
    equipment_initial: str | None = None
    equipment_number: str | None = None
    status: str | None = None
    special_handling: str | None = None
    change_reason: str | None = None
    consolidation: str | None = None
    stops: int | None = None
    bill_of_lading: str | None = None
    unit_load: str | None = None
    seals: tuple[str, ...] = ()
    seal_status: str | None = None
    pallets: int | None = None
    pallet_exchange: str | None = None
    temperature: Decimal | None = None
    temperature_unit: str | None = None
    second_temperature: Decimal | None = None
    second_temperature_unit: str | None = None


class TransferLine(HasParties, frozen=True):
    """One item that is on its way to the warehouse; `hold` says why it may not be used when it is there."""

    shipped: Decimal
    unit: str | None = None
    ids: dict[str, str] = {}
    freight_class: str | None = None
    rate_class: str | None = None
    commodity_type: str | None = None
    commodity: str | None = None
    pallet_pattern: str | None = None
    hold: str | None = None
    description: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    packing: tuple[Packing, ...] = ()
    extra: Extra = ()


class StockTransfer(HasParties, frozen=True, tag_field="schema", tag="tradelane.stock_transfer/1"):
    """Stock is on its way to a warehouse. `number` is the depositor's (our) number; the receipt names it."""

    number: str | None = None
    shipped_on: dt.date | None = None
    shipment: str | None = None
    purchase_order: str | None = None
    reporting: str | None = None
    agent_shipment: str | None = None
    master_reference: str | None = None
    link_sequence: str | None = None
    special_handling: str | None = None
    date_change_reason: str | None = None
    type: str | None = None
    action: str | None = None
    parties: tuple[Party, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    dates: tuple[Dated, ...] = ()
    notes: tuple[Note, ...] = ()
    transport: Transport | None = None
    lines: tuple[TransferLine, ...] = ()
    shipped: Decimal | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    packages: int | None = None
    package_unit: str | None = None
    partner: str | None = None
    extra: Extra = ()


class ReceiptException(HasParties, frozen=True):
    """A part of a line that is not as it should be: `condition` is "damaged", "short", "hold" ..."""

    quantity: Decimal
    unit: str
    condition: str
    lot: str | None = None
    damage_reason: str | None = None
    references: tuple[Reference, ...] = ()
    extra: Extra = ()


class ReceiptLine(HasParties, frozen=True):
    """One item as it was received, and what of it is short, over, damaged or on hold."""

    received: Decimal
    unit: str | None = None
    ids: dict[str, str] = {}
    lot: str | None = None
    adjustment: str | None = None
    description: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    packing: tuple[Packing, ...] = ()
    exceptions: tuple[ReceiptException, ...] = ()
    extra: Extra = ()


class ReceivedPallet(HasParties, frozen=True):
    """A pallet, or another part of a receipt: its SSCC among `marks`, its tiers of so many `blocks`."""

    number: int
    marks: tuple[Mark, ...] = ()
    type: str | None = None
    tiers: int | None = None
    blocks: int | None = None
    pack: int | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    exchange: str | None = None
    references: tuple[Reference, ...] = ()
    lines: tuple[ReceiptLine, ...] = ()
    extra: Extra = ()


class PalletCount(Value, frozen=True):
    """Empty and full pallets that changed hands; `contested` of them in a `condition`."""

    received: int | None = None
    returned: int | None = None
    contested: Decimal | None = None
    condition: str | None = None
    extra: Extra = ()


class Temperature(Value, frozen=True):
    """A temperature that was measured: `at` is the head, the middle or the tail of a trailer."""

    at: str
    value: Decimal
    unit: str | None = None
    extra: Extra = ()


class StockReceipt(HasParties, frozen=True, tag_field="schema", tag="tradelane.stock_receipt/1"):
    """What a warehouse received. `number` is its own, `transfer` that of the StockTransfer it is for.

    Lines stand in `lines`, as in 004010, or by pallet, as in 005010: `received_lines` has all of them.
    """

    number: str
    received_on: dt.date
    reporting: str | None = None
    transfer: str | None = None
    shipment: str | None = None
    time_type: str | None = None
    time: dt.time | None = None
    master_reference: str | None = None
    link_sequence: str | None = None
    parties: tuple[Party, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    dates: tuple[Dated, ...] = ()
    notes: tuple[Note, ...] = ()
    transport: Transport | None = None
    temperatures: tuple[Temperature, ...] = ()
    pallet_counts: tuple[PalletCount, ...] = ()
    lading: tuple[Lading, ...] = ()
    lines: tuple[ReceiptLine, ...] = ()
    pallets: tuple[ReceivedPallet, ...] = ()
    received: Decimal | None = None
    shipped: Decimal | None = None
    damaged: Decimal | None = None
    packages_received: int | None = None
    packages: int | None = None
    partner: str | None = None
    extra: Extra = ()

    @property
    def received_lines(self) -> tuple[ReceiptLine, ...]:
        """All lines, in order, whether they stand by pallet or not."""
        return (*self.lines, *(line for pallet in self.pallets for line in pallet.lines))


class AdjustmentLine(HasParties, frozen=True):
    """A correction of one item: so many more or, below zero, fewer, and the `reason`."""

    reason: str
    quantity: Decimal
    unit: str
    ids: dict[str, str] = {}
    lot: str | None = None
    weight: Decimal | None = None
    weight_type: str | None = None
    weight_unit: str | None = None
    second_weight: Decimal | None = None
    second_weight_type: str | None = None
    second_weight_unit: str | None = None
    stock: str | None = None
    contract: str | None = None
    purchase_order: str | None = None
    price: Decimal | None = None
    price_unit: str | None = None
    description: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    amounts: tuple[Amount, ...] = ()
    dates: tuple[Dated, ...] = ()
    facts: tuple[CodedFacts, ...] = ()
    parties: tuple[Party, ...] = ()
    pieces: tuple[Piece, ...] = ()
    extra: Extra = ()


class InventoryAdjustment(
    HasParties, frozen=True, tag_field="schema", tag="tradelane.inventory_adjustment/1"
):
    """A warehouse corrects how much it has of what, or its state. `number` is the warehouse's."""

    adjusted_on: dt.date
    number: str | None = None
    depositor_number: str | None = None
    purpose: str | None = None
    type: str | None = None
    action: str | None = None
    parties: tuple[Party, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    dates: tuple[Dated, ...] = ()
    notes: tuple[Note, ...] = ()
    facts: tuple[CodedFacts, ...] = ()
    lines: tuple[AdjustmentLine, ...] = ()
    partner: str | None = None
    extra: Extra = ()


class StockQuantity(HasParties, frozen=True):
    """How much of an item is on hand, on order or available (`type`), and when more will be."""

    type: str
    quantity: Decimal | None = None
    unit: str | None = None
    text: str | None = None
    measures: tuple[Measure, ...] = ()
    lead_times: tuple[LeadTime, ...] = ()
    dates: tuple[Dated, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    facts: tuple[CodedFacts, ...] = ()
    extra: Extra = ()


class PositionLine(HasParties, frozen=True):
    """One item: what it is, what it costs, and its quantities."""

    number: str | None = None
    ids: dict[str, str] = {}
    unit: str | None = None
    price: Decimal | None = None
    maintenance: str | None = None
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    measures: tuple[Measure, ...] = ()
    dates: tuple[Dated, ...] = ()
    prices: tuple[Price, ...] = ()
    currency: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    marks: tuple[Mark, ...] = ()
    lead_times: tuple[LeadTime, ...] = ()
    facts: tuple[CodedFacts, ...] = ()
    components: tuple[Component, ...] = ()
    quantities: tuple[StockQuantity, ...] = ()
    parties: tuple[Party, ...] = ()
    extra: Extra = ()

    def quantity(self, type: str) -> Decimal | None:
        """The first quantity of `type`, such as "available"."""
        return next((one.quantity for one in self.quantities if one.type == type), None)


class InventoryPosition(HasParties, frozen=True, tag_field="schema", tag="tradelane.inventory_position/1"):
    """How much there is of what. `type` says in whose stock: "distributor", "location" ..."""

    number: str
    reported_on: dt.date
    reported_time: dt.time | None = None
    purpose: str | None = None
    type: str | None = None
    action: str | None = None
    currency: str | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    measures: tuple[Measure, ...] = ()
    parties: tuple[Party, ...] = ()
    facts: tuple[CodedFacts, ...] = ()
    lines: tuple[PositionLine, ...] = ()
    partner: str | None = None
    extra: Extra = ()
