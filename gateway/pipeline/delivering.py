"""Steps 8 and 9: hand a document to the ERP once, and issue what follows from it."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from edi import documents
from gateway import orders
from gateway.engine import Done, Job, Retry
from gateway.failpoints import failpoint
from gateway.home import Home
from gateway.store import after_commit
from gateway.store.tables import document as document_table

ERP_LANE = "erp:erp"


def queue_delivery(home: Home, conn: Connection, document_id: str) -> None:
    """Have a document handed to the ERP, once."""
    home.engine.enqueue(
        conn,
        lane=ERP_LANE,
        kind="deliver",
        payload={"document": document_id},
        uniq=f"deliver:{document_id}",
        max_attempts=1_000,
    )


def deliver(home: Home, job: Job) -> Done:
    """Hand a document to the ERP; with the record of it, what follows is issued."""
    identity = job.payload["document"]
    with home.store.read() as conn:
        row = conn.execute(select(document_table).where(document_table.c.id == identity)).one()
    if row.delivered_at is not None:
        return Done()

    def record_staged(mark: str) -> None:
        home.engine.checkpoint(
            job,
            lambda conn: conn.execute(
                update(document_table).where(document_table.c.id == identity).values(step=mark)
            ),
        )

    try:
        home.erp.deliver(identity, row.body, staged=row.step, record_staged=record_staged)
    except OSError as error:
        raise Retry(f"the ERP's folder cannot take it: {error.strerror}") from error

    document = documents.decode(row.body)
    with home.store.read() as conn:
        following = orders.prepare(home, conn, row, document)

    def commit(conn: Connection) -> None:
        conn.execute(
            update(document_table)
            .where(document_table.c.id == identity)
            .values(delivered_at=home.now(), step=None)
        )
        home.note(
            conn,
            "delivered",
            f"{row.kind.replace('_', ' ')} {row.number or row.transaction_control} handed to the ERP",
            partner=row.partner,
            correlation=row.correlation,
            document=identity,
            transmission=row.transmission,
        )
        orders.issue(home, conn, row, following)
        orders.close_if_done(home, conn, row.correlation)
        if following:
            after_commit(conn, lambda: failpoint("follow:committed"))

    return Done(commit)


def deliver_failed(home: Home, conn: Connection, job: Job, reason: str, message: str) -> None:
    """A document the ERP never took waits for a person."""
    identity = job.payload["document"]
    conn.execute(
        update(document_table)
        .where(document_table.c.id == identity)
        .values(status="held", reason=reason, error=message)
    )
    row = conn.execute(select(document_table).where(document_table.c.id == identity)).one()
    home.note(
        conn,
        "held",
        f"{reason}: {message}",
        partner=row.partner,
        correlation=row.correlation,
        document=identity,
    )
