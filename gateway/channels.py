"""How bytes travel to partners: AS2 over HTTP, and the keys and certificates that go with it.

Nothing here keeps state. Only configured URLs are contacted, by the options of the partner's `as2.http`.
"""

from __future__ import annotations

import importlib.metadata
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import msgspec

from gateway import as2, http
from gateway.config import As2, Cert, Config, SftpPoll
from gateway.config import Key as OurKey
from gateway.errors import Code, Failure
from gateway.http import Answer, Headers, Unreachable
from sftp.client import HostKeyChanged, SftpError, connect, join
from sftp.keys import BadKey, load_private_key


def post(relation: As2, headers: Headers, body: BinaryIO, *, to: str | None = None) -> Answer:
    """POST a file to a partner's URL, or a receipt `to` one that is allowed. Raises Unreachable, Failure."""
    url, options = to or relation.url, relation.http
    assert url is not None
    if to is not None:  # a receipt, which is small: everyone takes it with its length
        options = msgspec.structs.replace(options, transfer="length")
    return http.exchange("POST", url, headers, options, body=body)


def head(relation: As2, headers: Headers) -> Answer:
    """HEAD on a partner's URL (AS2 Restart, draft-harding-as2-restart). Raises Unreachable, Failure."""
    assert relation.url is not None
    return http.exchange("HEAD", relation.url, headers, relation.http)


def receipt_url_allowed(relation: As2, url: str) -> bool:
    """Whether an asynchronous receipt may go there: to an origin configured for the partner, and no other.

    Scheme, host and port are compared as they are written; no name is looked up.
    """
    allowed = {http.origin(one) for one in (relation.url, *relation.receipt_urls) if one is not None}
    try:
        return http.origin(url) in allowed
    except ValueError:
        return False


def identities(config: Config, now: datetime) -> tuple[as2.Identity, ...]:
    """Every key of ours that decrypts at `now`. Raises Failure."""
    return tuple(map(identity_of, config.us.decryption_keys(now)))


def signing_identity(config: Config, now: datetime) -> as2.Identity | None:
    """The one key of ours that signs at `now`: the last begun whose certificate is valid.

    Where none is valid, the last begun: a receipt is signed all the same (RFC 4130 7.2). Raises Failure.
    """
    begun = list(map(identity_of, config.us.signing_keys(now)))
    valid = (identity for identity in begun if identity.certificate.valid_at(now))
    return next(valid, begun[0] if begun else None)


def certificates(relation: As2, now: datetime) -> tuple[as2.Certificate, ...]:
    """Every certificate of theirs that verifies at `now`. Raises Failure."""
    return tuple(certificate_of(cert) for cert in relation.verifying_certs(now))


def policy(config: Config, relation: As2, now: datetime) -> as2.Policy:
    """What is agreed is the least that is accepted."""
    legacy = {"sha1"} if relation.sign == "sha1" else set()
    return as2.Policy(
        keys=identities(config, now),
        trust=as2.Trust(
            certificates(relation, now),
            as2.Trust().digests | legacy,
            outdated=relation.unauthenticated == "warn",
        ),
        require_signed=relation.sign != "none",
        require_encrypted=relation.encrypt != "none",
        ciphers=as2.Policy.ciphers | ({"3des"} if relation.encrypt == "3des" else set()),
    )


def signing(
    config: Config, relation: As2, now: datetime, *, fingerprint: str | None = None
) -> as2.Signing | None:
    """How we sign for a partner: with the key that signs now, or the one of this certificate.

    Raises Failure when signing is agreed and there is no such key, or its certificate is not valid now.
    """
    if relation.sign == "none":
        return None
    if fingerprint is None:
        identity = signing_identity(config, now)
    else:
        found = (one for one in identities(config, now) if one.certificate.fingerprint == fingerprint)
        identity = next(found, None)
    if identity is None:
        raise Failure(Code.BAD_KEY, "no key of ours signs at this time", next="tradelane doctor")
    if not identity.certificate.valid_at(now):
        told = f"the certificate of our signing key is not valid now: it ends {_day(identity.certificate)}"
        raise Failure(Code.BAD_KEY, told, next="tradelane partner certs")
    return _signing(identity, relation, relation.sign)


def receipt_signing(config: Config, relation: As2, now: datetime) -> as2.Signing | None:
    """How we sign a receipt for a partner, where its request names no digest. Raises Failure."""
    identity = signing_identity(config, now)
    return None if identity is None else _signing(identity, relation, "sha256")


def _signing(identity: as2.Identity, relation: As2, digest: str) -> as2.Signing:
    return as2.Signing(
        identity,
        digest,
        pss=relation.signature == "pss",
        legacy=relation.legacy,
        spelling=relation.micalg,
    )


def features(relation: As2) -> tuple[str, ...]:
    """The EDIINT-Features (RFC 6017) that are real with a partner.

    AS2-Reliability is real wherever a resend keeps its Message-ID. It is told where something else beyond
    RFC 4130 was agreed: whoever agreed to nothing new is told nothing new.
    """
    agreed = relation.attachments or relation.cem or relation.restart or relation.profile == "1.3"
    return (
        *(["multiple-attachments"] if relation.attachments else []),
        *(["CEM"] if relation.cem else []),
        *(["AS2-Reliability"] if agreed and relation.resend_id == "same" else []),
    )


def profile(relation: As2) -> as2.Profile:
    """What our messages and receipts to a partner say of us."""
    if relation.profile == "1.3":
        return as2.Profile("1.3", _product(), features(relation))
    return as2.Profile(features=features(relation))


@lru_cache(maxsize=1)
def _product() -> str:
    return f"tradelane:{importlib.metadata.version('tradelane')}"


def encryption(
    config: Config, relation: As2, now: datetime, *, fingerprint: str | None = None
) -> as2.Encryption | None:
    """How we encrypt to a partner: to the one certificate whose turn it is, or to this one of theirs.

    It comes first; ours comes after it where that was asked for. Raises Failure when encryption is agreed and
    none of theirs is usable and valid now.
    """
    if relation.encrypt == "none":
        return None
    listed = relation.encrypting_certs(now) if fingerprint is None else relation.certs
    found = [certificate_of(cert) for cert in listed]
    if fingerprint is not None:
        found = [certificate for certificate in found if certificate.fingerprint == fingerprint]
    valid = next((certificate for certificate in found if certificate.valid_at(now)), None)
    if valid is None:
        ended = f": the last one ends {_day(found[0])}" if found else ""
        raise Failure(
            Code.BAD_CERTIFICATE,
            f"no certificate of {relation.id} encrypts at this time{ended}",
            next="tradelane partner certs",
        )
    recipients = [valid]
    ours = signing_identity(config, now) if relation.encrypt_to_self else None
    if ours is not None:
        recipients.append(ours.certificate)
    return as2.Encryption(
        tuple(recipients),
        relation.encrypt,
        oaep=relation.key_transport == "oaep",
        legacy=relation.legacy,
    )


def _day(certificate: as2.Certificate) -> str:
    return f"{certificate.valid_until:%Y-%m-%d}"


def identity_of(key: OurKey) -> as2.Identity:
    """One of our key pairs, read anew only when its file has changed. Raises Failure."""
    return _identity(key, _mtime(key.cert))


def certificate_of(cert: Cert) -> as2.Certificate:
    """A certificate of theirs, read anew only when its file has changed. Raises Failure."""
    return _certificate(cert.file, _mtime(cert.file))


def _mtime(path: Path) -> int:
    """Makes a replaced file a new cache entry; a missing one is told by whoever reads it."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _identity(key: OurKey, changed: int) -> as2.Identity:
    try:
        return as2.load_identity(key.key.read(), key.cert.read_bytes())
    except (OSError, as2.KeyFileError) as error:
        raise Failure(Code.BAD_KEY, f"key {key.id!r} of ours: {error}", next="tradelane doctor") from error


@lru_cache(maxsize=1024)
def _certificate(file: Path, changed: int) -> as2.Certificate:
    try:
        return as2.load_certificate(file.read_bytes())
    except (OSError, as2.KeyFileError) as error:
        raise Failure(Code.BAD_CERTIFICATE, str(error), where=str(file), next="tradelane doctor") from error


def put_by_sftp(poll: SftpPoll, source: BinaryIO, name: str) -> None:
    """Put a file on a partner's server, under a temporary name first.

    Raises Unreachable for what may pass, HostKeyChanged and Failure for what a person must look at.
    """
    assert poll.put is not None
    if poll.user is None or poll.key is None or poll.key.kind != "file":
        raise Failure(Code.BAD_KEY, "sftp_poll needs a user and a key file", next="tradelane doctor")
    try:
        key = load_private_key(Path(poll.key.name))
        with connect(poll.host, poll.port, poll.user, key=key, host_keys=poll.host_keys) as server:
            server.put(source, join(poll.put.dir, name))
    except BadKey as error:
        raise Failure(Code.BAD_KEY, str(error), next="tradelane doctor") from error
    except SftpError as error:
        if isinstance(error, HostKeyChanged) or not error.temporary:
            raise
        raise Unreachable(f"{poll.host}: {error}") from error
