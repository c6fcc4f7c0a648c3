"""Values that are written the same way on every command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from gateway.errors import Code, Failure

if TYPE_CHECKING:
    from edi.tree import PartyId
    from gateway.config import Address


class _Party(click.ParamType["PartyId"]):
    """An interchange identity: `QUAL:ID` as X12 writes it, or `ID:QUAL` as EDIFACT does."""

    def __init__(self, *, qualifier_first: bool) -> None:
        self.qualifier_first = qualifier_first
        self.name = "QUAL:ID" if qualifier_first else "ID:QUAL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> PartyId:
        from gateway.config.schema import NO_ISA, fits_isa, party

        qualifier, _, id = value.partition(":")
        if not self.qualifier_first:
            id, _, qualifier = value.partition(":")
        try:
            found = party(qualifier, id)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        if self.qualifier_first and not fits_isa(found):
            self.fail(f"{value!r}: {NO_ISA}", param, ctx)
        return found


class _Address(click.ParamType["Address"]):
    """`HOST:PORT`; port 0 takes a free one."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        from gateway.config.schema import address

        try:
            return value if isinstance(value, tuple) else address(value)  # type: ignore[return-value]
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class _Types(click.ParamType[tuple[str, ...]]):
    """Sets and messages between commas: `850,997`."""

    name = "TYPE,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        types = tuple(part.strip().upper() for part in value.split(",") if part.strip())
        for type in types:
            if not (type.isalnum() and type.isascii() and len(type) in (3, 6)):
                self.fail(f"{type!r} is no set or message, such as 850 or ORDERS", param, ctx)
        return types


class _Input(click.ParamType["BinaryIO"]):
    """A file to read, or `-` for stdin."""

    name = "FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> BinaryIO:
        if not isinstance(value, str):
            opened: BinaryIO = value
            return opened
        if value == "-":
            return sys.stdin.buffer
        try:
            file = open(value, "rb")  # noqa: SIM115 - the context closes it
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            code = Code.FILE_MISSING if missing else Code.FILE_UNREADABLE
            raise Failure(code, error.strerror or "cannot be read", where=value) from error
        if ctx is not None:
            ctx.call_on_close(file.close)
        return file


ISA = _Party(qualifier_first=True)
UNB = _Party(qualifier_first=False)
ADDRESS = _Address()
TYPES = _Types()
INPUT = _Input()
