"""What the command line and the dashboard ask: read-only, one function a question, plain rows as answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, false, func, literal, or_, select

from edi.tree import Syntax, syntax_of
from gateway import numbers, orders
from gateway.config import Partner
from gateway.home import Home
from gateway.pipeline import batching, outbound
from gateway.store.lane_tables import job
from gateway.store.tables import attachment, document, event, interchange, order, transmission

Record = dict[str, Any]

ACKNOWLEDGMENTS = frozenset({"acknowledgment", "interchange_acknowledgment"})  # kinds of documents

# How a document stands: one of ours as what carries it does, once it was issued.
_standing: ColumnElement[str] = case(
    (
        and_(document.c.direction == "out", document.c.status == "sent"),
        func.coalesce(transmission.c.status, document.c.status),
    ),
    else_=document.c.status,
)
_DOCUMENTS: Select[Any] = select(
    *(column for column in document.c if column.name != "status"), _standing.label("status")
).outerjoin(transmission, transmission.c.id == document.c.transmission)

# A transmission, how many files go with it, and why the last attempt to send it failed.
_ATTACHED = (
    select(func.count())
    .where(attachment.c.transmission == transmission.c.id)
    .scalar_subquery()
    .label("attachments")
)
_TRANSMISSIONS: Select[Any] = select(transmission, job.c.error.label("last_error"), _ATTACHED).outerjoin(
    job, job.c.uniq == literal(outbound.SENDING) + transmission.c.id
)


def _error(row: Row[Any]) -> str | None:
    """What is wrong with a transmission, or why it is still queued."""
    error: str | None = row.error or (row.last_error if row.status == "queued" else None)
    return error


def plain(value: Any) -> Any:
    """Values as JSON has them: times in ISO 8601, bytes as text."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


def transmissions(
    home: Home, direction: str, *, partner: str | None = None, status: str | None = None, limit: int = 500
) -> list[Record]:
    """What crossed the wire in one direction, the latest first."""
    query = _TRANSMISSIONS.where(transmission.c.direction == direction, transmission.c.channel != "erp")
    if partner is not None:
        query = query.where(transmission.c.partner == partner)
    if status is not None:
        query = query.where(transmission.c.status == status)
    query = query.order_by(transmission.c.created_at.desc(), transmission.c.id.desc()).limit(limit)
    with home.store.read() as conn:
        return [_transmission(row) for row in conn.execute(query)]


def batches(home: Home, partner: str | None = None) -> list[Record]:
    """What waits to leave with others, in the shape of a transmission; the next to leave first."""
    with home.store.read() as conn:
        waiting = batching.waiting(home, conn, partner)
    return [
        {
            "id": one.batch,
            "partner": one.partner,
            "channel": None,
            "message_id": None,
            "filename": f"{'-'.join(one.types)}: {one}",
            "attachments": 0,
            "at": one.since,
            "size": 0,
            "sha256": None,
            "status": "batched",
            "disposition": None,
            "reason": None,
            "error": None,
            "types": list(one.types),
            "documents": one.documents,
            "of": one.of,
            "leaves_at": one.leaves_at,
        }
        for one in waiting
    ]


def _transmission(row: Row[Any]) -> Record:
    return {
        "id": row.id,
        "partner": row.partner,
        "channel": row.channel,
        "message_id": row.message_id,
        "filename": row.filename,
        "attachments": row.attachments,
        "at": row.created_at,
        "size": row.size,
        "sha256": row.sha256,
        "status": row.status,
        "disposition": row.disposition,
        "reason": row.reason,
        "error": _error(row),
    }


def sent(home: Home, identity: str) -> Record:
    """How a sending stands, in the shape of `send --wait --json`; or that which superseded it."""
    with home.store.read() as conn:
        row = conn.execute(_TRANSMISSIONS.where(transmission.c.id == identity)).one()
        if row.status == "superseded":
            row = conn.execute(_TRANSMISSIONS.where(transmission.c.supersedes == identity)).one()
    status = row.status if row.status in {"delivered", "failed"} else "pending"
    return {
        "transmission": row.id,
        "message_id": row.message_id,
        "status": status,
        "disposition": row.disposition,
        "receipt_signed": None if row.receipt_signed is None else bool(row.receipt_signed),
        "mic_match": None if row.mic_match is None else bool(row.mic_match),
        "error": _error(row),
        "reason": row.reason,
    }


def documents(
    home: Home,
    *,
    partner: str | None = None,
    type: str | None = None,
    status: str | None = None,
    limit: int = 500,
) -> list[Record]:
    """Documents, the latest first."""
    query = _DOCUMENTS
    if partner is not None:
        query = query.where(document.c.partner == partner)
    if type is not None:
        query = query.where(document.c.type == type)
    if status is not None:
        query = query.where(_standing == status)
    query = query.order_by(document.c.created_at.desc(), document.c.id.desc()).limit(limit)
    with home.store.read() as conn:
        return [_document(row) for row in conn.execute(query)]


def _document(row: Row[Any]) -> Record:
    return {
        "id": row.id,
        "direction": row.direction,
        "partner": row.partner,
        "type": row.type,
        "version": row.version,
        "kind": row.kind,
        "number": row.number,
        "status": row.status,
        "leaves_at": row.leaves_at if row.status == "batched" else None,
        "ack": row.ack,
        "ack_due_at": row.ack_due_at,
        "ack_at": row.ack_at,
        "ack_late": None if row.ack_at is None or row.ack_due_at is None else row.ack_at > row.ack_due_at,
        "ack_by": row.ack_by,
        "delivered_at": row.delivered_at,
        "transmission": row.transmission,
        "correlation": row.correlation,
        "cause": row.cause,
        "interchange_control": row.interchange_control,
        "group_control": row.group_control,
        "transaction_control": row.transaction_control,
        "reason": row.reason,
        "error": row.error,
        "at": row.created_at,
    }


def one(home: Home, identity: str) -> Record | None:
    """Everything about one document or transmission: what it is, its problems, its timeline."""
    with home.store.read() as conn:
        row = conn.execute(_DOCUMENTS.where(document.c.id == identity)).one_or_none()
        if row is not None:
            sent_as = _transmission_row(conn, row.transmission)
            return _document(row) | {
                "problems": row.problems,
                "document": row.body,
                "transmitted": _transmission(sent_as) if sent_as is not None else None,
                "events": _events(conn, event.c.document == identity),
            }
        found = _transmission_row(conn, identity)
        if found is None:
            return None
        envelopes = conn.execute(
            select(interchange).where(interchange.c.transmission == identity).order_by(interchange.c.id)
        )
        inside = conn.execute(_DOCUMENTS.where(document.c.transmission == identity).order_by(document.c.id))
        return _transmission(found) | {
            "mic": found.mic,
            "wire_sha256": found.wire_sha256,
            "given_filename": found.given_filename,
            "parts": _parts(conn, found),
            "protection": found.protection,
            "supersedes": found.supersedes,
            "interchanges": [
                {
                    "sender": row.sender,
                    "receiver": row.receiver,
                    "control_number": row.control_number,
                    "status": row.status,
                    "reason": row.reason,
                    "problems": row.problems,
                }
                for row in envelopes
            ],
            "documents": [_document(row) for row in inside],
            "events": _events(conn, event.c.transmission == identity),
        }


def _transmission_row(conn: Connection, identity: str | None) -> Row[Any] | None:
    return conn.execute(_TRANSMISSIONS.where(transmission.c.id == identity)).one_or_none()


def _parts(conn: Connection, row: Row[Any]) -> list[Record]:
    """The files of a message that has several, in its order; `document` tells which of them is read."""
    query = select(attachment).where(attachment.c.transmission == row.id).order_by(attachment.c.ordinal)
    attached = conn.execute(query).all()
    if not attached:
        return []
    payload_at = _payload_at([one.ordinal for one in attached])
    return [
        {
            "part": number,
            "document": number == payload_at,
            "content_id": one.content_id,
            "filename": one.filename,
            "given_filename": one.given_filename,
            "content_type": one.content_type,
            "size": one.size,
            "sha256": one.sha256,
        }
        for number, one in sorted([*((one.ordinal, one) for one in attached), (payload_at, row)])
    ]


def _payload_at(ordinals: list[int]) -> int:
    """Which part the payload is: the one that no attachment is."""
    return next(number for number in range(1, len(ordinals) + 2) if number not in ordinals)


def _events(conn: Connection, where: Any) -> list[Record]:
    return [
        {
            "at": row.at,
            "event": row.name,
            "text": row.text,
            "partner": row.partner,
            "document": row.document,
            "transmission": row.transmission,
        }
        for row in conn.execute(select(event).where(where).order_by(event.c.id))
    ]


def payload(home: Home, identity: str, part: int | None = None) -> str | None:
    """The SHA-256 of the payload that a transmission, or a document's transmission, carried.

    With `part`, of that file of its message, counted from 1; None where it has no such.
    """
    with home.store.read() as conn:
        row = _transmission_row(conn, identity) or _transmission_row(
            conn, conn.execute(select(document.c.transmission).where(document.c.id == identity)).scalar()
        )
        if row is None:
            return None
        if part is None or (part == 1 and not row.attachments):
            return str(row.sha256)
        return next((one["sha256"] for one in _parts(conn, row) if one["part"] == part), None)


def order_chain(home: Home, number: str) -> Record | None:
    """The latest order of a purchase order number or correlation id: its chain, and what is due from whom."""
    with home.store.read() as conn:
        found = conn.execute(
            select(order)
            .where((order.c.number == number) | (order.c.correlation == number))
            .order_by(order.c.created_at.desc())
        ).first()
        if found is None:
            return None
        chain = conn.execute(
            _DOCUMENTS.where(document.c.correlation == found.correlation).order_by(
                document.c.created_at, document.c.id
            )
        ).all()
        carried = {
            row.id: row
            for row in conn.execute(
                select(transmission).where(
                    transmission.c.id.in_([row.transmission for row in chain if row.transmission])
                )
            )
        }
        mine = event.c.correlation == found.correlation
        sent_as = event.c.transmission.in_(list(carried))
        answers = [row for row in chain if row.kind in ACKNOWLEDGMENTS]
        return {
            "order": found.number,
            "partner": found.partner,
            "warehouse": found.warehouse,
            "status": found.status,
            "correlation": found.correlation,
            "created_at": found.created_at,
            "done_at": found.done_at,
            "documents": [_document(row) for row in chain if row.kind not in ACKNOWLEDGMENTS],
            "acknowledgments": [_document(row) for row in answers],
            "receipts": [_receipt(row) for row in carried.values() if row.disposition is not None],
            "due": orders.due(home, conn, found),
            "events": _events(conn, mine | sent_as),
        }


def orders_with_due(home: Home, limit: int = 100) -> list[Record]:
    """The latest orders, each with what it waits for."""
    with home.store.read() as conn:
        found = conn.execute(select(order).order_by(order.c.created_at.desc()).limit(limit)).all()
        return [
            {
                "order": row.number,
                "correlation": row.correlation,
                "partner": row.partner,
                "warehouse": row.warehouse,
                "status": row.status,
                "created_at": row.created_at,
                "due": orders.due(home, conn, row) if row.status != "done" else [],
            }
            for row in found
        ]


def _receipt(row: Row[Any]) -> Record:
    return {
        "transmission": row.id,
        "direction": row.direction,
        "partner": row.partner,
        "message_id": row.message_id,
        "disposition": row.disposition,
        "signed": None if row.receipt_signed is None else bool(row.receipt_signed),
        "mic_match": None if row.mic_match is None else bool(row.mic_match),
        "mic": row.mic,
    }


ACK_STATES = (
    *("waiting", "overdue", "accepted", "accepted_with_errors", "partial", "rejected"),
    *("late", "duplicate", "unmatched"),
)


def acknowledgments(
    home: Home, partner: str | None = None, state: str | None = None, limit: int = 100
) -> list[Record]:
    """How what we sent was answered, and answers that answer nothing, the latest first.

    `state` is one of `ACK_STATES`: those of our documents (`late` whatever else it is), or `duplicate` and
    `unmatched` of a partner's acknowledgment.
    """
    ours = and_(document.c.direction == "out", document.c.ack != "none")
    stray = and_(document.c.direction == "in", document.c.reason.in_(("DUPLICATE", "UNMATCHED")))
    query = _DOCUMENTS.where(or_(ours, stray))
    if partner is not None:
        query = query.where(document.c.partner == partner)
    if state == "late":
        query = query.where(ours, document.c.ack_at > document.c.ack_due_at)
    elif state in {"duplicate", "unmatched"}:
        query = query.where(stray, document.c.reason == state.upper())
    elif state is not None:
        query = query.where(ours, document.c.ack == state)
    query = query.order_by(document.c.created_at.desc(), document.c.id.desc()).limit(limit)
    with home.store.read() as conn:
        rows = conn.execute(query).all()
    return [
        _document(row) | {"state": row.reason.lower() if row.direction == "in" else row.ack} for row in rows
    ]


def overdue(home: Home) -> list[Record]:
    """Acknowledgments that are late, the longest overdue first; `owner` is the partner, or "us".

    A partner's is told by the document of ours that it is due for; ours, by itself where it has not left.
    """
    theirs = document.c.ack == "overdue"
    ours = and_(
        document.c.kind == "acknowledgment",
        document.c.direction == "out",
        document.c.ack_due_at < home.now(),
        transmission.c.status.in_(("queued", "failed")),
    )
    query = _DOCUMENTS.where(or_(theirs, ours)).order_by(document.c.ack_due_at)
    with home.store.read() as conn:
        rows = conn.execute(query).all()
    return [_document(row) | {"owner": "us" if row.kind == "acknowledgment" else row.partner} for row in rows]


def numbers_used_from(
    home: Home,
    conn: Connection,
    partner: Partner,
    level: str,
    sequence: str,
    now: int,
    number: int,
    *,
    syntax: Syntax,
) -> str:
    """Which numbers a sequence would give again if it went on from `number`, in words; "" for none.

    `now` is what it gives next. After the last comes 1; what was used in the last 90 days counts.
    """

    last_of_all = numbers.last(sequence)

    def again(used: int) -> bool:
        return (used - number) % last_of_all < last_of_all // 2

    column = document.c[f"{level}_control"]
    query = select(document.c.type, document.c.number, column.label("used")).where(
        document.c.direction == "out",
        document.c.partner == partner.name,
        document.c.created_at > home.now() - numbers.KEPT,
        column.is_not(None),
    )
    if partner.control_numbers.scope == "partner+type" and level != "interchange":
        query = query.where(document.c.functional_id == sequence.split(" ")[1])
    if partner.control_numbers.usage == "apart":  # rows do not tell one count from the other
        query = query.where(false())
    rows = [
        row
        for row in conn.execute(query)
        if syntax_of(row.type) == syntax and row.used.isdecimal() and again(int(row.used))
    ]
    rows.sort(key=lambda row: int(row.used))
    last = int(rows[-1].used) if rows else 0
    if now > 1 and again(now - 1):
        last = max(last, now - 1)
    if not last:
        return ""
    shown = ", ".join(f"{row.type} {row.number or ''}".strip() + f" ({row.used})" for row in rows[:3])
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    went = f": {shown}{more} went under them" if rows else ""
    return f"{sequence} numbers {number} to {last} have been used with {partner.name}{went}"


def dead(home: Home) -> list[Record]:
    """What needs a person: transmissions and documents not accepted or not sent, the latest first."""
    with home.store.read() as conn:
        files = conn.execute(
            select(transmission).where(transmission.c.status.in_(("held", "refused", "failed")))
        ).all()
        held = conn.execute(select(document).where(document.c.status.in_(("held", "rejected")))).all()
    found = [
        {
            "id": row.id,
            "what": "transmission",
            "partner": row.partner,
            "status": row.status,
            "reason": row.reason,
            "error": row.error,
            "at": row.created_at,
        }
        for row in files
    ] + [
        {
            "id": row.id,
            "what": f"{row.type} {row.number or row.transaction_control or ''}".strip(),
            "partner": row.partner,
            "status": row.status,
            "reason": row.reason,
            "error": row.error,
            "at": row.created_at,
        }
        for row in held
    ]
    return sorted(found, key=lambda item: item["at"], reverse=True)
