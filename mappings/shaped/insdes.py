"""INSDES, the instruction to despatch: lines in a row, where a WarehouseOrder has them in groups.

The first line of a group bears the group's number and marks; those that follow in the group are its sub-lines
(LIN04). Who pays the freight stands in a segment of its own (TOD), the i-th for the i-th way of transport.
"""

from __future__ import annotations

from edi.documents import Extra, LineGroup, Mark, Routing, WarehouseLine, WarehouseOrder
from edi.documents.parts import Value
from edi.problems import Problem
from mappings.shaped import apart, facts, kept, proven, recast, refuse, under, whole_number

_SUB_LINE = ("LIN01", "LIN04-1", "LIN04-2")


class Freight(Value, frozen=True):
    """Who pays the freight (TOD)."""

    payment: str | None = None
    extra: Extra = ()


class InstructedLine(WarehouseLine, frozen=True):
    """A line (LIN): `parent` is the number of the line that it is a sub-line of."""

    number: str | None = None
    sub_line: str | None = None
    parent: str | None = None
    marks: tuple[Mark, ...] = ()


class Instruction(WarehouseOrder, frozen=True, tag_field="schema", tag="instruction"):
    """The message."""

    freight: tuple[Freight, ...] = ()
    instructed: tuple[InstructedLine, ...] = ()


def to_order(instruction: Instruction) -> tuple[WarehouseOrder, tuple[Problem, ...]]:
    """The order that the message instructs."""
    groups: list[LineGroup] = []
    for line in instruction.instructed:
        last = groups[-1] if groups else None
        if last and (line.sub_line, line.parent) == ("1", str(last.number)):
            lines = (*last.lines, _line(line, "LIN01"))
            groups[-1] = recast(LineGroup, last, lines=lines, marks=last.marks + line.marks)
            continue
        number = whole_number(line.number)
        if number is not None:
            lines = (_line(line, "LIN04-1", "LIN04-2"),)
        else:
            number = last.number + 1 if last else 1
            lines = (_line(line, *_SUB_LINE),)
        groups.append(LineGroup(number=number, marks=line.marks, lines=lines))
    order = recast(
        WarehouseOrder,
        instruction,
        groups=tuple(groups),
        routing=_paid(instruction.routing, instruction.freight),
    )
    return order, ()


def _line(line: InstructedLine, *names: str) -> WarehouseLine:
    """A line of an order, which keeps these of its numbers."""
    told = {"LIN01": line.number, "LIN04-1": line.sub_line, "LIN04-2": line.parent}
    own = tuple((name, text) for name in names if (text := told[name]))
    return recast(WarehouseLine, line, extra=(*own, *line.extra))


def _paid(routing: tuple[Routing, ...], freight: tuple[Freight, ...]) -> tuple[Routing, ...]:
    paid = []
    for number in range(max(len(routing), len(freight))):
        way = routing[number] if number < len(routing) else Routing()
        terms = freight[number] if number < len(freight) else Freight()
        paid.append(
            recast(Routing, way, payment=terms.payment, extra=(*way.extra, *under(terms.extra, "TOD>")))
        )
    return tuple(paid)


def _from_order(order: WarehouseOrder) -> Instruction:
    instructed: list[InstructedLine] = []
    for number, group in enumerate(order.groups):
        where = f"WarehouseOrder.groups[{number}]"
        for name in ("references", "parties", "dates", "extra"):
            if getattr(group, name):
                raise refuse(f"{where}.{name}", "the map has no place for it")
        if not group.lines:
            raise refuse(f"{where}.lines", "there are none")
        instructed += [_instructed(line, group, first=at == 0) for at, line in enumerate(group.lines)]
    ways, freight = [], []
    for way in order.routing:
        terms, extra = apart(way.extra, "TOD>")
        freight.append(Freight(payment=way.payment, extra=terms))
        ways.append(recast(Routing, way, payment=None, extra=extra))
    while freight and not facts(freight[-1]):
        freight.pop()
    while len(ways) > 0 and len(ways) <= len(freight) and not facts(ways[-1]):
        ways.pop()
    return recast(
        Instruction,
        order,
        groups=(),
        routing=tuple(ways),
        freight=tuple(freight),
        instructed=tuple(instructed),
    )


def _instructed(line: WarehouseLine, group: LineGroup, *, first: bool) -> InstructedLine:
    told, extra = kept(line.extra, *(_SUB_LINE if first else _SUB_LINE[:1]))
    number = told.get("LIN01")
    if not first:
        return recast(
            InstructedLine, line, number=number, sub_line="1", parent=str(group.number), extra=extra
        )
    return recast(
        InstructedLine,
        line,
        number=number or str(group.number),
        sub_line=told.get("LIN04-1"),
        parent=told.get("LIN04-2"),
        marks=group.marks,
        extra=extra,
    )


from_order = proven(to_order, _from_order)
"""The message that instructs as an order says. Raises CannotWrite."""
