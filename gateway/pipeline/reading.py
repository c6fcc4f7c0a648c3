"""Steps 3 to 7: read, know, check, acknowledge, map. One job a transmission.

Two passes over the stored bytes: the first sees only envelopes and decides for each interchange whether it is
this partner's, to us, and new; the second checks, answers and maps what was accepted. A large file is
recorded in parts, so that it fills no memory and holds up no other writer; a part recorded twice changes
nothing.

An interchange that a hub brings belongs to the partner it says it is from, where that partner is reached
`via` this hub. All that it leads to is between us and that partner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update

import mappings
from edi import documents
from edi.documents import (
    Acknowledgment,
    ApplicationAdvice,
    Document,
    InterchangeAcknowledgment,
    LoadTenderAnswer,
    SalesOrder,
    ShipmentConfirmation,
    StockReceipt,
    Verdict,
)
from edi.guide import GuideError
from edi.problems import CannotWrite, EdiError, NotEdi, Problem, Severity
from edi.schema import Check
from edi.tree import Event, Group, GroupEnd, Interchange, InterchangeEnd, Transaction
from gateway import edi, numbers, orders
from gateway.config import Ack, Partner
from gateway.config.schema import ACKNOWLEDGMENTS
from gateway.edi import Answer, Answering, Syntax, located
from gateway.edi.agreed import map_choice
from gateway.engine import Dead, Done, Job
from gateway.errors import DeadReason
from gateway.failpoints import failpoint
from gateway.home import Home
from gateway.pipeline import outbound, reconcile
from gateway.pipeline.delivering import queue_delivery
from gateway.store import after_commit
from gateway.store.tables import document as document_table
from gateway.store.tables import interchange as interchange_table
from gateway.store.tables import order, transmission

_ANSWERS = (ShipmentConfirmation, StockReceipt, LoadTenderAnswer)  # each to one document of ours
_TYPES = 20  # that are remembered of one interchange
_LONGEST_NUMBER = 14  # digits of 0020; ISA13 has 9
_LATEST = 50  # control numbers of a sender, among which what comes next is missed
PART = 50  # documents recorded in one transaction
ANSWERS = 200  # recorded in one transaction
_REASONS = 5  # that are told of one verdict


def read(home: Home, job: Job) -> Done:
    """Read a stored transmission into documents and acknowledgments."""
    with home.store.read() as conn:
        row = conn.execute(
            select(transmission).where(transmission.c.id == job.payload["transmission"])
        ).one_or_none()
    if row is None:
        raise Dead(DeadReason.STORE_CORRUPT, "its transmission is not in the store")
    partner = home.config.partners.get(row.partner or "")
    if partner is None:
        raise Dead(DeadReason.UNKNOWN_PARTNER, f"no partner is named {row.partner!r} in partners.toml now")
    try:
        with home.store.fetch(row.sha256) as stream:
            envelopes = survey(stream)
    except NotEdi as error:
        raise Dead(DeadReason.ENVELOPE_BROKEN, str(error)) from None
    reading = _Reading(home, job, row, partner, envelopes)
    with home.store.read() as conn:
        reading.judge(conn)
    try:
        reading.rehearse()
    except CannotWrite as error:  # a header that no answer can repeat; trying again would stop the lane
        raise Dead(DeadReason.ENVELOPE_BROKEN, f"it cannot be answered: {error}") from None
    try:
        with home.store.fetch(row.sha256) as stream:
            reading.read(stream)
    except GuideError as error:  # it was right when partners.toml was read; the partner is not to blame
        raise Dead(DeadReason.MAPPING_FAILED, f"the partner's guide cannot be used: {error}") from None
    reading.spread()
    failpoint("read:before-commit")

    def commit(conn: Connection) -> None:
        reading.record(conn)
        after_commit(conn, lambda: failpoint("read:committed"))

    return Done(commit)


def read_failed(home: Home, conn: Connection, job: Job, reason: str, message: str) -> None:
    """A transmission that cannot be read at all waits for a person, its bytes kept."""
    identity = job.payload["transmission"]
    conn.execute(
        update(transmission)
        .where(transmission.c.id == identity)
        .values(status="held", reason=reason, error=message, done_at=home.now())
    )
    partner = conn.execute(select(transmission.c.partner).where(transmission.c.id == identity)).scalar()
    home.note(conn, "held", f"{reason}: {message}", partner=partner, transmission=identity)


@dataclass
class Envelope:
    """One interchange of a file as the first pass saw it, before anything was decided about it."""

    header: Interchange
    partner: Partner = field(init=False)  # whose it is, or who brought it
    content_sha256: str = ""
    groups: list[tuple[Group, GroupEnd]] = field(default_factory=list)
    types: dict[str, None] = field(default_factory=dict)  # of what in it may be acknowledged, in order
    end: InterchangeEnd | None = None
    status: str = "accepted"
    reason: str | None = None
    text: str = ""
    answers: list[tuple[Answer, _Read | None]] = field(default_factory=list)  # to what in it, if to a part
    remark: tuple[str, str] | None = None  # what is odd about its number though it is read: event, text

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the envelope itself."""
        groups = tuple(problem for group, _ in self.groups for problem in group.problems)
        return self.header.problems + groups + (self.end.problems if self.end else ())

    @property
    def answerable(self) -> bool:
        """Whether it holds more than acknowledgments, which are never answered."""
        return bool(self.types) or not any(end.transactions for _, end in self.groups)

    @property
    def syntax(self) -> Syntax:
        """Its syntax."""
        return edi.of(self.header)

    def refuse(self, status: str, reason: DeadReason, text: str, *, answered: bool = False) -> None:
        """Decide that nothing of it becomes a document, and have it answered so."""
        self.status, self.reason, self.text = status, reason, text
        if answered:
            told = None if reason is DeadReason.ENVELOPE_BROKEN else reason
            groups = [group for group, _ in self.groups]
            answer = self.syntax.refuse(
                self.header, self.end, groups, answerable=self.answerable, reason=told
            )
            self.answer(answer)

    def accept(self) -> None:
        """Have the partner told that it came, where that is asked for."""
        self.answer(self.syntax.received(self.header, self.end, [group for group, _ in self.groups]))

    def answer(self, answer: Answer | None, to: _Read | None = None) -> None:
        """Have an answer sent, if there is one."""
        if answer is not None:
            self.answers.append((answer, to))


def survey(stream: BinaryIO) -> list[Envelope]:
    """The envelopes of a file, and a digest of each interchange's segments. Raises NotEdi.

    The digest leaves out terminators and line breaks: a file sent again with other line ends is the same.
    """
    found: list[Envelope] = []
    digest = hashlib.sha256()
    group: Group | None = None
    for event in edi.read(stream):
        match event:
            case Interchange():
                found.append(Envelope(event))
                digest = hashlib.sha256(_bytes(event.segment))
            case Group():
                group = event
                digest.update(_bytes(event.segment))
            case Transaction():
                assert group is not None
                digest.update(_bytes("\n".join(event.segments)))
                types = found[-1].types
                if len(types) < _TYPES and found[-1].syntax.is_answered(event, group):
                    types[event.type] = None
            case GroupEnd():
                assert group is not None
                found[-1].groups.append((group, event))
            case InterchangeEnd():
                digest.update(_bytes("\n".join(event.loose)))
                found[-1].end = event
                found[-1].content_sha256 = digest.hexdigest()
    return found


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "backslashreplace")


class _Read(NamedTuple):
    """One transaction on its way into the document table."""

    partner: Partner
    values: dict[str, Any]
    document: Document | None


class _Owed(NamedTuple):
    """An answer to an interchange, or to a part of it that begins with a transaction."""

    envelope: Envelope
    answer: Answer
    to: _Read | None


class _Reading:
    """All that one transmission leads to, gathered first and recorded after."""

    def __init__(
        self, home: Home, job: Job, row: Row[Any], partner: Partner, envelopes: list[Envelope]
    ) -> None:
        self.home = home
        self.job = job
        self.row = row
        self.channel = partner  # who brought it
        self.envelopes = envelopes
        for envelope in envelopes:
            envelope.partner = self._sender(envelope.header)
        self.found: list[_Read] = []
        self.passed = 0  # transactions of the file so far, whether or not their interchange is accepted
        self.latest: dict[tuple[str, str], list[int]] = {}  # numbers accepted before, the last one first

    # Step 4: know.

    def _sender(self, header: Interchange) -> Partner:
        """Whose an interchange is: the partner's it names, if this channel carries it, else the channel's."""
        named = self.home.config.by_party(header.sender, header.syntax)
        carried = named is not None and named.via == self.channel.name and named.status != "draft"
        return named if named is not None and carried else self.channel

    def judge(self, conn: Connection) -> None:
        """Decide for each interchange whether it is this partner's, to us, and new."""
        seen: set[tuple[str, str, str]] = set()
        for envelope in self.envelopes:
            self._judge(conn, envelope, seen)

    def _judge(self, conn: Connection, envelope: Envelope, seen: set[tuple[str, str, str]]) -> None:
        header, us, partner = envelope.header, self.home.config.us, envelope.partner
        known = self._is_known(header, partner)
        broken = [problem for problem in envelope.problems if problem.severity is Severity.ERROR]
        if any(problem.severity is Severity.ERROR for problem in header.problems):
            envelope.refuse("refused", DeadReason.ENVELOPE_BROKEN, broken[0].message, answered=known)
        elif not partner.owns(header.sender, header.syntax):
            envelope.refuse(
                "refused",
                DeadReason.SENDER_MISMATCH,
                f"the interchange says it is from {header.sender}, which is no identity of "
                f"{partner.name} ({', '.join(map(str, partner.parties))})",
                answered=known,
            )
        elif not us.owns(header.receiver, header.syntax):
            envelope.refuse(
                "refused",
                DeadReason.RECEIVER_UNKNOWN,
                f"the interchange is for {header.receiver}; we are {us.identity(header.syntax)}",
                answered=known,
            )
        elif broken:
            envelope.refuse("refused", DeadReason.ENVELOPE_BROKEN, broken[0].message, answered=known)
        elif (owner := self._foreign_group(envelope)) is not None:
            envelope.refuse("refused", DeadReason.SENDER_MISMATCH, owner, answered=known)
        elif self._wrong_usage(header, partner):
            envelope.refuse(
                "held",
                DeadReason.WRONG_USAGE,
                f"usage {header.usage} came where usage {partner.usage} is agreed",
            )
        else:
            self._judge_number(conn, envelope, seen)
            if envelope.status == "accepted":
                self._remember(conn, header)
                envelope.accept()
        if envelope.status in ("accepted", "held"):  # what was refused may come again
            seen.add((str(header.sender), str(header.receiver), header.control_number))

    def _is_known(self, header: Interchange, partner: Partner) -> bool:
        """Whether both sides have ids in its syntax, under which it can be answered."""
        us, syntax = self.home.config.us, header.syntax
        ours = us.owns(header.receiver, syntax) or us.identity(syntax) is not None
        return ours and (partner.owns(header.sender, syntax) or partner.identity(syntax) is not None)

    def _wrong_usage(self, header: Interchange, partner: Partner) -> bool:
        held = "wrong_usage" in self.home.config.defaults.quarantine_on
        return held and header.usage != partner.usage

    def _foreign_group(self, envelope: Envelope) -> str | None:
        """A GS02 that is another partner's identity is no more ours to accept than such an ISA06."""
        mine = {party.id for party in envelope.partner.parties}
        for group, _ in envelope.groups:
            for other in self.home.config.partners.values():
                if group.sender in {party.id for party in other.parties} - mine:
                    return f"a group says it is from {group.sender}, which is an identity of {other.name}"
        return None

    def _judge_number(self, conn: Connection, envelope: Envelope, seen: set[tuple[str, str, str]]) -> None:
        header, rules = envelope.header, envelope.partner.control_numbers
        released = "release" in self.job.payload
        key = (str(header.sender), str(header.receiver), header.control_number)
        earlier = conn.execute(
            select(interchange_table)
            .where(
                interchange_table.c.sender == key[0],
                interchange_table.c.receiver == key[1],
                interchange_table.c.control_number == key[2],
                interchange_table.c.status.in_(("accepted", "held")),
                interchange_table.c.transmission != self.row.id,
                interchange_table.c.created_at > self.home.now() - numbers.KEPT,
            )
            .order_by(interchange_table.c.created_at.desc())
        ).all()
        number = f"control number {header.control_number} from {header.sender}"
        for one in earlier:
            if one.content_sha256 == envelope.content_sha256:
                text = f"{number} was read before, in {one.transmission}"
                envelope.refuse("duplicate", DeadReason.DUPLICATE_ICN, text, answered=True)
                return
        if earlier or key in seen:
            text = f"{number} stands twice in this file"
            if earlier:
                text = f"{number} was read before, in {earlier[0].transmission}, with other content"
            if rules.on_duplicate == "quarantine" and not released:
                envelope.refuse("held", DeadReason.DUPLICATE_ICN, text)
            else:
                envelope.remark = ("duplicate", text)
        elif missing := self._gap(conn, envelope):
            if rules.on_gap == "quarantine" and not released:
                envelope.refuse("held", DeadReason.CONTROL_GAP, missing)
            else:
                envelope.remark = ("gap", missing)

    def _gap(self, conn: Connection, envelope: Envelope) -> str:
        """What should have come between the numbers before and this one; "" where nothing is missing.

        After the last number comes 1, so one is ahead of another or behind it by less than half of them.
        """
        header, rules = envelope.header, envelope.partner.control_numbers
        highest = numbers.LAST[header.syntax]
        latest = self._latest(conn, header)
        this = _counted(header.control_number)
        if rules.on_gap == "ignore" or this is None or not latest:
            return ""

        def ahead(number: int) -> int:
            return (number - latest[0] + highest // 2) % highest - highest // 2

        before = max(latest, key=ahead)
        if ahead(this) <= ahead(before) + 1:
            return ""
        first, last = before % highest + 1, (this - 2) % highest + 1
        missing = f"{first}" if first == last else f"{first} to {last}"
        return f"interchanges {missing} from {header.sender} have not come: {this} follows {before}"

    def _latest(self, conn: Connection, header: Interchange) -> list[int]:
        """The numbers last accepted from a sender, also from this file."""
        key = str(header.sender), str(header.receiver)
        if key not in self.latest:
            found = conn.execute(
                select(interchange_table.c.control_number)
                .where(
                    interchange_table.c.sender == key[0],
                    interchange_table.c.receiver == key[1],
                    interchange_table.c.status == "accepted",
                    interchange_table.c.transmission != self.row.id,
                    interchange_table.c.created_at > self.home.now() - numbers.KEPT,
                )
                .order_by(interchange_table.c.created_at.desc())
                .limit(_LATEST)
            ).scalars()
            self.latest[key] = [number for number in map(_counted, found) if number is not None]
        return self.latest[key]

    def _remember(self, conn: Connection, header: Interchange) -> None:
        if (number := _counted(header.control_number)) is not None:
            latest = self._latest(conn, header)
            latest.insert(0, number)
            del latest[_LATEST:]

    def rehearse(self) -> None:
        """See that whatever is due an answer can be given one, before a part of it has an effect.

        What a transaction adds to an answer can always be written. Raises CannotWrite.
        """
        for envelope in self.envelopes:
            for answer in [answer for answer, _ in envelope.answers] + self._trial(envelope):
                outbound.rehearse(self.home, envelope.partner, envelope.header, answer)

    def _trial(self, envelope: Envelope) -> list[Answer]:
        """The answers to an interchange that is read, as if nothing were in it."""
        if envelope.status != "accepted":
            return []
        answering = envelope.syntax.answering(envelope.header, answerable=envelope.answerable)
        answers = []
        for group, end in envelope.groups:
            answering.begin(group)
            answers.append(answering.end(end, self._mode(envelope, group)))
        if envelope.end is not None:
            answers.append(answering.finish(envelope.end, self._mode(envelope)))
        return [answer for answer in answers if answer is not None]

    # Steps 5 to 7: check, acknowledge, map.

    def read(self, stream: BinaryIO) -> None:
        """Check, answer and map every transaction of every accepted interchange."""
        events = edi.read(stream)
        envelopes = iter(self.envelopes)
        for event in events:
            if isinstance(event, Interchange):
                envelope = next(envelopes)
                groups = iter(envelope.groups)
                answering = envelope.syntax.answering(event, answerable=envelope.answerable)
                first = None
            elif isinstance(event, Group):
                group, end = next(groups)
                if envelope.status == "accepted":
                    of_group = self._read_group(envelope, group, end, events, answering)
                    first = first or of_group
            elif isinstance(event, Transaction):
                self.passed += 1
            elif isinstance(event, InterchangeEnd) and envelope.status == "accepted":
                envelope.answer(answering.finish(event, self._mode(envelope)), first)

    def _read_group(
        self,
        envelope: Envelope,
        group: Group,
        end: GroupEnd,
        events: Iterator[Event],
        answering: Answering,
    ) -> _Read | None:
        """Use up the events of one group; the first transaction of it."""
        answering.begin(group)
        broken = next((problem for problem in end.problems if problem.severity is Severity.ERROR), None)
        first = None
        for event in events:
            if not isinstance(event, Transaction):
                break
            self.passed += 1
            verdict = envelope.syntax.check(event, envelope.partner.guide(event.type, "in"))
            answering.add(event, verdict)
            self.found.append(self._document(envelope, group, event, verdict, broken))
            first = first or self.found[-1]
            if len(self.found) >= PART:
                self.home.engine.checkpoint(self.job, self._record_part)
                self.found = []
        envelope.answer(answering.end(end, self._mode(envelope, group)), first)
        return first

    def _document(
        self, envelope: Envelope, group: Group, item: Transaction, verdict: Check, broken: Problem | None
    ) -> _Read:
        identity = f"{self.row.id}-{self.passed}"  # by its place in the file: the same whenever it is read
        now = self.home.now()
        values: dict[str, Any] = {
            "id": identity,
            "direction": "in",
            "partner": envelope.partner.name,
            "transmission": self.row.id,
            "type": item.type,
            "version": item.version,
            "kind": None,
            "number": None,
            "correlation": None,
            "functional_id": group.functional_id or None,
            "interchange_control": envelope.header.control_number,
            "group_control": group.control_number if group.segment else None,
            "transaction_control": item.control_number,
            "status": "rejected" if broken is not None else verdict.status,
            "reason": None,
            "error": None,
            "problems": [
                msgspec.to_builtins(problem) for problem in (*verdict.problems, *([broken] if broken else []))
            ],
            "body": None,
            "ack": "none",
            "created_at": now,
        }
        if values["status"] == "rejected":
            values["reason"] = DeadReason.EDI_REJECTED
            errors = [problem for problem in verdict.problems if problem.severity is Severity.ERROR]
            values["error"] = errors[0].message if errors else "its group is rejected"
            if broken is not None:
                values["error"] = f"its group is rejected: {broken.message}"
            return _Read(envelope.partner, values, None)
        document = _map(envelope, item, verdict, values)
        if document is not None:
            values["kind"] = documents.schema_of(document).partition(".")[2].partition("/")[0]
            values["number"] = getattr(document, "number", None) or getattr(document, "control_number", None)
            values["body"] = documents.encode(document)
        return _Read(envelope.partner, values, document)

    # Recording, in the transaction that completes the job.

    def record(self, conn: Connection) -> None:
        """Write down everything that was found, and queue what it leads to."""
        before = conn.execute(
            delete(interchange_table).where(interchange_table.c.transmission == self.row.id)
        )
        answered = self._answered_before(conn) if before.rowcount else set()
        self._record_envelopes(conn)
        for envelope in self.envelopes:
            self._tell(conn, envelope)
        self._record_found(conn)
        self._answer(conn, self._answers(), answered)
        for envelope in self.envelopes:
            if envelope.status == "accepted" and envelope.end is not None:
                for told in envelope.syntax.answers_in(envelope.header, envelope.end):
                    reconcile.interchange_acknowledged(self.home, conn, envelope.partner, told)
        if (unread := self._unread()) is not None:
            text = f"{DeadReason.ENVELOPE_BROKEN}: {unread}"
            self.home.note(conn, "held", text, partner=self.channel.name, transmission=self.row.id)
        status, reason, error = self._outcome()
        conn.execute(
            update(transmission)
            .where(transmission.c.id == self.row.id)
            .values(status=status, reason=reason, error=error, done_at=self.home.now())
        )

    def _tell(self, conn: Connection, envelope: Envelope) -> None:
        """What a person should know of an interchange, in the timeline."""
        told = envelope.remark
        if envelope.status != "accepted":
            text = f"interchange {envelope.header.control_number}: {envelope.reason}: {envelope.text}"
            told = envelope.status, text
        if told is not None:
            self.home.note(conn, *told, partner=envelope.partner.name, transmission=self.row.id)

    def _record_part(self, conn: Connection) -> None:
        """A part of a large file; with the first, its control numbers count as seen."""
        mine = interchange_table.c.transmission == self.row.id
        if conn.execute(select(interchange_table.c.id).where(mine).limit(1)).scalar() is None:
            self._record_envelopes(conn)
        self._record_found(conn)

    def spread(self) -> None:
        """Record many answers a part at a time, once all that they are to is recorded."""
        answers = self._answers()
        if len(answers) <= ANSWERS:
            return
        self.home.engine.checkpoint(self.job, self._record_part)
        self.found = []
        with self.home.store.read() as conn:
            before = self._answered_before(conn)
        for at in range(0, len(answers), ANSWERS):
            part = answers[at : at + ANSWERS]
            self.home.engine.checkpoint(self.job, partial(self._answer, answers=part, before=before))

    def _record_found(self, conn: Connection) -> None:
        for read in self.found:
            self._record_document(conn, read)

    def _outcome(self) -> tuple[str, str | None, str | None]:
        """The transmission's own state: that of its worst interchange, or of what is none."""
        if (unread := self._unread()) is not None:
            return "held", DeadReason.ENVELOPE_BROKEN, unread
        for status in ("held", "refused", "duplicate"):
            for envelope in self.envelopes:
                if envelope.status == status:
                    return status, envelope.reason, envelope.text
        return "done", None, None

    def _unread(self) -> str | None:
        """What of the file is not read, though it begins as EDI does."""
        told = (edi.unread(envelope.end) for envelope in self.envelopes if envelope.end is not None)
        return next(filter(None, told), None)

    def _record_envelopes(self, conn: Connection) -> None:
        now = self.home.now()
        values = [
            {
                "id": f"{self.row.id}-{number}",
                "transmission": self.row.id,
                "partner": envelope.partner.name,
                "syntax": envelope.header.syntax,
                "sender": str(envelope.header.sender),
                "receiver": str(envelope.header.receiver),
                "control_number": envelope.header.control_number,
                "content_sha256": envelope.content_sha256,
                "status": envelope.status,
                "reason": envelope.reason,
                "problems": [msgspec.to_builtins(problem) for problem in envelope.problems],
                "created_at": now,
            }
            for number, envelope in enumerate(self.envelopes, 1)
        ]
        conn.execute(insert(interchange_table), values)

    def _record_document(self, conn: Connection, read: _Read) -> None:
        partner, values = read.partner, read.values
        before = conn.execute(
            select(document_table.c.body, document_table.c.correlation).where(
                document_table.c.id == values["id"]
            )
        ).one_or_none()
        if before is not None:
            if before.body is not None:  # a replay; this one had its effect
                values["correlation"] = before.correlation
                return
            conn.execute(delete(document_table).where(document_table.c.id == values["id"]))
        values["correlation"] = orders.correlation(conn, partner, values["id"], read.document)
        conn.execute(insert(document_table), values)
        note = _Note(self.home, conn, partner.name, values)
        what = f"{values['type']} {values['number'] or values['transaction_control']} from {partner.name}"
        if values["status"] == "rejected":
            note("rejected", f"{what}: {values['error']}")
        elif values["status"] == "held":
            note("held", f"{what}: {values['reason']}: {values['error']}")
        elif isinstance(read.document, Acknowledgment):
            reconcile.acknowledged(self.home, conn, partner, values["id"], read.document)
        elif isinstance(read.document, InterchangeAcknowledgment):
            reconcile.interchange_answered(self.home, conn, partner, values["id"], read.document)
        elif read.document is not None:
            note("read", f"{what}: {values['status'].replace('_', ' ')}")
            if isinstance(read.document, ApplicationAdvice):
                for verdict in read.document.verdicts:
                    if verdict.refused:
                        note("refused", f"{partner.name} refuses {_refused(verdict)}")
            if isinstance(read.document, _ANSWERS) and values["correlation"] is None:
                note("unmatched", f"{what} answers nothing that we sent to {partner.name}")
            if isinstance(read.document, SalesOrder):
                self._begin_order(conn, partner, values, read.document)
            queue_delivery(self.home, conn, values["id"])

    def _begin_order(
        self, conn: Connection, partner: Partner, values: dict[str, Any], document: SalesOrder
    ) -> None:
        agreement = partner.agreement(values["type"], "in")
        route = agreement.route if agreement is not None else None
        known = conn.execute(select(order.c.correlation).where(order.c.correlation == values["id"])).scalar()
        if known is None:
            conn.execute(
                insert(order),
                {
                    "correlation": values["id"],
                    "number": document.number,
                    "partner": partner.name,
                    "warehouse": route.removeprefix("3pl:") if route else None,
                    "status": "open",
                    "created_at": self.home.now(),
                },
            )

    # Step 6: the acknowledgments leave like any other transmission.

    def _answered_before(self, conn: Connection) -> set[tuple[str, str, str]]:
        """What an earlier reading of this transmission answered: a replay answers nothing twice."""
        rows = conn.execute(
            select(document_table.c.cause, document_table.c.type, document_table.c.number).where(
                document_table.c.direction == "out",
                document_table.c.kind == "acknowledgment",
                or_(
                    document_table.c.cause == self.row.id,
                    and_(
                        document_table.c.cause >= f"{self.row.id}-",
                        document_table.c.cause < f"{self.row.id}.",
                    ),
                ),  # its own id, and with what it begins those of its documents
            )
        )
        return {(row.cause, row.type, row.number) for row in rows}

    def _answers(self) -> list[_Owed]:
        return [_Owed(envelope, answer, to) for envelope in self.envelopes for answer, to in envelope.answers]

    def _answer(self, conn: Connection, answers: list[_Owed], before: set[tuple[str, str, str]]) -> None:
        for envelope, answer, first in answers:
            cause = first.values["id"] if first is not None else self.row.id
            if (cause, answer.kind, answer.number) not in before:
                due = self.row.created_at + self._ack_for(envelope, answer.group).send_within
                outbound.answer(
                    self.home,
                    conn,
                    envelope.partner,
                    answer,
                    cause=cause,
                    correlation=first.values["correlation"] if first is not None else None,
                    due=due if answer.body is not None else None,
                )

    def _mode(self, envelope: Envelope, group: Group | None = None) -> str:
        """By what a group, or an interchange as a whole, is answered."""
        return self._ack_for(envelope, group).mode

    def _ack_for(self, envelope: Envelope, group: Group | None) -> Ack:
        """How it is answered: as agreed for the first set known of those in it."""
        functional_id = envelope.syntax.functional_id
        agreed = [
            agreement.ack
            for agreement in envelope.partner.agreements
            if agreement.direction == "in"
            and (
                functional_id(agreement.type) == group.functional_id
                if group is not None
                else agreement.type in envelope.types
            )
        ]
        if group is None:  # one answer for all: it is owed if any is
            agreed.sort(key=lambda ack: ack.mode == "none")
        return agreed[0] if agreed else self.home.config.defaults.ack


def _counted(control_number: str) -> int | None:
    """A control number as one that is counted; None for other text, and for more digits than one may have."""
    counts = control_number.isascii() and control_number.isdecimal()
    return int(control_number) if counts and len(control_number) <= _LONGEST_NUMBER else None


def _map(envelope: Envelope, item: Transaction, verdict: Check, values: dict[str, Any]) -> Document | None:
    """The document, or None and the reason in `values`: it is held, and has been acknowledged."""
    partner = envelope.partner
    agreement = partner.agreement(item.type, "in")
    if agreement is None and partner.agreements and item.type not in ACKNOWLEDGMENTS:
        values |= {
            "status": "held",
            "reason": DeadReason.NOT_AGREED,
            "error": f"no {item.type} is agreed with {partner.name} in this direction",
        }
        return None
    assert verdict.places is not None
    try:
        definition = envelope.syntax.definition(item.type, item.version)
        assert definition is not None  # or it would have been rejected
        map = mappings.load(definition, *map_choice(partner, item.type, "in"))
        document, problems = map.read_checked(verdict, item.separators)
    except EdiError as error:
        document, problems = None, ()
        values["error"] = str(error)
    if document is None:
        values |= {
            "status": "held",
            "reason": DeadReason.MAPPING_FAILED,
            "error": values["error"] or problems[0].message,
            "problems": values["problems"]
            + [msgspec.to_builtins(located(problem, item)) for problem in problems],
        }
        return None
    return msgspec.structs.replace(document, partner=partner.name)


def _refused(verdict: Verdict) -> str:
    """A document of ours that a partner's application turned down, and why."""
    what = f"{verdict.transaction_set or verdict.number_type.replace('_', ' ')} {verdict.number}"
    reasons = [error.message or error.code.replace("_", " ") for error in verdict.errors[:_REASONS]]
    return f"{what}: {', '.join(reasons)}" if reasons else what


class _Note(NamedTuple):
    """A line of the timeline about one document."""

    home: Home
    conn: Connection
    partner: str
    values: dict[str, Any]

    def __call__(self, name: str, text: str) -> None:
        self.home.note(
            self.conn,
            name,
            text,
            partner=self.partner,
            correlation=self.values["correlation"],
            document=self.values["id"],
            transmission=self.values["transmission"],
        )
