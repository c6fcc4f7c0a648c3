"""The certificates that messages hang on: which there are, which were used last, and which end soon.

AS2 looks up a certificate at six places. On each side one is used to make something and every listed one is
accepted where something is taken, so that a new certificate can be put beside the old one, be used from a day
on, and the old one be taken away later, with nothing stopped and no message lost.

Uses are recorded to the minute in the transaction of what used the certificate. That a certificate ends soon
is told once for each of WARN_DAYS, and never again, however often the program starts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from gateway import as2, channels
from gateway.config import As2, Cert, Config
from gateway.config import Key as OurKey
from gateway.engine import Done, Job
from gateway.errors import Failure
from gateway.home import Home
from gateway.keys import fingerprint, read_certificates
from gateway.store import after_commit
from gateway.store.dialect import Upsert
from gateway.store.tables import certificate_use, certificate_warning

log = logging.getLogger(__name__)

LookUp = Literal["decrypt", "verify", "sign_receipt", "verify_receipt", "sign", "encrypt"]

LOOK_UPS: dict[LookUp, str] = {
    "decrypt": "their messages are encrypted to ours",
    "verify": "their messages are signed with theirs",
    "sign_receipt": "our receipts are signed with ours",
    "verify_receipt": "their receipts are signed with theirs",
    "sign": "our messages are signed with ours",
    "encrypt": "our messages are encrypted to theirs",
}

WARN_DAYS = (60, 30, 14, 7, 3, 1, 0)
NOTED_EVERY = timedelta(minutes=1)
WATCH_EVERY_S = 24 * 3600.0

_NOTE_USE = Upsert(
    certificate_use,
    lambda new: new.on_conflict_do_update(
        index_elements=["partner", "look_up", "fingerprint"], set_={"last_at": new.excluded.last_at}
    ),
)


# Which were used.


def note_use(home: Home, conn: Connection, partner: str, look_up: LookUp, fingerprint: str | None) -> None:
    """Record that a certificate was used with a partner; at most once a minute for each.

    It is kept among the payloads, whose names are SHA-256 as its fingerprint is: what it proves must be
    provable when partners.toml lists it no more.
    """
    if fingerprint is None:
        return
    now = home.now()
    key = (partner, look_up, fingerprint)
    before = home.noted_uses.get(key)
    if before is not None and abs(now - before) < NOTED_EVERY:
        return
    after_commit(conn, lambda: home.noted_uses.update({key: now}))
    values = {"partner": partner, "look_up": look_up, "fingerprint": fingerprint, "last_at": now}
    conn.execute(_NOTE_USE.on(conn), values)
    for certificate in _listed_now(home.config, partner):
        if certificate.fingerprint == fingerprint:
            home.store.keep(conn, certificate.der)


def _listed_now(config: Config, partner: str) -> Iterator[as2.Certificate]:
    """The certificates that can be read of ours and of a partner's."""
    for key in config.us.keys:
        with suppress(Failure):
            yield channels.identity_of(key).certificate
    found = config.partners.get(partner)
    for cert in found.as2.certs if found is not None and found.as2 is not None else ():
        with suppress(Failure):
            yield channels.certificate_of(cert)


class Use(NamedTuple):
    """That a certificate was used with a partner at a look-up, and when last."""

    partner: str
    look_up: LookUp
    fingerprint: str
    last_at: datetime


def uses(conn: Connection, partner: str | None = None) -> list[Use]:
    """Every use ever, of one partner or of all, the latest first."""
    query = select(certificate_use).order_by(certificate_use.c.last_at.desc(), certificate_use.c.look_up)
    if partner is not None:
        query = query.where(certificate_use.c.partner == partner)
    return [Use(*row) for row in conn.execute(query)]


# Which there are.


class Listed(NamedTuple):
    """A certificate that partners.toml names. `owner` is a partner's name, empty for ours.

    `use` says in words what it does now, `problem` why it cannot be read; then the rest is unknown.
    """

    owner: str
    name: str
    kind: Literal["as2", "tls"]
    file: Path
    fingerprint: str | None
    not_before: datetime | None
    not_after: datetime | None
    use: str
    problem: str | None = None

    def days_left(self, now: datetime) -> int | None:
        """Whole days until it ends, below zero once it has."""
        return None if self.not_after is None else (self.not_after - now) // timedelta(days=1)


def listed(config: Config, now: datetime, partner: str | None = None) -> Iterator[Listed]:
    """Every certificate in the file, ours first, or those of one partner; unreadable ones too."""
    if partner is None:
        for key in config.us.keys:
            yield _ours(config, key, now)
    for one in config.partners.values():
        if one.as2 is not None and partner in {None, one.name}:
            for cert in one.as2.certs:
                yield _theirs(config, one.name, one.as2, cert, now)
            yield from _of_tls(one.name, one.as2)


def _ours(config: Config, key: OurKey, now: datetime) -> Listed:
    name = f"key {key.id}"
    try:
        certificate = as2.load_certificate(key.cert.read_bytes())
    except (OSError, as2.KeyFileError) as error:
        return _unreadable("", name, key.cert, error)
    words = []
    if key in config.us.decryption_keys(now):
        words.append("decrypts")
    else:
        words.append(f"retired {key.retire_after:%Y-%m-%d}")
    if _signs(config, certificate, now):
        words.append("signs")
    elif key.sign_from is not None and now < key.sign_from:
        words.append(f"signs from {key.sign_from:%Y-%m-%d}")
    return _made("", name, key.cert, certificate, ", ".join(words))


def _signs(config: Config, certificate: as2.Certificate, now: datetime) -> bool:
    try:
        identity = channels.signing_identity(config, now)
    except Failure:
        return False
    return identity is not None and identity.certificate == certificate


def _theirs(config: Config, owner: str, relation: As2, cert: Cert, now: datetime) -> Listed:
    try:
        certificate = channels.certificate_of(cert)
    except Failure as failure:
        return _unreadable(owner, cert.file.name, cert.file, failure)
    words = []
    if not certificate.valid_from <= now <= certificate.valid_until:
        words.append(
            "verifies with a warning" if relation.unauthenticated == "warn" else "nothing: not valid"
        )
    elif cert in relation.verifying_certs(now):
        words.append("verifies")
    elif cert.use != "encrypt" and cert.verify_from is not None and now < cert.verify_from:
        words.append(f"verifies from {cert.verify_from:%Y-%m-%d}")
    if cert in relation.encrypting_certs(now) and _is_encrypted_to(config, relation, certificate, now):
        words.append("encrypts")
    elif cert.use != "verify" and cert.encrypt_from is not None and now < cert.encrypt_from:
        words.append(f"encrypts from {cert.encrypt_from:%Y-%m-%d}")
    if cert.verify_until is not None:
        words.append(f"{'until' if now < cert.verify_until else 'not since'} {cert.verify_until:%Y-%m-%d}")
    return _made(owner, cert.file.name, cert.file, certificate, ", ".join(words) or "stands by")


def _is_encrypted_to(config: Config, relation: As2, certificate: as2.Certificate, now: datetime) -> bool:
    try:
        encryption = channels.encryption(config, relation, now)
    except (Failure, ValueError):
        return False
    return encryption is not None and certificate == encryption.certificates[0]


def _of_tls(owner: str, relation: As2) -> Iterator[Listed]:
    """The certificates of the connection itself; a file may hold several."""
    for file, words in (
        (relation.http.cert, "shown to their server"),
        (relation.http.ca, "trusts their server"),
    ):
        if file is None:
            continue
        try:
            found = read_certificates(file)
        except Failure as failure:
            yield _unreadable(owner, file.name, file, failure, kind="tls")
            continue
        for one in found:
            begins, ends = one.not_valid_before_utc, one.not_valid_after_utc
            yield Listed(owner, file.name, "tls", file, _plain(fingerprint(one)), begins, ends, words)


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").lower()


def _made(owner: str, name: str, file: Path, certificate: as2.Certificate, use: str) -> Listed:
    begins, ends = certificate.valid_from, certificate.valid_until
    return Listed(owner, name, "as2", file, certificate.fingerprint, begins, ends, use)


def _unreadable(
    owner: str, name: str, file: Path, error: Exception, *, kind: Literal["as2", "tls"] = "as2"
) -> Listed:
    told = error.what if isinstance(error, Failure) else str(error)
    return Listed(owner, name, kind, file, None, None, None, "", told)


# Which end soon.


def watch_daily(home: Home, conn: Connection) -> None:
    """Have `watch` run now and then each day, as a job."""
    home.engine.set_schedule(
        conn,
        "certificates",
        every_s=WATCH_EVERY_S,
        lane="certificates:watch",
        kind="certificates",
        payload={},
    )


def watch(home: Home, job: Job) -> Done:
    """Tell of each certificate that has come nearer to its end than was told before."""
    now = home.now()
    found = list(listed(home.config, now))
    return Done(lambda conn: _tell(home, conn, found, now))


def _tell(home: Home, conn: Connection, found: list[Listed], now: datetime) -> None:
    query = select(certificate_warning.c.owner, certificate_warning.c.fingerprint, certificate_warning.c.days)
    told = {(owner, fingerprint): days for owner, fingerprint, days in conn.execute(query)}
    for one in found:
        near = nearness(one, now)
        if one.fingerprint is None or near is None or told.get((one.owner, one.fingerprint), 9999) <= near:
            continue
        told[one.owner, one.fingerprint] = near
        mine = (
            certificate_warning.c.owner == one.owner,
            certificate_warning.c.fingerprint == one.fingerprint,
        )
        conn.execute(delete(certificate_warning).where(*mine))
        values = {"owner": one.owner, "fingerprint": one.fingerprint, "days": near, "at": now}
        conn.execute(insert(certificate_warning), values)
        text = ending(one, now)
        log.warning("%s", text)
        home.note(conn, "expiring", text, partner=one.owner or None)


def nearness(one: Listed, now: datetime) -> int | None:
    """The smallest of WARN_DAYS within which it ends; None where its end is farther away, or unknown."""
    if one.not_after is None:
        return None
    return min((days for days in WARN_DAYS if one.not_after - now <= timedelta(days=days)), default=None)


def ending(one: Listed, now: datetime) -> str:
    """When a certificate ends, in a sentence."""
    whose = f"certificate {one.name} of {one.owner}" if one.owner else f"the certificate of our {one.name}"
    if one.not_after is None:
        return f"{whose} cannot be read: {one.problem}"
    if one.not_after <= now:
        return f"{whose} expired on {one.not_after:%Y-%m-%d}"
    days = one.days_left(now)
    left = {0: "today", 1: "in a day"}.get(days or 0, f"in {days} days")
    return f"{whose} expires {left}, on {one.not_after:%Y-%m-%d}"


def short(fingerprint: str) -> str:
    """The beginning of a fingerprint, by which a person tells a few certificates apart."""
    return ":".join(fingerprint[at : at + 2] for at in range(0, 8, 2)).upper()


def long(fingerprint: str) -> str:
    """The whole of it, as openssl prints it."""
    return ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2)).upper()
