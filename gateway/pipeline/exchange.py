"""Certificates that partners ask us to trust over AS2, and that we ask them to (see `gateway.as2.cem`).

What a partner asks, in a message it signed, is stored and waits for an operator. A certificate is used for
nothing before the operator has said yes; then it stands in partners.toml like any other, and the partner is
told only once the running server has taken it up, because it may sign with it the moment it knows.

Ours goes the same way: the certificate of our next key is sent, and the answer recorded. Which key signs from
when is said by partners.toml alone.

Answers go to the partner's configured URL. The ResponseURL of a request is shown, and never contacted.
"""

from __future__ import annotations

import dataclasses
import logging
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from gateway import as2, certificates, channels
from gateway import config as configuration
from gateway.as2 import mime
from gateway.as2.errors import As2Error
from gateway.config import Config, Partner
from gateway.config import Key as OurKey
from gateway.config.toml import replace
from gateway.engine import Dead, Done, Job, Retry
from gateway.errors import Code, DeadReason, Failure
from gateway.home import Home
from gateway.pipeline import outbound
from gateway.store.tables import certificate_exchange, new_id, transmission

if TYPE_CHECKING:
    from gateway.as2 import cem

log = logging.getLogger(__name__)

RESPOND_WITHIN = timedelta(days=14)
MAX_WAITING = 20  # certificates of one partner that nobody has decided about
SIGNATURE, ENCRYPTION = "digitalSignature", "keyEncipherment"
REQUEST, RESPONSE = "certificate-request", "certificate-response"  # as what we send is called in lists


def is_exchange(content_type: str | None) -> bool:
    """Whether a payload of this MIME type is an exchange of certificates."""
    try:
        found = mime.structured(content_type or "")
    except As2Error:
        return False
    related = found.value == "multipart/related"
    named = found.parameters.get("type", "").lower() if related else found.value
    return named == mime.CERTIFICATE_EXCHANGE


# What partners send.


def read(home: Home, row: Row[Any], partner: Partner) -> Done:
    """Take a stored exchange in. Raises Dead for one that is not signed, not theirs, or cannot be read."""
    from gateway.as2 import cem

    used = row.protection or {}
    if not used.get("signed_with") or used.get("outdated"):
        how = "signed with a certificate that has ended" if used.get("signed_with") else "not signed"
        raise Dead(DeadReason.AUTH_FAILED, f"an exchange of certificates that is {how}")
    try:
        found = cem.read(_parts(home, row))
    except cem.CemError as error:
        reason = DeadReason.XML_FORBIDDEN if error.forbidden else DeadReason.ENVELOPE_BROKEN
        raise Dead(reason, f"an exchange of certificates that cannot be used: {error}") from error
    relation = partner.as2
    if relation is not None and found.sender not in {"", relation.id}:
        told = f"an exchange of certificates in the name of {found.sender[:200]!r}"
        raise Dead(DeadReason.SENDER_MISMATCH, told)
    with home.store.read() as conn:
        waiting = len(conn.execute(_waiting(partner)).all())
    if isinstance(found, cem.Request) and waiting >= MAX_WAITING:
        raise Dead(DeadReason.LIMIT_EXCEEDED, f"{waiting} certificates of {partner.name} wait for an answer")

    def commit(conn: Connection) -> None:
        if isinstance(found, cem.Request):
            _requested(home, conn, row, partner, found)
        else:
            _answered(home, conn, row, partner, found)
        conn.execute(
            update(transmission)
            .where(transmission.c.id == row.id)
            .values(status="done", reason=None, error=None, done_at=home.now())
        )

    return Done(commit)


def _parts(home: Home, row: Row[Any]) -> list[cem.Part]:
    """The parts of what came: the payload, which is its root, and what stood beside it. Raises CemError."""
    from gateway.as2 import cem

    beside = outbound.attachments(home, row)
    if row.size + sum(one.size for one in beside) > cem.MAX_BODY:
        raise cem.CemError(f"more than {cem.MAX_BODY} bytes")
    with home.store.fetch(row.sha256, verify=True) as stream:
        found = cem.parts(row.content_type, stream.read())
    for one in beside:
        with home.store.fetch(one.sha256, verify=True) as stream:
            found.append(cem.Part(one.content_type, one.content_id, stream.read()))
    return found


def _requested(home: Home, conn: Connection, row: Row[Any], partner: Partner, found: cem.Request) -> None:
    for trust in _merged(found.trusts):
        certificate = trust.certificate
        known = _rows("in", partner.name).where(
            certificate_exchange.c.request_id == found.request_id,
            certificate_exchange.c.fingerprint == certificate.fingerprint,
        )
        if conn.execute(known).first() is not None:  # the request came again
            continue
        conn.execute(
            insert(certificate_exchange),
            _values(home, "in", partner, found.request_id, trust) | {"transmission": row.id},
        )
        uses = " and ".join(trust.usages)
        text = (
            f"{partner.name} asks us to trust certificate {certificates.short(certificate.fingerprint)} "
            f"for {uses}: tradelane partner cem accept {partner.name}"
        )
        log.warning("%s", text)
        home.note(conn, "cem", text, partner=partner.name, transmission=row.id)


def _merged(trusts: Sequence[cem.Trust]) -> Iterable[cem.Trust]:
    """One for each certificate, with all that it is asked to be trusted for."""
    found: dict[str, cem.Trust] = {}
    for trust in trusts:
        fingerprint = trust.certificate.fingerprint
        usages = (*found[fingerprint].usages, *trust.usages) if fingerprint in found else trust.usages
        found[fingerprint] = dataclasses.replace(trust, usages=tuple(dict.fromkeys(usages)))
    return found.values()


def _answered(home: Home, conn: Connection, row: Row[Any], partner: Partner, found: cem.Response) -> None:
    for verdict in found.verdicts:
        asked = conn.execute(
            _rows("out", partner.name).where(
                certificate_exchange.c.request_id == found.request_id,
                certificate_exchange.c.serial == str(verdict.serial),
            )
        ).first()
        if asked is None:
            what = "answers about a certificate that we never asked about"
            text = f"{partner.name} {what}: {found.request_id[:100]}"
            home.note(conn, "unmatched", text, partner=partner.name, transmission=row.id)
            continue
        status = verdict.status.lower()
        conn.execute(
            update(certificate_exchange)
            .where(certificate_exchange.c.id == asked.id)
            .values(status=status, reason=verdict.reason, decided_at=home.now())
        )
        text = f"{partner.name} says of our certificate {certificates.short(asked.fingerprint)}: {status}"
        text += f": {verdict.reason}" if verdict.reason else ""
        home.note(conn, "cem", text, partner=partner.name, transmission=row.id)


def _values(
    home: Home, direction: str, partner: Partner, request_id: str, trust: cem.Trust
) -> dict[str, Any]:
    now = home.now()
    return {
        "id": new_id(now),
        "direction": direction,
        "partner": partner.name,
        "request_id": request_id,
        "status": "waiting",
        "usages": list(trust.usages),
        "respond_by": trust.respond_by,
        "response_url": trust.response_url,
        "issuer": trust.issuer,
        "serial": str(trust.serial),
        "fingerprint": trust.certificate.fingerprint,
        "certificate": trust.certificate.der,
        "created_at": now,
    }


def _rows(direction: str, partner: str) -> Select[Any]:
    return select(certificate_exchange).where(
        certificate_exchange.c.direction == direction, certificate_exchange.c.partner == partner
    )


def _waiting(partner: Partner) -> Select[Any]:
    """What a partner asks and nobody has decided, the oldest first."""
    query = _rows("in", partner.name).where(certificate_exchange.c.status == "waiting")
    return query.order_by(certificate_exchange.c.id)


def exchanges(conn: Connection, partner: str | None = None) -> list[Row[Any]]:
    """Every exchange, of one partner or of all, the latest first."""
    query = select(certificate_exchange).order_by(certificate_exchange.c.id.desc())
    if partner is not None:
        query = query.where(certificate_exchange.c.partner == partner)
    return list(conn.execute(query).all())


# What an operator decides.


def waiting(home: Home, partner: Partner, identity: str | None = None) -> list[Row[Any]]:
    """What a partner asks and nobody has decided: of one request, or one certificate by id or fingerprint.

    Raises Failure where nothing waits, and where more than one request does and none is named.
    """
    with home.store.read() as conn:
        found = list(conn.execute(_waiting(partner)).all())
    if identity is not None:
        plain = identity.replace(":", "").lower()
        found = [one for one in found if one.id == identity or one.fingerprint.startswith(plain)]
    if not found:
        what = f"no certificate {identity} of {partner.name}" if identity else f"nothing from {partner.name}"
        raise Failure(
            Code.DOCUMENT_UNKNOWN,
            f"{what} waits for an answer",
            next=f"tradelane partner cem list {partner.name}",
        )
    if len({one.request_id for one in found}) > 1:
        raise Failure(
            Code.USAGE,
            f"{len(found)} certificates of {partner.name} wait: say which",
            next=f"tradelane partner cem accept {partner.name} {found[0].id}",
        )
    return found


def unfit(row: Row[Any], now: datetime) -> str | None:
    """Why a certificate that was asked about can be used for nothing, if it cannot."""
    certificate = as2.load_certificate(row.certificate)
    if not certificate.strong:
        return "its key is too short: RSA of 2048 bits is the least"
    if certificate.signed_with not in as2.Trust().digests:
        return f"it is itself signed with {certificate.signed_with or 'an unknown digest'}"
    if certificate.valid_until <= now:
        return f"it expired on {certificate.valid_until:%Y-%m-%d}"
    if ENCRYPTION in row.usages and not certificate.encrypts:
        return "it is to be encrypted to, which takes an RSA key"
    return None


def accept(
    home: Home,
    partner: Partner,
    rows: Sequence[Row[Any]],
    *,
    encrypt_from: datetime | None = None,
    dry_run: bool = False,
) -> str:
    """Trust certificates as they were asked for, from now on; the change to partners.toml.

    Messages are encrypted to one from `encrypt_from`, at once where it is None. The old certificate stays.
    Done again after a crash it comes to the same. Raises Failure, with nothing changed, except where another
    operator has decided meanwhile: then partners.toml names the certificate already, and the error says so.
    """
    if partner.as2 is None:
        what = f"{partner.name} has no AS2 agreement in partners.toml now"
        raise Failure(Code.NO_CHANNEL, what, next=f"tradelane partner show {partner.name}")
    for row in rows:
        if (why := unfit(row, home.now())) is not None:
            told = f"certificate {certificates.short(row.fingerprint)} cannot be accepted: {why}"
            raise Failure(
                Code.BAD_CERTIFICATE, told, next=f"tradelane partner cem reject {partner.name} {row.id}"
            )
    diff = "".join(_list(home, partner, row, encrypt_from or home.now(), dry_run=dry_run) for row in rows)
    if not dry_run:
        _decide(home, partner, rows, "accepted", None)
    return diff


def reject(home: Home, partner: Partner, rows: Sequence[Row[Any]], reason: str) -> None:
    """Refuse certificates, and tell the partner why."""
    _decide(home, partner, rows, "rejected", reason)


def _list(home: Home, partner: Partner, row: Row[Any], encrypt_from: datetime, *, dry_run: bool) -> str:
    """Put a certificate where partners.toml names it, and name it there."""
    root = home.config.home
    pem = ssl.DER_cert_to_PEM_cert(row.certificate)
    file = root / "certs" / f"{partner.name}-{row.fingerprint[:8]}.crt"
    if file.exists() and file.read_text() != pem:
        file = file.with_stem(f"{partner.name}-{row.fingerprint}")
    if not dry_run:
        file.parent.mkdir(exist_ok=True)
        replace(file, pem)
    lacking = _lacking(configuration.load(root), partner.name, row, home.now())
    if not lacking:
        return ""
    values = _windows(file.relative_to(root), lacking, encrypt_from)
    return configuration.add_cert(root, partner.name, values, dry_run=dry_run)


def _windows(file: Path, usages: set[str], encrypt_from: datetime) -> dict[str, Any]:
    """The certificate's table, for signatures, encryption or both."""
    values: dict[str, Any] = {"file": str(file)}
    if ENCRYPTION not in usages:
        return values | {"use": "verify"}
    if SIGNATURE not in usages:
        values["use"] = "encrypt"
    return values | {"encrypt_from": encrypt_from.astimezone(UTC).replace(microsecond=0)}


def _lacking(config: Config, partner: str, row: Row[Any], now: datetime) -> set[str]:
    """What of the uses asked for partners.toml does not name this certificate for; TLS is not its matter."""
    lacking = {SIGNATURE, ENCRYPTION}.intersection(row.usages)
    relation = config.partners[partner].as2 if partner in config.partners else None
    for cert in relation.certs if relation is not None else ():
        ended = cert.verify_until is not None and cert.verify_until <= now
        with suppress(Failure):
            if not ended and channels.certificate_of(cert).fingerprint == row.fingerprint:
                lacking -= {"verify": {SIGNATURE}, "encrypt": {ENCRYPTION}}.get(cert.use, lacking)
    return lacking


def _decide(home: Home, partner: Partner, rows: Sequence[Row[Any]], status: str, reason: str | None) -> None:
    ids = [row.id for row in rows]

    def record(conn: Connection) -> None:
        still = (certificate_exchange.c.id.in_(ids), certificate_exchange.c.status == "waiting")
        decided = conn.execute(
            update(certificate_exchange)
            .where(*still)
            .values(status=status, reason=reason, decided_at=home.now())
        )
        if decided.rowcount != len(ids):
            raise Failure(
                Code.DOCUMENT_UNKNOWN,
                "another operator has decided meanwhile",
                next=f"tradelane partner cem list {partner.name}, and look into partners.toml",
            )
        home.engine.enqueue(
            conn,
            lane=f"{partner.name}:out",
            kind="certificate-answer",
            payload={"partner": partner.name, "exchanges": ids},
            uniq=f"certificate-answer:{ids[0]}",
        )
        for row in rows:
            text = f"an operator {status} certificate {certificates.short(row.fingerprint)} of {partner.name}"
            home.note(conn, "cem", text + (f": {reason}" if reason else ""), partner=partner.name)

    home.store.write(record)


def answer(home: Home, job: Job) -> Done:
    """Tell a partner what was decided, once this process would take what it may send from then on."""
    from gateway.as2 import cem

    home.reload()
    with home.store.read() as conn:
        rows = conn.execute(
            select(certificate_exchange)
            .where(certificate_exchange.c.id.in_(job.payload["exchanges"]))
            .order_by(certificate_exchange.c.id)
        ).all()
    partner = home.config.partners.get(job.payload["partner"])
    if partner is None or partner.channel != "as2":
        raise Dead(DeadReason.DELIVERY_EXHAUSTED, f"no AS2 URL of {job.payload['partner']} is configured")
    for row in rows:
        if row.status == "accepted" and _lacking(home.config, partner.name, row, home.now()):
            raise Retry("partners.toml, as the server has it, does not name the certificate", after_s=2.0)
    response = cem.Response(
        rows[0].request_id,
        home.config.us.as2_id or "",
        tuple(
            cem.Verdict(
                cem.ACCEPTED if row.status == "accepted" else cem.REJECTED,
                row.issuer,
                int(row.serial),
                row.reason,
            )
            for row in rows
        ),
    )
    payload = cem.build_response(response, home.now())

    def commit(conn: Connection) -> None:
        _queue(home, conn, partner, payload, RESPONSE)

    return Done(commit)


def answer_failed(home: Home, conn: Connection, job: Job, reason: str, message: str) -> None:
    """A partner that could not be told what was decided; it may ask again."""
    text = f"{job.payload['partner']} was not told what became of its certificate: {reason}: {message}"
    home.note(conn, "failed", text, partner=job.payload["partner"])


def _queue(home: Home, conn: Connection, partner: Partner, payload: cem.Payload, name: str) -> str:
    """Have an exchange sent. Each has a file name of its own: some partners refuse one that came before."""
    blob = home.store.keep(conn, payload.body)
    return outbound.queue_file(
        home,
        conn,
        partner,
        blob,
        filename=f"{name}-{new_id(home.now())}",
        content_type=payload.content_type,
    )


# What we ask partners.


def next_key(config: Config, now: datetime, identity: str | None = None) -> OurKey:
    """Our key of this id; without one, that which signs next. Raises Failure."""
    if identity is not None:
        found = next((key for key in config.us.keys if key.id == identity), None)
        if found is None:
            known = ", ".join(key.id for key in config.us.keys)
            raise Failure(Code.BAD_KEY, f"no key of ours is named {identity!r}; there are {known}")
        return found
    coming = [key for key in config.us.keys if key.sign_from is not None and now < key.sign_from]
    if not coming:
        raise Failure(
            Code.BAD_KEY,
            "no key of ours is to sign later",
            why="A new key is listed in [us] beside the old one, with its day as sign_from.",
            next="tradelane init, once it is listed, makes its files",
        )
    return min(coming, key=lambda key: key.sign_from or now)


def request(home: Home, partner: Partner, key: OurKey, respond_by: datetime | None = None) -> str:
    """Send a partner the certificate of a key of ours and ask to trust it; the exchange's id.

    It is to be trusted for signatures and encryption. `respond_by` is until when we want to know: until the
    key signs, or in two weeks. Raises Failure.
    """
    from gateway.as2 import cem

    now = home.now()
    if partner.channel != "as2" or partner.status == "draft":
        what = "is a draft" if partner.status == "draft" else "has no AS2 URL in partners.toml"
        raise Failure(
            Code.NO_CHANNEL, f"{partner.name} {what}", next=f"tradelane partner show {partner.name}"
        )
    if home.as2_url is None:
        raise Failure(
            Code.CONFIG_INVALID,
            "the request names our own AS2 URL, which is not known here",
            where=str(home.config.home / configuration.FILE),
            next="write public_url in [server]",
        )
    certificate = channels.identity_of(key).certificate
    by = respond_by or (key.sign_from if key.sign_from and now < key.sign_from else now + RESPOND_WITHIN)
    try:
        trust = cem.trust(certificate, (SIGNATURE, ENCRYPTION), respond_by=by, response_url=home.as2_url)
    except as2.KeyFileError as error:
        raise Failure(Code.BAD_CERTIFICATE, str(error), where=str(key.cert)) from error
    request_id = outbound.message_id(home, new_id(now)).strip("<>")
    payload = cem.build_request(cem.Request(request_id, home.config.us.as2_id or "", (trust,)), now)
    values = _values(home, "out", partner, request_id, trust)

    def record(conn: Connection) -> None:
        identity = _queue(home, conn, partner, payload, REQUEST)
        conn.execute(insert(certificate_exchange), values | {"transmission": identity})
        text = (
            f"{partner.name} is asked to trust our certificate {certificates.short(certificate.fingerprint)}"
        )
        home.note(conn, "cem", text, partner=partner.name, transmission=identity)

    home.store.write(record)
    return str(values["id"])


def asked_already(home: Home, partner: Partner, key: OurKey) -> Row[Any] | None:
    """The request about this key that the partner has accepted, or has not answered."""
    fingerprint = channels.identity_of(key).certificate.fingerprint
    with home.store.read() as conn:
        return conn.execute(
            _rows("out", partner.name).where(
                certificate_exchange.c.fingerprint == fingerprint,
                certificate_exchange.c.status != "rejected",
            )
        ).first()
