"""An AS2 partner made of the openssl program and plain sockets: it shares no line with what it tests.

Its messages are written by hand around what `openssl cms` made; the receipts it gets are taken apart by the
standard library's mail parser and verified by openssl.
"""

from __future__ import annotations

import base64
import email
import http.client
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message as Mail
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Headers = list[tuple[str, str]]
PREFIX = "automatic-action/MDN-sent-automatically; "
SIGNED_RECEIPT = "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, sha-256"


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Receipt(NamedTuple):
    """A receipt as a partner reads it: its fields, and whether openssl verified its signature."""

    fields: dict[str, str]
    signed: bool
    verified: bool

    @property
    def disposition(self) -> str:
        """What follows the fixed words."""
        text = self.fields["disposition"]
        assert text.startswith(PREFIX), text
        return text.removeprefix(PREFIX)

    @property
    def mic(self) -> str | None:
        return self.fields.get("received-content-mic")


class Message(NamedTuple):
    """A request ready to be posted, and the bytes its MIC is over."""

    headers: Headers
    body: bytes
    id: str
    hashed: bytes

    def with_headers(self, **changed: str | None) -> Message:
        """The same with some headers set anew or, for None, left out; `_` stands for `-`."""
        names = {name.replace("_", "-").lower(): value for name, value in changed.items()}
        kept = [pair for pair in self.headers if pair[0].lower() not in names]
        return self._replace(
            headers=kept + [(name, value) for name, value in names.items() if value is not None]
        )


def openssl(*arguments: str | Path, data: bytes = b"") -> bytes:
    """Run openssl; what it writes."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@dataclass(frozen=True)
class Company:
    """A key and a certificate in a folder, made by openssl."""

    folder: Path
    name: str

    @classmethod
    def made(cls, folder: Path, name: str) -> Company:
        folder.mkdir(parents=True, exist_ok=True)
        company = cls(folder, name)
        openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}",
            "-keyout", company.key, "-out", company.cert,
        )  # fmt: skip
        return company

    @property
    def key(self) -> Path:
        return self.folder / f"{self.name}.key"

    @property
    def cert(self) -> Path:
        return self.folder / f"{self.name}.crt"


def mic(data: bytes, digest: str = "sha256") -> str:
    """Base64 of the digest, as openssl computes it."""
    return base64.b64encode(openssl("dgst", f"-{digest}", "-binary", data=data)).decode()


def entity(payload: bytes, filename: str | None = None, content_type: str = "application/EDI-X12") -> bytes:
    """The MIME entity of a payload. The file name is written as it is given."""
    lines = [f"Content-Type: {content_type}", "Content-Transfer-Encoding: binary"]
    head = "\r\n".join(lines).encode()
    if filename is not None:
        head += b'\r\nContent-Disposition: attachment; filename="' + filename.encode("latin-1") + b'"'
    return head + b"\r\n\r\n" + payload


def signed(part: bytes, signer: Company, *, tampered: bool = False) -> bytes:
    """A multipart/signed entity around a part; its signature by openssl."""
    signature = openssl(
        "cms", "-sign", "-binary", "-outform", "DER", "-md", "sha256",
        "-signer", signer.cert, "-inkey", signer.key, data=part,
    )  # fmt: skip
    if tampered:
        part = part.replace(b"ST*850", b"ST*851", 1)
    boundary = uuid.uuid4().hex
    return (
        b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; '
        b'boundary="' + boundary.encode() + b'"\r\n\r\n'
        b"--" + boundary.encode() + b"\r\n" + part + b"\r\n--" + boundary.encode() + b"\r\n"
        b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(signature).replace(b"\n", b"\r\n")
        + b"\r\n--" + boundary.encode() + b"--\r\n"
    )  # fmt: skip


def enveloped(inner: bytes, recipient: Path, cipher: str = "aes256") -> bytes:
    """EnvelopedData for a certificate, DER."""
    return openssl("cms", "-encrypt", "-binary", "-outform", "DER", f"-{cipher}", recipient, data=inner)


@dataclass
class Peer:
    """A partner: builds messages, posts them, reads receipts."""

    as2_id: str
    company: Company
    gateway_cert: Path
    gateway_id: str = "NORTHWIND"

    def message(
        self,
        payload: bytes,
        *,
        sign: bool = True,
        encrypt: bool = True,
        signer: Company | None = None,
        tampered: bool = False,
        filename: str | None = "order.x12",
        receipt: str | None = "signed",  # signed | unsigned | None
        receipt_url: str | None = None,
        message_id: str | None = None,
    ) -> Message:
        """An AS2 message of a payload (RFC 4130)."""
        part = entity(payload, filename)
        whole = signed(part, signer or self.company, tampered=tampered) if sign else part
        headers: Headers = [
            ("AS2-Version", "1.2"),
            ("AS2-From", self.as2_id),
            ("AS2-To", self.gateway_id),
            ("Message-ID", message_id or f"<{uuid.uuid4()}@peer>"),
            ("Subject", "an order"),
            ("MIME-Version", "1.0"),
        ]
        if receipt is not None:
            headers.append(("Disposition-Notification-To", "edi@peer"))
        if receipt == "signed":
            headers.append(("Disposition-Notification-Options", SIGNED_RECEIPT))
        if receipt_url is not None:
            headers.append(("Receipt-Delivery-Option", receipt_url))
        if encrypt:
            body = enveloped(whole, self.gateway_cert)
            headers += [
                ("Content-Type", "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"),
                ("Content-Transfer-Encoding", "binary"),
            ]
        else:
            head, _, body = whole.partition(b"\r\n\r\n")
            headers += [_pair(line) for line in head.decode("latin-1").split("\r\n")]
        return Message(headers, body, dict(headers)["Message-ID"], part if sign or encrypt else payload)

    def read(self, answer: Answer) -> Receipt:
        """Take a receipt apart and have openssl verify its signature."""
        return read_receipt(answer.headers, answer.body, self.gateway_cert)

    def receipt_for(self, headers: Headers, body: bytes, **changed: Any) -> Message:
        """A receipt of this partner's for a message the gateway sent it."""
        fields = {name.lower(): value for name, value in headers}
        return self.receipt(
            fields["message-id"], lambda: mic(self.open(headers, body).signed_part), **changed
        )

    def receipt(
        self,
        original_message_id: str,
        content_mic: Callable[[], str],
        *,
        signer: Company | None = None,
        sign: bool = True,
        disposition: str = "processed",
        as2_from: str | None = None,
        text: str = "Received.",
    ) -> Message:
        """A receipt written by hand."""
        boundary = uuid.uuid4().hex
        report = (
            "Content-Type: multipart/report; report-type=disposition-notification; "
            f'boundary="{boundary}"\r\n\r\n'
            f"--{boundary}\r\nContent-Type: text/plain\r\n\r\n{text}\r\n\r\n"
            f"--{boundary}\r\nContent-Type: message/disposition-notification\r\n\r\n"
            f"Reporting-UA: peer\r\nFinal-Recipient: rfc822; {self.as2_id}\r\n"
            f"Original-Message-ID: {original_message_id}\r\n"
            f"Received-Content-MIC: {content_mic()}, sha-256\r\n"
            f"Disposition: {PREFIX}{disposition}\r\n\r\n--{boundary}--\r\n"
        ).encode()
        whole = signed(report, signer or self.company) if sign else report
        head, _, body = whole.partition(b"\r\n\r\n")
        message_id = f"<{uuid.uuid4()}@peer>"
        sent: Headers = [
            ("AS2-Version", "1.2"),
            ("AS2-From", as2_from or self.as2_id),
            ("AS2-To", self.gateway_id),
            ("Message-ID", message_id),
            ("MIME-Version", "1.0"),
            *(_pair(line) for line in head.decode().split("\r\n")),
        ]
        return Message(sent, body, message_id, b"")

    def open(self, headers: Headers, body: bytes) -> Opened:
        """Decrypt and verify what the gateway sent, by openssl alone."""
        fields = {name.lower(): value for name, value in headers}
        if "pkcs7-mime" in fields["content-type"]:
            inner = openssl(
                "cms", "-decrypt", "-binary", "-inform", "DER",
                "-recip", self.company.cert, "-inkey", self.company.key, data=body,
            )  # fmt: skip
            head, _, body = inner.partition(b"\r\n\r\n")
            fields = {
                name.lower(): value for name, value in (_pair(line) for line in head.decode().split("\r\n"))
            }
        part, verified = _verified(fields["content-type"], body, self.gateway_cert)
        return Opened(part, part.partition(b"\r\n\r\n")[2], verified)


class Opened(NamedTuple):
    """What the gateway sent: the part that was signed, its content, whether openssl verified it."""

    signed_part: bytes
    payload: bytes
    verified: bool


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


def _verified(content_type: str, body: bytes, cert: Path) -> tuple[bytes, bool]:
    """The first part of a multipart/signed, byte for byte, and whether exactly `cert` signed it."""
    boundary = Mail()
    boundary["Content-Type"] = content_type
    limit = b"--" + str(boundary.get_param("boundary")).encode()
    _, first, second, _ = body.split(limit)
    part = first.removeprefix(b"\r\n").removesuffix(b"\r\n")
    signature = email.message_from_bytes(second.removeprefix(b"\r\n")).get_payload(decode=True)
    assert isinstance(signature, bytes)
    place = cert.parent / uuid.uuid4().hex
    place.write_bytes(part)
    done = subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-content", place, "-binary", "-noverify",
         "-nointern", "-certfile", cert, "-out", "/dev/null"],
        input=signature, capture_output=True, check=False,
    )  # fmt: skip
    place.unlink()
    return part, done.returncode == 0


def read_receipt(headers: Headers, body: bytes, cert: Path) -> Receipt:
    """Take a receipt apart; fields in lower case."""
    content_type = next(value for name, value in headers if name.lower() == "content-type")
    is_signed = content_type.startswith("multipart/signed")
    verified = False
    if is_signed:
        body, verified = _verified(content_type, body, cert)
    else:
        body = f"Content-Type: {content_type}\r\n\r\n".encode() + body
    report = email.message_from_bytes(body)
    assert report.get_content_type() == "multipart/report", report.get_content_type()
    part = next(p for p in report.walk() if p.get_content_type() == "message/disposition-notification")
    notification = (
        part.get_payload(0) if part.is_multipart() else email.message_from_string(part.get_payload())
    )
    return Receipt({name.lower(): value for name, value in notification.items()}, is_signed, verified)


# HTTP by plain sockets.


def request(url: str, headers: Headers, body: bytes, method: str = "POST") -> bytes:
    """The bytes of a request; a Content-Length is added where none is given."""
    where = urlsplit(url)
    lines = [f"{method} {where.path or '/'} HTTP/1.1", f"Host: {where.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body


def talk(url: str, data: bytes, timeout_s: float = 20.0) -> Answer:
    """Send bytes as they are and read one answer."""
    where = urlsplit(url)
    with socket.create_connection((where.hostname or "", where.port or 80), timeout_s) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused early; the answer may be there
            connection.sendall(data)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return Answer(answer.status, answer.getheaders(), answer.read())


def post(url: str, message: Message) -> Answer:
    """Post a message."""
    return talk(url, request(url, message.headers, message.body))


@dataclass
class Endpoint:
    """A partner's URL: keeps what is posted to it and answers each request by `answer`."""

    answer: Callable[[Headers, bytes], Answer]
    received: list[tuple[Headers, bytes]] = field(default_factory=list)
    url: str = ""
    head: Answer | None = None  # to HEAD; without it, that is not known here
    asked: int = 0  # how often HEAD has been


@contextmanager
def endpoint(
    answer: Callable[[Headers, bytes], Answer] = lambda headers, body: Answer(204, [], b""),
) -> Iterator[Endpoint]:
    """Listen on a free port of loopback."""
    kept = Endpoint(answer)

    class Posted(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = list(self.headers.items())
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, out, content = kept.answer(headers, body)
            kept.received.append((headers, body))
            self.send_response(status)
            for name, value in out:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_HEAD(self) -> None:
            kept.asked += 1
            if kept.head is not None and kept.head.status == 0:  # it hangs up without an answer
                self.close_connection = True
                return
            self.send_response(kept.head.status if kept.head is not None else 501)
            for name, value in kept.head.headers if kept.head is not None else ():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests are silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Posted)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_address[1]}/as2"
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
