"""The shapes of messages that are built otherwise than the documents they carry: one module a message.

Most of a shape is what its document is. So it is a struct that inherits the document's fields and adds those
that the message has elsewhere; what a document says elsewhere is left empty in its shape, and what the shape
has no field for stays where it is, for the map has no place for it and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from edi.documents import Extra, Mark
from edi.documents.parts import Value
from edi.problems import CannotWrite, Fault, Problem
from mappings.values import EITHER_MARK

_V = TypeVar("_V", bound=Value)
_S = TypeVar("_S", bound=Value)
_D = TypeVar("_D", bound=Value)
_ANOTHER = re.compile(r"GIN0[3-6]")
_WHOLE = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)


def recast(kind: type[_V], value: Value, **changes: Any) -> _V:
    """A `kind` with the fields that it shares with `value`, and with `changes`."""
    shared = {name: getattr(value, name) for name in kind.__struct_fields__ if hasattr(value, name)}
    return kind(**shared | changes)


def facts(value: Value, *but: str) -> bool:
    """Whether a value says anything in a field other than `but`."""
    default = type(value)()
    return any(
        getattr(value, name) != getattr(default, name) for name in value.__struct_fields__ if name not in but
    )


def kept(extra: Extra, *names: str) -> tuple[dict[str, str], Extra]:
    """Elements that `extra` keeps, by these names, and the rest of it."""
    found = {entry[0]: entry[1] for entry in extra if len(entry) == 2 and entry[0] in names}
    return found, tuple(entry for entry in extra if entry[0] not in found)


def whole_number(text: str | None) -> int | None:
    """The number that is written as this text, and None for any other text."""
    return int(text) if text and _WHOLE.fullmatch(text) else None


def with_number(extra: Extra, number: str | None, position: int) -> Extra:
    """`extra` of a line that has no number in its document, where it is not its position, from 1 (LIN01)."""
    return extra if number in (None, str(position)) else (("LIN01", number or ""), *extra)


def number_in(extra: Extra, position: int) -> tuple[str, Extra]:
    """The number of such a line, and the rest of its `extra`."""
    found, rest = kept(extra, "LIN01")
    return found.get("LIN01") or str(position), rest


def each_mark(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Marks one by one: what `extra` keeps of a GIN that tells several (GIN03 to 06) are marks as well."""
    found: list[Mark] = []
    for mark in marks:
        told = [entry for entry in mark.extra if len(entry) == 2 and _ANOTHER.fullmatch(entry[0])]
        ranges = [entry[1].partition("\x1f") for entry in told]
        if not told or any(not number or "\x1f" in last for number, _, last in ranges):
            found.append(mark)
            continue
        found.append(replace(mark, extra=tuple(entry for entry in mark.extra if entry not in told)))
        found += [Mark(mark.type, number, last or None) for number, _, last in ranges]
    return tuple(found)


def under(extra: Extra, prefix: str) -> Extra:
    """`extra` of a value in another, told apart by a prefix: `QTY>` makes `QTY>DTM` of `DTM`."""
    return tuple((prefix + entry[0], *entry[1:]) for entry in extra)


def apart(extra: Extra, prefix: str) -> tuple[Extra, Extra]:
    """What `under` put together: the entries with the prefix, without it, and those that have none."""
    inner = tuple(
        (entry[0].removeprefix(prefix), *entry[1:]) for entry in extra if entry[0].startswith(prefix)
    )
    return inner, tuple(entry for entry in extra if not entry[0].startswith(prefix))


def refuse(where: str, message: str) -> CannotWrite:
    """What to raise for a part of a document that a message cannot carry."""
    told = f"{where}: {message}"
    return CannotWrite(told, (Problem(Fault.MAPPING_FAILED, told),))


def proven(
    to_document: Callable[[_S], tuple[_D | None, tuple[Problem, ...]]], from_document: Callable[[_D], _S]
) -> Callable[[_D], _S]:
    """`from_document`, but for documents that `to_document` would not give back.

    A document made in Python may hold what no field may: that is refused, too.
    """

    def shaped(document: _D) -> _S:
        try:
            shape = from_document(document)
            same = to_document(shape) == (document, ())
        except (TypeError, AttributeError, ValueError, ArithmeticError) as why:
            raise refuse(type(document).__name__, f"a field holds what it may not: {why}") from None
        if not same:
            raise refuse(type(document).__name__, "would be read as another document")
        return shape

    return shaped


def only(value: Value, names: Collection[str], where: str) -> None:
    """Refuses a value that says anything in a field other than `names`."""
    for info in msgspec.structs.fields(type(value)):
        held = getattr(value, info.name)
        if info.name not in names and held is not None and held not in ((), {}):
            raise refuse(f"{where}.{info.name}", "the map has no place for it")


def negated(number: Decimal) -> Decimal:
    """The number with the other sign, whatever digits it has."""
    return number.copy_negate() if number else number


def number_in_row(extra: Extra, tag: str, qualifier: str) -> Decimal | None:
    """The number in the first row of `extra` with this qualifier: 9.5 in `("QTY", "194\x1f9,5\x1fKGM")`."""
    for entry in extra:
        parts = (*(entry[1].split("\x1f") if len(entry) > 1 else ()), "", "")
        if entry[0] == tag and parts[0] == qualifier:
            try:
                number: Decimal | None = EITHER_MARK.read[parts[1]]
            except ValueError:
                return None
            return number
    return None
