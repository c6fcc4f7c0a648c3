"""SLSRPT, the sales data report: place by place (LOC), what was sold of which item.

A ProductActivity has it the other way round: item by item, how much in which place (`distributions`). So a
line stands as often as it has places, each time with all that is told of it, and what follows each other as
the same line in several places is one::

    LOC+162+A  LIN+1  QTY+153:11
    LOC+162+B  LIN+1  QTY+153:7      =    line 1: sold {A: 11, B: 7}
               LIN+2  QTY+153:3           line 2: sold {B: 3}

The quantity of an activity itself stands under a LOC that names no place. A day of sale (DTM+356), which is
told of a place, is that of the activities. What else is told of a place is kept with the first line in it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from edi.documents import (
    Activity,
    ActivityLine,
    Amount,
    Distribution,
    Extra,
    Party,
    Price,
    ProductActivity,
    Reference,
)
from edi.documents.parts import HasParties, Value
from edi.problems import Fault, Problem
from mappings.shaped import apart, kept, only, proven, recast, refuse, under

DAY_OF_SALE = "sold"
UNIT = "unit"
_MOST = 10  # places in a Distribution, as many as SDQ of X12 has room for
_OF_PLACE = "LOC>"
_PLACE = ("LOC02-3", "LOC02-1")  # kind and id
_DAY = "DTM[356]01-2"
_NOWHERE = (("LOC01", "162"),)
_WAS_ISSUED = ("DTM[90]01-1", "137")  # the day that the report starts with was that of the message
_ISSUED = re.compile(r"DTM\+137\x1f\d{8}\x1f102", re.ASCII)
_UNQUALIFIED = "unqualified"
_EMPTY_PLACE = re.compile(r"LOC\[#(\d{1,6})\]>.*")


class Sold(Value, frozen=True):
    """A quantity (QTY)."""

    type: str
    quantity: Decimal
    unit: str | None = None
    extra: Extra = ()


class SoldItem(HasParties, frozen=True):
    """An item in a place (LIN)."""

    number: str | None = None
    ids: dict[str, str] = {}
    prices: tuple[Price, ...] = ()
    references: tuple[Reference, ...] = ()
    amounts: tuple[Amount, ...] = ()
    quantities: tuple[Sold, ...] = ()
    extra: Extra = ()


class Place(Value, frozen=True):
    """A place, and the day (LOC); one without `ids` is none in particular."""

    ids: dict[str, str] = {}
    on: dt.date | None = None
    items: tuple[SoldItem, ...] = ()
    extra: Extra = ()

    def is_at(self, other: Place) -> bool:
        """Whether it is the same place on the same day."""
        return (self.ids, self.on) == (other.ids, other.on)


class SalesReport(HasParties, frozen=True):
    """The message. Where no period is told, that it was made on a day (DTM+137) has to do."""

    number: str | None = None
    purpose: str | None = None
    handling: str | None = None
    issued_on: dt.date | None = None
    starts_on: dt.date | None = None
    ends_on: dt.date | None = None
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    places: tuple[Place, ...] = ()
    extra: Extra = ()


def to_activity(report: SalesReport) -> tuple[ProductActivity | None, tuple[Problem, ...]]:
    """The activity that the message reports."""
    lines: list[ActivityLine] = []
    starts_on = report.starts_on or report.issued_on
    if starts_on is None:
        return None, (Problem(Fault.MAPPING_FAILED, "DTM[90]01-2 is needed for 'starts_on'", segment="DTM"),)
    extra = report.extra
    if report.starts_on is None:
        extra = (_WAS_ISSUED, *extra)
    elif report.issued_on:
        extra = (("DTM", f"137\x1f{report.issued_on.isoformat().replace('-', '')}\x1f102"), *extra)
    before, position = Place(), 0
    for place in report.places:
        again = position > 0 and bool(before.items) and place.is_at(before)
        position += not (again and place.items and not place.extra)
        if not place.items:
            extra = (*extra, *under(_told(place) or _NOWHERE, f"LOC[#{position}]>"))
        for at, item in enumerate(place.items):
            of_place = place.extra if at == 0 else ()
            if not item.quantities:
                of_place = _told(replace(place, extra=of_place))
            line = recast(ActivityLine, item, quantities=(), extra=(*under(of_place, _OF_PLACE), *item.extra))
            last = lines[-1] if lines else line
            if at == 0 and not again and last.activities and line == replace(last, activities=()):
                line = lines.pop()
            lines.append(replace(line, activities=_with(line.activities, item.quantities, place)))
        before = place
    return recast(ProductActivity, report, starts_on=starts_on, lines=tuple(lines), extra=extra), ()


def _told(place: Place) -> Extra:
    """What a place says, where there is no quantity to say it of."""
    told = [*zip(_PLACE, next(iter(place.ids.items()), ()), strict=False)]
    if place.on:
        told.append((_DAY, place.on.isoformat()))
    return (*told, *place.extra)


def _with(activities: tuple[Activity, ...], sold: tuple[Sold, ...], place: Place) -> tuple[Activity, ...]:
    """Activities with the quantities of one more place: the n-th of a type goes to the n-th of that type."""
    found = [*activities]
    counted: dict[str, int] = {}
    for one in sold:
        counted[one.type] = counted.get(one.type, 0) + 1
        same = [at for at, known in enumerate(found) if (known.type, known.on) == (one.type, place.on)]
        if len(same) < counted[one.type]:
            same.append(len(found))
            found.append(Activity(one.type, date_type=DAY_OF_SALE if place.on else None, on=place.on))
        at = same[counted[one.type] - 1]
        if place.ids:
            found[at] = replace(found[at], distributions=_spread(found[at].distributions, one, place))
        else:
            found[at] = replace(found[at], quantity=one.quantity, unit=one.unit, extra=one.extra)
    return tuple(found)


def _spread(distributions: tuple[Distribution, ...], sold: Sold, place: Place) -> tuple[Distribution, ...]:
    """Distributions with a quantity more, in the last of them if it may stand there."""
    ((kind, id),) = place.ids.items()
    type = None if kind == _UNQUALIFIED else kind
    made = Distribution(sold.unit or UNIT, type, {id: f"{sold.quantity:f}"}, extra=sold.extra)
    last = distributions[-1] if distributions else made
    alike = bool(distributions) and not made.extra and replace(last, quantities=made.quantities) == made
    if alike and id not in last.quantities and len(last.quantities) < _MOST:
        return (*distributions[:-1], replace(last, quantities=last.quantities | made.quantities))
    return (*distributions, made)


def _from_activity(activity: ProductActivity) -> SalesReport:
    only(activity, {"lines", *SalesReport.__struct_fields__}, "ProductActivity")
    places: list[Place] = []
    for at, line in enumerate(activity.lines):
        where = f"ProductActivity.lines[{at}]"
        only(line, {"activities", *SoldItem.__struct_fields__} - {"quantities"}, where)
        of_place, extra = apart(line.extra, _OF_PLACE)
        item = recast(SoldItem, line, quantities=(), extra=extra)
        for first, visit in enumerate(_visits(line, where) or [_at(of_place)]):
            told = visit if not line.activities else replace(visit, extra=of_place)
            items = tuple(replace(item, quantities=one.quantities) for one in visit.items) or (item,)
            last = places[-1] if places else None
            if first == 0 and last and last.is_at(told) and not told.extra:
                places[-1] = replace(last, items=last.items + items)
            else:
                places.append(replace(told, items=items))
    empty, extra = _empty(activity.extra)
    for position, place in sorted(empty.items()):
        places.insert(position - 1, place)
    dates, extra = _dates(activity, extra)
    return recast(SalesReport, activity, **dates, places=tuple(places), extra=extra)


def _dates(activity: ProductActivity, extra: Extra) -> tuple[dict[str, dt.date | None], Extra]:
    """The days of the period and of the message, and the rest of `extra`, which may tell of the latter."""
    if _WAS_ISSUED in extra:
        at = extra.index(_WAS_ISSUED)
        return {"starts_on": None, "issued_on": activity.starts_on}, extra[:at] + extra[at + 1 :]
    for at, entry in enumerate(extra):
        if len(entry) == 2 and _ISSUED.fullmatch("+".join(entry)):
            issued_on = dt.date.fromisoformat(entry[1].split("\x1f")[1])
            return {"starts_on": activity.starts_on, "issued_on": issued_on}, extra[:at] + extra[at + 1 :]
    return {"starts_on": activity.starts_on}, extra


def _visits(line: ActivityLine, where: str) -> list[Place]:
    """The places under which a line has to stand, so that its activities are read in their order.

    Each has one item, of which the quantities are those of the activities.
    """
    visits: list[Place] = []
    start = 0
    for number, activity in enumerate(line.activities):
        at, first = start, True
        for place, sold in _parts(activity, f"{where}.activities[{number}]"):
            there = (n for n in range(at, len(visits)) if visits[n].is_at(place))
            at = next(there, len(visits))
            if at == len(visits):
                visits.append(replace(place, items=(SoldItem(),)))
            (item,) = visits[at].items
            visits[at] = replace(visits[at], items=(replace(item, quantities=(*item.quantities, sold)),))
            start, first = at if first else start, False
            at += 1
    return visits


def _parts(activity: Activity, where: str) -> Iterator[tuple[Place, Sold]]:
    """The quantities of an activity, each with its place."""
    only(activity, ("type", "quantity", "unit", "date_type", "on", "distributions", "extra"), where)
    if activity.date_type != (DAY_OF_SALE if activity.on else None):
        raise refuse(f"{where}.date_type", "the map has no place for it")
    if activity.quantity is not None:
        yield Place({}, activity.on), Sold(activity.type, activity.quantity, activity.unit, activity.extra)
    elif not activity.distributions:
        raise refuse(f"{where}.quantity", "is needed")
    for spread in activity.distributions:
        if spread.extra and len(spread.quantities) > 1:
            raise refuse(f"{where}.distributions", "the extra is not of one place")
        for id, quantity in spread.quantities.items():
            place = Place({spread.id_type or _UNQUALIFIED: id}, activity.on)
            unit = None if spread.unit == UNIT else spread.unit
            yield place, Sold(activity.type, Decimal(quantity), unit, spread.extra)


def _at(told: Extra) -> Place:
    """The place that `_told` told of."""
    found, extra = kept(told, *_PLACE, _DAY)
    kind, id = (found.get(name) for name in _PLACE)
    day = found.get(_DAY)
    return Place({kind: id} if kind and id else {}, dt.date.fromisoformat(day) if day else None, extra=extra)


def _empty(extra: Extra) -> tuple[dict[int, Place], Extra]:
    """The places without lines, by their position, and the rest of a report's `extra`."""
    found: dict[int, Place] = {}
    for match in filter(None, (_EMPTY_PLACE.fullmatch(entry[0]) for entry in extra if entry)):
        of_place, rest = apart(extra, f"LOC[#{match[1]}]>")
        if of_place:
            found[int(match[1])] = _at(tuple(entry for entry in of_place if entry not in _NOWHERE))
            extra = rest
    return found, extra


from_activity = proven(to_activity, _from_activity)
"""The message that reports an activity. Raises CannotWrite."""
