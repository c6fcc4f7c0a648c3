"""Receipts as partners write and read them: by hand, and with the standard library's mail parser."""

from __future__ import annotations

import base64
import hashlib
import re
from email import message_from_bytes
from email import policy as email_policy
from email.message import EmailMessage

from as2_peer import NOW, Company, Sent, build

from gateway import as2
from gateway.as2 import cms

PREFIX = "automatic-action/MDN-sent-automatically; "
SIGNED = "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, sha-256"
REPORT = "multipart/report; report-type=disposition-notification; boundary=r"
ORDER = b"ISA*00~ST*850*0001~SE*2*0001~"


def asking(options: str | None = SIGNED, **changes: str) -> as2.Request:
    """The headers of a message that asks for a receipt; `_` stands for `-`."""
    headers = {
        "AS2-From": "SENDER",
        "AS2-To": "RECEIVER",
        "Message-ID": "<1@sender>",
        "Content-Type": "application/EDI-X12",
        "Disposition-Notification-To": "edi@sender",
    }
    if options is not None:
        headers["Disposition-Notification-Options"] = options
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return as2.parse_request_headers(list(headers.items()))


def answered(asked: as2.Request, outcome: as2.Outcome, company: Company | None) -> as2.BuiltReceipt:
    """Our receipt."""
    signing = as2.Signing(company.identity) if company else None
    return as2.build_receipt(asked, outcome, signing=signing, message_id="<r1@receiver>", now=NOW)


def raw(receipt: as2.BuiltReceipt) -> bytes:
    """Headers and body as they go over the wire."""
    head = "".join(f"{name}: {value}\r\n" for name, value in receipt.headers)
    return head.encode("ascii") + b"\r\n" + receipt.body


def seen_by_email(receipt: as2.BuiltReceipt) -> EmailMessage:
    """The whole receipt, read by a parser that is not ours."""
    parsed = message_from_bytes(raw(receipt), policy=email_policy.HTTP)
    assert isinstance(parsed, EmailMessage)
    return parsed


def fields_of(receipt: as2.BuiltReceipt) -> dict[str, str]:
    """The notification's fields, read by a parser that is not ours; none stands twice."""
    kind = "message/disposition-notification"
    (part,) = [part for part in seen_by_email(receipt).walk() if part.get_content_type() == kind]
    (notification,) = part.get_payload()
    pairs = [(name, str(value)) for name, value in notification.items()]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def text_of(receipt: as2.BuiltReceipt) -> str:
    """The part for people."""
    part = next(part for part in seen_by_email(receipt).walk() if part.get_content_type() == "text/plain")
    return str(part.get_content())


def parts_of(body: bytes, content_type: str) -> list[bytes]:
    """The parts of a multipart, cut out without our code; nothing may stand before or behind them."""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    assert boundary is not None
    delimiter = b"--" + boundary[1].encode()
    first, *parts, end = body.split(delimiter)
    assert (first, end.rstrip(b"\r\n")) == (b"", b"--")
    return [part.removeprefix(b"\r\n").removesuffix(b"\r\n") for part in parts]


def sent_by_us(partner: Company) -> tuple[Sent, as2.Expected]:
    """A message of ours, and the receipt we expect for it from `partner`."""
    sent = build(ORDER, receipt=as2.ReceiptRequest())
    expected = as2.Expected("<1@sender>", "SENDER", "RECEIVER", sent.mics, as2.Trust((partner.certificate,)))
    return sent, expected


def report(sent: Sent, disposition: str = PREFIX + "processed", **changed: str | None) -> str:
    """A notification's fields; `_` stands for `-`, None leaves one out."""
    fields: dict[str, str | None] = {
        "Reporting-UA": "peer",
        "Original-Recipient": "rfc822; RECEIVER",
        "Final-Recipient": "rfc822; RECEIVER",
        "Original-Message-ID": "<1@sender>",
        "Disposition": disposition,
        "Received-Content-MIC": f"{sent.mics['sha256']}, sha-256",
    }
    fields |= {name.replace("_", "-"): value for name, value in changed.items()}
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)


def by_hand(fields: str, partner: Company, *, content_type: str = REPORT) -> as2.BuiltReceipt:
    """A signed receipt without a Message-ID, whose report is written by hand."""
    part = (
        f"Content-Type: {content_type}\r\n\r\n"
        "--r\r\nContent-Type: text/plain\r\n\r\nthanks\r\n"
        f"--r\r\nContent-Type: message/disposition-notification\r\n\r\n{fields}\r\n--r--\r\n"
    ).encode()
    signature = cms.sign(hashlib.sha256(part).digest(), partner.identity, "sha256", NOW)
    body = (
        b"--s\r\n" + part + b"\r\n--s\r\n"
        b"Content-Type: application/x-pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(signature) + b"\r\n--s--\r\n"
    )  # fmt: skip
    headers = [
        ("as2-from", '"RECEIVER"'),
        ("AS2-TO", "SENDER"),
        ("content-type", "Multipart/Signed; Boundary=s"),
    ]
    return as2.BuiltReceipt(headers, body)


def judged(receipt: as2.BuiltReceipt, expected: as2.Expected) -> as2.Receipt:
    """What we make of it."""
    return as2.parse_receipt(receipt.headers, receipt.body, expected=expected, now=NOW)
