"""The day of one order, played on loopback and verified from the outside.

The gateway is a process of its own, set up by the same commands a user types. The retailer, the warehouse and
the checks live here, and see of it only what partners and the ERP see.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edi.documents import (
    Acknowledgment,
    InterchangeAcknowledgment,
    Invoice,
    SalesOrder,
    ShipNotice,
    WarehouseOrder,
)
from edi.tree import PartyId
from gateway.cli import output
from gateway.errors import Exit
from gateway.keys import make_ssh_key
from gateway.simulate import EDIFACT, X12, Failed, Retailer, Trade, Warehouse, openssl

STEP_S = 30.0


class Gateway:
    """A gateway in a process of its own, driven by its command line alone."""

    def __init__(self, home: Path, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self.environment = os.environ | {"PYTHONUNBUFFERED": "1"} | (environment or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.as2 = self.web = self.sftp = ""

    def command(self, *words: str) -> bytes:
        """Run a command of the product on this home; its stdout. Raises Failed."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "--home", str(self.home), *words],
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise Failed(f"tradelane {' '.join(words)} exited {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def json(self, *words: str) -> Any:
        """The object a command prints."""
        return json.loads(self.command(*words, "--json"))

    def start(self, as2: str = "127.0.0.1:0", sftp: str = "127.0.0.1:0", **environment: str) -> None:
        """Serve, and return once it is ready. Raises Failed."""
        with open(self.home / "gateway.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "--home", str(self.home), "serve",
                 "--as2", as2, "--web", "127.0.0.1:0", "--sftp", sftp],
                env=self.environment | environment, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            log_text = (self.home / "gateway.log").read_text()
            raise Failed(f"the gateway did not start: {log_text[-2000:]}")
        ready = json.loads(line)
        self.as2, self.web, self.sftp = ready["as2"], ready["web"], ready["sftp"]

    def stop(self) -> int:
        """Ask it to drain; its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code


def set_up(gateway: Gateway, retailer: Retailer, warehouse_key: Path) -> None:
    """Make a home, and add both partners, by the commands a user types."""
    cert = gateway.home.parent / "bigmart.crt"
    cert.write_bytes(retailer.pair.cert)
    trade = retailer.trade
    gateway.command(
        "partner", "add", "acme", "--role", "3pl", *_identity(trade, trade.warehouse), "--sftp-user", "acme",
        "--sftp-key", f"{warehouse_key}.pub", "--usage", "P",
        "--in", f"{trade.confirmation},{trade.acknowledgment}", "--out", trade.instruction, "--live",
    )  # fmt: skip
    gateway.command(
        "partner", "add", "bigmart", "--role", "retailer", *_identity(trade, trade.retailer),
        "--as2-id", retailer.as2_id, "--as2-url", retailer.url, "--cert", str(cert),
        "--sign", "sha256", "--encrypt", "aes256-cbc", "--compress", "before-sign", "--mdn", "async",
        "--mdn-signed", "--usage", "P", "--in", f"{trade.order},{trade.acknowledgment}",
        "--out", f"{trade.notice},{trade.invoice}", "--route", "3pl:acme", "--live",
    )  # fmt: skip


def _identity(trade: Trade, party: PartyId) -> tuple[str, str]:
    """A party's identity as a flag of the commands."""
    return ("--isa", str(party)) if trade is X12 else ("--unb", f"{party.id}:{party.qualifier}")


@contextmanager
def day(folder: Path, environment: dict[str, str] | None = None, trade: Trade = X12) -> Iterator[Day]:
    """A gateway that serves and two partners that are ready to trade."""
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / "home"
    with ExitStack() as stack:
        gateway = Gateway(home, environment)
        gateway.command(
            "init", "--name", "Northwind Brands", "--as2-id", "NORTHWIND", *_identity(trade, trade.gateway)
        )
        key = folder / "acme_key"
        make_ssh_key(key)
        retailer = Retailer("", (home / "certs" / "us.crt").read_bytes(), trade)
        stack.callback(retailer.close)
        set_up(gateway, retailer, key)
        gateway.start()
        stack.callback(gateway.stop)
        retailer.gateway_url = gateway.as2
        where = urlsplit(gateway.sftp)
        host_keys = [path.read_text().strip() for path in (home / "secrets" / "ssh").glob("*.pub")]
        warehouse = Warehouse(where.hostname or "", where.port or 0, host_keys, key, trade=trade)
        stack.callback(warehouse.close)
        warehouse.start()
        yield Day(gateway, retailer, warehouse)


class Day:
    """One order's way, each step with what proves it."""

    def __init__(self, gateway: Gateway, retailer: Retailer, warehouse: Warehouse) -> None:
        self.gateway = gateway
        self.retailer = retailer
        self.warehouse = warehouse
        self.number = ""
        self.facts: dict[str, Any] = {}

    def steps(self) -> Iterator[tuple[str, str]]:
        """Play the day: (what happened, what proves it), as it happens. Raises Failed at the first lack."""
        retailer, warehouse, trade = self.retailer, self.warehouse, self.retailer.trade
        verifier = "openssl" if openssl() else "our own library (no openssl program here)"

        order = retailer.order()
        message_id = retailer.send(order, f"PO{trade.suffix}", timeout_s=STEP_S)
        yield (
            f"BigMart sends a real {trade.order} over AS2",
            f"{len(order)} bytes; signed, encrypted, compressed",
        )

        retailer.wait_for_receipt(message_id, STEP_S)
        yield "its signed receipt comes back by itself", f"MIC equal; signature verified by {verifier}"

        answer = retailer.wait_for(trade.acknowledgment, 1, STEP_S)
        yield f"a {trade.acknowledgment} accepts the order", _acceptance(answer.document)

        sales_order = _is(self._erp_document("sales_order"), SalesOrder)
        self.number = sales_order.number
        yield (
            "the ERP gets the sales order",
            f"{sales_order.number}: {len(sales_order.lines)} lines, "
            f"{sum((line.quantity or 0 for line in sales_order.lines), Decimal(0))} units",
        )

        fetched = warehouse.wait_for(trade.instruction, 1, STEP_S)
        warehouse_order = _is(fetched.document, WarehouseOrder)
        _same(f"{trade.instruction} status", fetched.status, "accepted")
        _same(
            f"{trade.instruction} quantities",
            [line.quantity for line in warehouse_order.lines],
            [line.quantity for line in sales_order.lines],
        )
        yield (
            f"Acme, the warehouse, fetches {_a(trade.instruction)} over SFTP",
            f"order {warehouse_order.number}, quantities equal",
        )

        confirmation = self._erp_document("shipment_confirmation")
        warehouse.wait_for(trade.acknowledgment, 1, STEP_S)
        yield (
            f"Acme leaves a {trade.acknowledgment} and a {trade.confirmation},"
            f" and gets our {trade.acknowledgment}",
            "the ERP gets the shipment confirmation",
        )

        notice = retailer.wait_for(trade.notice, 1, STEP_S)
        ship_notice = _is(notice.document, ShipNotice)
        shipped = {str(line.shipped) for line in warehouse.shipped[-1].lines}
        items = {str(item.shipped) for item in ship_notice.of_kind("item")}
        _same(f"{trade.notice} quantities", items, shipped)
        labels = [mark.number for level in ship_notice.of_kind("pack") for mark in level.marks]
        left = [mark.number for pack in warehouse.shipped[-1].packs for mark in pack.marks]
        _same(f"{trade.notice} labels", labels, left)
        yield (
            f"BigMart gets the {trade.notice} over AS2",
            f"{len(labels)} cartons by SSCC; signature: {notice.signature}",
        )

        billed = retailer.wait_for(trade.invoice, 1, STEP_S)
        invoice = _is(billed.document, Invoice)
        nothing = Decimal(0)
        owed = sum(
            ((line.quantity or nothing) * (line.price or nothing) for line in sales_order.lines), nothing
        )
        _same(f"{trade.invoice} total", invoice.total, owed.quantize(Decimal("0.01")))
        yield (
            f"BigMart gets the {trade.invoice} over AS2",
            f"{invoice.number}: {invoice.total}; signature: {billed.signature}",
        )

        chain = self._closed()
        receipts = [one for one in chain["receipts"] if one["direction"] == "out"]
        if not all(one["mic_match"] for one in receipts):
            raise Failed("a receipt's MIC is not that of what was sent")
        yield (
            f"BigMart's {trade.acknowledgment}s close the order",
            f"{len(chain['documents'])} documents, {len(chain['acknowledgments'])} acknowledgments, "
            f"{len(receipts)} receipts with equal MIC; nothing is due",
        )
        self.facts = {"order": chain, "confirmation": getattr(confirmation, "number", None)}

    def _erp_document(self, kind: str) -> Any:
        """The one document of a kind that the ERP finds in its folder."""
        from edi.documents import decode, schema_of

        until = time.monotonic() + STEP_S
        while time.monotonic() < until:
            found = [
                document
                for path in (self.gateway.home / "erp" / "out").glob("*.json")
                if f".{kind}/" in schema_of(document := decode(path.read_bytes()))
            ]
            if len(found) > 1:
                raise Failed(f"the ERP was given {len(found)} times a {kind}")
            if found:
                return found[0]
            time.sleep(0.1)
        raise Failed(f"the ERP was given no {kind} within {STEP_S:.0f} s")

    def _closed(self) -> dict[str, Any]:
        """The order's chain, once it is closed."""
        until = time.monotonic() + STEP_S
        while True:
            chain: dict[str, Any] = self.gateway.json("order", "show", self.number)
            if chain["status"] == "done":
                return chain
            if time.monotonic() > until:
                raise Failed(f"the order is {chain['status']}; due: {chain['due']}")
            time.sleep(0.2)


def _acceptance(document: object) -> str:
    """What an acknowledgment accepts. Raises Failed where it does not."""
    if isinstance(document, InterchangeAcknowledgment):
        _same("acknowledgment", document.status, "accepted")
        return f"interchange {document.control_number}"
    acknowledgment = _is(document, Acknowledgment)
    _same("acknowledgment", acknowledgment.status, "accepted")
    return f"group {acknowledgment.functional_id} {acknowledgment.control_number}"


def _a(type: str) -> str:
    return f"an {type}" if type[0] in "AEIOU" else f"a {type}"


def _is(document: object, kind: type[Any]) -> Any:
    if not isinstance(document, kind):
        raise Failed(f"a {kind.__name__} was expected, not {type(document).__name__}")
    return document


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Failed(f"{what}: {found} where {expected} was expected")


def run(*, stay: bool, folder: Path | None, edifact: bool = False) -> Exit:
    """Play the day, print each step as it is verified; FINDINGS when one is missing."""
    as_json = output.settings().json
    begun = time.monotonic()
    keep = folder is not None
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tradelane-demo-")))
        today = stack.enter_context(day(folder, trade=EDIFACT if edifact else X12))
        count = 0
        failure = ""
        try:
            for count, (what, proof) in enumerate(today.steps(), 1):
                _print_step(as_json, count, what, proof, time.monotonic() - begun)
        except Failed as error:
            failure = str(error)
            _print_step(as_json, count + 1, "FAILED", failure, time.monotonic() - begun, ok=False)
        took = time.monotonic() - begun
        if as_json:
            chain = today.facts.get("order")
            output.value(
                {"verified": not failure, "steps": count, "seconds": round(took, 2), "order": chain}, ""
            )
        elif not failure:
            _print_timeline(today, took)
            if not keep and not stay:
                output.note("To look around in its home afterwards: tradelane demo --folder day")
        if stay and not failure:
            _stay(today)
    return Exit.FINDINGS if failure else Exit.OK


def _print_step(as_json: bool, number: int, what: str, proof: str, at: float, *, ok: bool = True) -> None:
    if as_json:
        record = {"step": number, "what": what, "proof": proof, "ok": ok, "seconds": round(at, 2)}
        sys.stdout.write(output.to_json(record) + "\n")
        sys.stdout.flush()
        return
    from rich.text import Text

    line = Text()
    line.append(f"{at:6.1f} s  ", "dim")
    line.append("✓ " if ok else "✗ ", "bold green" if ok else "bold red")
    line.append(what, "bold" if ok else "bold red")
    line.append(f"\n            {proof}", "dim" if ok else "")
    output.console().print(line)


def _print_timeline(today: Day, took: float) -> None:
    from rich.text import Text

    console = output.console()
    chain = today.facts["order"]
    console.print(Text(f"\nThe gateway's own timeline of order {chain['order']}:", "bold"))
    first = datetime.fromisoformat(chain["events"][0]["at"])
    for event in chain["events"]:
        at = (datetime.fromisoformat(event["at"]).astimezone(UTC) - first).total_seconds()
        line = Text(f"  +{at:6.2f} s  ", "dim")
        line.append(f"{event['event']:13}", "cyan")
        line.append(event["text"])
        console.print(line, soft_wrap=True)
    console.print(Text(f"\nEvery step verified in {took:.1f} s.", "bold green"))


def _stay(today: Day) -> None:
    output.note(f"still serving: {today.gateway.web}/orders/{today.number}  (Ctrl-C ends it)")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    stopping.wait()
