"""A stage for deaths: a gateway that is killed and started again, partners that go on, and who watches.

What is asserted is seen from the outside: what the retailer and the warehouse were given, what appeared in
folders (the kernel tells, so a file taken at once counts too), and the database read by sqlite3 alone.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.routing import Route
from watchdog.events import FileCreatedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from edi.documents import decode, schema_of
from gateway.cli import main
from gateway.cli.demo import Gateway, set_up
from gateway.config import Address
from gateway.keys import make_ssh_key
from gateway.numbers import LEVELS
from gateway.simulate import X12, Failed, Retailer, Trade, Warehouse
from gateway.web.listener import Listener
from sftp.keys import make_host_keys

WAIT_S = 40.0
SETTLE = 'complete = { settle = "0s" }\n'
RETRY = '\n[defaults]\nretry = { attempts = 100, first = "1s", factor = 1.0, max = "1s" }\n'


def until(ask: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
    """What `ask` gives once it gives anything; the test fails when it does not in time."""
    end = time.monotonic() + timeout_s
    while not (found := ask()):
        assert time.monotonic() < end, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.03)
    return found


def free_port() -> int:
    """A port to come back to: below those the kernel gives to whoever connects out meanwhile."""
    for port in random.sample(range(15_000, 32_000), 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Appearances(FileSystemEventHandler):
    """The names under which whole files have appeared in a folder, however short they were there."""

    def __init__(self, folder: Path) -> None:
        self.names: list[str] = []
        self._folder = str(folder)
        self._observer = Observer()
        self._observer.schedule(self, self._folder, event_filter=[FileCreatedEvent, FileMovedEvent])
        self._observer.start()

    def on_any_event(self, event: FileSystemEvent) -> None:
        path = Path(str(event.dest_path if isinstance(event, FileMovedEvent) else event.src_path))
        if str(path.parent) == self._folder and not path.name.startswith("."):
            self.names.append(path.name)

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()


class Consumer:
    """An ERP that takes each document away the moment it appears."""

    def __init__(self, folder: Path) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self._folder = folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(0.005):
            for path in sorted(self._folder.glob("*.json")):
                if not path.name.startswith("."):
                    self.taken.append((path.name, path.read_bytes()))
                    path.unlink()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()


def make_template(folder: Path, trade: Trade = X12) -> Path:
    """A home with both partners, made by the commands a user types; stages are copies of it."""
    gateway = Gateway(folder / "home")
    us = ("--isa", str(trade.gateway)) if trade is X12 else ("--unb", ":".join(reversed(trade.gateway)))
    gateway.command("init", "--name", "Northwind Brands", "--as2-id", "NORTHWIND", *us)
    make_ssh_key(folder / "acme_key")
    retailer = Retailer("", (folder / "home" / "certs" / "us.crt").read_bytes(), trade)
    try:
        set_up(gateway, retailer, folder / "acme_key")
    finally:
        retailer.close()
    make_host_keys(folder / "home" / "secrets" / "ssh")
    file = folder / "home" / "partners.toml"
    file.write_text(file.read_text().replace('user = "acme"\n', f'user = "acme"\n{SETTLE}') + RETRY)
    return folder


class Stage:
    """One home, its gateway on ports that stay, and the partners."""

    def __init__(
        self, gateway: Gateway, retailer: Retailer, warehouse: Warehouse, ports: tuple[int, int]
    ) -> None:
        self.gateway = gateway
        self.retailer = retailer
        self.warehouse = warehouse
        self.trade = retailer.trade
        self.orders: list[str] = []
        self.erp = gateway.home / "erp"
        self.outbox = gateway.home / "sftp" / "acme" / "out"
        self.at_erp = Appearances(self.erp / "out")
        self.at_outbox = Appearances(self.outbox)
        self.consumer: Consumer | None = None
        self._ports = ports
        self._sending: list[threading.Thread] = []
        self._sent: dict[str, str] = {}  # purchase order number -> Message-ID, once it was taken

    def close(self) -> None:
        """Stop watching, and the warehouse."""
        self.warehouse.close()
        self.at_erp.close()
        self.at_outbox.close()
        if self.consumer is not None:
            self.consumer.close()

    # The gateway.

    def start(self, crash_at: str = "") -> None:
        """Serve, dying at a fail point if one is named."""
        as2, sftp = self._ports
        self.gateway.start(f"127.0.0.1:{as2}", f"127.0.0.1:{sftp}", TRADELANE_CRASH_AT=crash_at)

    def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        self._kill()
        assert self.gateway.stop() == -signal.SIGKILL

    def wait_for_death(self) -> None:
        """Until the gateway has killed itself at its fail point; a point never reached is a failure."""
        assert self.gateway.process is not None
        try:
            self.gateway.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError("the fail point was never reached") from None
        assert self.gateway.stop() == -signal.SIGKILL, self.log()

    def start_and_kill(self, after_s: float) -> None:
        """Serve for so long, or not even get as far as that."""
        timer = threading.Timer(after_s, self._kill)
        timer.start()
        with contextlib.suppress(Failed):  # it died before it was ready
            self.start()
        timer.join()
        assert self.gateway.stop() == -signal.SIGKILL

    def _kill(self) -> None:
        until(lambda: self.gateway.process is not None, "a process to kill")
        assert self.gateway.process is not None
        self.gateway.process.kill()

    def look(self, *words: str) -> str:
        """What a command of the product prints about the home as JSON."""
        done = CliRunner().invoke(main, ["--home", str(self.gateway.home), *words, "--json"])
        assert done.exit_code == 0, done.output
        return done.stdout

    def log(self) -> str:
        """The last of what the gateway wrote to stderr, without the comings and goings of the warehouse."""
        lines = (self.gateway.home / "gateway.log").read_text().splitlines()
        return "\n".join([line for line in lines if "LoggedIn" not in line and "LoggedOut" not in line][-60:])

    # The partners.

    def order(self, number: str, *, large: bool = False) -> None:
        """The retailer sends an order, and goes on trying until it is taken."""
        self.orders.append(number)
        data = self.retailer.order(number)
        if large:
            data = grown(data)

        def send() -> None:
            self._sent[number] = self.retailer.send(data, f"{number}{self.trade.suffix}", timeout_s=WAIT_S)

        thread = threading.Thread(target=send, daemon=True)
        self._sending.append(thread)
        thread.start()

    def close_retailer(self) -> None:
        """The retailer's own server is away."""
        self.retailer.close()

    def reopen_retailer(self) -> None:
        """It is back, at the same address."""
        port = int(self.retailer.url.rpartition(":")[2].partition("/")[0])
        application = Starlette(routes=[Route("/as2", self.retailer._endpoint, methods=["POST"])])
        self.retailer._listener = Listener(application, Address("127.0.0.1", port), "retailer")
        self.retailer._listener.start()

    # The database, as sqlite3 sees it.

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """The rows of a query."""
        file = self.gateway.home / "data" / "tradelane.db"
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as conn:
            conn.row_factory = sqlite3.Row
            return conn.execute(query, values).fetchall()

    def unfinished(self) -> list[str]:
        """What is still to be done for the orders, in words; empty when nothing is."""
        found = [f"{number} was not taken" for number in self.orders if number not in self._sent]
        done = self.rows('SELECT number FROM "order" WHERE status = ?', "done")
        found += [f"order {number} is open" for number in set(self.orders) - {row["number"] for row in done}]
        for row in self.rows("SELECT * FROM transmission WHERE status IN ('stored', 'queued', 'sent')"):
            found.append(f"{row['direction']} {row['filename']} of {row['partner']} is {row['status']}")
        for row in self.rows("SELECT * FROM job WHERE state IN ('ready', 'running')"):
            found.append(f"job {row['id']} {row['lane']} {row['kind']} is {row['state']}: {row['error']}")
        found += [f"{name} was not fetched" for name in visible(self.outbox)]
        found += [f"{name} was not read" for name in visible(self.gateway.home / "sftp" / "acme" / "in")]
        found += [f"{path} is claimed" for path in (self.gateway.home / "sftp" / "acme" / "work").iterdir()]
        sent = list(self._sent.values())
        found += [f"no receipt for {one}" for one in sent if one not in self.retailer.receipts]
        return found

    def finish(self) -> None:
        """Let every order come to its end, and stop."""
        end = time.monotonic() + WAIT_S
        while left := self.unfinished():
            if time.monotonic() > end:
                told = [row["text"] for row in self.rows("SELECT text FROM event ORDER BY id")]
                raise AssertionError("\n".join(["not finished:", *left, *told, self.log()]))
            time.sleep(0.05)
        for thread in self._sending:
            thread.join(WAIT_S)
        self.dead = self.look("dead", "list")
        self.chains = [json.loads(self.look("order", "show", number)) for number in self.orders]
        assert self.gateway.stop() == 0, self.log()

    # What must be so in the end, whenever the gateway died.

    def assert_nothing_lost_or_doubled(self) -> None:
        """Every order is done, and everyone was given everything once."""
        assert [chain["status"] for chain in self.chains] == ["done"] * len(self.orders)
        assert [chain["due"] for chain in self.chains] == [[]] * len(self.orders)
        assert not self.dead
        assert set(self.retailer.receipts.values()) == {""}
        self._assert_erp()
        trade = self.trade
        self._assert_partner(
            "retailer", self.retailer.received, (trade.notice, trade.invoice, trade.acknowledgment)
        )
        self._assert_partner("warehouse", self.warehouse.received, (trade.instruction, trade.acknowledgment))
        assert len(self.at_outbox.names) == len(set(self.at_outbox.names)) == 2 * len(self.orders)
        self._assert_store()
        assert "Traceback" not in (self.gateway.home / "gateway.log").read_text(), self.log()

    def _assert_erp(self) -> None:
        """Each document appeared once, and nothing else did."""
        names = self.at_erp.names
        assert len(names) == len(set(names)), names
        if self.consumer is not None:
            taken = dict(self.consumer.taken)
            assert sorted(taken) == sorted(names)
        else:
            taken = {path.name: path.read_bytes() for path in (self.erp / "out").iterdir()}
            assert sorted(taken) == sorted(names)  # and nothing hidden is left beside them
        found = Counter(
            (schema_of(document).partition(".")[2].partition("/")[0], document.number)
            for document in map(decode, taken.values())
        )
        each = ("sales_order", "shipment_confirmation")
        assert found == {(kind, number): 1 for kind in each for number in self.orders}
        assert not visible(self.erp / "refused")

    def _assert_partner(self, who: str, received: list[Any], types: tuple[str, ...]) -> None:
        """Each transaction came once, and control numbers count up from 1 without a gap."""
        assert Counter(one.type for one in received) == dict.fromkeys(types, len(self.orders)), who
        assert all(one.status == "accepted" for one in received)
        interchanges = [int(one.header.control_number) for one in received]
        assert sorted(interchanges) == list(range(1, len(received) + 1)), f"{who}: {interchanges}"
        if self.trade is X12:
            groups = [int(one.group.control_number) for one in received]
            assert sorted(groups) == list(range(1, len(received) + 1)), f"{who}: {groups}"
        answers = [one.document for one in received if one.type == self.trade.acknowledgment]
        assert {one.status for one in answers} == {"accepted"}
        named = {one.control_number for one in answers}
        assert len(named) == len(answers) == len(self.orders), f"{who}: one of each is answered: {named}"

    def _assert_store(self) -> None:
        """The database is whole, its payloads are there, and no step was recorded twice."""
        assert [row[0] for row in self.rows("PRAGMA integrity_check")] == ["ok"]
        assert not self.rows("PRAGMA foreign_key_check")
        states = {
            (row[0], row[1]) for row in self.rows("SELECT DISTINCT direction, status FROM transmission")
        }
        assert states <= {("in", "done"), ("in", "duplicate"), ("out", "delivered")}
        assert {row[0] for row in self.rows("SELECT DISTINCT state FROM job")} <= {"done", "cancelled"}
        rows = {row[0] for row in self.rows("SELECT sha256 FROM payload")}
        for (sha256,) in self.rows("SELECT sha256 FROM transmission"):
            blob = self.gateway.home / "data" / "blobs" / sha256[:2] / sha256
            assert sha256 in rows or blob.is_file()
        twice = self.rows(
            "SELECT name, document, count(*) FROM event"
            " WHERE name IN ('read', 'issued', 'delivered', 'answered', 'acknowledged', 'closed')"
            " GROUP BY name, coalesce(document, correlation) HAVING count(*) > 1"
        )
        assert not [tuple(row) for row in twice]
        numbers = self.rows("SELECT theirs, level, next FROM control_number ORDER BY theirs, level")
        count, trade = len(self.orders), self.trade
        assert {(row["theirs"], row["level"]): row["next"] - 1 for row in numbers} == {
            (str(theirs), level): each * count
            for theirs, each in ((trade.retailer, 3), (trade.warehouse, 2))
            for level in (LEVELS if trade is X12 else ("UNB", "UNH"))
        }


def grown(order: bytes) -> bytes:
    """An 850 with descriptions that make it larger than what is kept as a row, even compressed."""
    text = order.decode()
    for said in ("SMALL WIDGET", "MEDIUM WIDGET"):
        lines = "".join(f"PID*F****{secrets.token_urlsafe(60)}~" for _ in range(900))
        text = text.replace(f"PID*F****{said}~", f"{lines}PID*F****{said}~")
    return re.sub(r"SE\*(\d+)\*", lambda found: f"SE*{int(found[1]) + 1800}*", text).encode()


def visible(folder: Path) -> list[str]:
    """The names in a folder that are not hidden."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@contextmanager
def stage(template: Path, folder: Path, trade: Trade = X12) -> Iterator[Stage]:
    """A stage of its own, not yet serving."""
    shutil.copytree(template, folder, dirs_exist_ok=True)
    home = folder / "home"
    with ExitStack() as stack:
        retailer = Retailer("", (home / "certs" / "us.crt").read_bytes(), trade)
        stack.callback(retailer.close)
        (home / "certs" / "bigmart.crt").write_bytes(retailer.pair.cert)
        file = home / "partners.toml"
        file.write_text(re.sub(r"http://127\.0\.0\.1:\d+/as2", retailer.url, file.read_text()))
        for name in ("in", "out", "partial", "work"):
            (home / "sftp" / "acme" / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        gateway = Gateway(home)
        stack.callback(gateway.stop)
        as2, sftp = free_port(), free_port()
        retailer.gateway_url = f"http://127.0.0.1:{as2}/as2"
        host_keys = [path.read_text().strip() for path in (home / "secrets" / "ssh").glob("*.pub")]
        warehouse = Warehouse("127.0.0.1", sftp, host_keys, folder / "acme_key", trade=trade)
        made = Stage(gateway, retailer, warehouse, (as2, sftp))
        stack.callback(made.close)
        warehouse.start()
        yield made
