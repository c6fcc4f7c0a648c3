"""Certificate Exchange Messaging (draft-meadors-certificate-exchange-14): asking a partner to trust.

A request is a multipart/related of an XML document and, for each certificate it asks about, a certs-only
PKCS#7 (RFC 8551 3.9) that the document names by its Content-ID. The answer says of each certificate, by
issuer and serial number, whether it was accepted.

    build_request, build_response   a MIME type and a body, to be sent as the payload of a message
    parts, read                     the parts of such a payload, and what they say

Everything read here was written by a partner. The XML is read as UTF-8 whatever it declares, without a
DOCTYPE, entities, network or more than MAX_XML bytes. What it asks for is a wish: it makes nobody trust
anything.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from lxml import etree

from gateway.as2 import cms, der, mime
from gateway.as2.errors import As2Error
from gateway.as2.keys import Certificate, KeyFileError, issuer_text, load_certificate
from gateway.as2.mime import CERTIFICATE_EXCHANGE, Entity, Headers
from gateway.as2.region import Region, Scratch

NAMESPACE = "urn:ietf:params:xml:ns:ediintcertificateexchange"
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"

SIGNATURE, ENCRYPTION = "digitalSignature", "keyEncipherment"
USAGES = (SIGNATURE, ENCRYPTION, "keyAgreement", "tlsServer", "tlsClient")
ACCEPTED, REJECTED, PENDING = "Accepted", "Rejected", "Pending"

MAX_XML = 64 * 1024
MAX_BODY = 512 * 1024
MAX_TRUSTS = 16
MAX_TEXT = 1000

_FORBIDDEN = (b"<!DOCTYPE", b"<!ENTITY", b"\0")


class CemError(ValueError):
    """What came is no usable exchange of certificates. `forbidden`: its XML is of a kind that is not read."""

    def __init__(self, cause: str, *, forbidden: bool = False) -> None:
        super().__init__(cause)
        self.forbidden = forbidden


@dataclass(frozen=True)
class Trust:
    """A certificate and what its owner wants it trusted for; `usages` are words of USAGES.

    `respond_by` is until when an answer is wanted, and for encryption the day from which it is to be used.
    `issuer` is the name as the request spells it, for the answer to repeat.
    """

    certificate: Certificate
    usages: tuple[str, ...]
    issuer: str
    serial: int
    respond_by: datetime | None = None
    response_url: str | None = None


@dataclass(frozen=True)
class Request:
    """EDIINTCertificateExchangeRequest; `sender` is an AS2 name."""

    request_id: str
    sender: str
    trusts: tuple[Trust, ...]


@dataclass(frozen=True)
class Verdict:
    """TrustResponse: what became of the certificate of this issuer and serial number."""

    status: str
    issuer: str
    serial: int
    reason: str | None = None


@dataclass(frozen=True)
class Response:
    """EDIINTCertificateExchangeResponse to the request of this id."""

    request_id: str
    sender: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class Payload:
    """A message as the payload to send: its MIME type, boundary included, and its bytes."""

    content_type: str
    body: bytes = field(repr=False)


def trust(
    certificate: Certificate,
    usages: Sequence[str],
    *,
    respond_by: datetime | None = None,
    response_url: str | None = None,
) -> Trust:
    """A certificate of ours to be trusted. Raises KeyFileError for an issuer that cannot be spelled."""
    issuer, serial = issuer_text(certificate), _serial(certificate)
    return Trust(certificate, tuple(usages), issuer, serial, respond_by, response_url)


# Out.


def build_request(request: Request, now: datetime) -> Payload:
    """The payload that asks. `now` is MessageOriginated; Content-IDs come from the request's id."""
    root = _document("EDIINTCertificateExchangeRequest", request.request_id, request.sender, now)
    parts = []
    for number, one in enumerate(request.trusts, 1):
        content_id = f"certificate-{number}.{_token(request.request_id)}"
        item = etree.SubElement(root, _tag("TrustRequest"))
        for usage in one.usages:
            _text(item, "CertUsage", usage)
        if one.respond_by is not None:
            _text(item, "RespondByDate", _time(one.respond_by))
        if one.response_url is not None:
            _text(item, "ResponseURL", one.response_url)
        entity = etree.SubElement(item, _tag("EndEntity"))
        _identify(etree.SubElement(entity, _tag("CertificateIdentifier")), one.issuer, one.serial)
        _text(entity, "CertificateContentID", content_id)
        parts.append((content_id, certs_only((one.certificate,))))
    return _payload(root, request.request_id, parts)


def build_response(response: Response, now: datetime) -> Payload:
    """The payload that answers."""
    root = _document("EDIINTCertificateExchangeResponse", response.request_id, response.sender, now)
    for one in response.verdicts:
        item = etree.SubElement(root, _tag("TrustResponse"))
        _text(item, "CertStatus", one.status)
        if one.status == REJECTED and one.reason:
            _text(item, "ReasonForRejection", one.reason)
        _identify(etree.SubElement(item, _tag("CertificateReference")), one.issuer, one.serial)
    return _payload(root, response.request_id, [])


def _document(name: str, request_id: str, sender: str, now: datetime) -> etree._Element:
    namespaces: Any = {None: NAMESPACE, "ds": XMLDSIG}
    root = etree.Element(_tag(name), {"requestId": request_id}, namespaces)
    info = etree.SubElement(root, _tag("TradingPartnerInfo"))
    etree.SubElement(info, _tag("Name"), {"qualifier": "AS2"}).text = sender
    _text(info, "MessageOriginated", _time(now))
    return root


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _text(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, _tag(name)).text = text


def _identify(parent: etree._Element, issuer: str, serial: int) -> None:
    """As XML-Signature 4.4.4 names a certificate."""
    etree.SubElement(parent, f"{{{XMLDSIG}}}X509IssuerName").text = issuer
    etree.SubElement(parent, f"{{{XMLDSIG}}}X509SerialNumber").text = str(serial)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _token(request_id: str) -> str:
    return "".join(char for char in request_id if char.isascii() and (char.isalnum() or char in "-.@_"))


def _payload(root: etree._Element, request_id: str, parts: Sequence[tuple[str, bytes]]) -> Payload:
    """The document first, and nothing after its last tag but the boundary."""
    xml = b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(root, encoding="UTF-8").strip()
    content_id = f"request.{_token(request_id)}"
    boundary = f"cem-{_token(request_id)[:40].replace('@', '-')}"
    delimiter = f"--{boundary}\r\n".encode()
    body = (
        delimiter
        + mime.block([("Content-Type", CERTIFICATE_EXCHANGE), ("Content-ID", f"<{content_id}>")])
        + xml
    )
    for name, data in parts:
        head = [
            ("Content-Type", 'application/pkcs7-mime; smime-type=certs-only; name="certificate.p7c"'),
            ("Content-Transfer-Encoding", "base64"),  # so that all of it is text, which everybody can take
            ("Content-ID", f"<{name}>"),
        ]
        body += b"\r\n" + delimiter + mime.block(head) + b"".join(mime.to_base64(iter((data,))))
    body += f"\r\n--{boundary}--\r\n".encode()
    content_type = (
        f'multipart/related; type="{CERTIFICATE_EXCHANGE}"; start="<{content_id}>"; boundary="{boundary}"'
    )
    return Payload(content_type, body)


def certs_only(certificates: Sequence[Certificate]) -> bytes:
    """A SignedData of no signers, which only carries certificates (RFC 5652 5.2)."""
    signed_data = der.sequence(
        der.integer(1),
        der.tlv(der.SET),
        der.sequence(cms.DATA),
        der.tlv(0xA0, *(certificate.der for certificate in certificates)),
        der.tlv(der.SET),
    )
    return der.sequence(cms.SIGNED_DATA, der.tlv(0xA0, signed_data))


# In.


class Part(NamedTuple):
    """One part of what came: its MIME type, its Content-ID if it has one, and its content decoded."""

    content_type: str
    content_id: str | None
    data: bytes


def parts(content_type: str, body: bytes) -> list[Part]:
    """The parts of a multipart/related, or else the payload as the only part. Raises CemError."""
    if len(body) > MAX_BODY:
        raise CemError(f"{len(body)} bytes are too many for an exchange of certificates")
    try:
        with Scratch() as scratch:
            region = Region.of(io.BytesIO(body))
            entity = Entity(Headers.of([("Content-Type", content_type)]), region, region)
            found = [entity]
            if entity.content_type.main == "multipart":
                found = [mime.read_entity(part) for part in mime.parts(entity, scratch)]
            return [_part(one, scratch) for one in found]
    except As2Error as error:
        raise CemError(error.cause) from error


def _part(entity: Entity, scratch: Scratch) -> Part:
    headers = entity.headers
    content_type = headers.get("Content-Type") or "text/plain"
    return Part(content_type, headers.get("Content-ID"), entity.decoded(scratch).read(0, MAX_BODY))


def read(found: Sequence[Part]) -> Request | Response:
    """What the parts say, of which one is the XML. Raises CemError."""
    documents = [part for part in found if _kind(part) == CERTIFICATE_EXCHANGE]
    if len(documents) != 1:
        raise CemError(f"{len(documents)} XML documents where one is meant")
    root = _parsed(documents[0].data)
    request_id = root.get("requestId", "").strip()
    if not request_id or len(request_id) > MAX_TEXT or not request_id.isprintable():
        raise CemError("a requestId is missing, too long, or holds control characters")
    sender = _found(root, "TradingPartnerInfo", "Name") or ""
    match etree.QName(root).localname:
        case "EDIINTCertificateExchangeRequest":
            attached = {
                (part.content_id or "").strip().strip("<>"): part
                for part in found
                if part is not documents[0]
            }
            items = list(_children(root, "TrustRequest"))
            if not 0 < len(items) <= MAX_TRUSTS:
                raise CemError(f"{len(items)} TrustRequests")
            return Request(request_id, sender, tuple(_trust(item, attached) for item in items))
        case "EDIINTCertificateExchangeResponse":
            items = list(_children(root, "TrustResponse"))
            if not 0 < len(items) <= MAX_TRUSTS:
                raise CemError(f"{len(items)} TrustResponses")
            return Response(request_id, sender, tuple(map(_verdict, items)))
        case other:
            raise CemError(f"the document is {other[:60]!r}, neither a request nor a response")


def _kind(part: Part) -> str:
    try:
        return mime.structured(part.content_type).value
    except As2Error as error:
        raise CemError(error.cause) from error


def _parsed(xml: bytes) -> etree._Element:
    """The root of a document, read as XML 1.0 without anything that leads out of it."""
    if len(xml) > MAX_XML:
        raise CemError(f"XML of more than {MAX_XML} bytes", forbidden=True)
    if any(word in xml for word in _FORBIDDEN):
        raise CemError("XML with a DOCTYPE, or not in UTF-8", forbidden=True)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise CemError(f"the XML cannot be read: {error}") from error
    known: Any = root.getroottree().docinfo
    if known.doctype:
        raise CemError("XML with a DOCTYPE", forbidden=True)
    return root


def _children(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    return (child for child in parent if etree.QName(child).localname == name)


def _found(parent: etree._Element, *path: str) -> str | None:
    """The text of the first element at this path, in whichever namespace; drafts before -14 had others."""
    here: etree._Element | None = parent
    for name in path:
        here = next(_children(here, name), None) if here is not None else None
    text = (here.text or "").strip() if here is not None else ""
    if len(text) > MAX_TEXT or not all(char.isprintable() for char in text):
        raise CemError(f"{path[-1]} is too long, or holds control characters")
    return text or None


def _trust(item: etree._Element, attached: dict[str, Part]) -> Trust:
    usages = tuple(text for one in _children(item, "CertUsage") if (text := (one.text or "").strip()))
    if not usages or not set(usages) <= set(USAGES):
        raise CemError("a TrustRequest without a CertUsage, or with one that is not known")
    issuer, serial = _identity(item, "EndEntity", "CertificateIdentifier")
    content_id = (_found(item, "EndEntity", "CertificateContentID") or "").removeprefix("cid:").strip("<>")
    part = attached.get(content_id)
    if part is None:
        raise CemError(f"no part has the Content-ID {content_id[:100]!r}")
    found = read_certs_only(part.data)
    named = [certificate for certificate in found if _serial(certificate) == serial]
    if len(named) != 1:
        raise CemError(f"{len(named)} of the certificates that came have the serial number {serial}")
    return Trust(
        certificate=named[0],
        usages=tuple(dict.fromkeys(usages)),
        issuer=issuer,
        serial=serial,
        respond_by=_moment(_found(item, "RespondByDate")),
        response_url=_found(item, "ResponseURL"),
    )


def _verdict(item: etree._Element) -> Verdict:
    status = _found(item, "CertStatus") or ""
    known = {word.lower(): word for word in (ACCEPTED, REJECTED, PENDING)}
    if status.lower() not in known:
        raise CemError(f"the CertStatus {status[:60]!r} is not known")
    issuer, serial = _identity(item, "CertificateReference")
    return Verdict(known[status.lower()], issuer, serial, _found(item, "ReasonForRejection"))


def _identity(item: etree._Element, *path: str) -> tuple[str, int]:
    issuer = _found(item, *path, "X509IssuerName") or ""
    serial = _found(item, *path, "X509SerialNumber") or ""
    digits = serial.removeprefix("-")
    if not issuer or not digits.isascii() or not digits.isdecimal() or len(digits) > 100:
        raise CemError("a certificate without X509IssuerName, or without a decimal X509SerialNumber")
    return issuer, int(serial)


def _moment(text: str | None) -> datetime | None:
    """An xs:dateTime; without a zone it is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:  # of the first and the last day, UTC may have none
        raise CemError(f"{text[:40]!r} is no date and time") from error


def read_certs_only(data: bytes) -> tuple[Certificate, ...]:
    """The certificates in a certs-only PKCS#7, or the one certificate of a file that is nothing else.

    Raises CemError.
    """
    try:
        content, *rest = der.parse(data).sequence()
        if content.encoded() != cms.SIGNED_DATA or len(rest) != 1:
            return (load_certificate(data),)
        (signed_data,) = rest[0].sequence(0xA0)
        bags = [node for node in signed_data.sequence()[3:] if node.tag == 0xA0]
        found = bags[0].children if bags else ()
        if not 0 < len(found) <= cms.MAX_CERTIFICATES:
            raise CemError(f"a PKCS#7 of {len(found)} certificates")
        return tuple(load_certificate(node.encoded()) for node in found)
    except (der.DerError, KeyFileError) as error:
        raise CemError(f"no certificates: {error}") from error


def _serial(certificate: Certificate) -> int:
    return int.from_bytes(certificate.serial, "big", signed=True)
