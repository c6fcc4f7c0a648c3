"""Receipts, both ways: those that close what we sent, and those that we post for what was sent to us.

A partner's receipt closes the transmission whose Message-ID it names, one of its former ids included, and
only when it is proved. Ours are built by `conversation` and stored with the message; the asynchronous ones
leave from here, as jobs of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select, update

from gateway import as2, certificates, channels, orders
from gateway.config import As2, Partner
from gateway.engine import Backoff, Dead, Done, Job, Retry
from gateway.errors import DeadReason, Failure
from gateway.home import Home
from gateway.http import Unreachable, refusal
from gateway.pipeline import outbound, rollover
from gateway.store.tables import as2_former_id, transmission

TIMED_OUT = frozenset({DeadReason.MDN_TIMEOUT, DeadReason.DELIVERY_EXHAUSTED})


# For what we sent.


def receipted(conn: Connection, message_id: str) -> tuple[Row[Any], str] | None:
    """The transmission that was sent under a Message-ID, however its brackets came back, and that id."""
    bare = as2.bare_id(message_id)
    spellings = (message_id, bare, f"<{bare}>")
    found = conn.execute(
        select(transmission).where(
            transmission.c.direction == "out", transmission.c.message_id.in_(spellings)
        )
    ).first()
    if found is not None:
        return found, found.message_id
    former = conn.execute(
        select(transmission, as2_former_id.c.message_id.label("former"))
        .join(as2_former_id, as2_former_id.c.transmission == transmission.c.id)
        .where(as2_former_id.c.message_id.in_(spellings))
    ).first()
    return None if former is None else (former, former.former)


def expected(home: Home, row: Row[Any], relation: As2, *, message_id: str | None = None) -> as2.Expected:
    """What a receipt must say to be one for this transmission, sent under this Message-ID or its latest."""
    return as2.Expected(
        message_id=message_id or row.message_id,
        as2_from=home.config.us.as2_id or "",
        as2_to=relation.id,
        mics=row.mics or {},
        signed=relation.mdn.signed,
        trust=as2.Trust(
            channels.certificates(relation, home.now()),
            as2.Trust().digests | ({"sha1"} if relation.legacy else set()),
        ),
    )


def close(
    home: Home,
    conn: Connection,
    row: Row[Any],
    receipt: as2.Receipt,
    headers: Sequence[tuple[str, str]],
    body: bytes,
) -> None:
    """Record what a receipt says. Only a valid positive one makes the transmission delivered."""
    now_is = conn.execute(select(transmission).where(transmission.c.id == row.id)).one()
    if now_is.status in {"delivered", "superseded"}:
        outbound.note(home, conn, row, "duplicate", f"another receipt for {row.filename} from {row.partner}")
        return
    values = {"disposition": receipt.disposition} | _kept(home, conn, receipt, headers, body)
    home.engine.cancel(conn, uniq=f"mdn-due:{row.id}:{now_is.step}")
    home.engine.hurry(conn, uniq=f"{outbound.SENDING}{row.id}")  # a resend that waits has no more to do
    late = "reconciled after timeout: " if now_is.reason in TIMED_OUT else ""
    certificates.note_use(home, conn, row.partner, "verify_receipt", receipt.signed_with)
    if receipt.status is as2.ReceiptStatus.DELIVERED:
        conn.execute(update(transmission).where(transmission.c.id == row.id).values(**values))
        proof = "signed receipt" if receipt.signed_with is not None else "receipt"
        proof += ", MIC equal" if receipt.mic_match else ""
        said = (receipt.disposition or "").partition(";")[2].strip()  # after how it was sent, RFC 4130 7.4.3
        delivered(home, conn, row, f"{late}{proof}: {said}")
        rollover.worked(home, conn, now_is)
        return
    # An answer that proves nothing is no receipt; over AS2 sync it is also all that will come.
    reason = (
        DeadReason.MDN_INVALID if receipt.status is as2.ReceiptStatus.INVALID else DeadReason.PEER_REJECTED
    )
    status = "failed" if now_is.status != "resubmitted" else now_is.status  # nobody waits for that one
    conn.execute(
        update(transmission)
        .where(transmission.c.id == row.id)
        .values(status=status, reason=reason, error=receipt.error, done_at=home.now(), **values)
    )
    proved = receipt.status is as2.ReceiptStatus.FAILED and receipt.signed_with is not None
    if proved and status == "failed" and rollover.supersede(home, conn, now_is, receipt.error):
        return
    outbound.note(
        home, conn, row, "failed", f"{row.filename} to {row.partner}: {late}{reason}: {receipt.error}"
    )


def keep_unproved(
    home: Home,
    conn: Connection,
    row: Row[Any],
    receipt: as2.Receipt,
    headers: Sequence[tuple[str, str]],
    body: bytes,
) -> None:
    """Keep a receipt that proves nothing, to be explained: the last, but never instead of one they signed."""
    now_is = conn.execute(select(transmission).where(transmission.c.id == row.id)).one()
    if now_is.disposition is None and (receipt.signed_with is not None or not now_is.receipt_signed):
        values = _kept(home, conn, receipt, headers, body)
        conn.execute(update(transmission).where(transmission.c.id == row.id).values(**values))


def _kept(
    home: Home,
    conn: Connection,
    receipt: as2.Receipt,
    headers: Sequence[tuple[str, str]],
    body: bytes,
) -> dict[str, Any]:
    return {
        "receipt_signed": int(receipt.signed_with is not None),
        "receipt_headers": [list(pair) for pair in headers],
        "receipt_sha256": home.store.keep(conn, body).sha256,
        "mic_match": None if receipt.mic_match is None else int(receipt.mic_match),
    }


def delivered(home: Home, conn: Connection, row: Row[Any], proof: str) -> None:
    """The transmission is with the partner, and here is why we know."""
    conn.execute(
        update(transmission)
        .where(transmission.c.id == row.id)
        .values(status="delivered", done_at=home.now(), error=None, reason=None)
    )
    outbound.note(home, conn, row, "receipt", f"{row.filename} to {row.partner}: {proof}")
    orders.close_carried(home, conn, row.id)


# Of ours, to be posted.

_BACKOFF = Backoff(base_s=2.0, cap_s=300.0)  # a short cap: a receipt that is late leads to a resend
ATTEMPTS = 300  # about a day


class Posted(NamedTuple):
    """An asynchronous receipt and where it goes."""

    url: str
    headers: list[list[str]]
    body: bytes
    message_id: str
    transmission: str


def queue(home: Home, conn: Connection, partner: Partner, receipt: Posted, *, again: bool = False) -> None:
    """Have a receipt posted; the job holds all it takes, whatever becomes of the message's row.

    One that still waits to be posted is not posted twice: whoever asks again can be reached now.
    """
    name = f"receipt:{receipt.transmission}"
    if again:
        if home.engine.hurry(conn, uniq=name):
            return
        home.engine.unname(conn, uniq=name)
    home.engine.enqueue(
        conn,
        lane=f"{partner.name}:receipt",
        kind="receipt",
        payload={
            "partner": partner.name,
            "url": receipt.url,
            "headers": receipt.headers,
            "body": home.store.keep(conn, receipt.body).sha256,
            "message_id": receipt.message_id,
            "transmission": receipt.transmission,
        },
        uniq=name,
        max_attempts=ATTEMPTS,
    )


def post(home: Home, job: Job) -> Done:
    """POST a stored receipt to the URL that was asked for and allowed."""
    url, partner = job.payload["url"], home.config.partners.get(job.payload["partner"])
    relation = partner.as2 if partner is not None else None
    if partner is None or relation is None or not channels.receipt_url_allowed(relation, url):
        raise Dead(DeadReason.MDN_URL_REFUSED, f"{url} is no configured origin of {job.payload['partner']}")
    try:
        with home.store.fetch(job.payload["body"], verify=True) as body:
            answer = channels.post(relation, [tuple(pair) for pair in job.payload["headers"]], body, to=url)
    except (Unreachable, Failure) as error:
        raise Retry(str(error), _BACKOFF.after(job.attempt)) from error
    if not answer.taken:
        told = f"{url} {refusal(answer, relation.http)}"
        if answer.retryable:
            raise Retry(told, _BACKOFF.after(job.attempt))
        raise Dead(DeadReason.PEER_REJECTED, told)
    text = f"receipt for {job.payload['message_id']} posted to {partner.name}"
    return Done(lambda conn: _note_posted(home, conn, job, "receipted", text))


def post_failed(home: Home, conn: Connection, job: Job, reason: str, message: str) -> None:
    """A receipt that could not be posted: the partner will send its message again and get it then."""
    text = f"the receipt for {job.payload['message_id']} could not be posted: {reason}: {message}"
    _note_posted(home, conn, job, "failed", text)


def _note_posted(home: Home, conn: Connection, job: Job, name: str, text: str) -> None:
    home.note(conn, name, text, partner=job.payload["partner"], transmission=job.payload["transmission"])
