"""What documents are made of: parties, references, dates, charges and the like."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Self

from msgspec import Struct

Extra = tuple[tuple[str, ...], ...]


class Value(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """A part of a document. Frozen; unknown JSON fields are refused, so a misspelt one cannot be lost.

    Values are trees, never cycles, so the cyclic garbage collector need not follow them.
    """


class HasParties(Value, frozen=True):
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


class Nested(HasParties, frozen=True):
    """A level of a hierarchy, with the levels inside it."""

    def walk(self) -> Iterator[Self]:
        """This level and all within it, in the order they are written."""
        yield self
        levels: tuple[Self, ...] = getattr(self, "levels", ())
        for level in levels:
            yield from level.walk()


def once(numbers: Iterable[str | None]) -> tuple[str, ...]:
    """The numbers that are there, each once, in their order."""
    return tuple(dict.fromkeys(number for number in numbers if number))


class Reference(Value, frozen=True):
    """A number by which someone knows this: `type` such as "bill_of_lading", `value`, and `on`, its date.

    Carriers are told things in a `description` alone; elsewhere none goes without its type.
    """

    type: str | None = None
    value: str | None = None
    description: str | None = None
    on: dt.date | None = None
    extra: Extra = ()


class Dated(Value, frozen=True):
    """A date with its meaning, such as "requested_ship". `time` is local to the time code `zone`.

    Warehouse, grocery and freight sets give the time a meaning of its own, `time_type`; there none goes
    without, and a time may stand without a date and its `type`.
    """

    type: str | None = None
    on: dt.date | None = None
    time_type: str | None = None
    time: dt.time | None = None
    zone: str | None = None
    extra: Extra = ()


class Note(Value, frozen=True):
    """Free text with what it is about."""

    text: str | None = None
    type: str | None = None
    extra: Extra = ()


class Message(Value, frozen=True):
    """A text of several lines under a reference, as retailers send handling instructions."""

    type: str
    value: str | None = None
    description: str | None = None
    text: tuple[str, ...] = ()
    extra: Extra = ()


class Address(Value, frozen=True):
    """A postal address; `state` and `country` as codes. `location` is a code of kind `location_type`."""

    street: tuple[str, ...] = ()
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    location_type: str | None = None
    location: str | None = None


class Contact(Value, frozen=True):
    """A person or desk; `numbers` by kind: phone, email, fax."""

    role: str
    name: str | None = None
    numbers: dict[str, str] = {}
    reference: str | None = None
    extra: Extra = ()


class Party(HasParties, frozen=True):
    """Who plays `role` ("ship_to", "bill_to"); `ids` by kind: gln, duns, buyer_assigned.

    `references` and `dates` are those that hold for it alone.
    """

    role: str
    name: str | None = None
    ids: dict[str, str] = {}
    more_names: tuple[str, ...] = ()
    address: Address | None = None
    contacts: tuple[Contact, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    extra: Extra = ()


class Routing(Value, frozen=True):
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


class FreightTerms(Value, frozen=True):
    """Who pays the freight and where title passes."""

    payment: str
    location_type: str | None = None
    description: str | None = None
    terms: str | None = None
    extra: Extra = ()


class Terms(Value, frozen=True):
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


class Tax(Value, frozen=True):
    """A tax: its amount, or the percent that gives it, of what is `taxable`."""

    type: str
    amount: Decimal | None = None
    percent: Decimal | None = None
    jurisdiction_type: str | None = None
    jurisdiction: str | None = None
    exempt: str | None = None
    id: str | None = None
    taxable: Decimal | None = None
    extra: Extra = ()


class Charge(Value, frozen=True):
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


class Amount(Value, frozen=True):
    """A total with its meaning; `sign` is "credit" or "debit" where it is told."""

    type: str
    amount: Decimal | None = None
    sign: str | None = None
    extra: Extra = ()


class Lading(Value, frozen=True):
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


class Packing(Value, frozen=True):
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


class Mark(Value, frozen=True):
    """A number on a label: `type` "sscc", "tracking" ...; `last` where a range is told."""

    type: str
    number: str
    last: str | None = None
    extra: Extra = ()


class Measure(Value, frozen=True):
    """A measured property: weight, length, temperature."""

    of: str | None = None
    type: str | None = None
    value: Decimal | None = None
    unit: str | None = None
    extra: Extra = ()


class Detail(Value, frozen=True):
    """A described property of an item: `type` "color", "size"; `text`, or a `code` of an `agency`'s list."""

    format: str
    type: str | None = None
    text: str | None = None
    agency: str | None = None
    code: str | None = None
    extra: Extra = ()


class Schedule(Value, frozen=True):
    """A part of a line's quantity and when it is due."""

    quantity: Decimal
    unit: str
    type: str | None = None
    on: dt.date | None = None
    extra: Extra = ()


class Component(Value, frozen=True):
    """A part that a line consists of (a kit's component, one size of an assortment)."""

    number: str | None = None
    relationship: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    ids: dict[str, str] = {}
    extra: Extra = ()


class Quantity(Value, frozen=True):
    """A quantity with its meaning, such as "on_hand"."""

    type: str
    quantity: Decimal | None = None
    unit: str | None = None
    extra: Extra = ()


class Price(HasParties, frozen=True):
    """A price of a kind, such as "retail": per `unit`, from a `quantity` on; `dates` say when it holds."""

    type: str | None = None
    trade: str | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    multiplier_type: str | None = None
    multiplier: Decimal | None = None
    amount: Decimal | None = None
    basis: str | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    charges: tuple[Charge, ...] = ()
    extra: Extra = ()


class Distribution(Value, frozen=True):
    """A quantity for each of several places: `quantities` by their id, as digits; ids are of `id_type`."""

    unit: str
    id_type: str | None = None
    quantities: dict[str, str] = {}
    location: str | None = None
    extra: Extra = ()


class LeadTime(Value, frozen=True):
    """How long something takes: `quantity` periods of `period`."""

    type: str
    quantity: Decimal
    period: str
    on: dt.date | None = None
    extra: Extra = ()


class Industry(Value, frozen=True):
    """A `code` of the code list `list`, as trades have them."""

    list: str | None = None
    code: str | None = None
    extra: Extra = ()


class CodedFacts(Value, frozen=True):
    """Codes of the lists of one `agency`, as trades and authorities have them."""

    agency: str
    source: str | None = None
    codes: tuple[Industry, ...] = ()
    extra: Extra = ()


class Piece(HasParties, frozen=True):
    """One piece of a line, known by its serial number or another reference."""

    number: int
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    parties: tuple[Party, ...] = ()
    extra: Extra = ()


class Person(HasParties, frozen=True):
    """A person or, `type` "2", an organization that something is about; `name` is a family name."""

    role: str
    type: str
    name: str | None = None
    first_name: str | None = None
    middle_name: str | None = None
    ids: dict[str, str] = {}
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    extra: Extra = ()


class ErrorContext(Value, frozen=True):
    """What an error is about: a `name` with its value, or a rule and the place that triggered it."""

    name: str
    value: str | None = None
    segment: str | None = None
    position: int | None = None
    loop: str | None = None
    element: int | None = None
    component: int | None = None
    repetition: int | None = None
    data_element: str | None = None
    extra: Extra = ()
