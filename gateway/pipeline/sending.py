"""Sending a stored transmission until there is proof that it arrived.

AS2: the wire form is built and stored once, so that every attempt carries the same bytes, Message-ID and
Date. What decides is the receipt, never the HTTP status. A folder: the file appears once (`gateway.folders`).

Retry is for no answer or 408, 425, 429, 5xx; a resend, for a receipt that did not come in time, carries the
same bytes; other refusals and negative receipts are final until an operator replays them.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from sqlalchemy import Connection, Row, select, update

from gateway import as2, channels, orders
from gateway.as2.signed import micalg
from gateway.config import As2, Partner
from gateway.engine import Dead, Done, Job, Retry
from gateway.errors import DeadReason, Failure
from gateway.failpoints import failpoint
from gateway.folders import place_once
from gateway.home import Home
from gateway.http import Answer, Unreachable, refusal
from gateway.store import after_commit
from gateway.store.tables import document, transmission
from sftp.client import HostKeyChanged, SftpError

Commit = Callable[[Connection], None]  # what a send that was made has to record


def send(home: Home, job: Job) -> Done:
    """Send one transmission by the channel of its partner."""
    with home.store.read() as conn:
        row = conn.execute(select(transmission).where(transmission.c.id == job.payload["transmission"])).one()
        addressed = addressee(conn, row)
    if row.status != "queued":  # a receipt that came by itself has decided it
        return Done()
    partner = home.config.partners.get(row.partner)
    if partner is None:
        raise Dead(DeadReason.UNKNOWN_PARTNER, f"no partner is named {row.partner!r} in partners.toml now")
    for one in (partner, home.config.partners.get(addressed)):
        if one is not None and one.status == "paused":
            raise Retry(f"{one.name} is paused", after_s=60.0, free=True)
    match partner.channel:
        case "as2":
            commit = _by_as2(home, job, row, partner)
        case "sftp_account":
            commit = _into_outbox(home, job, row, partner)
        case "sftp_poll":
            commit = _onto_their_server(home, row, partner)
        case _:
            raise Dead(
                DeadReason.DELIVERY_EXHAUSTED, f"{partner.name} has no channel by which documents leave"
            )

    def record(conn: Connection) -> None:
        commit(conn)
        after_commit(conn, lambda: failpoint("send:recorded"))

    return Done(record)


def addressee(conn: Connection, row: Row[Any]) -> str:
    """Whom a transmission is for: where a hub carries it, not the hub, which `partner` names."""
    name: str | None = conn.execute(
        select(document.c.partner).where(document.c.transmission == row.id).limit(1)
    ).scalar()
    return name or str(row.partner)


def failed(home: Home, conn: Connection, job: Job, reason: str, message: str) -> None:
    """What could not be sent is a dead letter; its bytes are kept and can be replayed."""
    identity = job.payload["transmission"]
    row = conn.execute(select(transmission).where(transmission.c.id == identity)).one()
    if row.status != "queued":  # its receipt came all the same, and says more than the answer to the request
        return
    conn.execute(
        update(transmission)
        .where(transmission.c.id == identity)
        .values(status="failed", reason=reason, error=message, done_at=home.now())
    )
    _note(home, conn, row, "failed", f"{row.filename} to {row.partner}: {reason}: {message}")


def _note(home: Home, conn: Connection, row: Row[Any], name: str, text: str) -> None:
    home.note(
        conn,
        name,
        text,
        partner=row.partner,
        correlation=row.correlation,
        document=conn.execute(
            select(document.c.id).where(document.c.transmission == row.id).limit(1)
        ).scalar(),
        transmission=row.id,
    )


# Into a folder of our own SFTP server, from which the partner fetches.


def _into_outbox(home: Home, job: Job, row: Row[Any], partner: Partner) -> Commit:
    account = partner.sftp_account
    assert account is not None

    def record_staged(mark: str, name: str) -> None:
        home.engine.checkpoint(
            job,
            lambda conn: conn.execute(
                update(transmission).where(transmission.c.id == row.id).values(step=mark, filename=name)
            ),
        )

    try:
        with home.store.fetch(row.sha256, verify=True) as source:
            name = place_once(
                home.outbox(account.user),
                row.filename or f"{row.id}.x12",
                source,
                key=row.id,
                staged=row.step,
                record_staged=record_staged,
                point="outbox",
            )
    except OSError as error:
        raise Retry(f"the outbox of {partner.name} cannot take it: {error.strerror}") from error

    def commit(conn: Connection) -> None:
        conn.execute(
            update(transmission)
            .where(transmission.c.id == row.id)
            .values(status="delivered", step=None, filename=name, done_at=home.now(), error=None)
        )
        _note(home, conn, row, "placed", f"{name} in the outbox of {partner.name}")
        orders.close_carried(home, conn, row.id)

    return commit


def _onto_their_server(home: Home, row: Row[Any], partner: Partner) -> Commit:
    poll = partner.sftp_poll
    assert poll is not None
    name = row.filename or f"{row.id}.x12"
    try:
        with home.store.fetch(row.sha256, verify=True) as source:
            channels.put_by_sftp(poll, source, name)
    except Unreachable as error:
        raise Retry(str(error)) from error
    except HostKeyChanged as error:
        raise Dead(DeadReason.HOST_KEY_CHANGED, str(error)) from error
    except (SftpError, Failure) as error:
        raise Dead(DeadReason.PEER_REJECTED, str(error)) from error

    def commit(conn: Connection) -> None:
        conn.execute(
            update(transmission)
            .where(transmission.c.id == row.id)
            .values(status="delivered", done_at=home.now(), error=None)
        )
        _note(home, conn, row, "placed", f"{name} on the server of {partner.name}")
        orders.close_carried(home, conn, row.id)

    return commit


# By AS2.


def _by_as2(home: Home, job: Job, row: Row[Any], partner: Partner) -> Commit:
    relation = partner.as2
    assert relation is not None
    assert relation.url is not None
    if row.wire_sha256 is None:
        row = _build(home, job, row, relation)
    failpoint("send:built")
    try:
        with home.store.fetch(row.wire_sha256, verify=True) as body:
            answer = channels.post(relation, [tuple(pair) for pair in row.wire_headers], body)
    except (Unreachable, Failure) as error:
        raise Retry(str(error), after_s=_wait_s(relation, job.attempt)) from error
    failpoint("send:posted")
    if not answer.taken:
        told = f"{relation.url} {refusal(answer, relation.http)}"
        if answer.retryable:
            raise Retry(told, after_s=_wait_s(relation, job.attempt))
        raise Dead(DeadReason.PEER_REJECTED, told)
    match relation.mdn.mode:
        case "none":
            return lambda conn: delivered(home, conn, row, "no receipt was asked for")
        case "async":
            return lambda conn: _await_receipt(home, conn, job, row, relation)
        case _:
            return _close_at_once(home, job, row, relation, answer)


def _close_at_once(home: Home, job: Job, row: Row[Any], relation: As2, answer: Answer) -> Commit:
    """The receipt is the answer; an answer without one is no answer."""
    if as2.read_claim(answer.headers, io.BytesIO(answer.body)) is None:
        raise Retry(
            f"{relation.url} answered {answer.status} without a receipt", _wait_s(relation, job.attempt)
        )
    receipt = as2.parse_receipt(
        answer.headers, answer.body, expected=expected(home, row, relation), now=home.now()
    )
    return lambda conn: close(home, conn, row, receipt, answer.body)


def _wait_s(relation: As2, attempt: int) -> float:
    retry = relation.retry
    wait = retry.first.total_seconds() * retry.factor ** min(attempt - 1, 40)
    return min(wait, retry.max.total_seconds())


def _build(home: Home, job: Job, row: Row[Any], relation: As2) -> Row[Any]:
    """Build the wire form and store it before the first send, so that every attempt is the same bytes."""
    config, now = home.config, home.now()
    receipt = None
    if relation.mdn.mode != "none":
        url = home.as2_url if relation.mdn.mode == "async" else None
        if relation.mdn.mode == "async" and url is None:
            raise Retry(
                "an asynchronous receipt needs our own URL, which a running server or public_url tells"
            )
        digest = relation.sign if relation.sign != "none" else "sha256"
        receipt = as2.ReceiptRequest(signed=relation.mdn.signed, micalgs=(micalg(digest),), async_url=url)
    try:
        with ExitStack() as stack:
            source = stack.enter_context(home.store.fetch(row.sha256, verify=True))
            spool = stack.enter_context(home.store.blobs.writer())
            built = as2.build(
                source,
                spool,
                as2_from=config.us.as2_id or "",
                as2_to=relation.id,
                message_id=row.message_id,
                now=now,
                subject=row.filename or "",
                content_type=row.content_type or "application/octet-stream",
                filename=row.filename,
                sign=channels.signing(config, relation, now),
                encrypt=channels.encryption(relation, now),
                compress=relation.compress,
                receipt=receipt,
            )
            blob = spool.commit()
    except (Failure, ValueError) as error:
        raise Dead(DeadReason.SECURITY_TOO_WEAK, str(error)) from error

    def record(conn: Connection) -> Row[Any]:
        conn.execute(
            update(transmission)
            .where(transmission.c.id == row.id)
            .values(
                wire_sha256=blob.sha256,
                wire_headers=[list(pair) for pair in built.headers],
                mics=built.mics,
                peer=relation.url,
            )
        )
        return conn.execute(select(transmission).where(transmission.c.id == row.id)).one()

    return home.engine.checkpoint(job, record)


def expected(home: Home, row: Row[Any], relation: As2) -> as2.Expected:
    """What a receipt must say to be one for this transmission."""
    return as2.Expected(
        message_id=row.message_id,
        as2_from=home.config.us.as2_id or "",
        as2_to=relation.id,
        mics=row.mics or {},
        signed=relation.mdn.signed,
        trust=as2.Trust(
            channels.certificates(relation, home.now()),
            as2.Trust().digests | ({"sha1"} if relation.legacy else set()),
        ),
    )


def _await_receipt(home: Home, conn: Connection, job: Job, row: Row[Any], relation: As2) -> None:
    """The message is with them; the receipt comes by itself, or its deadline does."""
    state = conn.execute(select(transmission.c.status).where(transmission.c.id == row.id)).scalar()
    if state != "queued":  # the receipt was faster than the answer to the message
        return
    conn.execute(
        update(transmission)
        .where(transmission.c.id == row.id)
        .values(status="sent", error=None, step=str(job.id))
    )
    _note(home, conn, row, "sent", f"{row.filename} to {row.partner}; its receipt is awaited")
    home.engine.enqueue(
        conn,
        lane=f"{row.partner}:due",
        kind="mdn-due",
        payload={"transmission": row.id, "sends": job.payload.get("sends", 1)},
        uniq=f"mdn-due:{row.id}:{job.id}",
        run_at=home.now() + relation.mdn.due,
    )


def receipt_overdue(home: Home, job: Job) -> Done:
    """No receipt in time: send the same bytes again, or give up after as many resends as retries."""
    identity, sends = job.payload["transmission"], job.payload["sends"]

    def commit(conn: Connection) -> None:
        row = conn.execute(select(transmission).where(transmission.c.id == identity)).one()
        partner = home.config.partners.get(row.partner)
        if row.status != "sent":
            return
        if partner is None or partner.as2 is None or sends >= partner.as2.retry.attempts:
            text = f"no receipt for {row.filename} from {row.partner} after {sends} sends"
            conn.execute(
                update(transmission)
                .where(transmission.c.id == identity)
                .values(status="failed", reason=DeadReason.MDN_TIMEOUT, error=text, done_at=home.now())
            )
            _note(home, conn, row, "failed", f"{DeadReason.MDN_TIMEOUT}: {text}")
            return
        conn.execute(update(transmission).where(transmission.c.id == identity).values(status="queued"))
        _note(home, conn, row, "resent", f"{row.filename} to {row.partner}: no receipt in time")
        home.engine.enqueue(
            conn,
            lane=f"{addressee(conn, row)}:out",
            kind="send",
            payload={"transmission": identity, "sends": sends + 1},
            max_attempts=partner.as2.retry.attempts,
        )

    return Done(commit)


def close(home: Home, conn: Connection, row: Row[Any], receipt: as2.Receipt, body: bytes) -> None:
    """Record what a receipt says. Only a valid positive one makes the transmission delivered."""
    now_is = conn.execute(select(transmission).where(transmission.c.id == row.id)).one()
    if now_is.status == "delivered":
        _note(home, conn, row, "duplicate", f"another receipt for {row.filename} from {row.partner}")
        return
    values = {
        "disposition": receipt.disposition,
        "receipt_signed": int(receipt.signed_with is not None),
        "receipt_sha256": home.store.keep(conn, body).sha256,
        "mic_match": None if receipt.mic_match is None else int(receipt.mic_match),
    }
    home.engine.cancel(conn, uniq=f"mdn-due:{row.id}:{now_is.step}")
    if receipt.status is as2.ReceiptStatus.DELIVERED:
        conn.execute(update(transmission).where(transmission.c.id == row.id).values(**values))
        proof = "signed receipt" if receipt.signed_with is not None else "receipt"
        proof += ", MIC equal" if receipt.mic_match else ""
        said = (receipt.disposition or "").partition(";")[2].strip()  # after how it was sent, RFC 4130 7.4.3
        delivered(home, conn, row, f"{proof}: {said}")
        return
    # An answer that proves nothing is no receipt; over AS2 sync it is also all that will come.
    reason = (
        DeadReason.MDN_INVALID if receipt.status is as2.ReceiptStatus.INVALID else DeadReason.PEER_REJECTED
    )
    conn.execute(
        update(transmission)
        .where(transmission.c.id == row.id)
        .values(status="failed", reason=reason, error=receipt.error, done_at=home.now(), **values)
    )
    _note(home, conn, row, "failed", f"{row.filename} to {row.partner}: {reason}: {receipt.error}")


def delivered(home: Home, conn: Connection, row: Row[Any], proof: str) -> None:
    """The transmission is with the partner, and here is why we know."""
    conn.execute(
        update(transmission)
        .where(transmission.c.id == row.id)
        .values(status="delivered", done_at=home.now(), error=None, reason=None)
    )
    _note(home, conn, row, "receipt", f"{row.filename} to {row.partner}: {proof}")
    orders.close_carried(home, conn, row.id)


# Asynchronous receipts of ours.


def send_receipt(home: Home, job: Job) -> Done:
    """POST a stored receipt to the URL that was asked for and allowed."""
    url, partner = job.payload["url"], home.config.partners.get(job.payload["partner"])
    relation = partner.as2 if partner is not None else None
    if partner is None or relation is None or not channels.receipt_url_allowed(relation, url):
        raise Dead(DeadReason.MDN_URL_REFUSED, f"{url} is no configured origin of {job.payload['partner']}")
    try:
        with home.store.fetch(job.payload["body"], verify=True) as body:
            answer = channels.post(relation, [tuple(pair) for pair in job.payload["headers"]], body, to=url)
    except (Unreachable, Failure) as error:
        raise Retry(str(error)) from error
    if not answer.taken:
        told = f"{url} {refusal(answer, relation.http)}"
        raise Retry(told) if answer.retryable else Dead(DeadReason.PEER_REJECTED, told)
    text = f"receipt for {job.payload['message_id']} posted to {partner.name}"
    return Done(lambda conn: _note_receipt(home, conn, job, "receipted", text))


def receipt_failed(home: Home, conn: Connection, job: Job, reason: str, message: str) -> None:
    """A receipt that could not be posted: the partner will send its message again and get it then."""
    text = f"the receipt for {job.payload['message_id']} could not be posted: {reason}: {message}"
    _note_receipt(home, conn, job, "failed", text)


def _note_receipt(home: Home, conn: Connection, job: Job, name: str, text: str) -> None:
    home.note(conn, name, text, partner=job.payload["partner"], transmission=job.payload["transmission"])
