"""Documents to bytes: mapped, numbered, written, stored and queued, in the transaction of their cause.

Control numbers are taken where they are used, so there is no gap and no reuse; the Message-ID is chosen
before the first send and stays (RFC 4130 7.6). What cannot be written is a held document, not an exception.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, insert, select, update
from sqlalchemy import Row as Record

from edi import documents
from edi.documents import Document
from edi.problems import CannotWrite, EdiError
from edi.tree import Interchange, syntax_of
from gateway import as2, edi, numbers
from gateway.config import Ack, Partner
from gateway.edi import Answer, Body, Envelope, Numbered, Row
from gateway.edi.agreed import envelope, map_choice
from gateway.engine import Dead, Done, Job
from gateway.errors import Code, DeadReason, Failure
from gateway.failpoints import failpoint
from gateway.home import Home
from gateway.pipeline import batching
from gateway.store import Blob, after_commit
from gateway.store.tables import BATCHED, attachment, new_id, order, transmission
from gateway.store.tables import document as document_table

LEFT = frozenset({"sent", "delivered"})  # transmissions that the partner has had the chance to answer
SENDING = "send:"  # the job that sends a transmission is called this and its id


def rows(home: Home, partner: Partner, type: str, document: Document) -> list[Row]:
    """A document as the rows of a transaction, by the partner's map. Raises EdiError.

    They are written once on trial, so that what the checker would reject, or the partner's guide, takes no
    control number.
    """
    syntax, version = edi.of_type(type), partner.version(type)
    definition = syntax.definition(type, version)
    if definition is None:
        raise CannotWrite(edi.undefined(type, version))
    map = edi.map_of(definition, document, map_choice(partner, type, "out"))
    written: list[Row] = list(map.write(document))
    headers = envelope(home.config, partner, type)
    trial = [Numbered(headers, 1, [(1, Body(type, written))])]
    guide = partner.guide(type, "out")
    try:
        syntax.write(headers, home.now(), 1, trial, check=True, guide=guide)
    except CannotWrite:
        map.placed(msgspec.structs.replace(document, partner=None), strict=True)  # tells the fields
        raise
    return written


def issue(
    home: Home,
    conn: Connection,
    partner: Partner,
    type: str,
    document: Document,
    written: list[Row],
    *,
    correlation: str | None,
    cause: str | None,
    error: str | None = None,
    reason: DeadReason = DeadReason.MAPPING_FAILED,
) -> str:
    """Issue one business document to a partner; its document id. With `error` it is held for `reason`."""
    now = home.now()
    identity = new_id(now)
    kind = documents.schema_of(document).partition(".")[2].partition("/")[0]
    number = getattr(document, "number", None)
    agreement = partner.agreement(type, "out")
    ack = home.config.ack(partner, type)
    values: dict[str, Any] = {
        "id": identity,
        "direction": "out",
        "partner": partner.name,
        "transmission": None,
        "type": type,
        "version": partner.version(type),
        "kind": kind,
        "number": number,
        "correlation": correlation,
        "status": "held",
        "reason": reason,
        "error": error,
        "problems": [],
        "body": documents.encode(msgspec.structs.replace(document, partner=partner.name)),
        "ack": "none",
        "cause": cause,
        "created_at": now,
    }
    if error is None and agreement is not None and agreement.batch is not None:
        values |= batching.join(home, conn, partner, agreement, identity, now) | {"reason": None}
    elif error is None:
        one = _Set(envelope(home.config, partner, type), Body(type, written))
        try:
            with conn.begin_nested():  # numbers taken for what cannot be written are given back
                (sent,) = _emit(home, conn, partner, [one], one.envelope, correlation)
        except CannotWrite as problem:
            values["error"] = str(problem)
        else:
            values |= sent | {"status": "sent", "reason": None, "error": None}
            values |= {"ack": "none" if ack.mode == "none" else "waiting"}
    conn.execute(insert(document_table), values)
    if correlation is not None:  # an order that was done has one more document to see through
        conn.execute(
            update(order).where(order.c.correlation == correlation).values(status="open", done_at=None)
        )
    what = f"{type} {number or ''} to {partner.name}"
    name, text = {
        "sent": ("issued", what),
        "batched": ("batched", f"{what} waits to leave with others"),
        "held": ("held", f"{what}: {values['error']}"),
    }[values["status"]]
    home.note(
        conn,
        name,
        text,
        partner=partner.name,
        correlation=correlation,
        document=identity,
        transmission=values["transmission"],
    )
    if values["ack"] == "waiting":
        expect(home, conn, partner, identity, ack, now)
    return identity


def close_batch(home: Home, job: Job) -> Done:
    """Let the documents of a batch leave: an interchange, with a group for each functional id and version.

    What can no longer be written is held, and holds up no other.
    """
    partner = home.config.partners.get(job.payload["partner"])
    if partner is None:
        raise Dead(DeadReason.UNKNOWN_PARTNER, f"no partner is named {job.payload['partner']!r} now")
    with home.store.read() as conn:
        waiting = conn.execute(_of_batch(job)).all()
    sets: list[tuple[Record[Any], _Set]] = []
    held: list[tuple[Record[Any], str]] = []
    for row in waiting:
        try:
            written = rows(home, partner, row.type, documents.decode(row.body))
        except EdiError as problem:
            held.append((row, str(problem)))
        else:
            sets.append((row, _Set(envelope(home.config, partner, row.type), Body(row.type, written))))
    if partner.control_numbers.group == "interchange":  # which gives one number to one group
        parts = [list(part) for _, part in groupby(sorted(sets, key=_group_of), _group_of)]
    else:
        parts = [sorted(sets, key=_group_of)] if sets else []

    def commit(conn: Connection) -> None:
        for row, why in held:
            _hold(home, conn, row, DeadReason.MAPPING_FAILED, why)
        for part in parts:
            _leave(home, conn, partner, part)
        if conn.execute(_of_batch(job)).first() is not None:  # one joined while the others were written
            batching.queue(home, conn, partner.name, job.payload["batch"])
        failpoint("batch:written")
        after_commit(conn, lambda: failpoint("batch:committed"))

    return Done(commit)


def batch_failed(home: Home, conn: Connection, job: Job, reason: str, message: str) -> None:
    """The documents of a batch that cannot leave wait for a person, each by itself."""
    for row in conn.execute(_of_batch(job)).all():
        _hold(home, conn, row, reason, message)


def _of_batch(job: Job) -> Select[Any]:
    columns = document_table.c
    mine = select(document_table).where(BATCHED, columns.batch == job.payload["batch"])
    return mine.order_by(columns.created_at, columns.id)


def _group_of(item: tuple[Record[Any], _Set]) -> tuple[str, str]:
    return item[1].group


def _hold(home: Home, conn: Connection, row: Record[Any], reason: str, why: str) -> None:
    conn.execute(
        update(document_table)
        .where(document_table.c.id == row.id)
        .values(status="held", reason=reason, error=why, batch=None, leaves_at=None)
    )
    what = f"{row.type} {row.number or ''} to {row.partner}"
    home.note(
        conn, "held", f"{what}: {why}", partner=row.partner, correlation=row.correlation, document=row.id
    )


def _leave(home: Home, conn: Connection, partner: Partner, part: list[tuple[Record[Any], _Set]]) -> None:
    """Send documents of a batch in one interchange."""
    orders_in_it = {row.correlation for row, _ in part}
    correlation = orders_in_it.pop() if len(orders_in_it) == 1 else None
    sets = [one for _, one in part]
    sent = _emit(home, conn, partner, sets, sets[0].envelope, correlation)
    now = home.now()
    for (row, _), columns in zip(part, sent, strict=True):
        ack = home.config.ack(partner, row.type)
        waits = "none" if ack.mode == "none" else "waiting"
        conn.execute(
            update(document_table)
            .where(document_table.c.id == row.id)
            .values(status="sent", ack=waits, version=partner.version(row.type), **columns)
        )
        with_others = f", one of {len(part)} in interchange {columns['interchange_control']}"
        home.note(
            conn,
            "issued",
            f"{row.type} {row.number or ''} to {partner.name}" + (with_others if len(part) > 1 else ""),
            partner=partner.name,
            correlation=row.correlation,
            document=row.id,
            transmission=columns["transmission"],
        )
        if waits == "waiting":
            expect(home, conn, partner, row.id, ack, now)


def expect(
    home: Home,
    conn: Connection,
    partner: Partner,
    identity: str,
    ack: Ack,
    now: datetime,
    *,
    resent: bool = False,
) -> None:
    """Have it noticed when a document's acknowledgment does not come in time."""
    due = now + ack.due
    conn.execute(update(document_table).where(document_table.c.id == identity).values(ack_due_at=due))
    home.engine.enqueue(
        conn,
        lane=f"{partner.name}:due",
        kind="ack-due",
        payload={"document": identity, "resent": resent},
        uniq=None if resent else f"ack-due:{identity}",  # resent more than once, the earlier finds it not due
        run_at=due,
    )


def resendable(home: Home, identity: str) -> Record[Any]:
    """The document of ours of this id that has been sent; raises Failure where it is not one."""
    with home.store.read() as conn:
        row = conn.execute(
            select(document_table, transmission.c.status.label("sent"))
            .outerjoin(transmission, transmission.c.id == document_table.c.transmission)
            .where(document_table.c.id == identity, document_table.c.direction == "out")
        ).one_or_none()
    if row is None:
        raise Failure(Code.DOCUMENT_UNKNOWN, f"no document {identity} was sent", next="tradelane ack overdue")
    if row.transmission is None:
        raise Failure(Code.CANNOT_WRITE, f"{row.type} {row.number or ''} was never sent: it is {row.status}",
                      next=f"tradelane doc explain {identity}")  # fmt: skip
    if row.sent not in LEFT:
        do = f"doc replay {row.transmission}" if row.sent == "failed" else f"doc show {row.transmission}"
        raise Failure(Code.CANNOT_WRITE, f"{row.type} {row.number or ''} has not left yet: it is {row.sent}",
                      next=f"tradelane {do}")  # fmt: skip
    return row


def resend(home: Home, conn: Connection, row: Record[Any]) -> str:
    """Send the bytes of an issued document again, under a new Message-ID; the new transmission's id."""
    sent = conn.execute(select(transmission).where(transmission.c.id == row.transmission)).one()
    identity = resubmit(home, conn, sent, home.config.partner(row.partner))
    what = f"{row.type} {row.number or ''} to {row.partner}"
    home.note(
        conn,
        "resent",
        what,
        partner=row.partner,
        correlation=row.correlation,
        document=row.id,
        transmission=identity,
    )
    return identity


def resubmit(home: Home, conn: Connection, sent: Record[Any], partner: Partner) -> str:
    """Send what a transmission carried as a new one, with a Message-ID of its own; the new one's id.

    A partner's AS2 system would take the old one for a repetition. Control numbers stay: one that has read it
    after all sees a duplicate. The answer is due anew, of every document that left with it and waits for one.
    """
    now = home.now()
    identity = new_id(now)
    kept = ("direction", "partner", "channel", "filename", "content_type", "content_id", "size", "sha256")
    values = {name: getattr(sent, name) for name in (*kept, "correlation")}
    values |= {
        "id": identity,
        "status": "queued",
        "created_at": now,
        "message_id": message_id(home, identity),
    }
    conn.execute(insert(transmission), values)
    with_it = conn.execute(select(attachment).where(attachment.c.transmission == sent.id)).mappings().all()
    if with_it:
        conn.execute(insert(attachment), [{**one, "transmission": identity} for one in with_it])
    queue_sending(home, conn, identity, partner)
    carried = document_table.c.transmission == sent.id
    waits = document_table.c.ack.in_(("waiting", "overdue"))
    for one in conn.execute(select(document_table).where(carried, waits)).all():
        home.engine.cancel(conn, uniq=f"ack-due:{one.id}")
        conn.execute(update(document_table).where(document_table.c.id == one.id).values(ack="waiting"))
        expect(home, conn, partner, one.id, home.config.ack(partner, one.type), now, resent=True)
    conn.execute(update(document_table).where(carried).values(transmission=identity))
    return identity


def attachments(home: Home, sent: Record[Any]) -> list[Record[Any]]:
    """The files beside the payload of a transmission, in order."""
    query = select(attachment).where(attachment.c.transmission == sent.id).order_by(attachment.c.ordinal)
    with home.store.read() as conn:
        return list(conn.execute(query))


def opened(home: Home, stack: ExitStack, files: Sequence[Record[Any]]) -> list[as2.Attachment]:
    """Those files for a message to be built of, open until the stack is closed. Raises StoreCorrupt."""
    return [
        as2.Attachment(
            stack.enter_context(home.store.fetch(one.sha256, verify=True)),
            one.content_type,
            one.filename,
            one.content_id,
        )
        for one in files
    ]


def addressee(conn: Connection, row: Record[Any]) -> str:
    """Whom a transmission is for: where a hub carries it, not the hub, which `partner` names."""
    name: str | None = conn.execute(
        select(document_table.c.partner).where(document_table.c.transmission == row.id).limit(1)
    ).scalar()
    return name or str(row.partner)


def note(
    home: Home,
    conn: Connection,
    row: Record[Any],
    name: str,
    text: str,
    *,
    carried_by: str | None = None,
) -> None:
    """Tell what became of a transmission, or of the one that now carries what it carried."""
    identity = carried_by or row.id
    home.note(
        conn,
        name,
        text,
        partner=row.partner,
        correlation=row.correlation,
        document=conn.execute(
            select(document_table.c.id).where(document_table.c.transmission == identity).limit(1)
        ).scalar(),
        transmission=identity,
    )


def rehearse(home: Home, partner: Partner, header: Interchange, answer: Answer) -> None:
    """Write an answer on trial, under no number. Raises CannotWrite for headers that none can repeat."""
    headers = _addressed(home, partner, answer)
    groups = [Numbered(headers, 1, [(1, answer.body)])] if answer.body is not None else []
    edi.of(header).write(headers, home.now(), 1, groups, answer.loose)


def answer(
    home: Home,
    conn: Connection,
    partner: Partner,
    answer: Answer,
    *,
    cause: str,
    correlation: str | None,
    due: datetime | None,
) -> None:
    """Issue an acknowledgment, to have left by `due`; it is itself never acknowledged (X12.20).

    It goes to the partner whose the interchange is, in an interchange of its own.
    """
    headers = _addressed(home, partner, answer)
    sets = [_Set(headers, answer.body)] if answer.body is not None else []
    (sent,) = _emit(home, conn, partner, sets, headers, correlation, answer)
    now = home.now()
    identity = new_id(now)
    conn.execute(
        insert(document_table),
        {
            "id": identity,
            "direction": "out",
            "partner": partner.name,
            "type": answer.kind,
            "version": answer.version,
            "kind": "acknowledgment",
            "number": answer.number,
            "correlation": correlation,
            "status": "sent",
            "problems": [],
            "ack": "none",
            "ack_due_at": due,
            "cause": cause,
            "created_at": now,
            **sent,
        },
    )
    home.note(
        conn,
        "answered",
        f"{answer.says} to {partner.name} for {answer.about}",
        partner=partner.name,
        correlation=correlation,
        document=identity,
        transmission=sent["transmission"],
    )


def _addressed(home: Home, partner: Partner, answer: Answer) -> Envelope:
    """How an answer goes to a partner: as what it answers came, where that named us and them as they are."""
    us, headers, syntax = home.config.us, answer.envelope, syntax_of(answer.kind)
    ours = headers.sender if us.owns(headers.sender, syntax) else us.identity(syntax)
    theirs = headers.receiver if partner.owns(headers.receiver, syntax) else partner.identity(syntax)
    if ours is None or theirs is None:
        kind = "UNB" if syntax == "edifact" else "ISA"
        raise CannotWrite(f"partners.toml names no {kind} identity to answer under")
    usage = headers.usage if headers.usage in {"T", "P"} else partner.usage
    return replace(headers, sender=ours, receiver=theirs, usage=usage)


class _Set(NamedTuple):
    """A transaction to send, and how its interchange is addressed."""

    envelope: Envelope
    body: Body

    @property
    def group(self) -> tuple[str, str]:
        """What the sets of one group have in common (X12.6): functional id and version."""
        body = self.body._replace(version=self.envelope.version)
        return edi.of_type(body.type).group_of(body, self.envelope)


def _emit(
    home: Home,
    conn: Connection,
    partner: Partner,
    sets: Sequence[_Set],
    headers: Envelope,
    correlation: str | None,
    answer: Answer | None = None,
) -> list[dict[str, Any]]:
    """Take control numbers, write, store and queue one interchange; sets of one group stand together.

    For each set, or for the interchange where it has none, the columns by which a document finds its bytes.
    """
    now = home.now().astimezone(home.config.us.timezone)
    types = list(dict.fromkeys(one.body.type for one in sets)) or [answer.kind if answer is not None else ""]
    syntax = edi.of_type(types[0])
    taking = numbers.Taking(
        conn, headers.sender, headers.receiver, headers.usage, partner.control_numbers, syntax.NAME
    )
    interchange = taking.interchange()
    groups: list[Numbered] = []
    found: list[dict[str, Any]] = []
    for (functional_id, _), members in groupby(sets, lambda one: one.group):
        mine = list(members)
        group = taking.group(functional_id, interchange) if mine[0].envelope.grouped else None
        controls = taking.transactions(functional_id, len(mine))
        bodies = [
            (control, one.body._replace(version=one.envelope.version))
            for one, control in zip(mine, controls, strict=True)
        ]
        groups.append(Numbered(mine[0].envelope, group, bodies))
        found += [
            {
                "functional_id": functional_id or None,
                "group_control": str(group) if group is not None else None,
                "transaction_control": str(control),
            }
            for control in controls
        ]
    headers = replace(headers, ack_requested=any(one.envelope.ack_requested for one in sets))
    data = syntax.write(headers, now, interchange, groups, answer.loose if answer is not None else ())
    identity = queue_file(
        home,
        conn,
        partner,
        home.store.keep(conn, data),
        filename=f"{'-'.join(types)}_{partner.name}_{interchange:09d}{syntax.SUFFIX}",
        content_type=syntax.CONTENT_TYPE,
        correlation=correlation,
    )
    common = {"transmission": identity, "interchange_control": str(interchange)}
    nothing = {"functional_id": None, "group_control": None, "transaction_control": None}
    return [common | one for one in found or [nothing]]


def message_id(home: Home, identity: str) -> str:
    """A Message-ID that is globally unique and stays with its transmission (RFC 4130 5.3.3)."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", home.config.us.as2_id or "tradelane").strip("-.") or "tradelane"
    return f"<{identity}@{host}>"


def queue_file(
    home: Home,
    conn: Connection,
    partner: Partner,
    blob: Blob,
    *,
    filename: str,
    content_type: str,
    correlation: str | None = None,
) -> str:
    """Have bytes kept and sent to a partner, by its hub if it has one; the id of the transmission."""
    home.store.keep(conn, blob)
    now = home.now()
    identity = new_id(now)
    hub = home.config.hub(partner)
    conn.execute(
        insert(transmission),
        {
            "id": identity,
            "direction": "out",
            "partner": hub.name,
            "channel": {"as2": "as2", None: "none"}.get(hub.channel, "sftp"),
            "status": "queued",
            "filename": filename,
            "content_type": content_type,
            "size": blob.size,
            "sha256": blob.sha256,
            "message_id": message_id(home, identity),
            "correlation": correlation,
            "created_at": now,
        },
    )
    queue_sending(home, conn, identity, partner)
    return identity


def queue_sending(
    home: Home,
    conn: Connection,
    transmission_id: str,
    partner: Partner,
    *,
    again: bool = False,
    sends: int = 1,
) -> None:
    """Have a stored transmission sent, behind what goes to the same partner before it.

    It is sent `again` when an earlier job of its own has ended; `sends` counts how often it was sent for want
    of a receipt, this time included.
    """
    hub = home.config.hub(partner)
    attempts = hub.as2.retry.attempts if hub.as2 is not None else 32
    name = f"{SENDING}{transmission_id}"
    if again:
        home.engine.unname(conn, uniq=name)
    home.engine.enqueue(
        conn,
        lane=f"{partner.name}:out",
        kind="send",
        payload={"transmission": transmission_id, "sends": sends},
        uniq=name,
        max_attempts=attempts,
    )
