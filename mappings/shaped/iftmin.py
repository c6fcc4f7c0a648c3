"""IFTMIN, the instruction to carry one consignment from where it is loaded to where it is unloaded.

A LoadTender has a stop for either, with the party, its references, and the dates there. Here they are the
first parties (NAD) of the roles for it, and the dates (DTM) of the types for it. Goods (GID) stand with the
first stop: those of an order (RFF) as of it. A full load (TSR) is one that is loaded completely.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from msgspec.structs import replace

from edi.documents import Dated, FreightOrder, Goods, LoadTender, Party, Stop
from edi.problems import Problem
from mappings.shaped import kept, only, proven, recast, refuse


class _Kind(NamedTuple):
    """What tells of a stop: the roles of its party, the types of its dates."""

    roles: frozenset[str]
    dates: frozenset[str]


_LOADING = _Kind(
    frozenset({"consignor", "shipper", "ship_from", "pickup"}),
    frozenset(
        {
            *("requested_pickup", "pickup_not_before", "pickup_no_later", "scheduled_pickup"),
            *("requested_ship", "ship_not_before", "ship_no_later", "shipped"),
        }
    ),
)
_UNLOADING = _Kind(
    frozenset({"consignee", "ship_to", "shipped_to"}),
    frozenset(
        {
            *("requested_delivery", "deliver_not_before", "deliver_no_later", "scheduled_delivery"),
            *("estimated_delivery", "promised_delivery", "delivered"),
        }
    ),
)
_KINDS = (_LOADING, _UNLOADING)
_REASONS: dict[str | None, tuple[str, str]] = {  # by 7273: loading, unloading
    None: ("load", "complete_unload"),
    "2": ("complete_load", "complete_unload"),
    "3": ("part_load", "part_unload"),
}
_LOAD = "TSR02-1"
CARRIER = "carrier"


class Item(Goods, frozen=True):
    """Goods (GID) and the order that they are of."""

    purchase_order: str | None = None
    reference: str | None = None


class Instruction(LoadTender, frozen=True, tag_field="schema", tag="transport_instruction"):
    """The message."""

    load: str | None = None
    items: tuple[Item, ...] = ()


def to_tender(instruction: Instruction) -> tuple[LoadTender, tuple[Problem, ...]]:
    """The tender of the load that the message instructs to carry."""
    parties, dates = [*instruction.parties], instruction.dates
    carrier = next((party for party in parties if _scac(party)), None)
    if carrier:
        parties.remove(carrier)
    reasons = _REASONS.get(instruction.load, _REASONS[None])
    stops: list[Stop] = []
    for kind, reason in zip(_KINDS, reasons, strict=True):
        party = next((party for party in parties if party.role in kind.roles), None)
        there = tuple(dated for dated in dates if dated.type in kind.dates)
        dates = tuple(dated for dated in dates if dated.type not in kind.dates)
        if party:
            parties.remove(party)
        if party or there:
            stops.append(_stop(len(stops) + 1, reason, party, there))
    if instruction.items:
        stops = stops or [Stop(1, reasons[0])]
        stops[0] = _loaded(stops[0], instruction.items)
    tender = recast(
        LoadTender,
        instruction,
        carrier=_scac(carrier) if carrier else None,
        parties=tuple(parties),
        dates=dates,
        stops=tuple(stops),
    )
    if instruction.load and instruction.load != _load(tender):
        tender = replace(tender, extra=((_LOAD, instruction.load), *tender.extra))
    return tender, ()


def _scac(party: Party) -> str | None:
    """The SCAC of a party that is nothing but the carrier."""
    scac = party.ids.get("scac")
    return scac if scac and party == Party(CARRIER, ids={"scac": scac}) else None


def _stop(number: int, reason: str, party: Party | None, dates: tuple[Dated, ...]) -> Stop:
    parties = (replace(party, references=()),) if party else ()
    return Stop(number, reason, references=party.references if party else (), dates=dates, parties=parties)


def _load(tender: LoadTender) -> str | None:
    """What kind of load the reasons of the stops tell (7273)."""
    told = [(_kind(stop), stop.reason) for stop in tender.stops]
    return next(
        (load for load, pair in _REASONS.items() if all(pair[kind] == why for kind, why in told)), None
    )


def _kind(stop: Stop) -> int:
    """Whether a stop is the one for loading (0) or for unloading (1)."""
    return int(stop.reason.endswith("unload"))


def _loaded(stop: Stop, items: tuple[Item, ...]) -> Stop:
    """A stop with goods, those of an order as of it."""
    goods: list[Goods] = []
    orders: list[FreightOrder] = []
    for (purchase_order, reference), of_order in groupby(
        items, lambda one: (one.purchase_order, one.reference)
    ):
        plain = tuple(recast(Goods, one) for one in of_order)
        if purchase_order or reference:
            orders.append(FreightOrder(reference, purchase_order, goods=plain))
        else:
            goods += plain
    return replace(stop, goods=tuple(goods), orders=tuple(orders))


def _from_tender(tender: LoadTender) -> Instruction:
    parties, dates = tender.parties, tender.dates
    items: tuple[Item, ...] = ()
    if tender.carrier:
        parties = (Party(CARRIER, ids={"scac": tender.carrier}), *parties)
    for at, stop in reversed([*enumerate(tender.stops)]):
        where = f"LoadTender.stops[{at}]"
        only(stop, ("number", "reason", "references", "dates", "parties", "goods", "orders"), where)
        if len(stop.parties) > 1 or (stop.references and not stop.parties):
            raise refuse(f"{where}.parties", "has to be one")
        if any(party.references for party in stop.parties):
            raise refuse(f"{where}.parties[0].references", "the map has no place for it")
        parties = (*(replace(party, references=stop.references) for party in stop.parties), *parties)
        dates = (*stop.dates, *dates)
        items = (*_items(stop, where), *items)
    told, extra = kept(tender.extra, _LOAD)
    return recast(
        Instruction,
        tender,
        carrier=None,
        parties=parties,
        dates=dates,
        stops=(),
        load=told.get(_LOAD) or _load(tender),
        items=items,
        extra=extra,
    )


def _items(stop: Stop, where: str) -> tuple[Item, ...]:
    items = [recast(Item, goods) for goods in stop.goods]
    for at, order in enumerate(stop.orders):
        only(order, ("purchase_order", "reference", "goods"), f"{where}.orders[{at}]")
        if not order.goods:
            raise refuse(f"{where}.orders[{at}].goods", "are needed")
        told = {"purchase_order": order.purchase_order, "reference": order.reference}
        items += [recast(Item, goods, **told) for goods in order.goods]
    return tuple(items)


from_tender = proven(to_tender, _from_tender)
"""The message that instructs to carry a load. Raises CannotWrite."""
