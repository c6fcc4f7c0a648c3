"""DESADV of a warehouse that confirms a shipment: its lines have numbers, those of the document have none."""

from __future__ import annotations

from itertools import count

from msgspec.structs import replace

from edi.documents import Pack, ShipmentConfirmation, ShippedLine
from edi.problems import Problem
from mappings.shaped import each_mark, number_in, proven, recast, with_number


class DespatchedLine(ShippedLine, frozen=True):
    """A line (LIN)."""

    number: str | None = None


class DespatchedPack(Pack, frozen=True):
    """A package, or the whole consignment (CPS)."""

    lines: tuple[DespatchedLine, ...] = ()


class Despatch(ShipmentConfirmation, frozen=True, tag_field="schema", tag="despatch"):
    """The message."""

    packs: tuple[DespatchedPack, ...] = ()


def to_confirmation(despatch: Despatch) -> tuple[ShipmentConfirmation, tuple[Problem, ...]]:
    """The confirmation that the message is."""
    position = count(1)
    packs = tuple(
        recast(
            Pack,
            pack,
            marks=each_mark(pack.marks),
            lines=tuple(
                recast(ShippedLine, line, extra=with_number(line.extra, line.number, next(position)))
                for line in pack.lines
            ),
        )
        for pack in despatch.packs
    )
    return recast(ShipmentConfirmation, despatch, packs=packs), ()


def _from_confirmation(confirmation: ShipmentConfirmation) -> Despatch:
    position = count(1)
    packs = []
    for pack in confirmation.packs:
        lines = []
        for line in pack.lines:
            number, extra = number_in(line.extra, next(position))
            lines.append(replace(recast(DespatchedLine, line), number=number, extra=extra))
        packs.append(recast(DespatchedPack, pack, lines=tuple(lines)))
    return recast(Despatch, confirmation, packs=tuple(packs))


from_confirmation = proven(to_confirmation, _from_confirmation)
"""The message of a confirmation, its lines numbered from 1. Raises CannotWrite."""
