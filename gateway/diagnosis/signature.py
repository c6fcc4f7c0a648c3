"""What is wrong with a signature of the partner's, on a message or a receipt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from gateway import as2, certificates, wire
from gateway.as2 import anatomy, variants
from gateway.as2.anatomy import Signature, name_text
from gateway.as2.cms import Recipient
from gateway.config import As2
from gateway.diagnosis.finding import Finding, list_certificate, set_keys
from gateway.home import Home
from gateway.wire import Pinned, Wire


def judged_signature(
    home: Home,
    found: Wire,
    signature: Signature,
    pinned: list[Pinned],
    bases: list[variants.Base],
    what: str,
) -> Iterator[Finding]:
    """What is wrong with a signature of the partner's: by whom it is, and what it covers."""
    row, relation = found.row, found.relation
    assert relation is not None
    if signature.fault is not None:
        yield Finding(
            "signature-unusable",
            f"the signature of {what} cannot be used: {signature.fault}",
            "ask the partner to sign with a detached S/MIME signature that has signed attributes",
        )
        if not signature.signers:
            return
    theirs = [one for one in pinned if one.owner == row.partner]
    mine = wire.made_by(signature, theirs)
    if mine is None:
        yield _unknown_signer(found, signature, pinned, what)
    elif not mine.certificate.valid_at(row.created_at):
        certificate = mine.certificate
        yield Finding(
            "signer-outside-validity",
            f"signed with {mine.label}, which is valid from {certificate.valid_from:%Y-%m-%d}"
            f" until {certificate.valid_until:%Y-%m-%d}",
            "ask the partner for their current certificate, and list it",
            (list_certificate(row),),
            _facts(certificate),
        )
    elif mine.certificate.fingerprint not in {one.fingerprint for one in wire.verifying(found)}:
        yield Finding(
            "signer-outside-window",
            f"signed with {mine.label}, outside of the window in which partners.toml lets it verify",
            "correct verify_from or verify_until of that certificate in partners.toml",
            (f"tradelane partner show {row.partner}",),
            _facts(mine.certificate),
        )
    signer = signature.made_by(mine.certificate) if mine is not None else next(iter(signature.signers), None)
    if signer is not None:
        yield from _weak_digest(row, relation, signer.digest)
        search = variants.search(
            bases, signer.message_digest, found.scratch, stated=signer.digest, nearby=nearby(found)
        )
        canonical = [variants.Departure("line-ends-crlf")]  # which is always taken
        if search.departures != () and list(search.departures or ()) != canonical:
            yield _covers(row, relation, search, what)


def _weak_digest(row: Row[Any], relation: As2, digest: str) -> Iterator[Finding]:
    if digest == "sha1" and not relation.legacy:
        yield Finding(
            "weak-digest",
            "signed with SHA-1, which is not accepted",
            f"ask the partner for {relation.sign}; sha1 can be agreed with those who can do no better,"
            " and is told as weak from then on",
            (set_keys(row.partner, {"sign": "sha1"}),),
            {"digest": digest},
        )


def own_signer(signature: Signature) -> as2.Certificate | None:
    """Which of the certificates that came with a signature made it."""
    return next((one for one in signature.certificates if signature.made_by(one) is not None), None)


def _unknown_signer(found: Wire, signature: Signature, pinned: list[Pinned], what: str) -> Finding:
    own = own_signer(signature)
    if own is None:
        names = "; ".join(map(in_words, signature.names)) or "nobody"
        return Finding(
            "signer-unknown",
            f"{what} is signed by none of their listed certificates, but by {names}, which is not with it",
            "ask the partner which certificate they sign with, and list it",
            (list_certificate(found.row),),
            {"signers": [named(one) for one in signature.names]},
        )
    other = next((one for one in pinned if one.certificate.fingerprint == own.fingerprint), None)
    if other is not None:
        owner = other.owner or "us"
        return Finding(
            "signer-is-other",
            f"{what} is signed with the certificate {other.label} of {owner}",
            "ask the partner which of their systems sent it: it spoke for another company",
            facts=_facts(own) | {"owner": owner},
        )
    return Finding(
        "signer-not-listed",
        f"{what} is signed with a certificate you have not been given: {_subject(own)},"
        f" SHA-256 {certificates.long(own.fingerprint)}",
        "ask the partner, by another way than this, whether the fingerprint is theirs; then import it:"
        " it came with the message",
        (
            f"tradelane doc explain {found.row.id} --save-certificate {found.row.partner}-new.pem",
            list_certificate(found.row, f"{found.row.partner}-new.pem"),
        ),
        _facts(own),
    )


def _subject(certificate: as2.Certificate) -> str:
    return anatomy.name_text(anatomy.subject(certificate))


def _facts(certificate: as2.Certificate) -> dict[str, Any]:
    return {
        "subject": _subject(certificate),
        "issuer": name_text(certificate.issuer),
        "serial": certificate.serial.hex(),
        "sha256": certificate.fingerprint,
        "valid_from": certificate.valid_from.isoformat(),
        "valid_until": certificate.valid_until.isoformat(),
    }


def nearby(found: Wire) -> list[tuple[str, str]]:
    """Headers of the message that software may have counted along with those of the content."""
    return [(name, value) for name, value in found.headers if name.lower().startswith("content-")]


_LINES = frozenset({"line-ends", "header-lines", "content-lines", "trailing-line-breaks", "blank-line"})


_WHEN_RECEIVED = {
    "uncompressed": "ask the partner to sign what they send, the compressed part (RFC 5402 4.1), or to"
    " compress after signing",
    "decoded": "ask the partner to sign the part as it is sent, in its transfer encoding, or to send binary",
    "encoded": "ask the partner to send the part as it was signed, in base64, or to sign it in binary",
    "lines": "ask the partner to send in base64, or to sign lines that end with CRLF: something on the way"
    " changes them",
    "headers-not-counted": "ask the partner to sign the MIME headers along with the content",
}


_ASK_RECEIVED = "ask the partner to sign MIME headers and content exactly as they are sent (RFC 4130 7.3.1)"


def kind_of(search: variants.Search) -> str:
    """The departure that says most about what to do."""
    ids = [departure.id for departure in search.departures or ()]
    for id in ("uncompressed", "compressed", "decoded", "encoded", "headers-not-counted"):
        if id in ids:
            return id
    return "lines" if any(id.startswith(tuple(_LINES)) for id in ids) else "headers"


def variant_facts(search: variants.Search) -> dict[str, Any]:
    """What a search found, under stable keys."""
    departures = search.departures
    return {
        "variant": None if departures is None else [one.id for one in departures],
        "details": None if departures is None else [one.detail for one in departures],
        "digest": search.digest,
        "tried": search.tried,
        "complete": search.complete,
    }


def _covers(row: Row[Any], relation: As2, search: variants.Search, what: str) -> Finding:
    if search.departures is None:
        return Finding(
            "content-changed",
            f"{what} is not what was signed, in {search}",
            "something on the way changed it, or it was signed otherwise than is known here: ask the partner"
            " to send it again, and whether a proxy, mail gateway or virus scanner stands between",
            (f"tradelane evidence {row.id}",),
            variant_facts(search),
        )
    return Finding(
        "signed-otherwise",
        f"the signature of {what} covers another form of it: {search}",
        _WHEN_RECEIVED.get(kind_of(search), _ASK_RECEIVED),
        facts=variant_facts(search),
    )


def named(recipient: Recipient) -> dict[str, Any]:
    """How a certificate is named, under stable keys."""
    return {
        "issuer": name_text(recipient.issuer) if recipient.issuer else None,
        "serial": recipient.serial.hex() or None,
        "key_id": recipient.key_id.hex() or None,
        "key_transport": recipient.algorithm or None,
    }


def in_words(recipient: Recipient) -> str:
    """How a certificate is named, for a person."""
    if recipient.key_id:
        return f"key identifier {recipient.key_id.hex()}"
    return f"issuer {name_text(recipient.issuer)}, serial number {recipient.serial.hex()}"
