"""RECADV, the receiving advice: what was received, in the packages that it came in (CPS).

A warehouse's is a StockReceipt: its lines stand by pallet, or in no pallet where there is one package 1 of
which nothing is told. A customer's is a ReceivingAdvice: one line after the other, the first of a package
with what is told of the package in `extra`, under CPS. Either way what is wrong with a quantity is a
variance (QVR), whose sign tells what is short from what is over.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import count

from edi.documents import (
    Dated,
    Discrepancy,
    Extra,
    Mark,
    Note,
    Party,
    ReceiptException,
    ReceiptLine,
    ReceivedLine,
    ReceivedPallet,
    ReceivingAdvice,
    Reference,
    StockReceipt,
    Transport,
)
from edi.documents.parts import Value
from edi.problems import Fault, Problem
from mappings.shaped import (
    apart,
    kept,
    negated,
    number_in,
    number_in_row,
    only,
    proven,
    recast,
    refuse,
    under,
    whole_number,
    with_number,
)

_SHORT = "short"
_DISCREPANCIES = {"AC": "over", "AE": "no_ship_notice", "AF": "damaged"}  # 4221
_KINDS = {  # 6063
    "89": "hold",
    "96": "quality",
    "119": _SHORT,
    "121": "over",
    "124": "damaged",
    "195": "rejected",
    "196": "scrapped",
}
_DISCREPANCY_OF = {condition: code for code, condition in _DISCREPANCIES.items()}
_KIND_OF = {condition: code for code, condition in _KINDS.items() if condition not in _DISCREPANCY_OF}
_KIND = "QVR01-2"
_UNIT = "each"  # what QTY counts where it has no unit
_ACCEPTED = "194"  # 6063 received and accepted


class Variance(Value, frozen=True):
    """What differs from what was told (QVR): of a `kind` of quantity (6063), or as a `discrepancy` (4221)."""

    difference: Decimal
    kind: str | None = None
    discrepancy: str | None = None
    extra: Extra = ()


def _read(variance: Variance) -> tuple[Decimal, str, Extra]:
    """How many in which condition; below zero where the sign is not that of the condition."""
    kind, extra = variance.kind, variance.extra
    if variance.discrepancy:
        condition = _DISCREPANCIES.get(variance.discrepancy, variance.discrepancy)
    elif kind:
        condition = _KINDS.get(kind, kind)
        kind = None if _KIND_OF.get(condition, condition) == kind else kind
    else:
        condition = _SHORT if variance.difference < 0 else "over"
    quantity = negated(variance.difference) if condition == _SHORT else variance.difference
    return quantity, condition, (*(((_KIND, kind),) if kind else ()), *extra)


def _written(quantity: Decimal, condition: str, extra: Extra) -> Variance:
    told, extra = kept(extra, _KIND)
    kind, discrepancy = _KIND_OF.get(condition), _DISCREPANCY_OF.get(condition)
    if kind is None and discrepancy is None:
        kind, discrepancy = (condition, None) if condition.isdecimal() else (None, condition)
    difference = negated(quantity) if condition == _SHORT else quantity
    return Variance(difference, told.get(_KIND) or kind, discrepancy, extra)


# what a warehouse received


class StockLine(Value, frozen=True):
    """A line (LIN)."""

    number: str | None = None
    received: Decimal | None = None
    unit: str | None = None
    ids: dict[str, str] = {}
    lot: str | None = None
    description: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    variances: tuple[Variance, ...] = ()
    extra: Extra = ()


class StockPackage(Value, frozen=True):
    """A package (CPS)."""

    number: str | None = None
    marks: tuple[Mark, ...] = ()
    lines: tuple[StockLine, ...] = ()
    extra: Extra = ()


class StockAdvice(Value, frozen=True):
    """The message of a warehouse."""

    number: str
    received_on: dt.date | None = None
    time: dt.time | None = None
    transfer: str | None = None
    shipment: str | None = None
    parties: tuple[Party, ...] = ()
    references: tuple[Reference, ...] = ()
    dates: tuple[Dated, ...] = ()
    notes: tuple[Note, ...] = ()
    transport: Transport | None = None
    groups: tuple[StockPackage, ...] = ()
    extra: Extra = ()


def to_receipt(advice: StockAdvice) -> tuple[StockReceipt | None, tuple[Problem, ...]]:
    """The receipt in a message; where it has no date of its own (DTM+50), it is that of the message."""
    told = (date.on for date in advice.dates if date.type == "document" and date.on)
    received_on = advice.received_on or next(told, None)
    if received_on is None:
        return None, (_missing("DTM", "when the goods were received"),)
    pallets = []
    number = count(1)
    for position, package in enumerate(advice.groups, 1):
        lines = []
        for line in package.lines:
            received = (
                line.received if line.received is not None else number_in_row(line.extra, "QTY", _ACCEPTED)
            )
            if received is None:
                return None, (_missing("QTY", f"how much was received of line {line.number}"),)
            lines.append(_receipt_line(line, received, next(number)))
        pallets.append(_pallet(package, tuple(lines), position))
    alone = len(pallets) == 1 and pallets[0] == ReceivedPallet(number=1, lines=pallets[0].lines)
    receipt = recast(
        StockReceipt,
        advice,
        received_on=received_on,
        lines=pallets[0].lines if alone else (),
        pallets=() if alone else tuple(pallets),
    )
    return receipt, ()


def _missing(segment: str, what: str) -> Problem:
    return Problem(Fault.MAPPING_FAILED, f"it does not tell {what}", segment=segment)


def _receipt_line(line: StockLine, received: Decimal, position: int) -> ReceiptLine:
    exceptions = []
    for variance in line.variances:
        quantity, condition, extra = _read(variance)
        unit = line.unit or _UNIT
        exceptions.append(ReceiptException(quantity=quantity, unit=unit, condition=condition, extra=extra))
    extra = with_number(line.extra, line.number, position)
    return recast(ReceiptLine, line, received=received, exceptions=tuple(exceptions), extra=extra)


def _pallet(package: StockPackage, lines: tuple[ReceiptLine, ...], position: int) -> ReceivedPallet:
    number = whole_number(package.number)
    told = (("CPS01", package.number or ""),) if number is None else ()
    number = position if number is None else number
    return ReceivedPallet(number=number, marks=package.marks, lines=lines, extra=(*told, *package.extra))


def _from_receipt(receipt: StockReceipt) -> StockAdvice:
    only(receipt, {*StockAdvice.__struct_fields__, "lines", "pallets", "partner"}, "StockReceipt")
    if receipt.lines and receipt.pallets:
        raise refuse("StockReceipt.lines", "stand by pallet where there are pallets")
    pallets = receipt.pallets or ((ReceivedPallet(number=1, lines=receipt.lines),) if receipt.lines else ())
    packages = []
    position = count(1)
    for number, pallet in enumerate(pallets):
        where = f"StockReceipt.pallets[{number}]" if receipt.pallets else "StockReceipt"
        only(pallet, {"number", "marks", "lines", "extra"}, where)
        lines = []
        for at, line in enumerate(pallet.lines):
            lines.append(_stock_line(line, next(position), f"{where}.lines[{at}]"))
        told, extra = kept(pallet.extra, "CPS01")
        package = StockPackage(told.get("CPS01") or str(pallet.number), pallet.marks, tuple(lines), extra)
        packages.append(package)
    return recast(StockAdvice, receipt, groups=tuple(packages))


def _stock_line(line: ReceiptLine, position: int, where: str) -> StockLine:
    only(line, {*StockLine.__struct_fields__, "exceptions"}, where)
    variances = []
    for at, exception in enumerate(line.exceptions):
        only(exception, {"quantity", "unit", "condition", "extra"}, f"{where}.exceptions[{at}]")
        variances.append(_written(exception.quantity, exception.condition, exception.extra))
    number, extra = number_in(line.extra, position)
    return recast(StockLine, line, number=number, variances=tuple(variances), extra=extra)


from_receipt = proven(to_receipt, _from_receipt)
"""The message of a receipt. Raises CannotWrite."""


# what a customer received


class ItemLine(ReceivedLine, frozen=True):
    """A line (LIN)."""

    variances: tuple[Variance, ...] = ()


class ItemPackage(Value, frozen=True):
    """A package (CPS)."""

    number: str | None = None
    lines: tuple[ItemLine, ...] = ()
    extra: Extra = ()


class ItemAdvice(ReceivingAdvice, frozen=True, tag_field="schema", tag="receiving_advice"):
    """The message of a customer."""

    groups: tuple[ItemPackage, ...] = ()


_DISCREPANT = ("discrepancy", "second_discrepancy", "third_discrepancy")
_VARIANCE = ("QVR01-1", _KIND, "QVR02")
_PACKAGE = "CPS01"  # in `extra` of a line: here begins a package
_IN_PACKAGE = "CPS>"


def to_advice(message: ItemAdvice) -> tuple[ReceivingAdvice, tuple[Problem, ...]]:
    """The advice in a message."""
    lines: list[ReceivedLine] = []
    told: Extra = ()
    for position, package in enumerate(message.groups):
        if position or package.number != "1" or package.extra or not package.lines:
            told = (*told, (_PACKAGE, package.number or ""), *under(package.extra, _IN_PACKAGE))
        for line in package.lines:
            lines.append(_received_line(line, told))
            told = ()
    return recast(ReceivingAdvice, message, lines=tuple(lines), extra=(*told, *message.extra)), ()


def _received_line(line: ItemLine, told: Extra) -> ReceivedLine:
    discrepancies: dict[str, Discrepancy] = {}
    extra: Extra = ()
    for number, variance in enumerate(line.variances, 1):
        here = f"QVR[{number}]>"
        if number <= len(_DISCREPANT):
            quantity, condition, more = _read(variance)
            discrepancy = Discrepancy(quantity=quantity, unit=line.received_unit, condition=condition)
            discrepancies[_DISCREPANT[number - 1]] = discrepancy
        else:
            parts = (str(variance.difference), variance.kind, variance.discrepancy)
            told_ = ((name, part) for name, part in zip(_VARIANCE, parts, strict=True) if part)
            more = (*told_, *variance.extra)
        extra = (*extra, *under(more, here))
    return recast(ReceivedLine, line, **discrepancies, extra=(*told, *extra, *line.extra))


def _from_advice(advice: ReceivingAdvice) -> ItemAdvice:
    _orders_apart(advice.references, "ReceivingAdvice")
    packages: list[tuple[str, list[ItemLine], Extra]] = []
    for number, line in enumerate(advice.lines):
        _orders_apart(line.references, f"ReceivingAdvice.lines[{number}]")
        begun, rest = _packages(line.extra)
        packages += begun or ([] if packages else [("1", [], ())])
        packages[-1][1].append(_item_line(line, rest))
    begun, rest = _packages(advice.extra)
    packages += begun
    found = tuple(ItemPackage(number, tuple(lines), extra) for number, lines, extra in packages)
    return recast(ItemAdvice, advice, lines=(), groups=found, extra=rest)


def _orders_apart(references: tuple[Reference, ...], where: str) -> None:
    """Refuses references to orders, which have a place of their own."""
    for number, reference in enumerate(references):
        if reference.type == "purchase_order":
            raise refuse(f"{where}.references[{number}]", "would be read as one of `orders`")


def _packages(extra: Extra) -> tuple[list[tuple[str, list[ItemLine], Extra]], Extra]:
    """The packages that begin here, and what is not of them."""
    packages: list[tuple[str, list[ItemLine], Extra]] = []
    rest = []
    for entry in extra:
        if entry[0] == _PACKAGE and len(entry) > 1:
            packages.append((entry[1], [], ()))
        elif packages and entry[0].startswith(_IN_PACKAGE):
            number, lines, of_package = packages[-1]
            inner = (entry[0].removeprefix(_IN_PACKAGE), *entry[1:])
            packages[-1] = number, lines, (*of_package, inner)
        else:
            rest.append(entry)
    return packages, tuple(rest)


def _item_line(line: ReceivedLine, extra: Extra) -> ItemLine:
    variances = []
    for number, name in enumerate(_DISCREPANT, 1):
        inner, extra = apart(extra, f"QVR[{number}]>")
        discrepancy: Discrepancy | None = getattr(line, name)
        if discrepancy is None:
            continue
        if discrepancy.quantity is None or discrepancy.condition is None:
            raise refuse(f"ReceivingAdvice.lines.{name}", "needs a quantity and a condition")
        variances.append(_written(discrepancy.quantity, discrepancy.condition, inner))
    others = len(_DISCREPANT) + 1
    while (found := apart(extra, f"QVR[{others}]>"))[0]:
        inner, extra = found
        parts, more = kept(inner, *_VARIANCE)
        difference, kind, code = (parts.get(name) for name in _VARIANCE)
        variances.append(Variance(Decimal(difference or ""), kind, code, more))
        others += 1
    nothing = dict.fromkeys(_DISCREPANT)
    return recast(ItemLine, line, **nothing, variances=tuple(variances), extra=extra)


from_advice = proven(to_advice, _from_advice)
"""The message of an advice. Raises CannotWrite."""
