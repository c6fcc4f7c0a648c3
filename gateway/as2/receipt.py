"""Receipts: the message disposition notification (RFC 4130 section 7, RFC 8098) as AS2 uses it.

Out: one fixed text per outcome, nothing of the cause. In: tolerant of how a partner spells things, strict
about what it proves. A receipt counts only if the expected partner signed it, for this message and content.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import chain
from os import urandom
from typing import IO

from gateway.as2 import mime
from gateway.as2.errors import PROCESSED, UNAUTHENTICATED, As2Error, Failure
from gateway.as2.message import Opened, http_date
from gateway.as2.mime import Entity, Headers, Pairs
from gateway.as2.region import Region, Scratch
from gateway.as2.request import USUAL, Profile, Request, bare_id, quoted, unquoted
from gateway.as2.signed import (
    MODERN_DIGESTS,
    Digests,
    Outgoing,
    Signing,
    Trust,
    digest_name,
    micalg,
    signed,
    verify,
)

MAX_RECEIPT = 1024 * 1024
"""Bytes of a receipt's body; more is none."""

_WORD = re.compile(r"[a-z-]+")
_REFUSAL = re.compile(r"(error|failure|failed)\b[\s:/]*(.*)", re.DOTALL)
"""A disposition's type or the first word of its modifier; some write `error: x`, or the modifier twice."""
_REPORT_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*)")


@dataclass(frozen=True)
class Outcome:
    """What a receipt reports: a disposition, the MIC if the content was verified, and words for people."""

    disposition: str
    mic: str | None = None
    mic_algorithm: str | None = None
    explanation: str = ""

    @classmethod
    def accepted(cls, opened: Opened, disposition: str = PROCESSED) -> Outcome:
        """The message was received and everything about it verified, but perhaps the signer's dates."""
        told = UNAUTHENTICATED if opened.outdated else disposition
        return cls(told, opened.mic, opened.mic_algorithm)

    @classmethod
    def refused(cls, failure: Failure, *, legacy: bool = False) -> Outcome:
        """The message was not accepted; `legacy` as in `Failure.told`."""
        return cls(failure.told(legacy=legacy).disposition, explanation=failure.explanation)


@dataclass(frozen=True)
class BuiltReceipt:
    """A receipt to send: unfolded headers, Content-Length included, and the body.

    `signed_with` is the fingerprint of our certificate, None if it is unsigned.
    """

    headers: list[tuple[str, str]]
    body: bytes
    signed_with: str | None = None


def build_receipt(
    request: Request,
    outcome: Outcome,
    *,
    signing: Signing | None,
    message_id: str,
    now: datetime,
    profile: Profile = USUAL,
) -> BuiltReceipt:
    """The MDN for a request, signed if the request asks for it and `signing` is given.

    For a known partner always give it: a partner that asked for a signature gets one on errors too (RFC 4130
    section 7.2). Without it the receipt is unsigned, which is for those who are no partner. Raises ValueError
    if no receipt was asked for.
    """
    if request.receipt is None:
        raise ValueError("the request asks for no receipt")
    report = _report(request, outcome, now, signing)
    signed_with = None
    if request.receipt.signed and signing:
        signed_with = signing.identity.certificate.fingerprint
        asked = digest_name(request.receipt.micalg or "")
        known = MODERN_DIGESTS | ({"sha1"} if signing.legacy else set())
        signing = replace(signing, digest=asked) if asked in known else signing
        report = signed(report, signing, now, Digests({signing.digest}))
    body = b"".join(report.body)
    headers = [
        *profile.headers(request.as2_to, request.as2_from),
        ("Message-ID", message_id),
        ("Date", http_date(now)),
        ("MIME-Version", "1.0"),
        *report.headers,
        ("Content-Length", str(len(body))),
    ]
    mime.block(headers)
    return BuiltReceipt(headers, body, signed_with)


def _report(request: Request, outcome: Outcome, now: datetime, signing: Signing | None) -> Outgoing:
    message_id = "".join(char if " " <= char <= "~" or char == "\t" else "?" for char in request.message_id)
    recipient = f"rfc822; {quoted(request.as2_to)}"
    fields = [
        ("Reporting-UA", "Tradelane"),
        ("Original-Recipient", recipient),
        ("Final-Recipient", recipient),
        ("Original-Message-ID", message_id),
        ("Disposition", outcome.disposition),
    ]
    if "failed/failure: " in outcome.disposition:
        fields.append(("Failure", outcome.disposition.partition("failed/failure: ")[2]))
    if outcome.mic and outcome.mic_algorithm:
        spelled = _spelled(request, outcome.mic_algorithm, signing)
        fields.append(("Received-Content-MIC", f"{outcome.mic}, {spelled}"))
    text = [
        _sentence(outcome.disposition),
        *([outcome.explanation] if outcome.explanation else []),
        "",
        f"From: {quoted(request.as2_from)}",
        f"To: {quoted(request.as2_to)}",
        f"Message-ID: {message_id}",
        f"Subject: {request.subject}",
        f"Received: {http_date(now)}",
    ]
    boundary = f"report-{urandom(16).hex()}"
    delimiter = f"--{boundary}".encode()
    body = [
        delimiter + b"\r\n",
        mime.block([("Content-Type", "text/plain; charset=us-ascii"), ("Content-Transfer-Encoding", "7bit")]),
        "".join(f"{line}\r\n" for line in text).encode("ascii"),
        b"\r\n" + delimiter + b"\r\n",
        mime.block(
            [("Content-Type", "message/disposition-notification"), ("Content-Transfer-Encoding", "7bit")]
        ),
        mime.block(fields),
        b"\r\n" + delimiter + b"--\r\n",
    ]
    content_type = f'multipart/report; report-type=disposition-notification; boundary="{boundary}"'
    return Outgoing([("Content-Type", content_type)], iter(body))


def _sentence(disposition: str) -> str:
    if disposition == PROCESSED:
        return "The message below was received, verified and stored."
    return f"The message below was received. Result: {disposition.partition('; ')[2]}."


def _spelled(request: Request, digest: str, signing: Signing | None) -> str:
    """As the partner spells it if it named this digest, else as was agreed."""
    names = request.receipt.micalgs if request.receipt else ()
    usual = micalg(digest, signing.spelling) if signing else micalg(digest)
    return next((name for name in names if digest_name(name) == digest), usual)


class ReceiptStatus(StrEnum):
    """What an answer means for the message: it arrived, it was refused, or the answer proves nothing."""

    DELIVERED = "delivered"
    FAILED = "failed"
    INVALID = "invalid"


@dataclass(frozen=True)
class Expected:
    """What the receipt of a sent message must be.

    `as2_from` and `as2_to` are those of the message, `mics` those of `Built`. A signed receipt must carry a
    MIC; an unsigned one, where that was agreed, may lack it (RFC 4130 section 7.4.3).
    """

    message_id: str
    as2_from: str
    as2_to: str
    mics: Mapping[str, str] = field(repr=False)
    trust: Trust
    signed: bool = True


@dataclass(frozen=True)
class Receipt:
    """What an answer says and proves. `error` tells why it is not DELIVERED."""

    status: ReceiptStatus
    disposition: str | None = None
    original_message_id: str | None = None
    signed_with: str | None = None
    """Fingerprint of the partner's certificate, None if unsigned."""
    mic_match: bool | None = None
    error: str | None = None
    text: str = ""
    """The part for people, printable and cut at 1000 characters."""


@dataclass(frozen=True)
class Claim:
    """What an unverified receipt says it answers."""

    original_message_id: str
    signed: bool


def read_claim(pairs: Pairs, body: IO[bytes]) -> Claim | None:
    """Tells a receipt from a message by its content, and finds the message it claims to answer.

    None if it is no receipt. Nothing is verified: use it to look up what `parse_receipt` should expect.
    """
    region = Region.of(body)
    if region.size > MAX_RECEIPT:
        return None
    try:
        with Scratch() as scratch:
            entity = Entity(Headers.of(pairs), region, region)
            is_signed = entity.content_type.value == "multipart/signed"
            if is_signed:
                entity = mime.read_entity(mime.parts(entity, scratch)[0])
            fields, _ = _read_report(entity, scratch)
            return Claim((fields.get("Original-Message-ID") or "").strip(), is_signed)
    except As2Error:
        return None


def read_report(pairs: Pairs, body: bytes) -> tuple[Headers, str]:
    """The fields of a receipt and its text for people, of which nothing is verified.

    Raises As2Error where there is no disposition notification in it.
    """
    with Scratch() as scratch:
        return _read_report(_unsigned(pairs, body, scratch), scratch)


def read_notification(pairs: Pairs, body: bytes) -> bytes:
    """The bytes of a receipt in which its fields stand; raises As2Error where there are none."""
    with Scratch() as scratch:
        notification, _ = _report_parts(_unsigned(pairs, body, scratch), scratch)
        return notification.decoded(scratch).read()


def _unsigned(pairs: Pairs, body: bytes, scratch: Scratch) -> Entity:
    """A receipt without the signature around it."""
    region = Region.of(io.BytesIO(body))
    entity = Entity(Headers.of(pairs), region, region)
    if entity.content_type.value == "multipart/signed":
        entity = mime.read_entity(mime.parts(entity, scratch)[0])
    return entity


def parse_receipt(pairs: Pairs, body: bytes, *, expected: Expected, now: datetime) -> Receipt:
    """Judges an answer. Never raises for what the answer contains.

    FAILED needs the same proof as DELIVERED, except for the MIC: a forged refusal is as invalid as a forged
    acceptance.
    """
    if len(body) > MAX_RECEIPT:
        return Receipt(ReceiptStatus.INVALID, error=f"a receipt of {len(body)} bytes")
    try:
        with Scratch() as scratch:
            return _judged(Headers.of(pairs), Region.of(io.BytesIO(body)), scratch, expected, now)
    except As2Error as error:
        return Receipt(ReceiptStatus.INVALID, error=f"the receipt cannot be accepted: {error.cause}")


def _judged(headers: Headers, body: Region, scratch: Scratch, expected: Expected, now: datetime) -> Receipt:
    entity = Entity(headers, body, body)
    signed_with = None
    if entity.content_type.value == "multipart/signed":
        verified = verify(entity, scratch, expected.trust, now)
        entity, signed_with = mime.read_entity(verified.part), verified.certificate.fingerprint
    fields, text = _read_report(entity, scratch)
    disposition = fields.get("Disposition")
    original = fields.get("Original-Message-ID")
    mic_match = _mic_matches(fields.get("Received-Content-MIC"), expected.mics)
    status, error = _meaning(disposition or "", fields)
    if signed_with is None and expected.signed:
        error = "unsigned, where a signed receipt was asked for"
    elif not _is_from(headers, expected):
        error = "AS2-From and AS2-To are not those of the message, swapped"
    elif original is None or bare_id(original) != bare_id(expected.message_id):
        error = "Original-Message-ID is not that of the message"
    elif status is ReceiptStatus.DELIVERED and mic_match is None and signed_with:
        error = "no Received-Content-MIC"
    elif status is ReceiptStatus.DELIVERED and mic_match is False:
        error = "Received-Content-MIC differs from what was sent"
    else:
        return Receipt(status, disposition, original, signed_with, mic_match, error, text)
    return Receipt(ReceiptStatus.INVALID, disposition, original, signed_with, mic_match, error, text)


def _read_report(entity: Entity, scratch: Scratch) -> tuple[Headers, str]:
    """The fields of the notification and the text for people. Raises As2Error if there is no notification."""
    notification, parts = _report_parts(entity, scratch)
    texts = (part for part in parts if part.content_type.value == "text/plain")
    text = next((part.decoded(scratch).read(0, 4000) for part in texts), b"")
    fields = _report_fields(notification.decoded(scratch).read().decode("latin-1"))
    return fields, "".join(char for char in text.decode("latin-1") if char.isprintable() or char == "\n")[
        :1000
    ]


def _report_parts(entity: Entity, scratch: Scratch) -> tuple[Entity, list[Entity]]:
    """The notification, and all parts of the report. Raises As2Error unless there is one notification.

    A part that cannot be read is none: some write the text without a header block.
    """
    parts = [entity]
    if entity.content_type.main == "multipart":
        parts = []
        for part in mime.parts(entity, scratch):
            with suppress(As2Error):
                parts.append(mime.read_entity(part))
    notifications = [part for part in parts if part.content_type.value == "message/disposition-notification"]
    if len(notifications) != 1:
        raise mime.malformed(f"{len(notifications)} disposition notifications")
    return notifications[0], parts


def _report_fields(text: str) -> Headers:
    """RFC 8098 section 3.1; blank lines, odd spacing and lines that are no field do not matter."""
    unfolded = re.sub(r"\r?\n[ \t]+", " ", text)
    matches = (_REPORT_FIELD.fullmatch(line) for line in re.split(r"\r?\n", unfolded))
    return Headers(tuple((match[1], match[2].strip()) for match in matches if match))


def _is_from(headers: Headers, expected: Expected) -> bool:
    sender, receiver = headers.get("AS2-From"), headers.get("AS2-To")
    return (unquoted(sender or ""), unquoted(receiver or "")) == (expected.as2_to, expected.as2_from)


def _mic_matches(text: str | None, mics: Mapping[str, str]) -> bool | None:
    """None if there is no MIC."""
    if not text:
        return None
    value, _, algorithm = text.partition(",")
    digest = digest_name(algorithm)
    return digest is not None and mics.get(digest) == "".join(value.split())


def _meaning(disposition: str, fields: Headers) -> tuple[ReceiptStatus, str | None]:
    """RFC 4130 sections 7.4.3 and 7.5. Whatever speaks of an error is one, however it is put together.

    Types of mail alone, such as displayed, are refusals.
    """
    _, semicolon, rest = disposition.partition(";")
    kind, _, modifier = (word.strip() for word in rest.lower().partition("/"))
    severity, _, words = (word.strip() for word in modifier.partition(":"))
    refusal = _REFUSAL.fullmatch(kind) or _REFUSAL.fullmatch(severity)
    detail = words or ", ".join(chain(fields.all("Error"), fields.all("Failure")))
    if not semicolon or not (refusal or _WORD.fullmatch(kind)):
        return ReceiptStatus.INVALID, f"the disposition {disposition[:100]!r} cannot be read"
    if refusal:
        return ReceiptStatus.FAILED, detail or refusal[2].strip() or refusal[1]
    if kind != "processed":
        return ReceiptStatus.FAILED, detail or severity or kind
    if "/" in rest and severity != "warning":
        return ReceiptStatus.INVALID, f"the disposition {disposition[:100]!r} cannot be read"
    return ReceiptStatus.DELIVERED, None
