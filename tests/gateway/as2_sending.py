"""A home that sends over AS2 by its engine's jobs in this process, and a partner that answers by hand."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers import Answer, Company, Headers, Message, Peer, post
from serving import made, until
from sqlalchemy import select

from gateway import queries
from gateway.config import Address
from gateway.home import Home
from gateway.pipeline import dispatch
from gateway.server import start_engine
from gateway.store.tables import event, transmission
from gateway.web import as2
from gateway.web.listener import Listener

AT_ONCE = 'retry = { attempts = 8, first = "0s", factor = 1.0, max = "0s" }'


def relation(name: str, as2_id: str, url: str, *, number: int = 0, more: Sequence[str] = ()) -> str:
    """The tables of a partner to whom files are sent, its certificate at certs/NAME.crt."""
    lines = [
        f"[partner.{name}]",
        'role = "retailer"',
        'status = "live"',
        'usage = "P"',
        f'isa = {{ qualifier = "ZZ", id = "{as2_id}{number}" }}',
        f"[partner.{name}.as2]",
        f'id = "{as2_id}"',
        f'url = "{url}"',
        f'certs = [{{ file = "certs/{name}.crt" }}]',
        *more,
    ]
    return "\n".join(lines) + "\n\n"


@dataclass
class Sender:
    """A home, its engine running, and its AS2 listener."""

    home: Home
    as2: str

    def send(self, data: bytes, filename: str = "order.txt", partner: str = "bigmart") -> str:
        """Queue a file; its transmission id."""
        return dispatch.dispatch(
            self.home, self.home.config.partner(partner), io.BytesIO(data), filename=filename
        )

    def row(self, identity: str) -> Any:
        with self.home.store.read() as conn:
            return conn.execute(select(transmission).where(transmission.c.id == identity)).one()

    def payload(self, row: Any) -> bytes:
        """The stored bytes of a transmission."""
        with self.home.store.fetch(row.sha256, verify=True) as file:
            return file.read()

    def comes_to(self, identity: str, *statuses: str, timeout_s: float = 20.0) -> Any:
        """The transmission, once it is in one of these states."""
        return until(lambda: row if (row := self.row(identity)).status in statuses else None, timeout_s)

    def events(self, identity: str) -> list[tuple[str, str]]:
        """The timeline of a transmission: what, and in which words."""
        with self.home.store.read() as conn:
            found = conn.execute(
                select(event.c.name, event.c.text)
                .where(event.c.transmission == identity)
                .order_by(event.c.id)
            )
            return [(row.name, row.text) for row in found]

    def waits_s(self, partner: str = "bigmart", way: str = "out") -> float:
        """Seconds until the next job of a partner's lane, once it waits."""

        def ask() -> float | None:
            with self.home.store.read() as conn:
                lanes = {one.id: one for one in self.home.engine.lanes(conn)}
            lane = lanes.get(f"{partner}:{way}")
            return lane.blocked_s if lane is not None and lane.ready and not lane.running else None

        return until(ask)

    def dead(self, identity: str) -> list[str]:
        """The reasons of dead letters of this id."""
        return [one["reason"] for one in queries.dead(self.home) if one["id"] == identity]


@dataclass
class Script:
    """What a partner answers, one request after the other; the last again and again."""

    answers: list[Callable[[Headers, bytes], Answer]] = field(default_factory=list)
    seen: list[tuple[Headers, bytes]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, headers: Headers, body: bytes) -> Answer:
        with self._lock:
            self.seen.append((headers, body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(headers, body)


def status(code: int, *headers: tuple[str, str]) -> Callable[[Headers, bytes], Answer]:
    """An answer of a status and no receipt."""
    return lambda _headers, _body: Answer(code, list(headers), b"")


def receipt(peer: Peer, **how: Any) -> Callable[[Headers, bytes], Answer]:
    """A receipt in the answer."""

    def answer(headers: Headers, body: bytes) -> Answer:
        message = peer.receipt_for(headers, body, **how)
        return Answer(200, message.headers, message.body)

    return answer


def header(headers: Headers, name: str) -> str:
    """The one value of a header."""
    (value,) = [value for key, value in headers if key.lower() == name.lower()]
    return value


def home_of(folder: Path, company: Company, *tables: str, names: Sequence[str] = ("bigmart",)) -> Path:
    """A home with these partners, all of them with one company's certificate."""
    gateway = made(folder, *tables)
    for name in names:
        shutil.copy(company.cert, gateway.home / "certs" / f"{name}.crt")
    return gateway.home


@contextmanager
def sending(root: Path, *, listen: bool = True) -> Iterator[Sender]:
    """Run the engine of a home, and its AS2 listener unless told otherwise, in this process."""
    home = Home.open(root)
    draining = threading.Event()
    listener = Listener(as2.application(home, draining), Address("127.0.0.1", 0), "as2") if listen else None
    url = f"{listener.url}/as2" if listener is not None else ""
    try:
        if listener is not None:
            listener.start()
            home.listening_at = url
        start_engine(home)
        yield Sender(home, url)
    finally:
        draining.set()
        if listener is not None:
            listener.stop()
        assert home.engine.drain(20.0)
        home.close()


def bring(sender: Sender, message: Message) -> int:
    """Post a receipt of the partner's; the status."""
    return post(sender.as2, message).status
