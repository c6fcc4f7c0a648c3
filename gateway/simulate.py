"""Partners on loopback: a retailer over AS2 and a warehouse over SFTP, to trade with and to test against.

They keep what they are given and check it from the outside: signatures with the openssl program where it is
there, EDI with the checker, quantities and amounts against what they themselves ordered or shipped. They
trade in X12 or in EDIFACT, acknowledge like partners do, retry like partners do, and know nothing of the
gateway's insides.
"""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import mappings
from edi.documents import (
    Document,
    LineGroup,
    Mark,
    Pack,
    Routing,
    ShipmentConfirmation,
    ShippedLine,
    WarehouseOrder,
)
from edi.qualified import check_digit
from edi.tree import NORMAL, Group, Interchange, PartyId, Transaction
from gateway import as2, channels, edi
from gateway.config import Address, As2
from gateway.http import Unreachable
from gateway.keys import KeyPair, make_key_pair
from gateway.store.tables import new_id
from gateway.web.listener import Listener
from sftp.client import SftpError, connect
from sftp.keys import load_private_key
from x12 import dictionary, writer

SAMPLES = Path(__file__).parent / "samples"


class Trade(NamedTuple):
    """What is traded in a syntax: the sides, and the sets that are an order's day."""

    gateway: PartyId
    retailer: PartyId
    warehouse: PartyId
    version: str
    order: str
    acknowledgment: str
    instruction: str  # to the warehouse
    confirmation: str  # of the warehouse
    notice: str
    invoice: str
    sample: Path  # of an order

    @property
    def suffix(self) -> str:
        """Of the names of files."""
        return edi.of_type(self.order).SUFFIX


X12 = Trade(
    PartyId("ZZ", "NORTHWIND"), PartyId("08", "9254110060"), PartyId("01", "123456789"), "004010",
    "850", "997", "940", "945", "856", "810", SAMPLES / "850.x12",
)  # fmt: skip
EDIFACT = Trade(
    PartyId("14", "5412345000013"), PartyId("14", "5450534000000"), PartyId("14", "4012345500004"),
    "D.96A/EAN008",
    "ORDERS", "CONTRL", "INSDES", "DESADV", "DESADV", "INVOIC", SAMPLES / "orders.edi",
)  # fmt: skip
GATEWAY, RETAILER, WAREHOUSE = X12[:3]


class Received(NamedTuple):
    """One transaction a persona was sent, with what its own checks said."""

    type: str
    data: bytes  # the whole payload
    rows: list[list[str]]
    document: Document | None
    status: str
    group: Group
    header: Interchange
    signature: str  # who verified it: openssl, library, none


class Failed(AssertionError):
    """The gateway did something a partner would complain about."""


def read_payload(data: bytes, signature: str) -> list[Received]:
    """Every transaction of a payload, checked and mapped."""
    found: list[Received] = []
    header: Interchange | None = None
    group: Group | None = None
    for event in edi.read(io.BytesIO(data)):
        match event:
            case Interchange():
                header, syntax = event, edi.of(event)
            case Group():
                group = event
            case Transaction() if header is not None and group is not None:
                check = syntax.check(event)
                definition = syntax.definition(event.type, event.version)
                document = None
                if definition is not None and check.places is not None:
                    document, _ = mappings.load(definition).read_checked(check, event.separators)
                found.append(
                    Received(event.type, data, check.rows, document, check.status, group, header, signature)
                )
    return found


def acknowledge(data: bytes, number: int) -> bytes | None:
    """The 997 or CONTRL that answers a payload, or None where it holds only acknowledgments."""
    answers = edi.acknowledge(io.BytesIO(data), now=datetime.now(UTC), control_number=number)
    return b"".join(answer.data for answer in answers) or None


def envelope_of(trade: Trade, ours: PartyId, theirs: PartyId) -> edi.Envelope:
    """The headers of a persona's interchange."""
    separators = edi.of_type(trade.order).SEPARATORS
    return edi.Envelope(ours, theirs, trade.version, separators=separators, grouped=trade is X12)


def envelope(ours: PartyId, theirs: PartyId, number: int, type: str, version: str) -> writer.Envelope:
    """An interchange of X12 of a persona's."""
    return writer.Envelope(
        sender=ours,
        receiver=theirs,
        control_number=number,
        group_control_number=number,
        functional_id=dictionary.functional_id(type) or "",
        version=version,
        now=datetime.now(UTC),
    )


@dataclass
class Retailer:
    """Orders over AS2, signed, encrypted and compressed, and asks for signed receipts by a call back."""

    gateway_url: str
    gateway_cert: bytes  # PEM
    trade: Trade = X12
    as2_id: str = "BIGMARTEDI"
    their_as2_id: str = "NORTHWIND"
    acknowledges: bool = True
    received: list[Received] = field(default_factory=list)
    receipts: dict[str, str] = field(default_factory=dict)  # Message-ID -> what was wrong, or ""
    seen: dict[str, int] = field(default_factory=dict)  # Message-ID -> how often it came
    complaints: list[str] = field(default_factory=list)  # what it wanted to say and could not

    def __post_init__(self) -> None:
        self.pair: KeyPair = make_key_pair(self.as2_id, now=datetime.now(UTC))
        self._identity = as2.load_identity(self.pair.key, self.pair.cert)
        self._their_certificate = as2.load_certificate(self.gateway_cert)
        self._sent: dict[str, dict[str, str]] = {}
        self._answers: dict[str, tuple[list[tuple[str, str]], bytes]] = {}
        self._number = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        application = Starlette(routes=[Route("/as2", self._endpoint, methods=["POST"])])
        self._listener = Listener(application, Address("127.0.0.1", 0), "retailer")
        self.url = f"{self._listener.url}/as2"
        self._listener.start()

    def close(self) -> None:
        """Stop listening, and give up what is still on its way."""
        self._closing.set()
        self._listener.stop()

    def order(self, number: str | None = None) -> bytes:
        """A real order under this retailer's envelope; `number` replaces its purchase order number."""
        trade, syntax = self.trade, edi.of_type(self.trade.order)
        rows: list[list[str]] = []
        data = trade.sample.read_bytes().replace(b"<Supplier GLN>", trade.gateway.id.encode())
        for event in edi.read(io.BytesIO(data)):
            if isinstance(event, Transaction):
                rows = [segment.split(event.separators.element) for segment in event.segments[1:-1]]
        if number is not None:
            rows[0][3 if trade is X12 else 2] = number
        self._number += 1
        envelope = envelope_of(trade, trade.retailer, trade.gateway)
        body = edi.Body(trade.order, [[*map(_composite, row)] for row in rows])
        group = edi.Numbered(envelope, self._number if trade is X12 else None, [(self._number, body)])
        return syntax.write(envelope, datetime.now(UTC), self._number, [group], check=True)

    def send(
        self, data: bytes, filename: str, *, timeout_s: float = 60.0, message_id: str | None = None
    ) -> str:
        """Send a payload until it is taken, the same bytes each time; its Message-ID."""
        message_id = message_id or f"<{new_id(datetime.now(UTC))}@{self.as2_id}>"
        with tempfile.TemporaryFile() as spool:
            built = as2.build(
                io.BytesIO(data),
                spool,
                as2_from=self.as2_id,
                as2_to=self.their_as2_id,
                message_id=message_id,
                now=datetime.now(UTC),
                subject=filename,
                content_type=edi.of_type(self.trade.order).CONTENT_TYPE,
                filename=filename,
                sign=as2.Signing(self._identity),
                encrypt=as2.Encryption((self._their_certificate,)),
                compress="before-sign",
                receipt=as2.ReceiptRequest(async_url=self.url),
            )
            self._sent[message_id] = built.mics
            gateway = As2(id=self.their_as2_id, url=self.gateway_url)
            until = time.monotonic() + timeout_s
            while True:
                spool.seek(0)
                try:
                    answer = channels.post(gateway, built.headers, spool)
                    if 200 <= answer.status < 300:
                        return message_id
                    if not answer.retryable:
                        raise Failed(f"the gateway answered {answer.status}")
                except Unreachable:
                    pass
                if time.monotonic() > until or self._closing.wait(0.2):
                    raise Failed(f"{filename} was not taken within {timeout_s:.0f} s")

    def wait_for_receipt(self, message_id: str, timeout_s: float = 60.0) -> None:
        """Until the signed receipt has come; raises Failed when it is wrong or absent."""
        with self._changed:
            if not self._changed.wait_for(lambda: message_id in self.receipts, timeout_s):
                raise Failed(f"no receipt for {message_id} within {timeout_s:.0f} s")
        if self.receipts[message_id]:
            raise Failed(self.receipts[message_id])

    def wait_for(self, type: str, count: int = 1, timeout_s: float = 60.0) -> Received:
        """Until `count` transactions of a type have come; the last of them."""

        def have() -> list[Received]:
            return [one for one in self.received if one.type == type]

        with self._changed:
            if not self._changed.wait_for(lambda: len(have()) >= count, timeout_s):
                raise Failed(f"{len(have())} of {count} {type} came within {timeout_s:.0f} s")
        return have()[-1]

    async def _endpoint(self, http: Request) -> Response:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in http.headers.raw]
        body = await http.body()
        status, out, content = await run_in_threadpool(self._take, headers, body)
        response = Response(content, status_code=status)
        if out:
            response.raw_headers = [(name.lower().encode(), value.encode()) for name, value in out]
        return response

    def _take(self, headers: list[tuple[str, str]], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        request = as2.parse_request_headers(headers)
        claim = as2.read_claim(headers, io.BytesIO(body))
        if claim is not None:
            self._take_receipt(headers, body, claim.original_message_id)
            return 204, [], b""
        known = request.message_id in self._answers
        self.seen[request.message_id] = self.seen.get(request.message_id, 0) + 1
        if not known:
            self._take_message(request, headers, body)
        answer, content = self._answers[request.message_id]
        if request.receipt is not None and request.receipt.async_url is not None:
            url = request.receipt.async_url
            threading.Thread(target=self._post_receipt, args=(url, answer, content), daemon=True).start()
            return 204, [], b""
        return 200, answer, content

    def _take_message(self, request: as2.Request, headers: list[tuple[str, str]], body: bytes) -> None:
        now = datetime.now(UTC)
        payload = io.BytesIO()
        opened = as2.open_message(
            request,
            io.BytesIO(body),
            policy=as2.Policy(keys=(self._identity,), trust=as2.Trust((self._their_certificate,))),
            payload=payload,
            now=now,
        )
        receipt = as2.build_receipt(
            request,
            as2.Outcome.accepted(opened),
            signing=as2.Signing(self._identity),
            message_id=f"<{new_id(now)}@{self.as2_id}>",
            now=now,
        )
        self._answers[request.message_id] = (receipt.headers, receipt.body)
        verified = self._verify_with_openssl(headers, body)
        found = read_payload(payload.getvalue(), verified)
        with self._changed:
            self.received += found
            self._changed.notify_all()
        if self.acknowledges:
            threading.Thread(target=self._acknowledge, args=(payload.getvalue(),), daemon=True).start()

    def _acknowledge(self, data: bytes) -> None:
        with self._changed:
            number = self._number + 1
            answer = acknowledge(data, number)
            self._number += answer is not None
        if answer is not None:
            try:
                self.send(answer, f"{self.trade.acknowledgment}_{number}{self.trade.suffix}")
            except Failed as error:
                self.complaints.append(str(error))

    def _post_receipt(self, url: str, headers: list[tuple[str, str]], body: bytes) -> None:
        gateway = As2(id=self.their_as2_id, url=url)
        for _ in range(300):
            try:
                if not channels.post(gateway, headers, io.BytesIO(body)).retryable:
                    return
            except Unreachable:
                pass
            if self._closing.wait(0.2):
                return
        self.complaints.append(f"a receipt could not be posted to {url}")

    def _take_receipt(self, headers: list[tuple[str, str]], body: bytes, message_id: str) -> None:
        receipt = as2.parse_receipt(
            headers,
            body,
            expected=as2.Expected(
                message_id=message_id,
                as2_from=self.as2_id,
                as2_to=self.their_as2_id,
                mics=self._sent.get(message_id, {}),
                trust=as2.Trust((self._their_certificate,)),
            ),
            now=datetime.now(UTC),
        )
        wrong = (
            "" if receipt.status is as2.ReceiptStatus.DELIVERED else f"{receipt.disposition}: {receipt.error}"
        )
        if not wrong and openssl() and not verify_smime(headers, body, self.gateway_cert):
            wrong = "openssl does not verify the receipt's signature"
        with self._changed:
            self.receipts[message_id] = wrong
            self._changed.notify_all()

    def _verify_with_openssl(self, headers: list[tuple[str, str]], body: bytes) -> str:
        """Decrypt and verify with the openssl program alone; raises Failed when it objects."""
        if not openssl():
            return "library"
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            (place / "key.pem").write_bytes(self.pair.key)
            (place / "cert.pem").write_bytes(self.pair.cert)
            (place / "body.der").write_bytes(body)
            done = subprocess.run(
                ["openssl", "cms", "-decrypt", "-inform", "DER", "-in", "body.der", "-binary",
                 "-inkey", "key.pem", "-recip", "cert.pem", "-out", "inner"],
                cwd=place, capture_output=True, check=False, timeout=30,
            )  # fmt: skip
            if done.returncode:
                raise Failed(f"openssl cannot decrypt what the gateway sent: {done.stderr.decode()}")
            head, _, signed = (place / "inner").read_bytes().partition(b"\r\n\r\n")
            fields = [line.partition(": ")[::2] for line in head.decode("latin-1").split("\r\n")]
            if not verify_smime(fields, signed, self.gateway_cert):
                raise Failed("openssl does not verify the signature of what the gateway sent")
        return "openssl"


def openssl() -> bool:
    """Whether the openssl program is there."""
    return shutil.which("openssl") is not None


def verify_smime(headers: list[tuple[str, str]], body: bytes, cert: bytes) -> bool:
    """Whether openssl verifies a multipart/signed entity; only the given certificate counts as signer.

    What is signed is the first part exactly as it stands between the boundaries, so openssl is given those
    bytes and the signature apart: its own MIME reader rewrites line ends.
    """
    content_type = next(value for name, value in headers if name.lower() == "content-type")
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    parts = body.split(b"--" + (boundary[1] if boundary else "").encode())
    if len(parts) < 4:
        return False
    signed = parts[1].removeprefix(b"\r\n").removesuffix(b"\r\n")
    signature = base64.b64decode(parts[2].partition(b"\r\n\r\n")[2])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "content").write_bytes(signed)
        (place / "signature").write_bytes(signature)
        (place / "signer.pem").write_bytes(cert)
        done = subprocess.run(
            ["openssl", "cms", "-verify", "-inform", "DER", "-in", "signature", "-content", "content",
             "-binary", "-noverify", "-nointern", "-certfile", "signer.pem", "-out", os.devnull],
            cwd=place, capture_output=True, check=False, timeout=30,
        )  # fmt: skip
        return done.returncode == 0


@dataclass
class Warehouse:
    """Fetches warehouse orders over SFTP, and leaves an acknowledgment and a confirmation of each."""

    host: str
    port: int
    host_keys: list[str]
    key: Path
    user: str = "acme"
    trade: Trade = X12
    received: list[Received] = field(default_factory=list)
    shipped: list[ShipmentConfirmation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._number = 0
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="warehouse", daemon=True)
        self._fetched: dict[str, list[tuple[str, bytes]]] = {}  # name -> what is to be left for it

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def close(self) -> None:
        """Stop polling."""
        self._stopping.set()
        self._thread.join(10.0)

    def wait_for(self, type: str, count: int = 1, timeout_s: float = 60.0) -> Received:
        """Until `count` transactions of a type were fetched; the last of them."""

        def have() -> list[Received]:
            return [one for one in self.received if one.type == type]

        with self._changed:
            if not self._changed.wait_for(lambda: len(have()) >= count, timeout_s):
                raise Failed(f"{len(have())} of {count} {type} were there within {timeout_s:.0f} s")
        return have()[-1]

    def _run(self) -> None:
        while not self._stopping.wait(0.2):
            try:
                self._poll()
            except SftpError:  # the gateway is away; it will be back
                continue

    def _poll(self) -> None:
        with (
            connect(
                self.host, self.port, self.user, key=load_private_key(self.key), host_keys=self.host_keys
            ) as server,
            tempfile.TemporaryDirectory() as folder,
        ):
            for file in server.list("out"):
                place = Path(folder) / "file"
                server.get(f"out/{file.name}", place)
                if file.name not in self._fetched:
                    self._fetched[file.name] = self._fulfil(place.read_bytes())
                for name, data in self._fetched[file.name]:
                    server.put(data, f"in/{name}")
                self._fetched[file.name] = []
                server.remove(f"out/{file.name}")

    def _fulfil(self, data: bytes) -> list[tuple[str, bytes]]:
        """What a payload is answered with: nothing, or an acknowledgment and a confirmation of each order."""
        found = read_payload(data, "none")
        with self._changed:
            self.received += found
            self._changed.notify_all()
        answers: list[tuple[str, bytes]] = []
        answer = acknowledge(data, self._number + 1)
        if answer is not None:
            self._number += 1
            answers.append((f"{self.trade.acknowledgment}_{self._number}{self.trade.suffix}", answer))
        orders = [one.document for one in found if isinstance(one.document, WarehouseOrder)]
        return answers + [self._ship(order) for order in orders]

    def _ship(self, order: WarehouseOrder) -> tuple[str, bytes]:
        """The confirmation of all of an order, each line in a carton of its own with an SSCC."""
        trade = self.trade
        self._number += 1
        confirmation = ShipmentConfirmation(
            number=order.number,
            reporting="full" if trade is X12 else None,
            shipped_on=datetime.now(UTC).date(),
            shipment=f"BOL{self._number:05}",
            purchase_order=order.purchase_order,
            parties=tuple(party for party in order.parties if party.role == "ship_to"),
            routing=(
                Routing(method="motor", ids={"scac": "PITD"}, payment="prepaid" if trade is X12 else None),
            ),
            packs=tuple(_packed(trade, group, self._number) for group in order.groups),
            shipped=sum((line.quantity for line in order.lines), Decimal(0)),
        )
        self.shipped.append(confirmation)
        data = edi.write(
            trade.confirmation,
            [confirmation],
            envelope_of(trade, trade.warehouse, trade.gateway),
            now=datetime.now(UTC),
            control_number=self._number,
        )
        return f"{trade.confirmation}_{self._number}{trade.suffix}", data


def _packed(trade: Trade, group: LineGroup, serial: int) -> Pack:
    lines = tuple(
        ShippedLine(
            status="shipment_complete" if trade is X12 else None,
            ordered=line.quantity,
            shipped=line.quantity,
            unit=line.unit,
            ids=line.ids,
        )
        for line in group.lines
    )
    return Pack(number=group.number, marks=(Mark("sscc", sscc(serial * 1000 + group.number)),), lines=lines)


def sscc(serial: int) -> str:
    """A serial shipping container code with its check digit (GS1 General Specifications 3.1)."""
    digits = f"0061414{serial:010}"
    return digits + check_digit(digits)


def _composite(element: str) -> str | tuple[str, ...]:
    """An element of a split segment, as it is written: composites of EDIFACT are in normal form."""
    return tuple(element.split(NORMAL.component)) if NORMAL.component in element else element
