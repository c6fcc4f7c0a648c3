"""The canonical documents: what partners tell each other, with no syntax left in it.

Every document is a frozen value. Its JSON is the contract with the ERP: `schema` names type and version,
absent fields are left out, numbers are strings of digits (no float ever touches money or quantity), dates are
ISO 8601, and field order is fixed, so equal documents built alike give equal bytes. A field added with a
default keeps the version; anything else needs a new one (the stored JSON Schema of each version is tested).

Rules that hold everywhere
  * Give fields by name. Text is never empty: what is absent is None.
  * `ids` and `numbers` are {kind: value}; kinds, roles, types and units are words such as "ship_to" or "each"
    where `mappings/codes.toml` has a word for the code, and otherwise the partner's code as it was.
  * `extra` keeps what a map did not place: rows of (reference designator relative to where it stood, values),
    so that nothing is lost and the same document can be written again. U+001F stands between the components
    of a composite there.
  * `partner` is the name of the partner it came from or goes to, as partners.toml has it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, get_args

import msgspec
from msgspec import Struct

from edi.problems import EdiError

Extra = tuple[tuple[str, ...], ...]

BETWEEN_COMPONENTS = "\x1f"


class NotADocument(EdiError):
    """The JSON is no canonical document; the message names the field by its path."""


class _Value(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A part of a document. Frozen; unknown JSON fields are refused, so a misspelt one cannot be lost.

    Values are trees, never cycles, so the cyclic garbage collector need not follow them.
    """


class Reference(_Value, frozen=True):
    """A number by which someone knows this: `type` such as "bill_of_lading", `value`."""

    type: str
    value: str | None = None
    description: str | None = None
    extra: Extra = ()


class Dated(_Value, frozen=True):
    """A date with its meaning, such as "requested_ship". `time` is local to the time code `zone`."""

    type: str
    on: dt.date | None = None
    time: dt.time | None = None
    zone: str | None = None
    extra: Extra = ()


class Note(_Value, frozen=True):
    """Free text with what it is about."""

    text: str | None = None
    type: str | None = None
    extra: Extra = ()


class Message(_Value, frozen=True):
    """A text of several lines under a reference, as retailers send handling instructions."""

    type: str
    value: str | None = None
    description: str | None = None
    text: tuple[str, ...] = ()
    extra: Extra = ()


class Address(_Value, frozen=True):
    """A postal address; `state` and `country` as codes. `location` is a code of kind `location_type`."""

    street: tuple[str, ...] = ()
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    location_type: str | None = None
    location: str | None = None


class Contact(_Value, frozen=True):
    """A person or desk; `numbers` by kind: phone, email, fax."""

    role: str
    name: str | None = None
    numbers: dict[str, str] = {}
    reference: str | None = None
    extra: Extra = ()


class Party(_Value, frozen=True):
    """Who plays `role` ("ship_to", "bill_to"); `ids` by kind: gln, duns, buyer_assigned."""

    role: str
    name: str | None = None
    ids: dict[str, str] = {}
    more_names: tuple[str, ...] = ()
    address: Address | None = None
    contacts: tuple[Contact, ...] = ()
    references: tuple[Reference, ...] = ()
    extra: Extra = ()


class Routing(_Value, frozen=True):
    """How goods travel: the carrier by `ids` ("scac"), mode of transport, who pays, equipment."""

    ids: dict[str, str] = {}
    method: str | None = None
    description: str | None = None
    sequence: str | None = None
    service: str | None = None
    payment: str | None = None
    fob: str | None = None
    fob_point: str | None = None
    equipment: str | None = None
    equipment_initial: str | None = None
    equipment_number: str | None = None
    status: str | None = None
    reference_type: str | None = None
    reference: str | None = None
    extra: Extra = ()


class FreightTerms(_Value, frozen=True):
    """Who pays the freight and where title passes."""

    payment: str
    location_type: str | None = None
    description: str | None = None
    terms: str | None = None
    extra: Extra = ()


class Terms(_Value, frozen=True):
    """Terms of sale: discount percent within days, net days."""

    type: str | None = None
    basis: str | None = None
    discount_percent: Decimal | None = None
    discount_due_on: dt.date | None = None
    discount_days: int | None = None
    net_due_on: dt.date | None = None
    net_days: int | None = None
    discount_amount: Decimal | None = None
    description: str | None = None
    extra: Extra = ()


class Tax(_Value, frozen=True):
    """A tax: its amount, or the percent that gives it."""

    type: str
    amount: Decimal | None = None
    percent: Decimal | None = None
    jurisdiction_type: str | None = None
    jurisdiction: str | None = None
    exempt: str | None = None
    id: str | None = None
    extra: Extra = ()


class Charge(_Value, frozen=True):
    """An allowance or a charge (`kind`), as an amount, a percent or a rate per unit."""

    kind: str
    code: str | None = None
    amount: Decimal | None = None
    percent_basis: str | None = None
    percent: Decimal | None = None
    rate: Decimal | None = None
    unit: str | None = None
    quantity: Decimal | None = None
    method: str | None = None
    reference: str | None = None
    description: str | None = None
    taxes: tuple[Tax, ...] = ()
    extra: Extra = ()


class Amount(_Value, frozen=True):
    """A total with its meaning; `sign` is "credit" or "debit" where it is told."""

    type: str
    amount: Decimal | None = None
    sign: str | None = None
    extra: Extra = ()


class Lading(_Value, frozen=True):
    """What is loaded: packages of a kind, their weight and volume."""

    packaging: str | None = None
    packages: int | None = None
    description: str | None = None
    weight_type: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    extra: Extra = ()


class Packing(_Value, frozen=True):
    """How an item is packed: `pack` inner units of `size` `unit` in one outer package."""

    pack: int | None = None
    size: Decimal | None = None
    unit: str | None = None
    packaging: str | None = None
    inner_pack: int | None = None
    weight_type: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    extra: Extra = ()


class Mark(_Value, frozen=True):
    """A number on a label: `type` "sscc", "tracking" ...; `last` where a range is told."""

    type: str
    number: str
    last: str | None = None
    extra: Extra = ()


class Measure(_Value, frozen=True):
    """A measured property: weight, length, temperature."""

    of: str | None = None
    type: str | None = None
    value: Decimal | None = None
    unit: str | None = None
    extra: Extra = ()


class Detail(_Value, frozen=True):
    """A described property of an item: `type` "color", "size"; `text`, or a `code` of an `agency`'s list."""

    format: str
    type: str | None = None
    text: str | None = None
    agency: str | None = None
    code: str | None = None
    extra: Extra = ()


class Schedule(_Value, frozen=True):
    """A part of a line's quantity and when it is due."""

    quantity: Decimal
    unit: str
    type: str | None = None
    on: dt.date | None = None
    extra: Extra = ()


class Component(_Value, frozen=True):
    """A part that a line consists of (a kit's component, one size of an assortment)."""

    number: str | None = None
    relationship: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    ids: dict[str, str] = {}
    extra: Extra = ()


class _HasParties(_Value, frozen=True):
    """Look-ups that documents, lines and levels share; the first match wins."""

    def party(self, role: str) -> Party | None:
        """The first party playing `role`."""
        parties: tuple[Party, ...] = getattr(self, "parties", ())
        return next((party for party in parties if party.role == role), None)

    def reference(self, type: str) -> str | None:
        """The value of the first reference of `type`."""
        references: tuple[Reference, ...] = getattr(self, "references", ())
        return next((reference.value for reference in references if reference.type == type), None)

    def date(self, type: str) -> dt.date | None:
        """The first date of `type`."""
        dates: tuple[Dated, ...] = getattr(self, "dates", ())
        return next((dated.on for dated in dates if dated.type == type), None)


class OrderLine(_HasParties, frozen=True):
    """One ordered item. `price` is per `unit` unless `price_basis` says otherwise."""

    number: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    price_basis: str | None = None
    ids: dict[str, str] = {}
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    packing: tuple[Packing, ...] = ()
    measures: tuple[Measure, ...] = ()
    references: tuple[Reference, ...] = ()
    charges: tuple[Charge, ...] = ()
    terms: tuple[Terms, ...] = ()
    taxes: tuple[Tax, ...] = ()
    dates: tuple[Dated, ...] = ()
    routing: tuple[Routing, ...] = ()
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    messages: tuple[Message, ...] = ()
    parties: tuple[Party, ...] = ()
    components: tuple[Component, ...] = ()
    extra: Extra = ()


class SalesOrder(_HasParties, frozen=True, tag_field="schema", tag="tradelane.sales_order/1"):
    """A customer's order. `number` is the customer's purchase order number."""

    number: str
    ordered_on: dt.date | None = None
    purpose: str | None = None
    type: str | None = None
    release: str | None = None
    contract: str | None = None
    currency: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    charges: tuple[Charge, ...] = ()
    terms: tuple[Terms, ...] = ()
    dates: tuple[Dated, ...] = ()
    lading: tuple[Lading, ...] = ()
    routing: tuple[Routing, ...] = ()
    taxes: tuple[Tax, ...] = ()
    amounts: tuple[Amount, ...] = ()
    messages: tuple[Message, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[OrderLine, ...] = ()
    total: Decimal | None = None
    partner: str | None = None
    extra: Extra = ()


class WarehouseLine(_HasParties, frozen=True):
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


class LineGroup(_HasParties, frozen=True):
    """Lines that share marks, a date or a destination; mostly one line each, numbered from 1."""

    number: int
    marks: tuple[Mark, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    dates: tuple[Dated, ...] = ()
    lines: tuple[WarehouseLine, ...] = ()
    extra: Extra = ()


class WarehouseOrder(_HasParties, frozen=True, tag_field="schema", tag="tradelane.warehouse_order/1"):
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


class ShippedLine(_HasParties, frozen=True):
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


class Pack(_HasParties, frozen=True):
    """A carton or pallet and what is in it; its SSCC or tracking number among `marks`."""

    number: int
    marks: tuple[Mark, ...] = ()
    references: tuple[Reference, ...] = ()
    lines: tuple[ShippedLine, ...] = ()
    extra: Extra = ()


class ShipmentConfirmation(
    _HasParties, frozen=True, tag_field="schema", tag="tradelane.shipment_confirmation/1"
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


class Level(_HasParties, frozen=True):
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

    def walk(self) -> Iterator[Level]:
        """This level and all within it, in the order they are written."""
        yield self
        for level in self.levels:
            yield from level.walk()


class ShipNotice(_HasParties, frozen=True, tag_field="schema", tag="tradelane.ship_notice/1"):
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


class InvoiceLine(_HasParties, frozen=True):
    """One invoiced item."""

    number: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    price_basis: str | None = None
    ids: dict[str, str] = {}
    taxes: tuple[Tax, ...] = ()
    measures: tuple[Measure, ...] = ()
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    packing: tuple[Packing, ...] = ()
    terms: tuple[Terms, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    routing: tuple[Routing, ...] = ()
    charges: tuple[Charge, ...] = ()
    components: tuple[Component, ...] = ()
    parties: tuple[Party, ...] = ()
    extra: Extra = ()


class Invoice(_HasParties, frozen=True, tag_field="schema", tag="tradelane.invoice/1"):
    """An invoice. `total` is what is to be paid before a terms discount."""

    number: str
    invoiced_on: dt.date | None = None
    ordered_on: dt.date | None = None
    purchase_order: str | None = None
    release: str | None = None
    type: str | None = None
    purpose: str | None = None
    notes: tuple[Note, ...] = ()
    currency: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    parties: tuple[Party, ...] = ()
    terms: tuple[Terms, ...] = ()
    dates: tuple[Dated, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    messages: tuple[Message, ...] = ()
    lines: tuple[InvoiceLine, ...] = ()
    total: Decimal | None = None
    discountable: Decimal | None = None
    discounted_total: Decimal | None = None
    discount: Decimal | None = None
    taxes: tuple[Tax, ...] = ()
    routing: tuple[Routing, ...] = ()
    amounts: tuple[Amount, ...] = ()
    charges: tuple[Charge, ...] = ()
    shipped: Decimal | None = None
    shipped_unit: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    partner: str | None = None
    extra: Extra = ()


class ElementError(_Value, frozen=True):
    """A fault in an element; `code` is the syntax's own."""

    element: int
    code: str
    component: int | None = None
    repetition: int | None = None
    data_element: str | None = None
    value: str | None = None
    extra: Extra = ()


class SegmentError(_Value, frozen=True):
    """A fault in a segment, `position` counted from ST = 1."""

    segment: str
    position: int
    loop: str | None = None
    code: str | None = None
    elements: tuple[ElementError, ...] = ()
    extra: Extra = ()


class TransactionStatus(_Value, frozen=True):
    """What became of one transaction: accepted, accepted_with_errors, rejected."""

    type: str
    control_number: str
    status: str
    convention: str | None = None
    errors: tuple[str, ...] = ()
    segments: tuple[SegmentError, ...] = ()
    extra: Extra = ()


class Acknowledgment(_Value, frozen=True, tag_field="schema", tag="tradelane.acknowledgment/1"):
    """A partner's answer to one group of ours. `status` may also be partially_accepted."""

    functional_id: str
    control_number: str
    status: str
    included: int | None = None
    received: int | None = None
    accepted: int | None = None
    version: str | None = None
    errors: tuple[str, ...] = ()
    transactions: tuple[TransactionStatus, ...] = ()
    partner: str | None = None
    extra: Extra = ()


Document = SalesOrder | WarehouseOrder | ShipmentConfirmation | ShipNotice | Invoice | Acknowledgment

DOCUMENTS: dict[str, type[Document]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Document)}

_decoder = msgspec.json.Decoder(Document)
_encoder = msgspec.json.Encoder(decimal_format="string")


def schema_of(document: Document | type[Document]) -> str:
    """The type and version of a document, such as "tradelane.sales_order/1"."""
    return str(document.__struct_config__.tag)


def decode(data: bytes) -> Document:
    """The document in `data` (JSON, UTF-8). Raises NotADocument, naming the field that is wrong."""
    try:
        document: Document = _decoder.decode(data)
        return document
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotADocument(str(error)) from None


def encode(document: Document) -> bytes:
    """Canonical JSON: UTF-8 on one line, `schema` first, fields in their order, decimals as strings."""
    data: bytes = _encoder.encode(document)
    return data


def json_schema(document: type[Document]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one document type, as stored in edi/schemas."""
    return msgspec.json.schema(document)
