"""A transmission as it crossed the wire, taken from the store and taken apart: for diagnosis and evidence.

Nothing is accepted or changed here. What came encrypted is decrypted with every key that is still listed, a
retired one included. What we sent encrypted can be opened by its receiver alone: the content that its MIC is
over is made again from the payload, and counts only if it has the MIC that was recorded when it was built.
"""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from gateway import as2, certificates, channels, queries
from gateway.as2 import anatomy, cms, mime
from gateway.as2.anatomy import Anatomy
from gateway.as2.region import Region, Scratch
from gateway.as2.variants import Base, Departure
from gateway.config import As2, Partner
from gateway.errors import Failure
from gateway.home import Home
from gateway.pipeline import outbound
from gateway.store import StoreCorrupt
from gateway.store.tables import as2_former_id, as2_message, document, transmission

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Pinned:
    """A certificate that partners.toml lists: `owner` is a partner's name, or "" for one of ours."""

    owner: str
    label: str
    certificate: as2.Certificate


@dataclass(frozen=True)
class Answer:
    """A receipt as it crossed the wire."""

    headers: Pairs
    body: bytes


@dataclass(frozen=True)
class Wire:
    """A transmission, open for reading while `opened` lasts."""

    row: Row[Any]
    partner: Partner | None
    headers: Pairs
    body: Region | None
    """As it crossed the wire; None where nothing but the payload did, or nothing yet."""
    anatomy: Anatomy | None
    scratch: Scratch
    receipt: Answer | None
    """Theirs for what we sent, ours for what they sent."""

    @property
    def relation(self) -> As2 | None:
        return self.partner.as2 if self.partner is not None else None

    def receipt_anatomy(self) -> Anatomy | None:
        if self.receipt is None:
            return None
        return anatomy.dissect(
            self.receipt.headers, Region.of(io.BytesIO(self.receipt.body)), (), self.scratch
        )


def row_of(home: Home, identity: str) -> Row[Any] | None:
    """The transmission of this id, or the one that carried the document of this id."""
    with home.store.read() as conn:
        found = conn.execute(select(transmission).where(transmission.c.id == identity)).one_or_none()
        return (
            found
            or conn.execute(
                select(transmission)
                .join(document, document.c.transmission == transmission.c.id)
                .where(document.c.id == identity)
            ).one_or_none()
        )


def last_error(home: Home, row: Row[Any]) -> str | None:
    """Why the last attempt to send it failed."""
    found = queries.one(home, row.id)
    return None if found is None else found["error"]


@contextmanager
def opened(home: Home, row: Row[Any]) -> Iterator[Wire]:
    """Take a transmission apart. Raises StoreCorrupt when its bytes are gone, StoreUnavailable."""
    headers = [(name, value) for name, value in row.wire_headers or ()]
    receipt = _receipt(home, row)
    partner = home.config.partners.get(row.partner or "")
    with Scratch(home.store.blobs.root / "tmp") as scratch:
        if row.wire_sha256 is None:
            yield Wire(row, partner, headers, None, None, scratch, receipt)
            return
        with home.store.fetch(row.wire_sha256, verify=True) as file:
            body = Region.of(file)
            found = anatomy.dissect(headers, body, our_identities(home), scratch)
            yield Wire(row, partner, headers, body, found, scratch, receipt)


def _receipt(home: Home, row: Row[Any]) -> Answer | None:
    if row.direction == "out":
        if row.receipt_sha256 is None or row.receipt_headers is None:
            return None
        with suppress(StoreCorrupt), home.store.fetch(row.receipt_sha256, verify=True) as file:
            return Answer([(name, value) for name, value in row.receipt_headers], file.read())
        return None
    with home.store.read() as conn:
        answered = conn.execute(
            select(as2_message).where(*_key(row), as2_message.c.transmission == row.id)
        ).first()
    if answered is None or answered.receipt is None:
        return None
    return Answer([(name, value) for name, value in answered.receipt_headers], answered.receipt)


def _key(row: Row[Any]) -> tuple[ColumnElement[bool], ...]:
    """The key of a message in `as2_message`, whose rows are large: they are not to be read one by one."""
    sender, receiver = as2.read_names([(name, value) for name, value in row.wire_headers or ()])
    columns = as2_message.c
    return columns.as2_from == sender, columns.as2_to == receiver, columns.message_id == row.message_id


def our_identities(home: Home) -> tuple[as2.Identity, ...]:
    """Every key of ours that is listed and can be read, retired or not."""
    found = []
    for key in home.config.us.keys:
        with suppress(OSError, Failure, as2.KeyFileError):
            found.append(as2.load_identity(key.key.read(), key.cert.read_bytes()))
    return tuple(found)


def pinned(home: Home) -> list[Pinned]:
    """Every certificate that partners.toml lists and that can be read, ours first."""
    config = home.config
    files = [("", key.id, key.cert) for key in config.us.keys]
    files += [
        (partner.name, cert.file.name, cert.file)
        for partner in config.partners.values()
        if partner.as2 is not None
        for cert in partner.as2.certs
    ]
    found = []
    for owner, label, file in files:
        with suppress(OSError, as2.KeyFileError):
            found.append(Pinned(owner, label, as2.load_certificate(file.read_bytes())))
    return found


_OURS = frozenset({"sign", "sign_receipt"})
_THEIRS = frozenset({"verify", "verify_receipt"})


def used_once(home: Home, partner: str) -> list[Pinned]:
    """The certificates by which signatures of a partner's and of ours have counted, listed still or not."""
    with home.store.read() as conn:
        uses = [use for use in certificates.uses(conn, partner) if use.look_up in _OURS | _THEIRS]
    found = []
    for use in uses:
        with suppress(StoreCorrupt, as2.KeyFileError), home.store.fetch(use.fingerprint, verify=True) as file:
            owner = "" if use.look_up in _OURS else partner
            found.append(Pinned(owner, use.fingerprint, as2.load_certificate(file.read())))
    return found


@dataclass(frozen=True)
class Covered:
    """What the MIC of a message is over, and how that is known."""

    region: Region
    how: str
    headers: bool = True
    """Whether it begins with MIME headers: not where a message is neither signed nor wrapped otherwise."""


def covered(home: Home, wire: Wire) -> Covered | None:
    """The bytes that the MIC of a message is over (RFC 4130 section 7.3.1); None if they cannot be had."""
    found = wire.anatomy
    if found is None or wire.body is None:
        return None
    if found.signature is not None:
        how = "the part that was signed, MIME headers included"
        return _with_its_lines(wire, found.signature.content, how)
    if not found.layers:
        how = "the content alone: nothing is signed or encrypted"
        return Covered(found.entity.body, how, headers=False)
    if found.fault is None:
        how = "the MIME entity with its headers, as it was before encryption and compression"
        return _with_its_lines(wire, found.entity.whole, how)
    return _made_again(home, wire) if wire.row.direction == "out" else None


def _with_its_lines(wire: Wire, region: Region, how: str) -> Covered:
    """The form of which the MIC was taken: with the line ends it came with, or in the canonical form."""
    assert wire.anatomy is not None
    if wire.anatomy.envelope is not None:
        how += ", decrypted with our key"
    value, _, digest = (wire.row.mic or "").partition(", ")
    if digest and _mic(region, digest) != value:
        canonical = wire.scratch.keep(mime.canonical(region.chunks()))
        if _mic(canonical, digest) == value:
            return Covered(canonical, f"{how}, its lines ended by CRLF")
    return Covered(region, how)


def _made_again(home: Home, wire: Wire) -> Covered | None:
    """What we encrypted to a partner, from its files: of the ways to build it, the one with its MIC."""
    row = wire.row
    ids = [row.message_id]
    with home.store.read() as conn:
        ids += conn.execute(
            select(as2_former_id.c.message_id).where(as2_former_id.c.transmission == row.id)
        ).scalars()
    ways = itertools.product(ids, ("binary", "base64"), ("none", "before-sign"), (True, False))
    for message_id, encoding, compress, signed in ways:
        region = _content(home, wire, message_id, encoding=encoding, compress=compress, signed=signed)
        if _mic(region, "sha256") == (row.mics or {}).get("sha256"):
            return Covered(region, "made again from the payload: it has the MIC that was recorded then")
    return None


def _content(
    home: Home,
    wire: Wire,
    message_id: str,
    *,
    encoding: Any = "binary",
    compress: Any = "none",
    signed: bool = True,
) -> Region:
    """The content of a message of ours as it is when it is built in one of the ways."""
    row = wire.row
    with ExitStack() as stack:
        source = stack.enter_context(home.store.fetch(row.sha256, verify=True))
        files = outbound.opened(home, stack, outbound.attachments(home, row))
        return wire.scratch.keep(
            as2.covered(
                source,
                message_id=message_id,
                content_type=row.content_type or "application/octet-stream",
                filename=row.filename,
                content_id=row.content_id,
                attachments=files,
                signed=signed,
                compress=compress,
                encoding=encoding,
            )
        )


def _mic(region: Region, digest: str) -> str:
    return base64.b64encode(cms.digest_of(region.chunks(), digest)).decode()


def other_contents(home: Home, wire: Wire, exact: Covered) -> list[Base]:
    """What a partner may have taken for the content instead, the content itself first."""
    bases = [Base(exact.region, headers=exact.headers)]
    found = wire.anatomy
    assert found is not None
    row, scratch = wire.row, wire.scratch
    if not exact.headers:  # a message that is not wrapped: its headers are those of HTTP
        kept = [(name, value) for name, value in wire.headers if name.lower().startswith("content-")]
        head = mime.block([(name, value) for name, value in kept if name.lower() != "content-length"])
        whole = scratch.keep(itertools.chain([head], exact.region.chunks()))
        bases.append(Base(whole, (Departure("headers-counted"),)))
    if row.direction == "out":
        for compress, departure in (("none", "uncompressed"), ("before-sign", "compressed")):
            region = _content(home, wire, row.message_id, compress=compress)
            if _mic(region, "sha256") != _mic(exact.region, "sha256"):
                bases.append(Base(region, (Departure(departure),)))
    elif found.compressed and found.fault is None:
        bases.append(Base(found.entity.whole, (Departure("uncompressed"),)))
    if wire.body is not None and found.layers:
        kind = "encrypted" if isinstance(found.layers[0], anatomy.Envelope) else "whole-multipart"
        bases.append(Base(wire.body, (Departure(kind),), headers=False))
        headers = [(name, value) for name, value in wire.headers if name.lower().startswith("content-")]
        with suppress(ValueError):
            whole = scratch.keep(itertools.chain([mime.block(headers)], wire.body.chunks()))
            bases.append(Base(whole, (Departure(kind),)))
    return bases


def made_by(signature: anatomy.Signature, certificates: Sequence[Pinned]) -> Pinned | None:
    """Whose signature it is, of some certificates."""
    return next((one for one in certificates if signature.made_by(one.certificate) is not None), None)


def verifying(wire: Wire) -> tuple[as2.Certificate, ...]:
    """The partner's certificates whose windows, as partners.toml has them now, held at that time."""
    relation = wire.relation
    return channels.certificates(relation, wire.row.created_at) if relation is not None else ()
