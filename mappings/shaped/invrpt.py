"""INVRPT of movements: an item with its movements, where an InventoryAdjustment has a line for each.

Movements of one item that follow each other share a LIN. A quantity that leaves the stock is below zero in
the document; here INV01 tells which way it goes. A unit or a reason that is not told is "unit" and "other".
"""

from __future__ import annotations

from decimal import Decimal

from edi.documents import AdjustmentLine, Dated, Extra, InventoryAdjustment, Party, Reference
from edi.documents.parts import HasParties
from edi.problems import Fault, Problem
from mappings.shaped import apart, number_in, only, proven, recast, under, with_number

OTHER = "other"
UNIT = "unit"
_OUT, _IN = "1", "2"  # INV01, 4501
_OF_MOVEMENT = "INV/QTY>"


class Movement(HasParties, frozen=True):
    """So much of an item that comes or goes (INV and QTY), as AdjustmentLine has it."""

    quantity: Decimal
    direction: str | None = None
    stock: str | None = None
    reason: str | None = None
    unit: str | None = None
    lot: str | None = None
    price: Decimal | None = None
    price_unit: str | None = None
    contract: str | None = None
    purchase_order: str | None = None
    dates: tuple[Dated, ...] = ()
    parties: tuple[Party, ...] = ()
    references: tuple[Reference, ...] = ()
    extra: Extra = ()


class Item(HasParties, frozen=True):
    """What moves (LIN)."""

    number: str | None = None
    ids: dict[str, str] = {}
    description: tuple[str, ...] = ()
    movements: tuple[Movement, ...] = ()
    extra: Extra = ()


_CARRIED = {"quantity", "reason", "unit", "ids", "description", "extra", *Movement.__struct_fields__}


class Movements(InventoryAdjustment, frozen=True, tag_field="schema", tag="movements"):
    """The message."""

    items: tuple[Item, ...] = ()


def to_adjustment(report: Movements) -> tuple[InventoryAdjustment | None, tuple[Problem, ...]]:
    """The adjustment that the movements are; there is none where an item has no movement."""
    lines: list[AdjustmentLine] = []
    for number, item in enumerate(report.items, 1):
        if not item.movements:
            return None, (Problem(Fault.MAPPING_FAILED, f"item {number} has no movement", segment="LIN"),)
        extra = with_number(item.extra, item.number, number)
        for movement in item.movements:
            lines.append(_line(item, movement, extra))
            extra = ()
    return recast(InventoryAdjustment, report, lines=tuple(lines)), ()


def _line(item: Item, movement: Movement, extra: Extra) -> AdjustmentLine:
    quantity = movement.quantity
    return recast(
        AdjustmentLine,
        movement,
        reason=movement.reason or OTHER,
        quantity=quantity.copy_negate() if quantity and movement.direction == _OUT else quantity,
        unit=movement.unit or UNIT,
        ids=item.ids,
        description=item.description,
        extra=(*extra, *under(movement.extra, _OF_MOVEMENT)),
    )


def _from_adjustment(adjustment: InventoryAdjustment) -> Movements:
    """Its items are numbered from 1."""
    items: list[Item] = []
    for at, line in enumerate(adjustment.lines):
        only(line, _CARRIED, f"InventoryAdjustment.lines[{at}]")
        movement, of_item = apart(line.extra, _OF_MOVEMENT)
        moved = _movement(line, movement)
        last = items[-1] if items else None
        if last and not of_item and (last.ids, last.description) == (line.ids, line.description):
            items[-1] = recast(Item, last, movements=(*last.movements, moved))
            continue
        number, extra = number_in(of_item, len(items) + 1)
        items.append(Item(number, line.ids, line.description, (moved,), extra))
    return recast(Movements, adjustment, lines=(), items=tuple(items))


def _movement(line: AdjustmentLine, extra: Extra) -> Movement:
    quantity = line.quantity
    return recast(
        Movement,
        line,
        direction=(_OUT if quantity < 0 else _IN) if quantity else None,
        quantity=quantity.copy_abs(),
        reason=None if line.reason == OTHER else line.reason,
        unit=None if line.unit == UNIT else line.unit,
        extra=extra,
    )


from_adjustment = proven(to_adjustment, _from_adjustment)
"""The message that tells an adjustment. Raises CannotWrite."""
