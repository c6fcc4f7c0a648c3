"""What follows from a document: an order leads to a warehouse order; its confirmation to notice and invoice.

Pure: documents in, documents out. Times are arguments, and a party, line or number that is not known is left
out rather than made up.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import count
from typing import TypeVar

from msgspec.structs import replace

from edi.documents import (
    Amount,
    Dated,
    Invoice,
    InvoiceLine,
    Lading,
    Level,
    OrderLine,
    Pack,
    Party,
    Reference,
    Routing,
    SalesOrder,
    ShipmentConfirmation,
    ShipNotice,
    ShippedLine,
    WarehouseLine,
    WarehouseOrder,
    grouped,
)

_Noticed = TypeVar("_Noticed", ShipNotice, Invoice)

_PRICED_FOR: dict[str, int | None] = (  # of a price basis: so many units; None: of what, cannot be told here
    dict.fromkeys(("PN",), 10)
    | dict.fromkeys(("HP", "LC", "QH", "RC", "TC", "WC"), 100)
    | dict.fromkeys(("LM", "QS", "RM", "TM", "TP", "WM"), 1000)
    | {"TT": 10_000, "HT": 100_000}
    | dict.fromkeys(
        ("AB", "BW", "DP", "HF", "ML", "PA", "PB", "PM", "PS", "PT", "PU", "SA", "SM", "TF", "WI")
    )
    | dict.fromkeys(("NE", "NQ", "NS", "TB"))
)
_PRICED_BY = {  # of a price basis: the unit it is for
    "PD": "dozen", "LD": "dozen", "RD": "dozen", "TD": "dozen", "WD": "dozen", "PF": "foot", "PG": "gram",
    "PK": "kilogram", "PL": "liter", "PO": "ounce", "PP": "pound", "PY": "yard",
}  # fmt: skip
_CENT = Decimal("0.01")
_EXACT = Context(prec=200)  # a map reads at most 60 digits of a number, so products and their sums fit
# Dates of an order that mean something to the warehouse that ships it.
_SHIP_DATES = (
    "requested_ship",
    "ship_not_before",
    "ship_no_later",
    "cancel_after",
    "requested_delivery",
    "deliver_not_before",
    "deliver_no_later",
)
_CARTON = "carton"
_PACKAGINGS = {_CARTON: "CTN"}  # words for packaging of which ship notices have codes of their own
_DEEPEST = 8  # packs inside packs
_FREE = "192\x1f"  # EDIFACT 6063: goods free of charge, beside those that are ordered
_ROLES = frozenset({"ship_to", "bill_to"})  # the parties of an order that others are told


def warehouse_order(
    order: SalesOrder,
    number: str,
    *,
    depositor: Party,
    unit: str | None = None,
    written_on: date | None = None,
    to_buyer: bool = False,
) -> WarehouseOrder:
    """The warehouse order for an order: what to ship, to whom, by when, how.

    `number` is the depositor's order number; `unit` that of quantities that the order gives without one;
    `written_on` the document's own date, where its set has one; `to_buyer` says that an order goes to its
    buyer unless it names another place.
    """
    own = () if written_on is None else (Dated(type="document", on=written_on),)
    parties = [party for party in order.parties if party.role in _ROLES]
    if to_buyer and order.party("ship_to") is None:
        parties += [replace(party, role="ship_to") for party in order.parties if party.role == "buyer"][:1]
    return WarehouseOrder(
        number=number,
        status="original",
        purchase_order=order.number,
        parties=(depositor, *(_plain(party) for party in parties)),
        references=tuple(ref for ref in order.references if ref.type in {"department", "customer_order"}),
        dates=own + tuple(Dated(type=d.type, on=d.on) for d in order.dates if d.type in _SHIP_DATES and d.on),
        groups=grouped(_warehouse_line(line, unit) for line in order.lines),
        quantity=sum((line.quantity or Decimal(0) for line in order.lines), Decimal(0)),
    )


def ship_notice(
    order: SalesOrder, confirmation: ShipmentConfirmation, number: str, sent_at: datetime
) -> ShipNotice:
    """The notice for a confirmed shipment: shipment > order > pack > item, with the warehouse's SSCCs.

    A pack that others stand in, as cartons on a pallet, is a tare. One without a number, or without goods, is
    no level.
    """
    contents = _contents(confirmation, _Matching(order))
    shipment = Level(
        kind="shipment",
        lading=_lading(confirmation),
        routing=tuple(_shipment_routing(routing) for routing in confirmation.routing),
        references=tuple(_shipment_references(confirmation)),
        dates=_shipped(confirmation),
        parties=tuple(_shipping_parties(confirmation, order)),
        levels=(
            Level(
                kind="order",
                purchase_order=order.number,
                ordered_on=order.ordered_on,
                levels=contents,
            ),
        ),
    )
    items_only = all(level.kind == "item" for level in contents)
    return ShipNotice(
        number=number,
        sent_on=sent_at.date(),
        sent_time=sent_at.time().replace(second=0, microsecond=0, tzinfo=None),
        purpose="original",
        structure="shipment_order_item" if items_only else "shipment_order_pack_item",
        levels=(shipment,),
    )


def invoice(order: SalesOrder, confirmation: ShipmentConfirmation, number: str, invoiced_on: date) -> Invoice:
    """The invoice for what was shipped, at the order's prices.

    `total` is exact, then rounded to cents, half up.

    A line has no price where the order has none for it, or has one for another unit than was shipped, or has
    several for the same goods and not all of them were shipped: see `unpriced`.
    """
    items = _Matching(order)
    lines: list[InvoiceLine] = []
    total = Decimal(0)
    matched = [(shipped, items.of(shipped)) for shipped in confirmation.lines if shipped.shipped]
    for shipped, line in matched:
        assert shipped.shipped
        unit = shipped.unit or (line.unit if line else None)
        priced = units_priced(line) if line else None
        known = line is not None and unit == (line.unit or unit) and not items.is_unsure(shipped)
        price = line.price if line and known and priced else None
        amount = _EXACT.multiply(shipped.shipped, price or Decimal(0))
        total = _EXACT.add(total, _EXACT.divide(amount, Decimal(priced or 1)))
        lines.append(
            InvoiceLine(
                number=(line.number if line else None) or str(len(lines) + 1),
                quantity=shipped.shipped,
                unit=unit,
                price=price,
                price_basis=line.price_basis if line and price is not None and priced != 1 else None,
                ids=_labelled((line.ids if line else None) or shipped.ids),
                description=line.description if line else None,
            )
        )
    return Invoice(
        number=number,
        invoiced_on=invoiced_on,
        ordered_on=order.ordered_on,
        purchase_order=order.number,
        references=tuple(_shipment_references(confirmation)),
        parties=tuple(_plain(party) for party in order.parties if party.role in _ROLES),
        terms=order.terms,
        dates=_shipped(confirmation),
        lines=tuple(lines),
        total=total.quantize(_CENT, ROUND_HALF_UP, _EXACT),
        currency=order.currency,
    )


def grocery_invoice(invoice: Invoice) -> Invoice:
    """The 880 of an invoice: it tells how much was shipped in all, and its lines have no numbers.

    The total is of several units where the lines are: then it has none, and a person has to decide.
    """
    units = {line.unit for line in invoice.lines}
    return replace(
        invoice,
        lines=tuple(replace(line, number=None, ids=_by_place(line.ids)) for line in invoice.lines),
        shipped=sum((line.quantity or Decimal(0) for line in invoice.lines), Decimal(0)),
        shipped_unit=units.pop() if len(units) == 1 else None,
    )


# What only one of the syntaxes has a code for, among the words that these documents are made of.

_IN_EDIFACT = frozenset({"buyer", "supplier", *_ROLES})  # parties that know each other by their ids there
_TWICE_7008, _PID05 = 70, 80  # characters of a description
_1156 = 6  # of the number of a line
_MODES_OF_BOTH = frozenset({"ocean", "rail", "motor", "air", "parcel", "intermodal"})
_MODES_IN_EDIFACT = {
    **{mode: mode for mode in (*_MODES_OF_BOTH, "inland_water")},
    **dict.fromkeys(("motor_common", "less_than_truckload", "expedited_truck"), "motor"),
    **dict.fromkeys(("contract_carrier", "private_carrier", "consolidation"), "motor"),
    "ocean_container": "ocean",
}
_MARKS_IN_EDIFACT = {"sscc": "sscc", "sscc_ean": "sscc"}
_REFERENCES_IN_EDIFACT = {"tracking": "carrier_reference"}
_IDS_OF_X12 = frozenset({"duns_4", "hin", "phone", "san", "buyer_catalog", "vendor_catalog"})
_IDS_OF_EDIFACT = frozenset(
    {"unqualified", "harmonized", "isbn", "serial", "vendor_item", "buyer_color", "buyer_style"}
)


def crossing(order: SalesOrder, syntax: str) -> SalesOrder:
    """An order of the other syntax, with the ids alone that a warehouse order in this one has a code for.

    An id of a kind that is a code and no word is left out, too: the code may mean something else here.
    """
    unknown = _IDS_OF_X12 if syntax == "edifact" else _IDS_OF_EDIFACT

    def told(ids: dict[str, str]) -> dict[str, str]:
        return {kind: id for kind, id in _known(ids, unknown).items() if kind.islower()}

    return replace(
        order,
        parties=tuple(replace(party, ids=told(party.ids)) for party in order.parties),
        lines=tuple(replace(line, ids=told(line.ids)) for line in order.lines),
    )


def unclear(order: SalesOrder, document: WarehouseOrder) -> str | None:
    """Why a warehouse order must not leave by itself: it does not tell all of what to ship, or where to."""
    if all(party.role != "ship_to" for party in document.parties):
        return "the order names no place to ship to"
    pairs = list(enumerate(zip(order.lines, document.lines, strict=True), 1))
    doubts: tuple[tuple[str, Callable[[OrderLine, WarehouseLine], object]], ...] = (
        ("no id of line {} can be told to the warehouse", lambda line, told: line.ids and not told.ids),
        ("line {} tells no quantity", lambda line, told: line.quantity is None),
        ("line {} is a part of another line", lambda line, told: _has_extra(line, "LIN04")),
        ("goods free of charge come with line {}", lambda line, told: _has_extra(line, "QTY", _FREE)),
        ("line {} is for several places", lambda line, told: line.destinations or line.distributions),
    )
    for doubt, holds in doubts:
        if numbers := [line.number or str(at) for at, (line, told) in pairs if holds(line, told)]:
            return doubt.format(", ".join(numbers))
    return None


def _has_extra(line: OrderLine, name: str, start: str = "") -> bool:
    return any(entry[0] == name and entry[1].startswith(start) for entry in line.extra if len(entry) > 1)


def in_edifact(document: _Noticed, order: SalesOrder) -> _Noticed:
    """A document that may be made of X12, as EDIFACT can say it and EANCOM has it.

    Parties are told as the customer has told them in its order, itself and the supplier among them. A mode,
    mark or id that EDIFACT has no code for is left out, and a long description is cut. Lines are numbered as
    they come, and name the line of the order that they are of. A bill tells the amount of each, in cents, and
    its total is their sum.
    """
    told = {party.role: _plain(party) for party in order.parties if party.role in _IN_EDIFACT}
    if isinstance(document, ShipNotice):
        (shipment,) = document.levels
        told.pop("bill_to", None)
        parties = {party.role: _without(party, _IDS_OF_X12) for party in shipment.parties} | told
        shipment = replace(shipment, parties=tuple(parties.values()))
        (shipment,) = _level_in_edifact(shipment, order, count(1))
        return replace(document, levels=(shipment,))
    amounts = [_amount(line).quantize(_CENT, ROUND_HALF_UP, _EXACT) for line in document.lines]
    total = sum(amounts, Decimal(0))
    return replace(
        document,
        purpose="original",
        parties=tuple(told.values()),
        references=_references_in_edifact(document.references),
        lines=tuple(
            replace(
                line,
                number=str(position),
                references=_of_line(order, None if line.price is None else line.number),
                ids=_known(line.ids, _IDS_OF_X12),
                description=_cut(line.description, _TWICE_7008),
                amount=amount,
            )
            for position, (line, amount) in enumerate(zip(document.lines, amounts, strict=True), 1)
        ),
        total=total,
        amounts=(Amount(type="lines_total", amount=total),),
    )


def _amount(line: InvoiceLine) -> Decimal:
    """What a line comes to; one without a price to nothing: it is held."""
    amount = _EXACT.multiply(line.quantity or Decimal(0), line.price or Decimal(0))
    return _EXACT.divide(amount, Decimal(_units(line.price_basis, line.unit) or 1))


def _of_line(order: SalesOrder, number: str | None) -> tuple[Reference, ...]:
    """The line of the order (1156), where it is one that can be named."""
    if number is None or len(number) > _1156 or all(line.number != number for line in order.lines):
        return ()
    return (Reference(type="purchase_order", value=order.number, extra=(("RFF01-3", number),)),)


def _level_in_edifact(level: Level, order: SalesOrder, numbers: Iterator[int]) -> tuple[Level, ...]:
    """The level, or what it holds where nothing is left by which it is known."""
    number = str(next(numbers)) if level.kind == "item" else None
    inside = tuple(inner for one in level.levels for inner in _level_in_edifact(one, order, numbers))
    marks = tuple(
        replace(mark, type=_MARKS_IN_EDIFACT[mark.type])
        for mark in level.marks
        if mark.type in _MARKS_IN_EDIFACT
    )
    if level.kind == "pack" and not marks:
        return inside
    lading = level.lading
    if level.kind == "pack" and not lading:
        lading = (Lading(packaging=_PACKAGINGS[_CARTON], packages=len(marks)),)
    return (
        replace(
            level,
            item=number,
            lading=lading,
            marks=marks,
            routing=tuple(
                replace(one, method=_MODES_IN_EDIFACT.get(one.method or "")) for one in level.routing
            ),
            references=(*_references_in_edifact(level.references), *_of_line(order, level.item)),
            ids=_known(level.ids, _IDS_OF_X12),
            description=_cut(level.description, _TWICE_7008),
            levels=inside,
        ),
    )


def _references_in_edifact(references: tuple[Reference, ...]) -> tuple[Reference, ...]:
    return tuple(
        replace(one, type=_REFERENCES_IN_EDIFACT.get(one.type or "", one.type)) for one in references
    )


def in_x12(document: _Noticed) -> _Noticed:
    """A document that is made of EDIFACT, as X12 can say it: without what X12 has no code for."""
    if isinstance(document, ShipNotice):
        return replace(document, levels=tuple(_level_in_x12(level) for level in document.levels))
    return replace(
        document,
        parties=tuple(_without(party, _IDS_OF_EDIFACT) for party in document.parties),
        lines=tuple(
            replace(line, ids=_known(line.ids, _IDS_OF_EDIFACT), description=_cut(line.description, _PID05))
            for line in document.lines
        ),
    )


def _level_in_x12(level: Level) -> Level:
    return replace(
        level,
        parties=tuple(_without(party, _IDS_OF_EDIFACT) for party in level.parties),
        routing=tuple(
            replace(one, method=one.method if one.method in _MODES_OF_BOTH else None) for one in level.routing
        ),
        lading=tuple(_lading_in_x12(level)),
        ids=_known(level.ids, _IDS_OF_EDIFACT),
        description=_cut(level.description, _PID05),
        levels=tuple(_level_in_x12(inner) for inner in level.levels),
    )


def _lading_in_x12(level: Level) -> Iterator[Lading]:
    """What a shipment is made of; that a level below it is a carton, its kind and its number say."""
    if level.kind == "shipment":
        for lading in level.lading:
            known = lading.packaging == _PACKAGINGS[_CARTON]
            yield lading if known else replace(lading, packaging=None)


def _cut(description: str | None, length: int) -> str | None:
    """A description, which only helps a person, in the room that there is for it."""
    return description[:length].rstrip() if description else None


def _without(party: Party, unknown: frozenset[str]) -> Party:
    return replace(party, ids=_known(party.ids, unknown))


def _known(ids: dict[str, str], unknown: frozenset[str]) -> dict[str, str]:
    return {kind: id for kind, id in ids.items() if kind not in unknown}


def units_priced(line: OrderLine) -> int | None:
    """How many units of a line its price is for; None where that cannot be told.

    By X12 639 and EDIFACT 5375, of which most say what kind of price it is and not for how much. The number
    in EDIFACT 5284 has no field, and is left where it came.
    """
    if any("PRI" in name and name.endswith("-5") and values != ["1"] for name, *values in line.extra):
        return None
    return _units(line.price_basis, line.unit)


def _units(basis: str | None, unit: str | None) -> int | None:
    if basis in _PRICED_BY:
        return 1 if unit == _PRICED_BY[basis] else 12 if _PRICED_BY[basis] == "dozen" else None
    return _PRICED_FOR.get(basis, 1) if basis else 1


def unpriced(invoice: Invoice) -> str | None:
    """Why an invoice for a shipment must not leave by itself: a line of it has no price."""
    numbers = [line.number or str(i) for i, line in enumerate(invoice.lines, 1) if line.price is None]
    if not numbers:
        return None
    return f"the order has no one price in the unit that was shipped for line {', '.join(numbers)}"


def unbilled(order: SalesOrder, *, net: bool) -> str | None:
    """Why an invoice for its goods must not leave by itself: the order tells more that is to be paid.

    What of that falls to a shipment cannot be told here. `net` says that the allowances and charges of a line
    are in its price already, as in EDIFACT (PRI+AAA).
    """
    for what, told in (
        ("taxes", order.taxes or any(line.taxes for line in order.lines)),
        ("allowances or charges", order.charges or any(line.charges and not net for line in order.lines)),
    ):
        if told:
            return f"the order has {what}, of which this bill tells nothing"
    return None


class _Matching:
    """Finds the ordered line for a shipped one: by a shared id, each ordered line serving several cartons.

    Of several lines with the id, one of which just so much is to come, else the first of which so much is.
    """

    def __init__(self, order: SalesOrder) -> None:
        self._lines = order.lines
        self._left = [line.quantity or Decimal(0) for line in order.lines]
        self._by_id: dict[tuple[str, str], list[int]] = {}
        self._by_value: dict[str, list[int]] = {}
        for at, line in enumerate(order.lines):
            for kind, id in line.ids.items():
                self._by_id.setdefault((kind, id), []).append(at)
            for id in dict.fromkeys(line.ids.values()):
                self._by_value.setdefault(id, []).append(at)

    def of(self, shipped: ShippedLine) -> OrderLine | None:
        """The line that a shipped one serves; what is shipped is then no longer to come."""
        found = self._candidates(shipped)
        if not found:
            return None
        quantity, left = shipped.shipped or Decimal(0), self._left
        enough = [at for at in found if left[at] >= quantity] or [at for at in found if left[at] > 0] or found
        chosen = next((at for at in enough if left[at] == quantity), enough[0])
        left[chosen] -= quantity
        return self._lines[chosen]

    def is_unsure(self, shipped: ShippedLine) -> bool:
        """Whether, with all that was shipped, one cannot tell at which of several prices a line was."""
        found = self._candidates(shipped)
        prices = {(self._lines[at].price, self._lines[at].unit) for at in found}
        return len(prices) > 1 and any(self._left[at] for at in found)

    def _candidates(self, shipped: ShippedLine) -> list[int]:
        """Qualifier and id alike; else the id alone, since a warehouse may qualify it differently."""
        for pair in shipped.ids.items():
            if pair in self._by_id:
                return self._by_id[pair]
        for id in shipped.ids.values():
            if id in self._by_value:
                return self._by_value[id]
        return []


def _plain(party: Party) -> Party:
    """Who and where, without what only its sender understands."""
    return Party(
        role=party.role, name=party.name, ids=party.ids, more_names=party.more_names, address=party.address
    )


_G69 = 45  # characters of a line of text in a 940; 7008 has room for two of them
# A 940 line has room for two ids (W01-04/05, -15/16): ours first, then what is printed on the goods.
_WAREHOUSE_IDS = ("vendor", "vendor_part", "sku", "upc", "upc_case", "gtin", "ean", "buyer", "buyer_catalog")


def _warehouse_line(line: OrderLine, unit: str | None) -> WarehouseLine:
    known = sorted(line.ids, key=lambda kind: _WAREHOUSE_IDS.index(kind) if kind in _WAREHOUSE_IDS else 99)
    return WarehouseLine(
        quantity=line.quantity or Decimal(0),
        unit=line.unit or unit,
        ids={kind: line.ids[kind] for kind in known[:2]},
        description=tuple(textwrap.wrap(line.description or "", _G69)[:2]),
    )


def _labelled(ids: dict[str, str]) -> dict[str, str]:
    """Ids as other documents qualify them: G68-04 and W12-06 are a case's UPC by their place alone."""
    return {"upc_case" if kind == "upc_case_code" else kind: id for kind, id in ids.items()}


def _by_place(ids: dict[str, str]) -> dict[str, str]:
    """Ids as grocery documents have them: a case's UPC of 12 digits has a place of its own, G17-04."""
    return {"upc_case_code" if (kind, len(id)) == ("upc_case", 12) else kind: id for kind, id in ids.items()}


def _item_level(items: _Matching, shipped: ShippedLine) -> Level:
    line = items.of(shipped)
    return Level(
        kind="item",
        item=line.number if line else None,
        ids=_labelled((line.ids if line else None) or shipped.ids),
        shipped=shipped.shipped,
        unit=shipped.unit or (line.unit if line else None),
        ordered=line.quantity if line else shipped.ordered,
        ordered_unit=(line.unit if line else shipped.unit) if (line or shipped.ordered) else None,
        description=line.description if line else None,
    )


def _shipping_parties(confirmation: ShipmentConfirmation, order: SalesOrder) -> Iterator[Party]:
    """Whom it goes to and where it comes from, each once: as the warehouse told it, else as ordered."""
    for role in ("ship_to", "ship_from"):
        if (party := confirmation.party(role) or order.party(role)) is not None:
            yield _plain(party)


def _contents(confirmation: ShipmentConfirmation, items: _Matching) -> tuple[Level, ...]:
    """Packs, with those that stand in them and the goods in each."""
    inside: dict[int | None, list[Pack]] = {}
    depths: dict[int | None, int] = {None: 0}
    for pack in confirmation.packs:
        outer = pack.inside if depths.get(pack.inside, _DEEPEST) < _DEEPEST else None
        inside.setdefault(outer, []).append(pack)
        depths.setdefault(pack.number, depths[outer] + 1)
    levels = (level for pack in inside.pop(None, ()) for level in _pack_levels(pack, inside, items))
    return tuple(sorted(levels, key=_is_pack))


def _is_pack(level: Level) -> bool:
    """Goods stand before packs, as in a DESADV."""
    return level.kind != "item"


def _pack_levels(pack: Pack, inside: dict[int | None, list[Pack]], items: _Matching) -> tuple[Level, ...]:
    """The level of a pack; where it has no number, or holds nothing, the levels of what is in it."""
    marks = tuple(mark for mark in pack.marks if mark.number)
    levels = [_item_level(items, line) for line in pack.lines if line.shipped]
    for inner in inside.pop(pack.number, ()):
        levels += _pack_levels(inner, inside, items)
    if not marks or not levels:
        return tuple(levels)
    lading = Lading(packaging=_PACKAGINGS.get(pack.packaging or "", pack.packaging), packages=_count(pack))
    return (
        Level(
            kind="tare" if any(map(_is_pack, levels)) else "pack",
            lading=(lading,) if pack.packaging else (),
            marks=marks,
            levels=tuple(sorted(levels, key=_is_pack)),
        ),
    )


def _count(pack: Pack) -> int:
    """How many packages have their numbers in a pack."""
    return pack.packages or sum(1 for mark in pack.marks if mark.number)


def _lading(confirmation: ShipmentConfirmation) -> tuple[Lading, ...]:
    """How many packages there are, as the warehouse counts them, else those that hold goods."""
    holding = [pack for pack in confirmation.packs if pack.lines and any(mark.number for mark in pack.marks)]
    packages = confirmation.packages or sum(map(_count, holding)) or None
    if packages is None and confirmation.weight is None:
        return ()
    kinds = {pack.packaging or _CARTON for pack in holding} or {_CARTON}
    kind = kinds.pop() if len(kinds) == 1 else None
    weighed = confirmation.weight is not None
    return (
        Lading(
            packaging=_PACKAGINGS.get(kind or "", kind),
            packages=packages,
            weight_type="gross" if weighed else None,
            weight=confirmation.weight,
            weight_unit=confirmation.weight_unit if weighed else None,
        ),
    )


def _shipment_routing(routing: Routing) -> Routing:
    """The carrier as the warehouse told it, in what a ship notice carries: SCAC, mode and its name."""
    return Routing(ids=routing.ids, method=routing.method, description=routing.description)


def _shipment_references(confirmation: ShipmentConfirmation) -> Iterator[Reference]:
    if confirmation.shipment:
        yield Reference(type="bill_of_lading", value=confirmation.shipment)
    for reference in confirmation.references:
        if reference.type in {"carrier_reference", "tracking"} and reference.value:
            yield Reference(type=reference.type, value=reference.value)


def _shipped(confirmation: ShipmentConfirmation) -> tuple[Dated, ...]:
    on = confirmation.shipped_on or confirmation.date("shipped")
    return (Dated(type="shipped", on=on),) if on else ()
