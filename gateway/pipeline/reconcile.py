"""Acknowledgments from partners, matched on the control numbers they name.

Numbers are compared without padding. What is late still reconciles; what comes twice or matches nothing is
told and changes nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select, update

from edi.documents import Acknowledgment, InterchangeAcknowledgment, SegmentError, TransactionStatus
from edi.tree import Group, Transaction
from gateway import edi, orders
from gateway.config import Partner
from gateway.edi import x12
from gateway.engine import Done, Job
from gateway.home import Home
from gateway.numbers import plain
from gateway.pipeline import outbound
from gateway.store.tables import document as document_table
from gateway.store.tables import transmission

_OPEN = ("waiting", "overdue")
_DUPLICATE = "025"  # TA105 of a repetition, which says nothing against the interchange read first
_SHOWN = 5  # segments of ours repeated in the note of a rejection
_WORDS = {
    "accepted": "accepts",
    "accepted_with_errors": "accepts, noting errors in,",
    "partial": "accepts in part",
    "rejected": "rejects",
}


def acknowledged(
    home: Home, conn: Connection, partner: Partner, identity: str, answer: Acknowledgment
) -> None:
    """Apply a partner's 997 or 999 to the documents of ours that it names (X12.20)."""
    group, elsewhere = _answered(conn, partner, answer)
    if not group:
        _unmatched(home, conn, partner, identity, answer)
        return
    by_control = {_named(status): status for status in answer.transactions}
    sent = _faulty_segments(home, conn, group, by_control)
    for row in group:
        key = row.type, plain(row.transaction_control)
        _close(home, conn, identity, row, answer, by_control.get(key), sent.get(key, ""))
    if elsewhere:
        text = f"{', '.join(elsewhere)} in group {answer.functional_id} {answer.control_number}"
        home.note(conn, "unmatched", f"an acknowledgment names what was not sent: {text}",
                  partner=partner.name, document=identity)  # fmt: skip


def _named(status: TransactionStatus) -> tuple[str, str]:
    return status.type, plain(status.control_number)


def _answered(conn: Connection, partner: Partner, answer: Acknowledgment) -> tuple[list[Row[Any]], list[str]]:
    """The documents of the group of ours that is answered, and the sets named that it does not have.

    Group numbers roll over, and are counted by more than one where an ERP writes X12 itself: of those with
    this number, sent to this partner in this version, the latest that has the sets named is meant.
    """
    rows = conn.execute(
        select(document_table)
        .where(
            document_table.c.direction == "out",
            document_table.c.partner == partner.name,
            document_table.c.functional_id == answer.functional_id,
            document_table.c.group_control == plain(answer.control_number),
        )
        .order_by(document_table.c.created_at.desc())
    ).all()
    groups: dict[tuple[str | None, str], list[Row[Any]]] = {}
    for row in rows:
        if not answer.version or answer.version[:6] == (row.version or "")[:6]:
            groups.setdefault((row.transmission, row.interchange_control), []).append(row)
    named = {_named(status) for status in answer.transactions}

    def has(group: list[Row[Any]]) -> set[tuple[str, str]]:
        return named & {(row.type, plain(row.transaction_control)) for row in group}

    best = max(groups.values(), key=lambda group: len(has(group)), default=[])
    if named and not has(best):
        return [], []
    return best, [f"{type} {number}" for type, number in sorted(named - has(best))]


def _verdict(answer: Acknowledgment, status: TransactionStatus | None) -> tuple[str, str]:
    """The state a document gets and why.

    A group that is rejected is so with everything in it. Where an answer leaves sets out, its counts tell
    what became of them; where they do not, "partial" asks a person to look.
    """
    said = status.status if status is not None else answer.status
    if answer.status.startswith("rejected"):
        said = answer.status
    if said == "partially_accepted":
        named = sum(one.status in orders.ACCEPTED for one in answer.transactions)
        left_out = (answer.received or 0) - len(answer.transactions)
        said = {named + left_out: "accepted", named: "rejected"}.get(answer.accepted or 0, "partial")
    reasons = []
    if status is None or answer.status.startswith("rejected"):
        reasons.append(_codes("the group", "716", answer.errors))
    if status is not None:
        reasons += [_codes("the set", "718", status.errors), *map(_fault, status.segments)]
    if said.startswith("rejected_"):  # lists 715 and 717: M, W and X
        reasons.append(said.removeprefix("rejected_") + " failed")
        said = "rejected"
    return said, "; ".join(filter(None, reasons))


def _fault(segment: SegmentError) -> str:
    """One segment in error, in words: `PO1 at 7: PO103 invalid code value (7) 'XX'`."""
    parts = [_said("720", segment.code)] if segment.code and not segment.elements else []
    for error in segment.elements:
        place = f"{segment.segment}{error.element:02}" + (f"-{error.component}" if error.component else "")
        value = f" {error.value!r}" if error.value else ""
        parts.append(f"{place} {_said('723', error.code)}{value}")
    return f"{segment.segment} at {segment.position}: " + ", ".join(parts)


def _codes(what: str, element: str, codes: tuple[str, ...]) -> str:
    told = [code for code in codes if (element, code) != ("718", "5")]  # which the segments say better
    return f"{what}: {', '.join(_said(element, code) for code in told)}" if told else ""


def _said(element: str, code: str) -> str:
    """A code of a 997 or 999 with what it means."""
    later = {"718": "618", "720": "620", "723": "621"}.get(element, element)
    meaning = x12.meaning(element, code) or x12.meaning(later, code)
    return f"{meaning.rstrip('.').lower()} ({code})" if meaning else f"code {code}"


def _faulty_segments(
    home: Home,
    conn: Connection,
    group: list[Row[Any]],
    answered: dict[tuple[str, str], TransactionStatus],
) -> dict[tuple[str, str], str]:
    """The segments of ours that an answer finds fault with, by set, so that nobody has to count them."""
    wanted = {key: {one.position for one in status.segments} for key, status in answered.items()}
    wanted = {key: positions for key, positions in wanted.items() if positions}
    told: dict[tuple[str, str], str] = {}
    if not wanted:
        return told
    about = group[0]
    sha256 = conn.execute(
        select(transmission.c.sha256).where(transmission.c.id == about.transmission)
    ).scalar_one()
    with home.store.fetch(sha256) as stream:
        inside = False
        for event in edi.read(stream):
            if isinstance(event, Group):
                said = event.functional_id, plain(event.control_number)
                inside = said == (about.functional_id, about.group_control)
            elif inside and isinstance(event, Transaction):
                key = event.type, plain(event.control_number)
                if positions := wanted.pop(key, None):
                    found = [event.segments[at - 1] for at in sorted(positions) if at <= len(event.segments)]
                    told[key] = f"we sent {' ... '.join(found[:_SHOWN])}"
                    if not wanted:
                        break
    return told


def _close(
    home: Home,
    conn: Connection,
    identity: str,
    row: Row[Any],
    answer: Acknowledgment,
    answered: TransactionStatus | None,
    sent: str,
) -> None:
    state, why = _verdict(answer, answered)
    conn.execute(
        update(document_table).where(document_table.c.id == identity).values(correlation=row.correlation)
    )
    what = f"{row.type} {row.number or row.transaction_control}"
    if row.ack not in _OPEN:
        text = (
            f"another acknowledgment of {what} from {row.partner}: it was {row.ack}, now {state}; unchanged"
        )
        conn.execute(
            update(document_table)
            .where(document_table.c.id == identity)
            .values(reason="DUPLICATE", error=text)
        )
        home.note(
            conn,
            "duplicate",
            text,
            partner=row.partner,
            correlation=row.correlation,
            document=identity,
        )
        return
    if state in {"rejected", "partial"}:
        why = "; ".join(filter(None, [why, sent]))
    late = ", late" if row.ack == "overdue" else ""
    conn.execute(
        update(document_table)
        .where(document_table.c.id == row.id)
        .values(ack=state, ack_at=home.now(), ack_by=identity)
    )
    home.engine.cancel(conn, uniq=f"ack-due:{row.id}")
    home.note(
        conn,
        "acknowledged",
        f"{row.partner} {_WORDS.get(state, state)} {what}{late}" + (f": {why}" if why else ""),
        partner=row.partner,
        correlation=row.correlation,
        document=row.id,
    )
    orders.close_if_done(home, conn, row.correlation)


def _unmatched(home: Home, conn: Connection, partner: Partner, identity: str, answer: Acknowledgment) -> None:
    text = f"no group {answer.functional_id} {answer.control_number} was sent to {partner.name}"
    conn.execute(
        update(document_table).where(document_table.c.id == identity).values(reason="UNMATCHED", error=text)
    )
    home.note(conn, "unmatched", f"an acknowledgment that matches nothing: {text}", partner=partner.name,
              document=identity)  # fmt: skip


def interchange_acknowledged(
    home: Home, conn: Connection, partner: Partner, answer: InterchangeAcknowledgment
) -> None:
    """Apply a TA1 (X12.5): a rejected interchange rejects every document in it that still waits.

    A repetition that is refused is not: what was sent first has its own answer.
    """
    number = plain(answer.control_number)
    text = f"{partner.name} answers interchange {number} with {x12.in_words(answer)}"
    rows = conn.execute(
        select(document_table)
        .where(
            document_table.c.direction == "out",
            document_table.c.partner == partner.name,
            document_table.c.interchange_control == number,
        )
        .order_by(document_table.c.created_at.desc())
    ).all()
    if not rows:
        home.note(conn, "unmatched", f"{text}; no such interchange was sent", partner=partner.name)
    for one in rows:
        if one.transmission != rows[0].transmission:  # of before the numbers began anew
            continue
        rejected = answer.status == "rejected" and answer.note != _DUPLICATE and one.ack in _OPEN
        if rejected:
            conn.execute(
                update(document_table)
                .where(document_table.c.id == one.id)
                .values(ack="rejected", ack_at=home.now())
            )
            home.engine.cancel(conn, uniq=f"ack-due:{one.id}")
        home.note(
            conn,
            "rejected" if rejected else "acknowledged",
            text,
            partner=partner.name,
            correlation=one.correlation,
            document=one.id,
        )


def overdue(home: Home, job: Job) -> Done:
    """The time for a partner's acknowledgment has passed; a late one will still reconcile.

    Where it is agreed so, the document is sent again, once; what has yet to leave is not: it would go twice.
    """
    identity = job.payload["document"]

    def commit(conn: Connection) -> None:
        row = conn.execute(
            select(document_table, transmission.c.status.label("sent"))
            .join(transmission, transmission.c.id == document_table.c.transmission)
            .where(document_table.c.id == identity)
        ).one()
        now, partner = home.now(), home.config.partners.get(row.partner)
        if row.ack != "waiting" or row.ack_due_at > now:
            return
        left = row.sent in outbound.LEFT
        conn.execute(update(document_table).where(document_table.c.id == identity).values(ack="overdue"))
        home.note(
            conn,
            "overdue",
            f"{row.partner} has not acknowledged {row.type} {row.number or row.transaction_control}"
            + ("" if left else f", which has not left: it is {row.sent}"),
            partner=row.partner,
            correlation=row.correlation,
            document=identity,
        )
        agreed = partner is not None and home.config.ack(partner, row.type).on_overdue == "resend"
        if agreed and left and not job.payload["resent"]:
            outbound.resend(home, conn, row)

    return Done(commit)
