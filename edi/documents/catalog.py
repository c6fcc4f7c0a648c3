"""What is sold at which price, and what a distributor resold."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from edi.documents.parts import (
    Amount,
    Charge,
    Component,
    Contact,
    Dated,
    Detail,
    Extra,
    FreightTerms,
    HasParties,
    LeadTime,
    Measure,
    Packing,
    Party,
    Price,
    Reference,
    Tax,
    Terms,
    Value,
)


class Restriction(Value, frozen=True):
    """A condition of sale, such as a minimum quantity."""

    type: str
    description: str | None = None
    quantity_type: str | None = None
    quantity: Decimal | None = None
    amount_type: str | None = None
    amount: Decimal | None = None
    extra: Extra = ()


class CatalogLine(HasParties, frozen=True):
    """One item of a catalog and its prices; `maintenance` tells whether it is new, changed or gone."""

    number: str | None = None
    ids: dict[str, str] = {}
    maintenance: str | None = None
    description: str | None = None
    description_type: str | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    details: tuple[Detail, ...] = ()
    measures: tuple[Measure, ...] = ()
    packing: tuple[Packing, ...] = ()
    terms: tuple[Terms, ...] = ()
    lead_times: tuple[LeadTime, ...] = ()
    charges: tuple[Charge, ...] = ()
    taxes: tuple[Tax, ...] = ()
    prices: tuple[Price, ...] = ()
    parties: tuple[Party, ...] = ()
    components: tuple[Component, ...] = ()
    extra: Extra = ()


class PriceCatalog(HasParties, frozen=True, tag_field="schema", tag="tradelane.price_catalog/1"):
    """A seller's items and prices. `number`, `version` and `revision` name it."""

    type: str
    number: str | None = None
    version: str | None = None
    revision: str | None = None
    unit: str | None = None
    description: str | None = None
    purpose: str | None = None
    replaces: str | None = None
    currency: str | None = None
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    dates: tuple[Dated, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    terms: tuple[Terms, ...] = ()
    charges: tuple[Charge, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[CatalogLine, ...] = ()
    partner: str | None = None
    extra: Extra = ()


class ResoldLine(HasParties, frozen=True):
    """A quantity of one item that was resold, returned or moved (`type`), at a `price`."""

    type: str
    quantity: Decimal | None = None
    unit: str | None = None
    number: str | None = None
    ids: dict[str, str] = {}
    price: Decimal | None = None
    price_unit: str | None = None
    price_basis: str | None = None
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    packing: tuple[Packing, ...] = ()
    amounts: tuple[Amount, ...] = ()
    measures: tuple[Measure, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    extra: Extra = ()


class Resale(HasParties, frozen=True):
    """One sale or transfer (`type`): to whom, under which of their orders, and what."""

    type: str
    reference_type: str | None = None
    reference_number: str | None = None
    movement: str | None = None
    purchase_order: str | None = None
    release: str | None = None
    ordered_on: dt.date | None = None
    contract: str | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    parties: tuple[Party, ...] = ()
    lines: tuple[ResoldLine, ...] = ()
    extra: Extra = ()


class ResaleReport(HasParties, frozen=True, tag_field="schema", tag="tradelane.resale_report/1"):
    """What a distributor sold on of a maker's goods. `count` and `hash` are the report's own totals."""

    reported_on: dt.date
    number: str | None = None
    purpose: str | None = None
    type: str | None = None
    reported_time: dt.time | None = None
    reference_number: str | None = None
    currency: str | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    contacts: tuple[Contact, ...] = ()
    parties: tuple[Party, ...] = ()
    resales: tuple[Resale, ...] = ()
    count: int | None = None
    hash: Decimal | None = None
    amounts: tuple[Amount, ...] = ()
    partner: str | None = None
    extra: Extra = ()
