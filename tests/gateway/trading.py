"""A home with a retailer and a warehouse, both over SFTP, whose engine runs in this process."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

import x12
from edi.documents import Document, decode, encode, schema_of
from edi.tree import PartyId, Transaction
from gateway.cli.setup import ERP_FOLDERS, FOLDERS
from gateway.config import toml
from gateway.home import Home
from gateway.pipeline.arrive import Source, receive
from gateway.pipeline.from_erp import take
from gateway.server import start_engine
from gateway.simulate import envelope
from gateway.store.tables import document, event
from x12 import codec, writer

US, RETAILER, WAREHOUSE = PartyId("ZZ", "US"), PartyId("08", "RETAIL"), PartyId("01", "DEPOT")

PARTNERS = """\
schema = 1
[us]
name = "Northwind"
isa = { qualifier = "ZZ", id = "US" }

[partner.shop]
role = "retailer"
status = "live"
usage = "P"
isa = { qualifier = "08", id = "RETAIL" }
aliases = [{ qualifier = "12", id = "5551234" }]
sftp_account = { user = "shop", keys = [] }
document = [
  { type = "850", direction = "in", route = "3pl:depot" },
  { type = "856", direction = "out" },
  { type = "810", direction = "out" },
]

[partner.depot]
role = "3pl"
status = "live"
usage = "P"
isa = { qualifier = "01", id = "DEPOT" }
sftp_account = { user = "depot", keys = [] }
document = [{ type = "940", direction = "out" }, { type = "945", direction = "in" }]
"""

ORDER: list[list[str]] = [
    ["BEG", "00", "SA", "PO-77", "", "20261101"],
    ["N1", "ST", "STORE 12", "92", "0012"],
    ["N3", "1 MAIN ST"],
    ["N4", "TROY", "MI", "48083"],
    ["PO1", "1", "12", "EA", "2.5", "", "VN", "AB1", "UP", "012345678905"],
    ["PID", "F", "", "", "", "BLUE WIDGET"],
    ["PO1", "2", "4", "EA", "10", "", "VN", "AB2"],
    ["CTT", "2"],
]

SHIPMENT: list[list[str]] = [
    ["W06", "F", "PO-77", "20261102", "BOL1", "", "PO-77"],
    ["N1", "ST", "STORE 12", "92", "0012"],
    ["W27", "M", "PITD", "", "PP"],
    ["LX", "1"],
    ["MAN", "GM", "00006141410000000015"],
    ["W12", "CC", "12", "12", "", "EA", "", "VN", "AB1"],
    ["LX", "2"],
    ["MAN", "GM", "00006141410000000022"],
    ["W12", "CP", "4", "1", "3", "EA", "", "VN", "AB2"],
    ["W03", "13"],
]


class Trading:
    """What the tests do to a home, and what they see of it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.number = 0

    def file(self, type: str, rows: list[list[str]], sender: PartyId, version: str = "004010") -> bytes:
        """An interchange of one transaction under the next control number."""
        self.number += 1
        head = envelope(sender, US, self.number, type, version)
        return writer.write(head, [writer.Body(type, self.number, rows)])

    def drop(self, data: bytes, partner: str, name: str = "a.x12", **more: Any) -> str:
        """Arrive as a partner's file; the transmission id."""
        return receive(self.home, io.BytesIO(data), Source("sftp", partner, name, **more))

    def arrive(
        self, type: str, rows: list[list[str]], partner: str, sender: PartyId, version: str = "004010"
    ) -> None:
        """A valid file of one transaction arrives from a partner."""
        self.number += 1
        head = envelope(sender, US, self.number, type, version)
        data = writer.write(head, [writer.Body(type, self.number, rows)], check=True)
        self.drop(data, partner, f"{type}.x12")

    def leave(self, document: Document) -> None:
        """The ERP leaves a document, which is taken."""
        name = schema_of(document).partition(".")[2].partition("/")[0]
        (self.home.erp.inbox / f"{name}.json").write_bytes(encode(document))
        (arrival,) = (one for one in self.home.erp.arrivals() if one.path.stem == name)
        take(self.home, arrival)

    def at_the_erp(self, type: str) -> tuple[Any, Any]:
        """The one document of a set as the ERP has it, and its row."""
        (row,) = eventually(
            lambda: [row for row in self.documents(type=type, direction="in") if row.delivered_at]
        )
        return decode((self.home.erp.root / "out" / f"{row.id}.json").read_bytes()), row

    def documents(self, **where: Any) -> list[Any]:
        """Document rows, the oldest first."""
        query = select(document).order_by(document.c.created_at, document.c.id)
        for column, value in where.items():
            query = query.where(document.c[column] == value)
        with self.home.store.read() as conn:
            return list(conn.execute(query).all())

    def events(self, name: str) -> list[Any]:
        """Event rows of a name, the oldest first."""
        with self.home.store.read() as conn:
            return list(conn.execute(select(event).where(event.c.name == name).order_by(event.c.id)).all())

    def outbox(self, user: str) -> list[Path]:
        """What a partner could fetch."""
        folder = self.home.config.home / "sftp" / user / "out"
        return sorted(path for path in folder.glob("*") if not path.name.startswith("."))

    def sent(self, user: str, type: str) -> list[list[list[str]]]:
        """The rows of every transaction of a type in a partner's outbox, each valid."""
        found = []
        for path in self.outbox(user):
            for item in codec.read(io.BytesIO(path.read_bytes())):
                if isinstance(item, Transaction) and item.type == type:
                    check = x12.check(item)
                    assert check.status == "accepted", check.problems
                    found.append(check.rows)
        return found


def eventually(look: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    """What `look` returns, once it is true."""
    until = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < until, f"not within {timeout_s:.0f} s"
        time.sleep(0.02)
    return found


@contextmanager
def trading(folder: Path, partners: str = PARTNERS, *, run: bool = True) -> Iterator[Trading]:
    """A home in `folder`; its engine runs unless told otherwise."""
    for name in (*FOLDERS, *(f"erp/{name}" for name in ERP_FOLDERS)):
        (folder / name).mkdir(parents=True, exist_ok=True)
    toml.replace(folder / "partners.toml", partners.encode())
    home = Home.open(folder)
    try:
        if run:
            start_engine(home)
        yield Trading(home)
        if run:
            assert home.engine.drain(10.0)
    finally:
        home.close()
