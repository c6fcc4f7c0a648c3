"""Documents that wait to leave together, where an agreement says so: each a row, `batched`, until then.

A batch is named by the document that began it. It leaves with its last document or when its time has come, by
a job, which takes the control numbers: `outbound.close_batch`. One that is to leave takes no more documents.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select, update

from gateway.config import Agreement, Partner
from gateway.home import Home
from gateway.store.tables import BATCHED
from gateway.store.tables import document as document_table

_MOST = 10_000  # documents that leave together, however long they could wait


class Waiting(NamedTuple):
    """A batch that has not left."""

    batch: str
    partner: str
    types: tuple[str, ...]
    documents: int
    of: int | None  # with how many it leaves
    since: datetime
    leaves_at: datetime  # at the latest

    def __str__(self) -> str:
        of = f" of {self.of}" if self.of is not None else ""
        return f"{self.documents}{of} gathered"


def join(
    home: Home, conn: Connection, partner: Partner, agreement: Agreement, identity: str, now: datetime
) -> dict[str, Any]:
    """Put a document that is about to be recorded into the batch of its terms; its columns.

    The batch is begun where none is open, and made to leave at once where this document is its last. It has
    one syntax, as its interchange.
    """
    terms = agreement.batch
    assert terms is not None
    alike = [a for a in partner.agreements if a.direction == "out" and a.syntax == agreement.syntax]
    types = [one.type for one in alike if one.batch == terms]
    open_ = conn.execute(
        _gathered(partner.name)
        .where(document_table.c.type.in_(types), document_table.c.leaves_at > now)
        .order_by(document_table.c.leaves_at)
    ).first()
    if open_ is None:
        batch, leaves_at, count = identity, terms.leaves_at(now, home.config.us.timezone), 1
        queue(home, conn, partner.name, batch, uniq=f"batch:{batch}", run_at=leaves_at)
    else:
        batch, leaves_at, count = open_.batch, open_.leaves_at, open_.documents + 1
    if count >= min(terms.count or _MOST, _MOST):
        release(home, conn, partner.name, batch, now)
        leaves_at = now
    return {"status": "batched", "batch": batch, "leaves_at": leaves_at}


def _gathered(partner: str | None = None) -> Select[Any]:
    columns = document_table.c
    query = select(
        columns.partner,
        columns.batch,
        func.min(columns.created_at).label("since"),
        func.min(columns.leaves_at).label("leaves_at"),
        func.count().label("documents"),
    ).where(BATCHED)
    if partner is not None:
        query = query.where(columns.partner == partner)
    return query.group_by(columns.partner, columns.batch)


def release(home: Home, conn: Connection, partner: str, batch: str, now: datetime) -> None:
    """Let a batch leave at once, with what it has."""
    of_it = BATCHED, document_table.c.partner == partner, document_table.c.batch == batch
    conn.execute(update(document_table).where(*of_it).values(leaves_at=now))
    home.engine.cancel(conn, uniq=f"batch:{batch}")
    queue(home, conn, partner, batch, uniq=f"batch:{batch}:now")


def flush(home: Home, conn: Connection, partner: str) -> None:
    """Let every batch of a partner leave at once, because an operator said so."""
    for row in conn.execute(_gathered(partner)).all():
        release(home, conn, partner, row.batch, home.now())
        text = f"an operator let {row.documents} documents for {partner} leave"
        home.note(conn, "flushed", text, partner=partner, document=row.batch)


def queue(
    home: Home,
    conn: Connection,
    partner: str,
    batch: str,
    *,
    uniq: str | None = None,
    run_at: datetime | None = None,
) -> None:
    """Have a batch leave, now or at a time."""
    home.engine.enqueue(
        conn,
        lane=f"{partner}:due",
        kind="batch",
        payload={"batch": batch, "partner": partner},
        uniq=uniq,
        run_at=run_at,
    )


def waiting(
    home: Home, conn: Connection, partner: str | None = None, batch: str | None = None
) -> list[Waiting]:
    """Every batch that has not left, the next to leave first; of one partner, or one batch of theirs."""
    columns = document_table.c
    query = _gathered(partner)
    if batch is not None:
        query = query.where(columns.batch == batch)
    found = []
    for row in conn.execute(query).all():
        of_it = BATCHED, columns.partner == row.partner, columns.batch == row.batch
        types = conn.execute(select(columns.type).where(*of_it).distinct())
        named = tuple(sorted(types.scalars()))
        known = home.config.partners.get(row.partner)
        agreed = known.agreement(named[0], "out") if known is not None else None
        terms = agreed.batch if agreed is not None else None
        found.append(
            Waiting(
                row.batch,
                row.partner,
                named,
                row.documents,
                terms.count if terms is not None else None,
                row.since,
                row.leaves_at,
            )
        )
    return sorted(found, key=lambda one: (one.leaves_at, one.batch))
