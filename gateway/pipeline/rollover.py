"""A message that a partner could not open with the certificate we took, sent once more with another.

While a certificate is being replaced the two sides may switch at different moments, and the sender learns of
it from the receipt alone: `decryption-failed` says that they do not have the key we encrypted to,
`authentication-failed` that they do not list the key we signed with. Then the same content is built again
with the other certificate, once, and the operator is told; how the other one fares is told too.

It is another message. What is signed and encrypted anew has other bytes, and a Message-ID stands for one
content only (RFC 4130 5.5): a partner who keeps receipts would answer the old id with the refusal it has
stored. So it has a transmission and a Message-ID of its own, and the refused one is `superseded`: evidence,
but nothing that waits for a person.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select, update

from gateway import as2, certificates, channels
from gateway.config import As2, Config
from gateway.errors import Failure
from gateway.home import Home
from gateway.pipeline import outbound
from gateway.store.tables import transmission

log = logging.getLogger(__name__)


def protection(
    config: Config, relation: As2, row: Row[Any], now: datetime
) -> tuple[as2.Signing | None, as2.Encryption | None]:
    """How a transmission is signed and encrypted: as is the turn now, or as superseding another takes.

    Raises Failure.
    """
    wanted = row.protection if row.supersedes is not None else None
    wanted = wanted or {}
    return (
        channels.signing(config, relation, now, fingerprint=wanted.get("signed_with")),
        channels.encryption(config, relation, now, fingerprint=wanted.get("encrypted_to")),
    )


def recorded(
    home: Home, conn: Connection, partner: str, sign: as2.Signing | None, encrypt: as2.Encryption | None
) -> dict[str, str | None]:
    """The value of a transmission's `protection`; that these certificates were used is noted too."""
    signer = sign.identity.certificate.fingerprint if sign else None
    recipient = encrypt.certificates[0].fingerprint if encrypt else None
    certificates.note_use(home, conn, partner, "sign", signer)
    certificates.note_use(home, conn, partner, "encrypt", recipient)
    transport = None
    if encrypt:
        transport = "rsa-oaep" if encrypt.oaep else "rsa-pkcs1v15"
    return {
        "signed_with": signer,
        "digest": sign.digest if sign else None,
        "encrypted_to": recipient,
        "cipher": encrypt.cipher if encrypt else None,
        "key_transport": transport,
    }


class _Other(NamedTuple):
    """What the next one is signed with and encrypted to, and what about it is new, in words."""

    signed_with: str | None
    encrypted_to: str | None
    told: str


def supersede(home: Home, conn: Connection, row: Row[Any], error: str | None) -> bool:
    """Send the content of a refused transmission once more, where another certificate may be what it takes.

    `row` is the transmission as it was before the receipt, `error` the modifier of the receipt's disposition.
    False, and nothing done, where it supersedes another or is superseded, and where there is no other.
    """
    cause = (error or "").strip().lower()
    if row.supersedes is not None or cause not in {"decryption-failed", "authentication-failed"}:
        return False
    if conn.execute(select(transmission.c.id).where(transmission.c.supersedes == row.id)).first():
        return False
    partner = home.config.partners.get(row.partner)
    if partner is None or partner.as2 is None:
        return False
    other = _other(home.config, partner.as2, row.protection or {}, cause, home.now())
    if other is None:
        return False
    addressed = outbound.addressee(conn, row)
    identity = outbound.resubmit(home, conn, row, home.config.partners.get(addressed, partner))
    wanted = {"signed_with": other.signed_with, "encrypted_to": other.encrypted_to}
    conn.execute(
        update(transmission).where(transmission.c.id == identity).values(protection=wanted, supersedes=row.id)
    )
    conn.execute(update(transmission).where(transmission.c.id == row.id).values(status="superseded"))
    text = f"{row.filename} to {row.partner}: {cause}; sent once more, {other.told}"
    log.warning("%s", text)
    outbound.note(home, conn, row, "rollover", text, carried_by=identity)
    return True


def worked(home: Home, conn: Connection, row: Row[Any]) -> None:
    """Tell the operator which certificate the partner did accept; only where it took a second message."""
    if row.supersedes is None:
        return
    refused = (
        conn.execute(select(transmission.c.protection).where(transmission.c.id == row.supersedes)).scalar()
        or {}
    )
    used = row.protection or {}
    for key, what in (("encrypted_to", "messages encrypted to"), ("signed_with", "our signature made with")):
        good, bad = used.get(key), refused.get(key)
        if good is not None and good != bad:
            text = (
                f"{row.partner} accepts {what} {_short(good)} and not {_short(bad)}: "
                f"look at `tradelane partner certs {row.partner}`"
            )
            log.warning("%s", text)
            outbound.note(home, conn, row, "rollover", text)


def _other(config: Config, relation: As2, used: dict[str, Any], cause: str, now: datetime) -> _Other | None:
    """The other certificate: of theirs where they could not decrypt, of ours where they could not verify.

    A partner who hides why it could not open a message says decryption-failed for a signature too, so our
    other key is tried where they have no other certificate.
    """
    signer, recipient = used.get("signed_with"), used.get("encrypted_to")
    if cause == "decryption-failed" and recipient is not None:
        for found in _recipients(relation, now):
            if found != recipient:
                return _Other(signer, found, f"encrypted to {_short(found)} instead of {_short(recipient)}")
    if signer is not None:
        for found in _signers(config, now):
            if found != signer:
                return _Other(found, recipient, f"signed with {_short(found)} instead of {_short(signer)}")
    return None


def _recipients(relation: As2, now: datetime) -> Iterator[str]:
    """Their certificates that could be encrypted to: those begun, the last first; then those to come."""
    begun = relation.encrypting_certs(now)
    coming = [
        cert
        for cert in relation.certs
        if cert not in begun
        and cert.use != "verify"
        and (cert.verify_until is None or now < cert.verify_until)
    ]
    for cert in (*begun, *coming):
        try:
            certificate = channels.certificate_of(cert)
        except Failure:
            continue
        if certificate.valid_at(now) and certificate.encrypts:
            yield certificate.fingerprint


def _signers(config: Config, now: datetime) -> Iterator[str]:
    """Our keys that could sign: those begun, the last first; then those to come."""
    begun = config.us.signing_keys(now)
    coming = [key for key in config.us.decryption_keys(now) if key not in begun]
    for key in (*begun, *coming):
        try:
            certificate = channels.identity_of(key).certificate
        except Failure:
            continue
        if certificate.valid_at(now) and certificate.strong:
            yield certificate.fingerprint


def _short(fingerprint: str | None) -> str:
    """The beginning of a fingerprint, as the lists of certificates show it."""
    return "no certificate" if fingerprint is None else certificates.short(fingerprint)
