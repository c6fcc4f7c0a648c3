"""DELFOR, the delivery schedule: quantities of one shape, whether planned, shipped or received.

A Forecast or ShipSchedule tells apart what is planned and what was shipped, and says once whether what is
planned is of deliveries or shipments (`based_on`) and what kind of quantities these are (`quantity_type`); a
line has one unit. Here each quantity says all of it itself (QTY, SCC, DTM). What of it is not as the rest is
kept with it, in words: `("QTY01-1", "cumulative")`.

Lines stand under the party that they are delivered to, or (in D.96A after those) under none. In D.01B they
stand in groups (GIS), and quantities of the same certainty and timing in a condition (SCC).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from edi.documents import (
    Address,
    Dated,
    Detail,
    Extra,
    Forecast,
    Mark,
    Measure,
    Party,
    PlannedLine,
    PlannedQuantity,
    Reference,
    ShippedQuantity,
    ShipSchedule,
)
from edi.documents.parts import HasParties, Value
from edi.problems import Fault, Problem
from mappings.shaped import apart, kept, only, proven, recast, refuse, under

_V = TypeVar("_V", bound=Value)

MUTUAL = "mutual"  # certainty and timing that nobody told
TO_DELIVER = "to_deliver"
_KINDS = ("discrete", "cumulative")  # of quantities, as `quantity_type` has them


class _Base(NamedTuple):
    """The types of a single day, of the first day of several, and the field for the last of them."""

    day: str
    first: str
    last: str


_BASES = {
    "delivery": _Base("requested_delivery", "deliver_not_before", "deliver_by"),
    "shipment": _Base("requested_ship", "ship_not_before", "ship_by"),
}
_LAST = {"deliver_no_later": "deliver_by", "ship_no_later": "ship_by"}
_PLANNED = {word for base in _BASES.values() for word in (base.day, base.first)}

_OF_DELIVERY, _OF_CONDITION = "GIS/NAD>", "SCC>"
_PLACES = {
    "type": "QTY01-1",
    "unit": "QTY01-3",
    "certainty": "SCC01",
    "timing": "SCC03-1",
    "deliver_by": "DTM[63]01-2",
    "ship_by": "DTM[38]01-2",
}
_NOT_OF_SHIPPED = ("unit", "certainty", "timing", "deliver_by", "ship_by")


class Scheduled(Value, frozen=True):
    """A quantity and when (QTY, SCC, DTM)."""

    type: str
    quantity: Decimal
    unit: str | None = None
    certainty: str | None = None
    timing: str | None = None
    date_type: str | None = None
    on: dt.date | None = None
    time: dt.time | None = None
    deliver_by: dt.date | None = None
    ship_by: dt.date | None = None
    reference_type: str | None = None
    reference_number: str | None = None
    extra: Extra = ()


class Condition(Value, frozen=True):
    """Quantities that are equally certain (SCC of D.01B)."""

    certainty: str | None = None
    timing: str | None = None
    quantities: tuple[Scheduled, ...] = ()
    extra: Extra = ()


class ScheduledLine(HasParties, frozen=True):
    """An item (LIN)."""

    number: str | None = None
    ids: dict[str, str] = {}
    description: str | None = None
    description_type: str | None = None
    details: tuple[Detail, ...] = ()
    measures: tuple[Measure, ...] = ()
    marks: tuple[Mark, ...] = ()
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    scheduled: tuple[Scheduled, ...] = ()
    conditions: tuple[Condition, ...] = ()
    extra: Extra = ()


class Delivery(Value, frozen=True):
    """Lines and to whom they are delivered (NAD, or GIS of D.01B), as Party has it."""

    role: str | None = None
    name: str | None = None
    ids: dict[str, str] = {}
    more_names: tuple[str, ...] = ()
    address: Address | None = None
    lines: tuple[ScheduledLine, ...] = ()
    extra: Extra = ()


class Schedule(Forecast, frozen=True, tag_field="schema", tag="schedule"):
    """The message that is a forecast."""

    deliveries: tuple[Delivery, ...] = ()
    products: tuple[ScheduledLine, ...] = ()


class ShippingSchedule(ShipSchedule, frozen=True, tag_field="schema", tag="shipping_schedule"):
    """The message that is a ship schedule."""

    deliveries: tuple[Delivery, ...] = ()
    products: tuple[ScheduledLine, ...] = ()


Plan = Forecast | ShipSchedule
Told = Schedule | ShippingSchedule
Read = tuple[Plan | None, tuple[Problem, ...]]


def to_plan(schedule: Told) -> Read:
    """The plan that the message tells: none where a delivery has no item, or a condition no quantity."""
    parties: list[Party | None] = []
    lines: list[ScheduledLine] = []
    for delivery in (*schedule.deliveries, Delivery(lines=schedule.products)):
        if not delivery.lines and delivery != Delivery():
            return None, (Problem(Fault.MAPPING_FAILED, "a delivery has no item", segment="NAD"),)
        party = recast(Party, delivery, extra=()) if delivery.role else None
        parties += [party] * len(delivery.lines)
        lines += _first(delivery.lines, delivery.extra, _OF_DELIVERY)
    if not all(condition.quantities for line in lines for condition in line.conditions):
        return None, (Problem(Fault.MAPPING_FAILED, "a condition has no quantity", segment="SCC"),)
    scheduled = [_all(line) for line in lines]
    planned = [one for all in scheduled for one in all if _is_planned(one)]
    based_on = _common(_base(one) for one in planned)
    type = _common(one.type for one in planned)
    quantity_type = type if type in _KINDS else None
    made = tuple(
        _line(line, party, all, based_on, quantity_type)
        for line, party, all in zip(lines, parties, scheduled, strict=True)
    )
    kind: Any = Forecast if isinstance(schedule, Schedule) else ShipSchedule
    return recast(kind, schedule, based_on=based_on, quantity_type=quantity_type, lines=made), ()


def _first(values: tuple[_V, ...], extra: Extra, prefix: str) -> tuple[_V, ...]:
    """Values of which the first keeps what is told of all of them."""
    if not values:
        return ()
    first: Any = values[0]
    return replace(first, extra=(*under(extra, prefix), *first.extra)), *values[1:]


def _common(values: Iterable[str | None]) -> str | None:
    """What all values are, if they are the same."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _all(line: ScheduledLine) -> list[Scheduled]:
    """The quantities of a line, those of a condition as certain as it."""
    found = [*line.scheduled]
    for condition in line.conditions:
        told = {"certainty": condition.certainty, "timing": condition.timing}
        quantities = _first(condition.quantities, condition.extra, _OF_CONDITION)
        found += [replace(one, **told) for one in quantities]
    return found


def _is_planned(one: Scheduled) -> bool:
    """Whether a quantity has a day, and is told how certain it is or when it shall be there."""
    last = bool(one.deliver_by or one.ship_by)
    if one.certainty or one.timing:
        return bool(one.on) or last
    return one.type in (TO_DELIVER, *_KINDS) and (last or (bool(one.on) and one.date_type in _PLANNED))


def _base(one: Scheduled) -> str | None:
    """Of what its day is: a day of delivery or of shipment, or the first of several with the last."""
    for base, (day, first, field) in _BASES.items():
        if one.on and (one.date_type == day or (one.date_type == first and getattr(one, field))):
            return base
    return None


def _line(
    line: ScheduledLine,
    party: Party | None,
    scheduled: list[Scheduled],
    based_on: str | None,
    quantity_type: str | None,
) -> PlannedLine:
    planned = [one for one in scheduled if _is_planned(one)]
    unit = _common(one.unit for one in planned)
    return recast(
        PlannedLine,
        line,
        unit=unit,
        parties=() if party is None else (party,),
        planned=tuple(
            _planned(replace(one, unit=None) if unit else one, based_on, quantity_type) for one in planned
        ),
        shipped=tuple(_shipped(one) for one in scheduled if not _is_planned(one)),
    )


def _planned(one: Scheduled, based_on: str | None, quantity_type: str | None) -> PlannedQuantity:
    base = _base(one)
    rest = {"deliver_by": one.deliver_by, "ship_by": one.ship_by}
    date_type, on, until = one.date_type, one.on, None
    if base and one.date_type == _BASES[base].first:
        until = rest.pop(_BASES[base].last)
    elif on is None:
        date_type, field = next((word, field) for word, field in _LAST.items() if rest[field])
        on = rest.pop(field)
    assert on is not None
    return PlannedQuantity(
        one.quantity,
        one.certainty or MUTUAL,
        one.timing or MUTUAL,
        on,
        until=until,
        date_type=None if base and base == based_on and not one.time else date_type,
        time=one.time,
        reference_type=one.reference_type,
        reference_number=one.reference_number,
        extra=_beside(
            {
                "type": None if one.type == (quantity_type or TO_DELIVER) else one.type,
                "unit": one.unit,
                **rest,
            },
            one.extra,
        ),
    )


def _shipped(one: Scheduled) -> ShippedQuantity:
    named = Reference(one.reference_type, one.reference_number)
    return ShippedQuantity(
        one.type,
        one.quantity,
        one.date_type,
        one.on,
        one.time,
        references=() if named == Reference() else (named,),
        extra=_beside({name: getattr(one, name) for name in _NOT_OF_SHIPPED}, one.extra),
    )


def _beside(told: dict[str, Any], extra: Extra) -> Extra:
    """`extra` with what a quantity says that is not as the rest."""
    words = ((_PLACES[name], value) for name, value in told.items() if value)
    return (
        *((place, value if isinstance(value, str) else value.isoformat()) for place, value in words),
        *extra,
    )


def _told(extra: Extra) -> tuple[dict[str, Any], Extra]:
    """The reverse of `_beside`."""
    found, rest = kept(extra, *_PLACES.values())
    told: dict[str, Any] = {name: found[place] for name, place in _PLACES.items() if place in found}
    return told | {name: dt.date.fromisoformat(told[name]) for name in _LAST.values() if name in told}, rest


def _deliveries(plan: Plan) -> tuple[Delivery, ...]:
    """The lines of a plan by whom they are delivered to."""
    deliveries: list[Delivery] = []
    for at, line in enumerate(plan.lines):
        made = _scheduled_line(line, plan, f"{plan.__class__.__name__}.lines[{at}]")
        of_delivery, extra = apart(made.extra, _OF_DELIVERY)
        made = replace(made, extra=extra)
        where = f"{plan.__class__.__name__}.lines[{at}].parties"
        if line.parties[1:]:
            raise refuse(where, "the map has a place for one")
        for party in line.parties:
            only(party, set(Delivery.__struct_fields__) - {"extra"}, f"{where}[0]")
        to = recast(Delivery, line.parties[0]) if line.parties else Delivery()
        last = deliveries[-1] if deliveries else None
        if last and not of_delivery and replace(last, lines=(), extra=()) == to:
            deliveries[-1] = replace(last, lines=(*last.lines, made))
        else:
            deliveries.append(replace(to, lines=(made,), extra=of_delivery))
    return tuple(deliveries)


def _scheduled_line(line: PlannedLine, plan: Plan, where: str) -> ScheduledLine:
    only(line, {"unit", "parties", "planned", "shipped", *ScheduledLine.__struct_fields__}, where)
    shipped = [_of_shipped(one, f"{where}.shipped[{at}]") for at, one in enumerate(line.shipped)]
    planned = [_of_planned(one, line, plan, f"{where}.planned[{at}]") for at, one in enumerate(line.planned)]
    return recast(ScheduledLine, line, scheduled=(*shipped, *planned))


def _of_shipped(shipped: ShippedQuantity, where: str) -> Scheduled:
    told, extra = _told(shipped.extra)
    only(shipped, {"references", *Scheduled.__struct_fields__}, where)
    named = shipped.references[0] if shipped.references else Reference()
    if shipped.references[1:] or named != Reference(named.type, named.value):
        raise refuse(f"{where}.references", "the map has a place for one")
    return recast(
        Scheduled, shipped, reference_type=named.type, reference_number=named.value, extra=extra, **told
    )


def _of_planned(planned: PlannedQuantity, line: PlannedLine, plan: Plan, where: str) -> Scheduled:
    only(planned, {"until", *Scheduled.__struct_fields__}, where)
    told, extra = _told(planned.extra)
    date_type = planned.date_type
    if date_type is None and plan.based_on is not None:
        base = _BASES.get(plan.based_on)
        if base is None:
            raise refuse(f"{plan.__class__.__name__}.based_on", f"the map has no place for {plan.based_on!r}")
        date_type = base.first if planned.until else base.day
    dates: dict[str, Any] = {"date_type": date_type}
    if planned.until:
        field = next((last for _, first, last in _BASES.values() if first == date_type), None)
        if field is None:
            raise refuse(f"{where}.until", "the map has no place for it")
        dates[field] = planned.until
    elif date_type in _LAST and _LAST[date_type] not in told and not planned.time:
        dates = {"date_type": None, "on": None, _LAST[date_type]: planned.on}
    if plan.quantity_type not in (None, *_KINDS):
        raise refuse(
            f"{plan.__class__.__name__}.quantity_type", f"the map has no place for {plan.quantity_type!r}"
        )
    usual = {"type": plan.quantity_type or TO_DELIVER, "unit": line.unit}
    certain = {
        name: None if getattr(planned, name) == MUTUAL else getattr(planned, name)
        for name in ("certainty", "timing")
    }
    return recast(Scheduled, planned, extra=extra, **usual | certain | dates | told)


def _by_party(plan: Plan) -> Told:
    """D.96A: lines under their parties, those without a party after them."""
    deliveries = _deliveries(plan)
    products = tuple(line for one in deliveries if not one.role for line in one.lines)
    return _told_as(plan, tuple(one for one in deliveries if one.role), products)


def _by_group(plan: Plan) -> Told:
    """D.01B: lines in groups, and quantities under conditions."""
    deliveries = _deliveries(plan)
    return _told_as(
        plan, tuple(replace(one, lines=tuple(map(_conditioned, one.lines))) for one in deliveries), ()
    )


def _told_as(plan: Plan, deliveries: tuple[Delivery, ...], products: tuple[ScheduledLine, ...]) -> Told:
    """The message, without what its quantities say."""
    bare = replace(plan, based_on=None, quantity_type=None, lines=())
    if isinstance(plan, Forecast):
        return recast(Schedule, bare, deliveries=deliveries, products=products)
    return recast(ShippingSchedule, bare, deliveries=deliveries, products=products)


def _conditioned(line: ScheduledLine) -> ScheduledLine:
    """A line with its quantities under conditions, but for those that are not told how certain they are."""
    bare: list[Scheduled] = []
    conditions: list[Condition] = []
    for one in line.scheduled:
        of_condition, extra = apart(one.extra, _OF_CONDITION)
        quantity = replace(one, certainty=None, timing=None, extra=extra)
        last = conditions[-1] if conditions else Condition()
        if not (one.certainty or one.timing or of_condition):
            bare.append(one)
        elif conditions and not of_condition and (last.certainty, last.timing) == (one.certainty, one.timing):
            conditions[-1] = replace(last, quantities=(*last.quantities, quantity))
        else:
            conditions.append(Condition(one.certainty, one.timing, (quantity,), of_condition))
    return replace(line, scheduled=tuple(bare), conditions=tuple(conditions))


by_party: Callable[[Plan], Told] = proven(to_plan, _by_party)
"""The message of D.96A that tells a plan. Raises CannotWrite."""

by_group: Callable[[Plan], Told] = proven(to_plan, _by_group)
"""The message of D.01B that tells a plan. Raises CannotWrite."""
