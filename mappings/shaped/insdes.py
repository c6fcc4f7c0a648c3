"""INSDES, the instruction to despatch: lines in a row, where a WarehouseOrder has them in groups.

The first line of a group bears the group's number and marks; those that follow in the group are its sub-lines
(LIN04). Who pays the freight stands in a segment of its own (TOD), the i-th for the i-th way of transport.
"""

from __future__ import annotations

import re

from edi.documents import Extra, LineGroup, Mark, Routing, WarehouseLine, WarehouseOrder
from edi.documents.parts import Value
from edi.problems import Problem
from mappings.shaped import apart, facts, kept, recast, refuse, under

_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
_SUB_LINE = ("LIN01", "LIN04-1", "LIN04-2")


class Freight(Value, frozen=True):
    """Who pays the freight (TOD)."""

    payment: str | None = None
    extra: Extra = ()


class InstructedLine(WarehouseLine, frozen=True):
    """A line (LIN): `parent` is the number of the line that it is a sub-line of."""

    number: int | None = None
    sub_line: str | None = None
    parent: int | None = None
    marks: tuple[Mark, ...] = ()


class Instruction(WarehouseOrder, frozen=True, tag_field="schema", tag="instruction"):
    """The message."""

    freight: tuple[Freight, ...] = ()
    instructed: tuple[InstructedLine, ...] = ()


def to_order(instruction: Instruction) -> tuple[WarehouseOrder, tuple[Problem, ...]]:
    """The order that the message instructs."""
    groups: list[LineGroup] = []
    for line in instruction.instructed:
        told = (line.number, line.sub_line, line.parent)
        last = groups[-1] if groups else None
        if last and line.parent == last.number and line.sub_line == "1":
            extra: Extra = () if line.number is None else (("LIN01", str(line.number)),)
            lines = (*last.lines, recast(WarehouseLine, line, extra=(*extra, *line.extra)))
            groups[-1] = recast(LineGroup, last, lines=lines, marks=last.marks + line.marks)
            continue
        number = line.number if line.number is not None else last.number + 1 if last else 1
        extra = tuple(
            (name, str(value))
            for name, value in zip(_SUB_LINE[1:], told[1:], strict=True)
            if value is not None
        )
        whole = recast(WarehouseLine, line, extra=(*extra, *line.extra))
        groups.append(LineGroup(number=number, marks=line.marks, lines=(whole,)))
    order = recast(
        WarehouseOrder,
        instruction,
        groups=tuple(groups),
        routing=_paid(instruction.routing, instruction.freight),
    )
    return order, ()


def _paid(routing: tuple[Routing, ...], freight: tuple[Freight, ...]) -> tuple[Routing, ...]:
    paid = []
    for number in range(max(len(routing), len(freight))):
        way = routing[number] if number < len(routing) else Routing()
        terms = freight[number] if number < len(freight) else Freight()
        paid.append(
            recast(Routing, way, payment=terms.payment, extra=(*way.extra, *under(terms.extra, "TOD>")))
        )
    return tuple(paid)


def from_order(order: WarehouseOrder) -> Instruction:
    """The message that instructs as an order says."""
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
    told, extra = kept(line.extra, *(_SUB_LINE[1:] if first else _SUB_LINE[:1]))
    number, parent = (_number(told.get(name)) for name in ("LIN01", "LIN04-2"))
    if first:
        return recast(
            InstructedLine,
            line,
            number=group.number,
            sub_line=told.get("LIN04-1"),
            parent=parent,
            marks=group.marks,
            extra=extra,
        )
    return recast(InstructedLine, line, number=number, sub_line="1", parent=group.number, extra=extra)


def _number(text: str | None) -> int | None:
    return int(text) if text and _NUMBER.fullmatch(text) else None
