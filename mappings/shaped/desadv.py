"""The shape of DESADV: a ship notice as packages inside packages, with the goods in each.

A ShipNotice is a hierarchy of levels of five kinds (X12 856). DESADV has a header for what is shipment and
order there, numbered packages (CPS) for tare and pack, and lines (LIN) in them for items. An order of the
whole shipment stands in the header (RFF+ON); where there are several, each line names its own.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby

from msgspec.structs import fields, replace

from edi.documents import Document
from edi.documents.parts import (
    Dated,
    Extra,
    FreightTerms,
    HasParties,
    Lading,
    Mark,
    Measure,
    Nested,
    Party,
    Reference,
    Routing,
    Value,
)
from edi.documents.shipping import Level, ShipNotice
from edi.problems import CannotWrite, Fault, Problem
from mappings.shaped import each_mark

ORDER = "purchase_order"  # the type of the reference RFF+ON
_NO_PACKAGES = ("shipment", "order", "item")
_OF_LADING = (
    "packages", "packaging", "description", "weight_type", "weight", "weight_unit", "volume", "volume_unit",
)  # fmt: skip


class Packaging(Value, frozen=True):
    """Packages of a kind (PAC), their weight and volume, and the numbers on their labels.

    `marking` (PCI01) is told where it is not what the numbers show.
    """

    packages: int | None = None
    packaging: str | None = None
    description: str | None = None
    weight_type: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    volume: Decimal | None = None
    volume_unit: str | None = None
    measures: tuple[Measure, ...] = ()
    marking: str | None = None
    marks: tuple[Mark, ...] = ()
    extra: Extra = ()


class DespatchLine(HasParties, frozen=True):
    """Goods in a package (LIN)."""

    number: str | None = None
    ids: dict[str, str] = {}
    description: str | None = None
    shipped: Decimal | None = None
    unit: str | None = None
    ordered: Decimal | None = None
    ordered_unit: str | None = None
    measures: tuple[Measure, ...] = ()
    marks: tuple[Mark, ...] = ()
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    extra: Extra = ()


class Package(Nested, frozen=True):
    """A package, or the whole consignment (CPS). `kind` is its level: tare, pack or inner_pack."""

    kind: str | None = None
    packagings: tuple[Packaging, ...] = ()
    lines: tuple[DespatchLine, ...] = ()
    levels: tuple[Package, ...] = ()
    extra: Extra = ()


class DespatchAdvice(HasParties, frozen=True):
    """DESADV as it is built."""

    number: str
    purpose: str | None = None
    type: str | None = None
    sent_on: dt.date | None = None
    sent_time: dt.time | None = None
    dates: tuple[Dated, ...] = ()
    measures: tuple[Measure, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    freight: tuple[FreightTerms, ...] = ()
    routing: tuple[Routing, ...] = ()
    equipment: tuple[Routing, ...] = ()
    levels: tuple[Package, ...] = ()
    extra: Extra = ()


_OF_SHIPMENT = (
    "kind", "lading", "marks", "levels", "extra", "dates", "measures", "references", "parties", "freight",
    "routing", "equipment",
)  # fmt: skip
_OF_ORDER = ("kind", "purchase_order", "ordered_on", "levels")
_OF_PACKAGE = ("kind", "lading", "marks", "measures", "levels", "extra")
_OF_ITEM = (
    "kind", "item", "ids", "description", "shipped", "unit", "ordered", "ordered_unit", "purchase_order",
    "measures", "marks", "dates", "references", "extra",
)  # fmt: skip
_OF_NOTICE = ("number", "sent_on", "sent_time", "purpose", "structure", "type", "levels", "extra", "partner")
_SSCC = "33E"  # PCI01: marked with a serial shipping container code
_IN_PACKAGING = re.compile(r"PAC\[#(\d{1,4})\]>(.+)")


def to_document(advice: DespatchAdvice) -> tuple[Document | None, tuple[Problem, ...]]:
    """The ship notice that a despatch advice is."""
    order, references = _own_order(advice.references)
    root, packages = _root(advice.levels)
    contents = (*(_item(line) for line in root.lines), *(_package_level(package) for package in packages))
    if order is None:
        inside = _by_order(contents)
    else:
        inside = (Level("order", purchase_order=order.value, ordered_on=order.on, levels=contents),)
    shipment = Level(
        "shipment",
        measures=(*advice.measures, *_measures(root)),
        lading=_ladings(root),
        routing=advice.routing,
        equipment=advice.equipment,
        references=references,
        marks=_marks(root),
        dates=advice.dates,
        freight=advice.freight,
        parties=advice.parties,
        levels=inside,
        extra=_extra(root),
    )
    notice = ShipNotice(
        advice.number,
        sent_on=advice.sent_on,
        sent_time=advice.sent_time,
        purpose=advice.purpose,
        structure=_structure(inside),
        type=advice.type,
        levels=(shipment,),
        extra=advice.extra,
    )
    return notice, ()


def from_document(notice: ShipNotice) -> DespatchAdvice:
    """The despatch advice that tells a ship notice. Raises CannotWrite with all that has no place in it."""
    refusals = _Refusals()
    refusals.fields(notice, _OF_NOTICE, "ShipNotice")
    shipment = notice.levels[0] if notice.levels else Level("shipment")
    where = "ShipNotice.levels[0]"
    if len(notice.levels) != 1 or shipment.kind != "shipment":
        refusals.add("ShipNotice.levels", "has to be one shipment")
    refusals.fields(shipment, _OF_SHIPMENT, where)
    if notice.structure not in (None, _structure(shipment.levels)):
        refusals.add("ShipNotice.structure", f"{notice.structure!r} is not how the levels are")
    order, contents = _order_and_contents(shipment.levels, where, refusals)
    if order is None and _own_order(shipment.references)[0] is not None:
        refusals.add(f"{where}.references", "the purchase order would be read as a level")
    references = shipment.references
    if order is not None:
        references = (Reference(ORDER, order.purchase_order, on=order.ordered_on), *references)
    root = _package(replace(shipment, measures=(), levels=contents), where, refusals)
    if refusals.problems:
        message = f"ShipNotice cannot be written: {refusals.problems[0].message}"
        raise CannotWrite(message, tuple(refusals.problems))
    return DespatchAdvice(
        notice.number,
        purpose=notice.purpose,
        type=notice.type,
        sent_on=notice.sent_on,
        sent_time=notice.sent_time,
        dates=shipment.dates,
        measures=shipment.measures,
        references=references,
        parties=shipment.parties,
        freight=shipment.freight,
        routing=shipment.routing,
        equipment=shipment.equipment,
        levels=(replace(root, kind=None),),
        extra=notice.extra,
    )


class _Refusals:
    """What a despatch advice has no place for."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, where: str, why: str) -> None:
        self.problems.append(Problem(Fault.MAPPING_FAILED, f"{where}: {why}"))

    def fields(self, value: Level | ShipNotice, placed: Sequence[str], where: str) -> None:
        """Refuses every field that is not `placed` and holds something."""
        for info in fields(type(value)):
            default = () if info.default_factory is tuple else info.default
            held = getattr(value, info.name)
            if info.name not in placed and held and held != default:
                self.add(f"{where}.{info.name}", "the map has no place for it")


def _order_and_contents(
    levels: tuple[Level, ...], where: str, refusals: _Refusals
) -> tuple[Level | None, tuple[Level, ...]]:
    """The order of the whole shipment, if there is one; and its contents, which else name theirs."""
    orders = [level for level in levels if level.kind == "order"]
    for number, order in enumerate(levels):
        if order.kind == "order":
            refusals.fields(order, _OF_ORDER, f"{where}.levels[{number}]")
            if not order.purchase_order:
                refusals.add(f"{where}.levels[{number}].purchase_order", "is needed")
    if len(orders) < len(levels) and orders:
        refusals.add(f"{where}.levels", "has orders beside what is of no order")
    if len(orders) == 1:
        return orders[0], orders[0].levels
    if not orders:
        if _by_order(levels) != levels:
            refusals.add(f"{where}.levels", "would be read as orders")
        return None, levels
    contents = tuple(_named(level, order.purchase_order) for order in orders for level in order.levels)
    if any(order.ordered_on for order in orders) or _by_order(contents) != tuple(orders):
        refusals.add(f"{where}.levels", "not every item would be read as of its order")
    return None, contents


def _named(level: Level, order: str | None) -> Level:
    """A level whose items name an order."""
    if level.kind == "item":
        return replace(level, purchase_order=order)
    return replace(level, levels=tuple(_named(inner, order) for inner in level.levels))


def _by_order(contents: tuple[Level, ...]) -> tuple[Level, ...]:
    """Contents by the order that all items of each name; as they are, where that is not so of all of them."""
    numbers = [{item.purchase_order for item in level.walk() if item.kind == "item"} for level in contents]
    if not contents or any(len(found) != 1 or None in found for found in numbers):
        return contents
    grouped = groupby(zip(contents, numbers, strict=True), key=lambda pair: next(iter(pair[1])))
    return tuple(
        Level("order", purchase_order=number, levels=tuple(_named(level, None) for level, _ in pairs))
        for number, pairs in grouped
    )


def _own_order(references: tuple[Reference, ...]) -> tuple[Reference | None, tuple[Reference, ...]]:
    """The first reference to an order that says nothing else, and the other references."""
    for at, one in enumerate(references):
        if one.type == ORDER:
            plain = one.value and one == Reference(ORDER, one.value, on=one.on)
            return (one, references[:at] + references[at + 1 :]) if plain else (None, references)
    return None, references


def _structure(levels: tuple[Level, ...]) -> str | None:
    """What the levels below a shipment are, in the words of X12."""
    kinds = {level.kind for order in levels for level in order.levels if order.kind == "order"}
    if not levels or any(level.kind != "order" for level in levels) or not kinds:
        return None
    return "shipment_order_item" if kinds == {"item"} else "shipment_order_pack_item"


def _root(levels: tuple[Package, ...]) -> tuple[Package, tuple[Package, ...]]:
    """The consignment as a whole, and the packages in it."""
    if len(levels) == 1 and levels[0].kind is None:
        return levels[0], levels[0].levels
    return Package(), levels


def _package_level(package: Package) -> Level:
    return Level(
        package.kind or ("pack" if package.lines else "tare"),
        lading=_ladings(package),
        measures=_measures(package),
        marks=_marks(package),
        levels=(*map(_item, package.lines), *map(_package_level, package.levels)),
        extra=_extra(package),
    )


def _package(level: Level, where: str, refusals: _Refusals) -> Package:
    """The package that a level is, with its items as lines; they come before packages inside it."""
    kinds = [inner.kind for inner in level.levels]
    items = kinds.count("item")
    if kinds[:items] != ["item"] * items:
        refusals.add(f"{where}.levels", "items have to stand before packages")
    lines, packages = [], []
    for number, inner in enumerate(level.levels):
        here = f"{where}.levels[{number}]"
        if inner.kind == "item":
            refusals.fields(inner, _OF_ITEM, here)
            lines.append(_line(inner, here, refusals))
        elif inner.kind not in _NO_PACKAGES:
            refusals.fields(inner, _OF_PACKAGE, here)
            packages.append(_package(inner, here, refusals))
        else:
            refusals.add(f"{here}.kind", f"{inner.kind!r} has no place here")
    own, of_packaging = _parted(level.extra)
    packagings = [Packaging(**{name: getattr(one, name) for name in _OF_LADING}) for one in level.lading]
    if any(one == Packaging() for one in packagings):
        refusals.add(f"{where}.lading", "says nothing")
    if (level.marks or level.measures or of_packaging) and not packagings:
        packagings.append(Packaging())
    if packagings:
        marking = _marking(level.marks)
        if each_mark(level.marks) != level.marks:
            refusals.add(f"{where}.marks", "would be read as several")
        packagings[0] = replace(packagings[0], marking=marking, marks=level.marks, measures=level.measures)
    for at, extra in of_packaging.items():
        if at >= len(packagings):
            refusals.add(f"{where}.extra", f"PAC[#{at + 1}] has no place")
            continue
        marked = next((entry[1] for entry in extra if entry[0] == "PCI01" and len(entry) == 2), None)
        rest = tuple(entry for entry in extra if entry[0] != "PCI01")
        marking = packagings[at].marking if marked is None else marked or None
        packagings[at] = replace(packagings[at], marking=marking, extra=rest)
    return Package(level.kind, tuple(packagings), tuple(lines), tuple(packages), own)


def _item(line: DespatchLine) -> Level:
    order, references = _own_order(line.references)
    if order is not None and order.on is not None:
        order, references = None, line.references
    return Level(
        "item",
        item=line.number,
        ids=line.ids,
        description=line.description,
        shipped=line.shipped,
        unit=line.unit,
        ordered=line.ordered,
        ordered_unit=line.ordered_unit,
        purchase_order=order.value if order else None,
        measures=line.measures,
        marks=each_mark(line.marks),
        dates=line.dates,
        references=references,
        extra=line.extra,
    )


def _line(item: Level, where: str, refusals: _Refusals) -> DespatchLine:
    references = item.references
    if item.purchase_order:
        references = (Reference(ORDER, item.purchase_order), *references)
    elif (own := _own_order(references)[0]) is not None and own.on is None:
        refusals.add(f"{where}.references", "the purchase order would be read as the item's")
    if each_mark(item.marks) != item.marks:
        refusals.add(f"{where}.marks", "would be read as several")
    return DespatchLine(
        item.item,
        ids=item.ids,
        description=item.description,
        shipped=item.shipped,
        unit=item.unit,
        ordered=item.ordered,
        ordered_unit=item.ordered_unit,
        measures=item.measures,
        marks=item.marks,
        dates=item.dates,
        references=references,
        extra=item.extra,
    )


def _ladings(package: Package) -> tuple[Lading, ...]:
    made = (Lading(**{name: getattr(one, name) for name in _OF_LADING}) for one in package.packagings)
    return tuple(lading for lading in made if lading != Lading())


def _marks(package: Package) -> tuple[Mark, ...]:
    return tuple(mark for one in package.packagings for mark in each_mark(one.marks))


def _measures(package: Package) -> tuple[Measure, ...]:
    return tuple(measure for one in package.packagings for measure in one.measures)


def _extra(package: Package) -> Extra:
    """What the map has not placed in a package, and under which PAC in those of its packagings."""
    inside: list[tuple[str, ...]] = []
    for number, one in enumerate(package.packagings, 1):
        usual = _marking(_marks(package)) if number == 1 else None  # all marks are written with the first
        marked = () if one.marking == usual else (("PCI01", one.marking or ""),)
        inside += [(f"PAC[#{number}]>{name}", *values) for name, *values in (*marked, *one.extra)]
    return (*package.extra, *inside)


def _marking(marks: tuple[Mark, ...]) -> str | None:
    return _SSCC if any(mark.type == "sscc" for mark in marks) else None


def _parted(extra: Extra) -> tuple[Extra, dict[int, Extra]]:
    """The reverse of `_extra`."""
    own: list[tuple[str, ...]] = []
    inside: dict[int, Extra] = {}
    for entry in extra:
        if found := _IN_PACKAGING.fullmatch(entry[0] if entry else ""):
            at = int(found[1]) - 1
            inside[at] = (*inside.get(at, ()), (found[2], *entry[1:]))
        else:
            own.append(entry)
    return tuple(own), inside
