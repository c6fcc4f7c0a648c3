"""Sending a stored transmission until there is proof that it arrived.

AS2: the wire form is built and stored once, so that every attempt carries the same bytes, Message-ID and
Date, or what the partner still lacks of them (AS2 Restart). What decides is the receipt, never the HTTP
status. A folder: the file appears once (`gateway.folders`).

A *retry* is for no answer or 408, 425, 429, 5xx. A *resend* is for an answer of 2xx whose receipt did not
come in time; it is the same message, or where agreed the same body under a new Message-ID, and then a receipt
for any of its ids counts. Other refusals and negative receipts are final until an operator has it sent again.
A receipt that comes after all was given up still closes what it is for.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

from sqlalchemy import Connection, Row, insert, select, update

from gateway import as2, channels, orders
from gateway.as2.signed import micalg
from gateway.config import As2, Partner
from gateway.engine import Dead, Done, Job, Retry
from gateway.errors import DeadReason, Failure
from gateway.failpoints import failpoint
from gateway.folders import place_once
from gateway.home import Home
from gateway.http import Answer, Unreachable, beginning, refusal
from gateway.pipeline import outbound, receipts, rollover
from gateway.store import after_commit
from gateway.store.tables import as2_former_id, new_id, transmission
from sftp.client import HostKeyChanged, SftpError

Commit = Callable[[Connection], None]  # what a send that was made has to record


def send(home: Home, job: Job) -> Done:
    """Send one transmission by the channel of its partner."""
    with home.store.read() as conn:
        row = conn.execute(select(transmission).where(transmission.c.id == job.payload["transmission"])).one()
        addressed = outbound.addressee(conn, row)
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
    outbound.note(home, conn, row, "failed", f"{row.filename} to {row.partner}: {reason}: {message}")


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
        outbound.note(home, conn, row, "placed", f"{name} in the outbox of {partner.name}")
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
        outbound.note(home, conn, row, "placed", f"{name} on the server of {partner.name}")
        orders.close_carried(home, conn, row.id)

    return commit


# By AS2.


def _by_as2(home: Home, job: Job, row: Row[Any], partner: Partner) -> Commit:
    relation = partner.as2
    assert relation is not None
    assert relation.url is not None
    known = row.wire_sha256 is not None  # an earlier attempt may have brought them something
    if not known:
        row = _build(home, job, row, relation)
    elif row.first_sent_at is None:  # an operator asks again
        row = home.engine.checkpoint(job, lambda conn: _changed(conn, row, first_sent_at=home.now()))
    failpoint("send:built")
    try:
        with home.store.fetch(row.wire_sha256, verify=True) as body:
            answer = _post(home, job, row, relation, body, known=known)
    except (Unreachable, Failure) as error:
        raise _again(home, job, row, relation, str(error)) from error
    failpoint("send:posted")
    if not answer.taken:
        told = f"{relation.url} {refusal(answer, relation.http)}"
        if answer.retryable:
            raise _again(home, job, row, relation, told, least_s=_retry_after_s(answer, home.now()))
        raise Dead(DeadReason.PEER_REJECTED, told)
    match relation.mdn.mode:
        case "none":
            return lambda conn: receipts.delivered(home, conn, row, "no receipt was asked for")
        case "async":
            return lambda conn: _await_receipt(home, conn, job, row, relation)
        case _:
            return _close_at_once(home, job, row, relation, answer)


def _post(home: Home, job: Job, row: Row[Any], relation: As2, body: BinaryIO, *, known: bool) -> Answer:
    """Post the message; one that is large where restarting is agreed, from where it broke off if it did.

    The name of a transfer cannot be guessed, and stays with the message. Raises Unreachable.
    """
    headers = [(name, value) for name, value in row.wire_headers]
    total = body.seek(0, os.SEEK_END)
    body.seek(0)
    if not relation.restart or total <= relation.restart_above:
        return channels.post(relation, headers, body)
    name = f"{row.id}-{row.wire_sha256[:32]}"
    start = _held(home, job, relation, name) if known else 0
    for _ in range(2):  # the second time from where the partner says that it is to go on
        start = min(start, total - 1) if start <= total else 0
        if start:
            _note_restart(home, row, start, total)
        body.seek(start)
        answer = channels.post(relation, as2.transfer_headers(headers, name, start, total), body)
        if answer.status != 416:
            break
        start = as2.told_held(answer.headers, answer.status)
    return answer


def _held(home: Home, job: Job, relation: As2, name: str) -> int:
    """How many bytes of a transfer the partner says it has. Raises Unreachable.

    A partner that does not tell is asked again at the next attempt, and at every other one has nothing: some
    answer 500, which says that the request before has not ended, or nothing at all to every HEAD.
    """
    patient = job.attempt % 2 == 0
    us, them = as2.quoted(home.config.us.as2_id or ""), as2.quoted(relation.id)
    try:
        told = channels.head(relation, as2.inquiry_headers(us, them, name))
    except Unreachable:
        if patient:
            raise
        return 0
    if told.status == 500 and patient:
        raise Unreachable(f"{relation.url} says that the request before this one has not ended")
    return as2.told_held(told.headers, told.status)


def _note_restart(home: Home, row: Row[Any], start: int, total: int) -> None:
    text = f"{row.filename} to {row.partner} goes on at byte {start} of {total}"
    home.store.write(lambda conn: outbound.note(home, conn, row, "restarted", text))


def _close_at_once(home: Home, job: Job, row: Row[Any], relation: As2, answer: Answer) -> Commit:
    """The receipt is the answer; an answer without one is no answer."""
    if as2.read_claim(answer.headers, io.BytesIO(answer.body)) is None:
        if relation.resend_id == "new":
            home.engine.checkpoint(job, lambda conn: _renamed(home, conn, row))
        instead = beginning(answer.headers, answer.body)
        what = f"{relation.url} answered {answer.status} without a receipt: {instead}"
        raise _again(home, job, row, relation, what)
    wanted, now = receipts.expected(home, row, relation), home.now()
    receipt = as2.parse_receipt(answer.headers, answer.body, expected=wanted, now=now)
    if receipt.status is as2.ReceiptStatus.INVALID and receipt.signed_with is None:
        unproved = as2.parse_receipt(
            answer.headers, answer.body, expected=replace(wanted, signed=False), now=now
        )
        if unproved.status is as2.ReceiptStatus.FAILED:  # their trouble, but nobody has signed for it
            raise _again(home, job, row, relation, f"unsigned refusal: {unproved.error}")
    return lambda conn: receipts.close(home, conn, row, receipt, answer.headers, answer.body)


def _again(
    home: Home, job: Job, row: Row[Any], relation: As2, what: str, *, least_s: float = 0.0
) -> Retry | Dead:
    """What follows a failed attempt: the next one by the partner's back-off, or the end.

    `least_s` is how long the partner asks us to wait; more than its longest wait is not waited.
    """
    retry = relation.retry
    age = home.now() - row.first_sent_at
    if age >= retry.give_up_after:
        text = f"given up after {job.attempt} attempts and {age.total_seconds():.0f} s: {what}"
        return Dead(DeadReason.DELIVERY_EXHAUSTED, text)
    wait = retry.first.total_seconds() * retry.factor ** min(job.attempt - 1, 40)
    wait = min(wait, retry.max.total_seconds()) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
    wait = max(wait, min(least_s, retry.max.total_seconds()))
    return Retry(what, min(wait, (retry.give_up_after - age).total_seconds()))


def _retry_after_s(answer: Answer, now: datetime) -> float:
    """The seconds that Retry-After, seconds or a date, asks us to wait (RFC 9110 10.2.3); 0 without one."""
    text = (answer.header("Retry-After") or "").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:9])
    with suppress(ValueError, TypeError, OverflowError):
        at = parsedate_to_datetime(text)
        return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
    return 0.0


def _changed(conn: Connection, row: Row[Any], **values: Any) -> Row[Any]:
    """The transmission with these columns set."""
    conn.execute(update(transmission).where(transmission.c.id == row.id).values(**values))
    return conn.execute(select(transmission).where(transmission.c.id == row.id)).one()


def _renamed(home: Home, conn: Connection, row: Row[Any]) -> None:
    """Give a message a new Message-ID and Date: to a partner that knows no repetitions it is another one."""
    now = home.now()
    new = {"message-id": outbound.message_id(home, new_id(now)), "date": as2.http_date(now)}
    headers = [[name, new.get(name.lower(), value)] for name, value in row.wire_headers]
    conn.execute(insert(as2_former_id), {"message_id": row.message_id, "transmission": row.id})
    _changed(conn, row, message_id=new["message-id"], wire_headers=headers)


def _build(home: Home, job: Job, row: Row[Any], relation: As2) -> Row[Any]:
    """Build the wire form and store it before the first send, so that every attempt is the same bytes."""
    config, now = home.config, home.now()
    attached = outbound.attachments(home, row)
    if attached and not relation.attachments:
        raise Dead(DeadReason.NOT_AGREED, f"{row.partner} takes one file in a message: attachments = false")
    receipt = None
    if relation.mdn.mode != "none":
        url = home.as2_url if relation.mdn.mode == "async" else None
        if relation.mdn.mode == "async" and url is None:
            raise Retry(
                "an asynchronous receipt needs our own URL, which a running server or public_url tells"
            )
        digest = relation.sign if relation.sign != "none" else "sha256"
        spelled = micalg(digest, relation.micalg)
        receipt = as2.ReceiptRequest(signed=relation.mdn.signed, micalgs=(spelled,), async_url=url)
    try:
        sign, encrypt = rollover.protection(config, relation, row, now)
        with ExitStack() as stack:
            source = stack.enter_context(home.store.fetch(row.sha256, verify=True))
            spool = stack.enter_context(home.store.writer())
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
                content_id=row.content_id,
                attachments=outbound.opened(home, stack, attached),
                sign=sign,
                encrypt=encrypt,
                compress=relation.compress,
                encoding=relation.encoding,
                receipt=receipt,
                profile=channels.profile(relation),
            )
            blob = spool.commit()
    except (Failure, ValueError) as error:
        raise Dead(DeadReason.SECURITY_TOO_WEAK, str(error)) from error

    def record(conn: Connection) -> Row[Any]:
        home.store.keep(conn, blob)
        return _changed(
            conn,
            row,
            wire_sha256=blob.sha256,
            wire_headers=[list(pair) for pair in built.headers],
            mics=built.mics,
            peer=relation.url,
            first_sent_at=now,
            protection=rollover.recorded(home, conn, row.partner, sign, encrypt),
        )

    return home.engine.checkpoint(job, record)


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
    outbound.note(home, conn, row, "sent", f"{row.filename} to {row.partner}; its receipt is awaited")
    home.engine.enqueue(
        conn,
        lane=f"{row.partner}:due",
        kind="mdn-due",
        payload={"transmission": row.id, "sends": job.payload.get("sends", 1)},
        uniq=f"mdn-due:{row.id}:{job.id}",
        run_at=home.now() + relation.mdn.due,
    )


def receipt_overdue(home: Home, job: Job) -> Done:
    """No receipt in time: send the message again, or give up after as many sends as attempts, or its age."""
    identity, sends = job.payload["transmission"], job.payload["sends"]

    def commit(conn: Connection) -> None:
        row = conn.execute(select(transmission).where(transmission.c.id == identity)).one()
        partner = home.config.partners.get(row.partner)
        relation = partner.as2 if partner is not None else None
        addressed = home.config.partners.get(outbound.addressee(conn, row))
        if row.status != "sent":
            return
        if relation is None or addressed is None or _spent(home, row, relation, sends):
            text = f"no receipt for {row.filename} from {row.partner} after {sends} sends"
            conn.execute(
                update(transmission)
                .where(transmission.c.id == identity)
                .values(status="failed", reason=DeadReason.MDN_TIMEOUT, error=text, done_at=home.now())
            )
            outbound.note(home, conn, row, "failed", f"{DeadReason.MDN_TIMEOUT}: {text}")
            return
        if relation.resend_id == "new":
            _renamed(home, conn, row)
        _changed(conn, row, status="queued")
        outbound.note(home, conn, row, "resent", f"{row.filename} to {row.partner}: no receipt in time")
        outbound.queue_sending(home, conn, identity, addressed, again=True, sends=sends + 1)

    return Done(commit)


def _spent(home: Home, row: Row[Any], relation: As2, sends: int) -> bool:
    """Whether a message has been sent for as often, or for as long, as was agreed."""
    retry = relation.retry
    return sends >= retry.attempts or home.now() - row.first_sent_at >= retry.give_up_after


def resend(home: Home, conn: Connection, row: Row[Any]) -> None:
    """Send a message again now because an operator asks: the same bytes under the same Message-ID.

    One that waits for its next attempt does not wait longer; one whose receipt is awaited, or that was given
    up, has all its attempts again.
    """
    if not home.engine.hurry(conn, uniq=f"{outbound.SENDING}{row.id}"):
        queue_again(home, conn, row)
    outbound.note(home, conn, row, "resent", f"{row.filename} to {row.partner}: an operator asked for it")


def queue_again(home: Home, conn: Connection, row: Row[Any]) -> None:
    """Have what was sent or given up sent from the start, with all its attempts."""
    home.engine.cancel(conn, uniq=f"mdn-due:{row.id}:{row.step}")
    _changed(conn, row, status="queued", reason=None, error=None, done_at=None, first_sent_at=None)
    partner = home.config.partner(outbound.addressee(conn, row))
    outbound.queue_sending(home, conn, row.id, partner, again=True)


def resubmit(home: Home, conn: Connection, row: Row[Any]) -> str:
    """Send what a transmission carried as a message of its own because an operator asks; the new one's id.

    The old one stays, with all that is known of it. If it still waited for its receipt or for a person, it
    does so no longer; its receipt counts when it comes all the same.
    """
    identity = outbound.resubmit(home, conn, row, home.config.partner(outbound.addressee(conn, row)))
    text = f"an operator had {row.filename} sent anew, as {identity}"
    if row.status != "delivered":
        home.engine.cancel(conn, uniq=f"mdn-due:{row.id}:{row.step}")
        _changed(conn, row, status="resubmitted", error=text, done_at=home.now())
    home.note(
        conn, "resubmitted", text, partner=row.partner, correlation=row.correlation, transmission=row.id
    )
    home.note(
        conn,
        "issued",
        f"{row.filename} to {row.partner} again, for {row.id} whose Message-ID is {row.message_id}",
        partner=row.partner,
        correlation=row.correlation,
        transmission=identity,
    )
    return identity
