"""The headers of an AS2 request (RFC 4130 sections 5 and 6): who, to whom, which message, which receipt.

Whoever writes these headers is not authenticated yet. They are compared, stored and echoed as data; what
would not survive being echoed in a header is refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.as2.errors import As2Refused, Failure
from gateway.as2.mime import Headers, Pairs
from gateway.as2.signed import digest_name

MAX_MESSAGE_ID = 998
MAX_URL = 2048

_NAME = re.compile(r"[ -~]{1,128}")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE = re.compile(r"[!#-\[\]-~]+")
_ONCE = (
    "AS2-From",
    "AS2-To",
    "AS2-Version",
    "Message-ID",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Disposition-Notification-To",
    "Disposition-Notification-Options",
    "Receipt-Delivery-Option",
)


@dataclass(frozen=True)
class ReceiptRequest:
    """Which receipt the sender of a message wants.

    `micalgs` are digests as the sender spells them, in its order of preference. `async_url` set means the
    receipt goes there instead of into the HTTP response.
    """

    signed: bool = True
    micalgs: tuple[str, ...] = ("sha-256",)
    async_url: str | None = None

    @property
    def micalg(self) -> str | None:
        """The first of `micalgs` that exists here, as the sender spells it."""
        return next((name for name in self.micalgs if digest_name(name)), None)


@dataclass(frozen=True)
class Request:
    """An AS2 request's headers. Names are unquoted; `message_id` is what arrived, byte for byte.

    It is empty where none did, which only a receipt may be sent without (RFC 4130 section 7.4.2): see
    `may_be_receipt`. `failure` is set where the headers alone decide that the receipt is negative.
    """

    as2_from: str
    as2_to: str
    message_id: str
    subject: str
    version: str
    content_type: str
    receipt: ReceiptRequest | None
    failure: Failure | None
    features: tuple[str, ...]
    headers: Headers = field(repr=False)


def parse_request_headers(pairs: Pairs) -> Request:
    """Reads the headers of a request. Raises As2Refused (400, 415) for what is no AS2 message."""
    headers = Headers.of(pairs)
    for name in _ONCE:
        if len(headers.all(name)) > 1:
            raise As2Refused(400, f"{name} stands more than once")
    if headers.all("Content-Encoding"):
        raise As2Refused(415, "a content coding is not accepted")
    as2_from, as2_to = _name(headers, "AS2-From"), _name(headers, "AS2-To")
    content_type = headers.first("Content-Type") or "application/octet-stream"
    receipt, failure = _receipt_request(headers)
    nameless = receipt is None and may_be_receipt(content_type) and not headers.all("Message-ID")
    message_id = "" if nameless else _message_id(headers)
    if any(char <= " " or char == "\x7f" for char in message_id):
        failure = Failure.MESSAGE_ID
    if as2_from == as2_to:
        failure = Failure.SENDER_EQUALS_RECEIVER
    return Request(
        as2_from=as2_from,
        as2_to=as2_to,
        message_id=message_id,
        subject="".join(char for char in headers.first("Subject") if " " <= char <= "~")[:255],
        version=headers.first("AS2-Version") or "1.0",
        content_type=content_type,
        receipt=receipt,
        failure=failure,
        features=tuple(
            token.strip() for token in headers.first("EDIINT-Features").split(",") if token.strip()
        ),
        headers=headers,
    )


def may_be_receipt(content_type: str) -> bool:
    """Whether a body of this type can turn out to be a receipt; which it is, its content says."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("multipart/signed", "multipart/report", "message/disposition-notification")


def _name(headers: Headers, field_name: str) -> str:
    """RFC 4130 section 6.2."""
    value = headers.first(field_name)
    name = unquoted(value)
    if not _NAME.fullmatch(name):
        raise As2Refused(400, f"{field_name} is absent or not 1 to 128 printable characters")
    return name


def read_names(fields: Pairs) -> tuple[str, str]:
    """AS2-From and AS2-To without their quotes, nothing judged; empty where they are absent."""
    headers = Headers.of(fields)
    return unquoted(headers.first("AS2-From").strip()), unquoted(headers.first("AS2-To").strip())


def bare_id(message_id: str) -> str:
    """A Message-ID without the angle brackets, which some software leaves out and some adds."""
    return message_id.strip().strip("<>")


def unquoted(text: str) -> str:
    """An AS2 name without its quotes and escapes; text that is not properly quoted stays as it is."""
    match = _QUOTED.fullmatch(text)
    return re.sub(r"\\(.)", r"\1", match[1]) if match else text


def quoted(name: str) -> str:
    """An AS2 name as it stands in a header: quoted only if it must be."""
    if _BARE.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def check_name(name: str) -> None:
    """Raises ValueError unless the text can be an AS2 name."""
    if not _NAME.fullmatch(name):
        raise ValueError("an AS2 name is 1 to 128 printable ASCII characters")


def _message_id(headers: Headers) -> str:
    value = headers.first("Message-ID")
    if not 0 < len(value) <= MAX_MESSAGE_ID or not value.isascii() or any(char in value for char in "\r\n\0"):
        raise As2Refused(400, "Message-ID is absent, too long or cannot be echoed")
    return value


def _receipt_request(headers: Headers) -> tuple[ReceiptRequest | None, Failure | None]:
    """RFC 4130 section 7.3. Signing is asked for by naming both a protocol and digests."""
    if not headers.all("Disposition-Notification-To"):
        return None, None
    url = headers.first("Receipt-Delivery-Option") or None
    if url is not None:
        _check_url(url)
    options = _options(headers.first("Disposition-Notification-Options"))
    protocols = options.pop("signed-receipt-protocol", ("", ()))[1]
    micalgs = options.pop("signed-receipt-micalg", ("", ()))[1]
    wanted = ReceiptRequest(signed=bool(protocols and micalgs), micalgs=micalgs, async_url=url)
    if protocols and not {name.lower() for name in protocols} & {"pkcs7-signature", "x-pkcs7-signature"}:
        return wanted, Failure.RECEIPT_FORMAT
    if micalgs and wanted.micalg is None:
        return wanted, Failure.RECEIPT_MICALG
    if any(importance == "required" for importance, _ in options.values()):
        return wanted, Failure.RECEIPT_FORMAT
    return wanted, None


def _options(text: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """`name=importance, value, value; ...` as name -> (importance, values)."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for option in text.split(";"):
        name, _, rest = option.partition("=")
        values = [value.strip(' \t"') for value in rest.split(",")]
        importance = values.pop(0).lower() if values[0].lower() in ("required", "optional") else "optional"
        found.setdefault(name.strip().lower(), (importance, tuple(value for value in values if value)))
    found.pop("", None)
    return found


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = None, None
    plain = len(url) <= MAX_URL and all("!" <= char <= "~" for char in url)
    if parts is None or not plain or parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise As2Refused(400, "the URL of the asynchronous receipt is not accepted", reason="MDN_URL_REFUSED")
    if parts.username is not None or parts.password is not None:
        raise As2Refused(400, "the URL of the asynchronous receipt names a user", reason="MDN_URL_REFUSED")


@dataclass(frozen=True)
class Profile:
    """What the headers of our messages and receipts say of us to one partner.

    `product` is name:version and belongs to version 1.3 (draft-ietf-ediint-rfc4130bis); `features` are tokens
    of EDIINT-Features (RFC 6017), which stand in all that is sent once they stand in anything.
    """

    version: str = "1.2"
    product: str | None = None
    features: tuple[str, ...] = ()

    def headers(self, sender: str, receiver: str) -> list[tuple[str, str]]:
        """AS2-Version and who speaks to whom (RFC 4130 section 6)."""
        return [
            ("AS2-Version", self.version),
            *([("AS2-Product", self.product)] if self.product else []),
            *([("EDIINT-Features", ", ".join(self.features))] if self.features else []),
            ("AS2-From", quoted(sender)),
            ("AS2-To", quoted(receiver)),
        ]


USUAL = Profile()


def receipt_headers(receipt: ReceiptRequest, notify: str) -> list[tuple[str, str]]:
    """The headers that ask for a receipt. Raises ValueError for a digest nobody knows."""
    headers = [("Disposition-Notification-To", notify)]
    if receipt.signed:
        if not receipt.micalgs or not all(digest_name(name) for name in receipt.micalgs):
            raise ValueError("a signed receipt needs known digests")
        digests = ", ".join(receipt.micalgs)
        headers.append(
            (
                "Disposition-Notification-Options",
                "signed-receipt-protocol=optional, pkcs7-signature; "
                f"signed-receipt-micalg=optional, {digests}",
            )
        )
    if receipt.async_url:
        headers.append(("Receipt-Delivery-Option", receipt.async_url))
    return headers
