"""The shapes of messages that are built otherwise than the documents they carry: one module a message.

Most of a shape is what its document is. So it is a struct that inherits the document's fields and adds those
that the message has elsewhere; what a document says elsewhere is left empty in its shape, and what the shape
has no field for stays where it is, for the map has no place for it and says so.
"""

from __future__ import annotations

from typing import Any, TypeVar

from edi.documents import Extra
from edi.documents.parts import Value
from edi.problems import CannotWrite, Fault, Problem

_V = TypeVar("_V", bound=Value)


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
