"""Doing again what failed or was held, from the stored bytes. What already had its effect is not repeated."""

from __future__ import annotations

from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from edi import documents
from edi.problems import EdiError
from gateway.errors import Code, DeadReason, Failure
from gateway.home import Home
from gateway.pipeline import arrive, delivering, outbound, sending
from gateway.store.tables import document, transmission


class Step(Enum):
    """What is done again."""

    READ = "read"
    DELIVER = "deliver"
    ISSUE = "issue"
    SEND = "send"
    NOTHING = "nothing"


BY_NUMBER = frozenset({DeadReason.DUPLICATE_ICN, DeadReason.CONTROL_GAP})  # what `release` lets pass


def replay(home: Home, identity: str, *, release: bool = False, dry_run: bool = False) -> Step:
    """Queue a document's or transmission's failed step again. Raises Failure, StoreUnavailable.

    With `release`, a file that is held for its control number is read though the number was used before, or
    others are missing; what has been read before with the same content stays a duplicate.
    """
    with home.store.read() as conn:
        held = conn.execute(
            select(document).where(
                document.c.id == identity, document.c.direction == "out", document.c.status == "held"
            )
        ).one_or_none()
    if held is not None:
        return _issue(home, held, dry_run=dry_run)

    def record(conn: Connection) -> Step:
        step, carried = _step(conn, identity)
        by_number = carried is not None and carried.status == "held" and carried.reason in BY_NUMBER
        if release and not (step is Step.READ and by_number):
            raise Failure(Code.USAGE, f"{identity} is not held for a control number",
                          next=f"tradelane doc explain {identity}")  # fmt: skip
        if step is not Step.NOTHING and not dry_run:
            _queue(home, conn, step, identity, carried, release=release)
        return step

    return home.store.write(record)


def resend(home: Home, identity: str, *, dry_run: bool = False) -> str:
    """Send the same message again now; the id of its transmission.

    Not one that has arrived: whoever has it takes it for a repetition. Raises Failure, StoreUnavailable.
    """

    def record(conn: Connection) -> str:
        sent = _sent(home, conn, identity)
        if sent.status in {"delivered", "resubmitted", "superseded"}:
            raise Failure(Code.NOT_RESENT, f"{sent.filename} to {sent.partner} is {sent.status}",
                          next=f"tradelane doc resubmit {identity}")  # fmt: skip
        if not dry_run:
            sending.resend(home, conn, sent)
        return str(sent.id)

    return home.store.write(record)


def resubmit(home: Home, identity: str, *, dry_run: bool = False) -> tuple[str, str | None]:
    """Send the same content as a new message; the id of its transmission, and of the new one if it was made.

    Not one that has yet to leave: it would arrive twice. Raises Failure, StoreUnavailable.
    """

    def record(conn: Connection) -> tuple[str, str | None]:
        sent = _sent(home, conn, identity)
        if sent.status == "queued":
            raise Failure(Code.NOT_RESENT, f"{sent.filename} to {sent.partner} has not left yet",
                          next=f"tradelane doc resend {identity}")  # fmt: skip
        return str(sent.id), None if dry_run else sending.resubmit(home, conn, sent)

    return home.store.write(record)


def _sent(home: Home, conn: Connection, identity: str) -> Row[Any]:
    """The transmission of ours that this id names, or that carries the document it names."""
    carried = select(document.c.transmission).where(document.c.id == identity).scalar_subquery()
    sent = conn.execute(
        select(transmission).where(
            transmission.c.id.in_((identity, carried)), transmission.c.direction == "out"
        )
    ).one_or_none()
    if sent is None:
        raise Failure(Code.NOT_RESENT, f"{identity} has never been sent by us",
                      next=f"tradelane doc explain {identity}")  # fmt: skip
    home.config.partner(outbound.addressee(conn, sent))
    return sent


def _issue(home: Home, held: Row[Any], *, dry_run: bool) -> Step:
    """Write a document of ours again that could not be written; what is still wrong with it is told."""
    partner = home.config.partner(held.partner)
    body = documents.decode(held.body)
    try:
        written = outbound.rows(home, partner, held.type, body)
    except EdiError as error:
        raise Failure(Code.CANNOT_WRITE, str(error), next=f"tradelane doc explain {held.id}") from error

    def record(conn: Connection) -> None:
        gone = conn.execute(delete(document).where(document.c.id == held.id, document.c.status == "held"))
        if gone.rowcount == 1:  # or another operator was faster
            outbound.issue(
                home,
                conn,
                partner,
                held.type,
                body,
                written,
                correlation=held.correlation,
                cause=held.cause,
            )

    if not dry_run:
        home.store.write(record)
    return Step.ISSUE


def _step(conn: Connection, identity: str) -> tuple[Step, Row[Any] | None]:
    """Which step a person may ask for again, and the transmission it is about."""
    row = conn.execute(select(document).where(document.c.id == identity)).one_or_none()
    carried = conn.execute(
        select(transmission).where(transmission.c.id == (row.transmission if row is not None else identity))
    ).one_or_none()
    if row is not None and row.direction == "in" and row.status in {"held", "rejected"}:
        return (Step.DELIVER if row.body is not None else Step.READ), carried
    if carried is not None and carried.direction == "out" and carried.status == "failed":
        return Step.SEND, carried
    if row is not None or carried is None or carried.direction != "in" or carried.channel == "erp":
        return Step.NOTHING, carried
    if carried.wire_sha256 is not None and carried.mic is None:
        return Step.NOTHING, carried  # refused as an AS2 message: it proves nothing and was told so
    if carried.status in {"held", "refused", "duplicate"}:
        return Step.READ, carried
    return Step.NOTHING, carried


def _queue(
    home: Home, conn: Connection, step: Step, identity: str, carried: Row[Any] | None, *, release: bool
) -> None:
    if step is Step.DELIVER:
        conn.execute(
            update(document)
            .where(document.c.id == identity)
            .values(status="accepted", reason=None, error=None)
        )
        home.engine.unname(conn, uniq=f"deliver:{identity}")
        delivering.queue_delivery(home, conn, identity)
    elif carried is not None and step is Step.READ:
        conn.execute(
            update(transmission)
            .where(transmission.c.id == carried.id)
            .values(status="stored", reason=None, error=None, done_at=None)
        )
        home.engine.unname(conn, uniq=f"read:{carried.id}")
        arrive.queue_reading(home, conn, carried.id, carried.partner, release=release)
    elif carried is not None:
        sending.queue_again(home, conn, carried)
    home.note(
        conn,
        "replayed",
        f"an operator asked to {step.value} again" + (", whatever its control number" if release else ""),
        partner=carried.partner if carried is not None else None,
        document=identity if carried is None or carried.id != identity else None,
        transmission=carried.id if carried is not None else None,
        correlation=carried.correlation if carried is not None else None,
    )
