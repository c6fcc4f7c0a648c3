"""Acknowledgments from partners, matched on the control numbers they name.

Numbers are compared without padding. What is late still reconciles; what comes twice or matches nothing is
told and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, select, update

from edi.documents import (
    Acknowledgment,
    FaultySegment,
    GroupStatus,
    InterchangeAcknowledgment,
    MessageStatus,
    SegmentError,
    TransactionStatus,
)
from edi.tree import Group, Interchange, Transaction, readable, syntax_of
from gateway import edi, orders
from gateway.config import Partner
from gateway.edi import edifact, x12
from gateway.engine import Done, Job
from gateway.home import Home
from gateway.numbers import plain
from gateway.pipeline import outbound
from gateway.store.tables import document as document_table
from gateway.store.tables import transmission

_Key: TypeAlias = tuple[str, str]  # of a transaction: type and control number

_OPEN = ("waiting", "overdue")
_DUPLICATE = "025"  # TA105 of a repetition, which says nothing against the interchange read first
_REPEATED = "26"  # 0085 of one
_SHOWN = 5  # of what a partner finds fault with, and of segments of ours, that are repeated in a note
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
        group_of_ours = f"group {answer.functional_id} {answer.control_number}"
        _unmatched(home, conn, partner, identity, group_of_ours)
        return
    by_control = {_named(status): status for status in answer.transactions}
    faulty = {key: {one.position for one in status.segments} for key, status in by_control.items()}
    sent = _sent(home, conn, group, faulty)
    for row in group:
        key = row.type, plain(row.transaction_control)
        state, why = _verdict(answer, by_control.get(key))
        shown = _shown(sent.get(key)) if state in {"rejected", "partial"} else ""
        _close(home, conn, identity, row, state, "; ".join(filter(None, [why, shown])))
    if elsewhere:
        text = f"{_few(elsewhere)} in group {answer.functional_id} {answer.control_number}"
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
    return said, _few(reasons, "; ")


def _fault(segment: SegmentError) -> str:
    """One segment in error, in words: `PO1 at 7: PO103 invalid code value (7) 'XX'`."""
    parts = [_said("720", segment.code)] if segment.code and not segment.elements else []
    for error in segment.elements:
        place = f"{segment.segment}{error.element:02}" + (f"-{error.component}" if error.component else "")
        value = f" {error.value!r}" if error.value else ""
        parts.append(f"{place} {_said('723', error.code)}{value}")
    return ": ".join(filter(None, [f"{segment.segment} at {segment.position}", _few(parts)]))


def _codes(what: str, element: str, codes: tuple[str, ...]) -> str:
    told = [code for code in codes if (element, code) != ("718", "5")]  # which the segments say better
    return f"{what}: {_few(_said(element, code) for code in told)}" if told else ""


def _few(words: Iterable[str], separator: str = ", ") -> str:
    """The first of what there is to say, and how much more there is."""
    said = [*filter(None, words)]
    more = len(said) - _SHOWN
    return separator.join([*said[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _said(element: str, code: str) -> str:
    """A code of a 997 or 999 with what it means."""
    later = {"718": "618", "720": "620", "723": "621"}.get(element, element)
    meaning = x12.meaning(element, code) or x12.meaning(later, code)
    return f"{meaning.rstrip('.').lower()} ({code})" if meaning else f"code {code}"


def _sent(
    home: Home, conn: Connection, group: list[Row[Any]], wanted: dict[_Key, set[int]]
) -> dict[_Key, dict[int, str]]:
    """Segments of ours by their places, of sets of one group, so that nobody has to count them."""
    wanted = {key: positions for key, positions in wanted.items() if positions}
    found: dict[_Key, dict[int, str]] = {}
    if not wanted:
        return found
    about = group[0]
    sha256 = conn.execute(
        select(transmission.c.sha256).where(transmission.c.id == about.transmission)
    ).scalar_one()
    with home.store.fetch(sha256) as stream:
        inside = mine = False
        for event in edi.read(stream):
            if isinstance(event, Interchange):
                mine = plain(event.control_number) == about.interchange_control
            elif isinstance(event, Group):
                number = plain(event.control_number) if event.segment else None
                inside = mine and number == about.group_control
            elif inside and isinstance(event, Transaction):
                key = event.type, plain(event.control_number)
                if positions := wanted.pop(key, None):
                    there = sorted(at for at in positions if 1 <= at <= len(event.segments))
                    found[key] = {at: readable(event.segments[at - 1]) for at in there}
                    if not wanted:
                        break
    return found


def _shown(sent: dict[int, str] | None) -> str:
    """Segments of ours that are found fault with, as the first of them were sent."""
    return f"we sent {' ... '.join(list(sent.values())[:_SHOWN])}" if sent else ""


def _close(
    home: Home,
    conn: Connection,
    identity: str,
    row: Row[Any],
    state: str,
    why: str,
) -> None:
    """Give a document of ours the state that a partner's answer says, unless it has been answered before."""
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


def _unmatched(home: Home, conn: Connection, partner: Partner, identity: str, what: str) -> None:
    text = f"no {what} was sent to {partner.name}"
    conn.execute(
        update(document_table).where(document_table.c.id == identity).values(reason="UNMATCHED", error=text)
    )
    home.note(conn, "unmatched", f"an acknowledgment that matches nothing: {text}", partner=partner.name,
              document=identity)  # fmt: skip


def interchange_answered(
    home: Home, conn: Connection, partner: Partner, identity: str, answer: InterchangeAcknowledgment
) -> None:
    """Apply a partner's CONTRL to the documents of ours in the interchange that it names (ISO 9735-4).

    What is named at no level has been accepted with the level above; a repetition that is refused says
    nothing against what was read first; that it was received says nothing yet.
    """
    number = plain(answer.control_number)
    what = f"interchange {number}"
    if not _is_between(home, partner, answer):
        _unmatched(home, conn, partner, identity, f"{what} from {answer.sender} to {answer.receiver}")
        return
    groups = {plain(group.control_number): group for group in answer.groups}
    messages: dict[tuple[str | None, str, str], MessageStatus] = {
        (None, *_names(one)): one for one in answer.messages
    }
    messages |= {(number, *_names(one)): one for number, group in groups.items() for one in group.messages}
    named = {key[1:] for key in messages}
    rows = _of_interchange(conn, partner, number, named)
    if not rows:
        inside = f" with {_few(_in_order(named))}" if named else ""
        _unmatched(home, conn, partner, identity, what + inside)
        return
    if answer.status == "received" or (answer.status == "rejected" and answer.note == _REPEATED):
        why = f": {_reason(answer.note)}" if answer.note else ""
        text = f"{partner.name} answers {what}: {answer.status}{why}"
        belongs = update(document_table).where(document_table.c.id == identity)
        conn.execute(belongs.values(correlation=rows[0].correlation))
        home.note(conn, "acknowledged", text, partner=partner.name, correlation=rows[0].correlation,
                  document=rows[0].id)  # fmt: skip
        return
    ours = dict.fromkeys(row.group_control for row in rows)
    for group_control in ours:
        group = groups.get(group_control or "")
        mine = [row for row in rows if row.group_control == group_control]
        told = {key[1:]: one for key, one in messages.items() if key[0] in (group_control, None)}
        faulty = {key: {one.position for one in status.segments} for key, status in told.items()}
        sent = _sent(home, conn, mine, faulty)
        for row in mine:
            key = row.type, plain(row.transaction_control)
            state, why = _judgment(answer, group, told.get(key), sent.get(key, {}))
            shown = _shown(sent.get(key)) if state == "rejected" else ""
            _close(home, conn, identity, row, state, "; ".join(filter(None, [why, shown])))
    elsewhere = _in_order(named - {(row.type, plain(row.transaction_control)) for row in rows})
    elsewhere += [f"group {number}" for number in groups if number not in ours]
    if elsewhere:
        home.note(conn, "unmatched", f"a CONTRL names what was not sent: {_few(elsewhere)} in {what}",
                  partner=partner.name, document=identity)  # fmt: skip


def _is_between(home: Home, partner: Partner, answer: InterchangeAcknowledgment) -> bool:
    """Whether UCI names nobody but us and this partner; qualifiers may be left out, and the sides turned."""
    sides = {party.id for party in (home.config.us.unb, *partner.parties) if party is not None}
    return {answer.sender, answer.receiver} <= sides | {None}


def _names(status: MessageStatus) -> _Key:
    return status.type or "", plain(status.control_number)


def _in_order(named: set[_Key]) -> list[str]:
    return [f"{type} {control}" for type, control in sorted(named)]


def _of_interchange(conn: Connection, partner: Partner, number: str, named: set[_Key]) -> list[Row[Any]]:
    """The documents of the latest interchange of ours of this number that has the messages named."""
    found = conn.execute(
        select(document_table)
        .where(
            document_table.c.direction == "out",
            document_table.c.partner == partner.name,
            document_table.c.interchange_control == number,
            document_table.c.kind.is_distinct_from("acknowledgment"),
        )
        .order_by(document_table.c.created_at.desc())
    ).all()
    interchanges: dict[str | None, list[Row[Any]]] = {}
    for row in found:
        if syntax_of(row.type) == "edifact":
            interchanges.setdefault(row.transmission, []).append(row)

    def has(rows: list[Row[Any]]) -> int:
        return len(named & {(row.type, plain(row.transaction_control)) for row in rows})

    best = max(interchanges.values(), key=has, default=[])
    return best if has(best) or not named else []


def _judgment(
    answer: InterchangeAcknowledgment,
    group: GroupStatus | None,
    message: MessageStatus | None,
    sent: dict[int, str],
) -> tuple[str, str]:
    """The state that a CONTRL gives to a message, and why: by the highest level that is rejected."""
    for level, what in ((answer, "the interchange"), (group, "the group"), (message, "the message")):
        if level is None or level.status != "rejected":
            continue
        reasons = []
        if level.note or level.segment:
            reasons.append(f"{what}: {_placed(level)}")
        if isinstance(level, MessageStatus):
            reasons += [_fault_in_message(segment, sent) for segment in level.segments]
        return "rejected", _few(reasons, "; ")
    return "accepted", ""


def _placed(status: InterchangeAcknowledgment | GroupStatus | MessageStatus) -> str:
    """Where at its own level something is wrong and what: `UNT01 references do not match (28)`."""
    place = status.segment or ""
    if place and status.element:
        place += _reference(status.element, status.component)
    return f"{place} {_reason(status.note)}".strip()


def _fault_in_message(segment: FaultySegment, sent: dict[int, str]) -> str:
    """One segment in error, in words: `QTY at 6: QTY01-2 character of the wrong type (37)`."""
    tag = sent.get(segment.position, "")[:3]
    parts = [_reason(segment.code)] if segment.code else []
    for error in segment.elements:
        reference = f"{tag}{_reference(error.element, error.component)}"
        parts.append(f"{reference} {_reason(error.code)}")
    return ": ".join(filter(None, [f"{tag or 'segment'} at {segment.position}", _few(parts)]))


def _reference(element: int, component: int | None) -> str:
    """The place that 0098 means, which counts the tag as the first."""
    return f"{element - 1:02}" + (f"-{component}" if component else "")


def _reason(code: str | None) -> str:
    """A code of list 0085 with what it means."""
    meaning = edifact.meaning("0085", code or "")
    return f"{meaning.rstrip('.').lower()} ({code})" if meaning else f"code {code or 'none'}"


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
    rows = [row for row in rows if syntax_of(row.type) == "x12"]
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
