"""What protects the messages exchanged with each partner: what is agreed, and what was really used last.

An agreement can be strong and its use weak, or the other way round, so both are shown. What is broken, or
lets an attacker who can send messages read others, must end: SHA-1, 3DES, RSA of less than 2048 bits,
certificates signed with SHA-1, and CBC without a signature. What is merely behind the times is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, select

from gateway import as2, channels
from gateway.config import As2, Config
from gateway.errors import Failure
from gateway.store.tables import transmission

Verdict = Literal["ok", "warn", "fail"]
_ORDER: tuple[Verdict, ...] = ("ok", "warn", "fail")


class Aspect(NamedTuple):
    """One thing that protects messages: what is agreed, what was used last each way, and what to say of it.

    `partner` is empty for our own keys. `last_in` and `last_out` are None where nothing was exchanged. `name`
    is that of a certificate.
    """

    partner: str
    aspect: Literal["signature", "encryption", "key transport", "receipt", "certificate"]
    agreed: str
    last_in: str | None
    last_out: str | None
    verdict: Verdict
    why: str
    name: str | None = None


def report(config: Config, conn: Connection, partner: str | None = None) -> Iterator[Aspect]:
    """Every aspect of every AS2 partner, or of one; before them our own keys."""
    if partner is None:
        for key in config.us.keys:
            try:
                certificate = as2.load_certificate(key.cert.read_bytes())
            except (OSError, as2.KeyFileError):
                continue  # doctor tells of it
            yield _of_certificate("", f"key {key.id}", certificate)
    for one in config.partners.values():
        if one.as2 is not None and partner in {None, one.name}:
            yield from _of_partner(
                one.name, one.as2, _last(conn, one.name, "in"), _last(conn, one.name, "out")
            )


def _last(conn: Connection, partner: str, direction: str) -> Row[Any] | None:
    """The latest message of a partner that was opened, or that was built for it."""
    row: Row[Any] | None = conn.execute(
        select(transmission)
        .where(
            transmission.c.partner == partner,
            transmission.c.direction == direction,
            transmission.c.channel == "as2",
            transmission.c.wire_sha256.is_not(None),
            transmission.c.status != "refused",
        )
        .order_by(transmission.c.id.desc())
        .limit(1)
    ).first()
    return row


def _of_partner(
    name: str, relation: As2, last_in: Row[Any] | None, last_out: Row[Any] | None
) -> Iterator[Aspect]:
    theirs, ours = _protection(last_in), _protection(last_out)
    agreed = {"digest": relation.sign, "cipher": relation.encrypt}
    used = [agreed, *(one for one in (theirs, ours) if one is not None)]
    yield _aspect(
        name, "signature", relation.sign, _word(theirs, "digest"), _word(ours, "digest"), _of_signature(used)
    )
    yield _aspect(
        name, "encryption", relation.encrypt, _word(theirs, "cipher"), _word(ours, "cipher"), _of_cipher(used)
    )
    transports = [_word(theirs, "key_transport"), _word(ours, "key_transport")]
    if {"rsa-pkcs1v15", "rsa-oaep"} & set(transports):
        behind: list[tuple[Verdict, str]] = []
        if "rsa-pkcs1v15" in transports:
            behind.append(("warn", "PKCS#1 v1.5, not OAEP"))
        agreed_on = {"oaep": "rsa-oaep"}.get(relation.key_transport, "rsa-pkcs1v15")
        yield _aspect(name, "key transport", agreed_on, transports[0], transports[1], behind)
    yield _aspect(
        name,
        "receipt",
        "none" if relation.mdn.mode == "none" else "signed" if relation.mdn.signed else "unsigned",
        (theirs or {}).get("receipt") or (None if theirs is None else "none"),
        {1: "signed", 0: "unsigned"}.get(last_out.receipt_signed) if last_out is not None else None,
        _of_receipt(relation, theirs),
    )
    for cert in relation.certs:
        try:
            yield _of_certificate(name, cert.file.name, channels.certificate_of(cert))
        except Failure:
            continue  # doctor tells of it


def _protection(row: Row[Any] | None) -> dict[str, Any] | None:
    return None if row is None else row.protection or {}


def _word(protection: dict[str, Any] | None, key: str) -> str | None:
    return None if protection is None else protection.get(key) or "none"


def _of_signature(used: list[dict[str, Any]]) -> list[tuple[Verdict, str]]:
    found: list[tuple[Verdict, str]] = []
    if any(one.get("digest") == "sha1" for one in used):
        found.append(("fail", "SHA-1: agree on sha256"))
    if any((one.get("digest") or "none") == "none" for one in used):
        found.append(("warn", "unsigned: anybody could have sent it"))
    return found


def _of_cipher(used: list[dict[str, Any]]) -> list[tuple[Verdict, str]]:
    found: list[tuple[Verdict, str]] = []
    ciphers = [one.get("cipher") or "none" for one in used]
    if "3des" in ciphers:
        found.append(("fail", "3DES: agree on aes256-cbc or aes256-gcm"))
    unsigned = [one for one in used if (one.get("digest") or "none") == "none"]
    if any(str(one.get("cipher")).endswith(("cbc", "3des")) for one in unsigned):
        found.append(("fail", "CBC without a signature can be altered unseen"))
    if "none" in ciphers:
        found.append(("warn", "in the clear: only TLS hides it"))
    return found


def _of_receipt(relation: As2, theirs: dict[str, Any] | None) -> list[tuple[Verdict, str]]:
    found: list[tuple[Verdict, str]] = []
    if relation.mdn.mode == "none":
        found.append(("warn", "none asked for: nothing proves that they have our messages"))
    elif not relation.mdn.signed:
        found.append(("warn", "unsigned: it proves nothing"))
    if (theirs or {}).get("receipt") == "unsigned":
        found.append(("warn", "they ask for unsigned ones"))
    return found


def _of_certificate(partner: str, name: str, certificate: as2.Certificate) -> Aspect:
    key = certificate.public_key
    kind = "EC" if not certificate.encrypts and certificate.strong else "RSA"
    signed = certificate.signed_with or "unknown"
    found: list[tuple[Verdict, str]] = []
    if not certificate.strong:
        found.append(("fail", f"{key.key_size} bits: have a new one made"))
    if signed not in as2.Trust().digests:
        found.append(("fail", f"itself signed with {signed}: have a new one made"))
    told = f"{kind} {key.key_size}, {signed}"
    return _aspect(partner, "certificate", told, None, None, found)._replace(name=name)


def _aspect(
    partner: str,
    aspect: Literal["signature", "encryption", "key transport", "receipt", "certificate"],
    agreed: str,
    last_in: str | None,
    last_out: str | None,
    found: list[tuple[Verdict, str]],
) -> Aspect:
    verdict = _worst(one for one, _ in found)
    return Aspect(partner, aspect, agreed, last_in, last_out, verdict, "; ".join(why for _, why in found))


def worst(aspects: list[Aspect]) -> Verdict:
    """The worst verdict among them."""
    return _worst(one.verdict for one in aspects)


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts)
    return next((verdict for verdict in reversed(_ORDER) if verdict in found), "ok")
