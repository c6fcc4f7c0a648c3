"""A gateway in this process whose clock the test sets, and a partner made of openssl with several key pairs.

The engine runs, the AS2 listener listens, partners.toml is written anew and taken up without a restart.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from peers import Answer, Company, Endpoint, Headers, Peer, endpoint
from sqlalchemy import select, text

from gateway import keys, queries
from gateway.config import Address
from gateway.home import Home
from gateway.pipeline import dispatch
from gateway.server import start_engine
from gateway.store.tables import event, transmission
from gateway.web import as2
from gateway.web.listener import Listener

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)

PAYLOAD = b"no interchange, and the gateway does not mind\r\n"


def pair(folder: Path, name: str, *, until: datetime = NOW + 900 * DAY, bits: int = 2048) -> Company:
    """A key pair in a folder, its certificate valid for five years up to a day."""
    folder.mkdir(parents=True, exist_ok=True)
    made = keys.make_key_pair(name, now=until - keys.VALID_FOR, bits=bits)
    company = Company(folder, name)
    keys.write_secret(company.key, made.key)
    company.cert.write_bytes(made.cert)
    return company


def at(moment: datetime) -> str:
    """A time as TOML has it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def listed(company: Company, **windows: object) -> str:
    """A certificate of the partner's as partners.toml lists it."""
    shown = {name: f'"{value}"' if isinstance(value, str) else at(value) for name, value in windows.items()}
    more = "".join(f", {name} = {value}" for name, value in shown.items())
    return f'{{ file = "{company.cert}"{more} }}'


def ours(company: Company, **windows: datetime) -> str:
    """A key of ours as partners.toml lists it."""
    more = "".join(f", {name} = {at(value)}" for name, value in windows.items())
    return f'{{ id = "{company.name}", cert = "{company.cert}", key = "file:{company.key}"{more} }}'


class Rolling:
    """What the tests do to the gateway, and what they see of it."""

    def __init__(self, root: Path, url: Endpoint) -> None:
        self.root = root
        self.url = url
        self.now = NOW
        self.home: Home = None  # type: ignore[assignment]
        self.as2 = ""

    def write(self, keys: list[str], certs: list[str], **relation: str) -> None:
        """partners.toml with these keys and certificates; a running gateway takes it up."""
        terms = {"sign": "sha256", "encrypt": "aes256-cbc"} | relation
        tables = (
            f'schema = 1\n[us]\nname = "Northwind"\nas2_id = "NORTHWIND"\n'
            f'isa = {{ qualifier = "ZZ", id = "NORTHWIND" }}\nkeys = [{", ".join(keys)}]\n'
            f'[server]\npublic_url = "http://127.0.0.1:9/as2"\n'
            f'[partner.bigmart]\nrole = "retailer"\nstatus = "live"\nusage = "P"\n'
            f'isa = {{ qualifier = "08", id = "9254110060" }}\n'
            f'[partner.bigmart.as2]\nid = "BIGMARTEDI"\nurl = "{self.url.url}"\n'
            f"certs = [{', '.join(certs)}]\n"
        )
        tables += "".join(f'{name} = "{value}"\n' for name, value in terms.items())
        file = self.root / "partners.toml"
        file.write_text(tables)
        if self.home is not None:
            assert self.home.reload()

    def peer(self, company: Company, gateway: Company) -> Peer:
        """The partner with one of its key pairs, who knows one of our certificates."""
        return Peer("BIGMARTEDI", company, gateway.cert)

    def send(self) -> str:
        """Queue a file for the partner; the transmission's id."""
        return dispatch.dispatch(
            self.home,
            self.home.config.partner("bigmart"),
            io.BytesIO(PAYLOAD),
            filename="note.txt",
            content_type="text/plain",
        )

    def sent(self) -> dict[str, Any]:
        """What becomes of a file that is sent now, in the shape of `send --wait --json`."""
        return self.settled(self.send())

    def settled(self, identity: str) -> dict[str, Any]:
        """What became of a transmission, once it is no longer under way."""
        return eventually(
            lambda: found if (found := queries.sent(self.home, identity))["status"] != "pending" else None
        )

    def rows(self, **where: Any) -> list[Any]:
        """Transmissions with these values, the oldest first."""
        query = select(transmission).order_by(text("rowid"))  # ids of one moment are in no order
        for column, value in where.items():
            query = query.where(transmission.c[column] == value)
        with self.home.store.read() as conn:
            return list(conn.execute(query).all())

    def events(self, name: str) -> list[str]:
        """The texts of the timeline's lines of a name, the oldest first."""
        with self.home.store.read() as conn:
            query = select(event.c.text).where(event.c.name == name).order_by(event.c.id)
            return list(conn.execute(query).scalars())


def eventually(look: Callable[[], Any], timeout_s: float = 15.0) -> Any:
    """What `look` returns, once it is true."""
    until = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < until, f"not within {timeout_s:.0f} s"
        time.sleep(0.02)
    return found


R = TypeVar("R", bound=Rolling)


@contextmanager
def rolling(
    root: Path,
    keys: list[str],
    certs: list[str],
    answer: Callable[[Headers, bytes], Answer] = lambda headers, body: Answer(500, [], b""),
    kind: Callable[[Path, Endpoint], R] = Rolling,  # type: ignore[assignment]
    **relation: str,
) -> Iterator[R]:
    """A gateway that serves a home with these keys of ours and certificates of the partner."""
    for name in ("certs", "data", "erp/in", "erp/out", "erp/done", "erp/refused"):
        (root / name).mkdir(parents=True, exist_ok=True)
    with endpoint(answer) as url:
        world = kind(root, url)
        world.write(keys, certs, **relation)
        world.home = Home.open(root, lambda: world.now)
        listener = Listener(as2.application(world.home, threading.Event()), Address("127.0.0.1", 0), "as2")
        try:
            start_engine(world.home)
            listener.start()
            world.as2 = f"{listener.url}/as2"
            yield world
        finally:
            listener.stop()
            world.home.engine.drain(10.0)
            world.home.close()
