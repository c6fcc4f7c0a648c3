"""Steps 3 and 5 to 7: read, check, acknowledge, map. One job a transmission.

Two passes over the stored bytes: the first sees only envelopes, which are judged; the second checks, answers
and maps what was accepted. A large file is recorded in parts, so that it fills no memory and holds up no
other writer; a part recorded twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from gateway import edi, orders
from gateway.config import Ack, Partner
from gateway.config.schema import ACKNOWLEDGMENTS
from gateway.edi import Answer, Answering, located
from gateway.edi.agreed import map_choice
from gateway.engine import Dead, Done, Job
from gateway.errors import DeadReason
from gateway.failpoints import failpoint
from gateway.home import Home
from gateway.pipeline import exchange, outbound, reconcile
from gateway.pipeline.delivering import queue_delivery
from gateway.pipeline.judging import Envelope, judge, survey
from gateway.store import after_commit
from gateway.store.tables import document as document_table
from gateway.store.tables import interchange as interchange_table
from gateway.store.tables import order, transmission

_ANSWERS = (ShipmentConfirmation, StockReceipt, LoadTenderAnswer)  # each to one document of ours
PART = 50  # documents recorded in one transaction, or fewer that come to
PART_SIZE = 1 << 20  # characters
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
    if exchange.is_exchange(row.content_type):
        return exchange.read(home, row, partner)
    try:
        with home.store.fetch(row.sha256) as stream:
            envelopes = survey(stream)
    except NotEdi as error:
        raise Dead(DeadReason.ENVELOPE_BROKEN, str(error)) from None
    reading = _Reading(home, job, row, partner, envelopes)
    with home.store.read() as conn:
        judge(
            home,
            conn,
            envelopes,
            channel=partner,
            transmission=row.id,
            released="release" in job.payload,
        )
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
        self.owed: list[_Owed] = []
        self.found: list[_Read] = []
        self.passed = 0  # transactions of the file so far, whether or not their interchange is accepted

    def rehearse(self) -> None:
        """See that whatever is due an answer can be given one, before a part of it has an effect.

        What a transaction adds to an answer can always be written. Raises CannotWrite.
        """
        for envelope in self.envelopes:
            for answer in envelope.answers + self._trial(envelope):
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
                self.owed += [_Owed(envelope, answer, None) for answer in envelope.answers]
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
                self._owe(envelope, answering.finish(event, self._mode(envelope)), first)

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
        first, held = None, 0
        for event in events:
            if not isinstance(event, Transaction):
                break
            self.passed += 1
            verdict = envelope.syntax.check(event, envelope.partner.guide(event.type, "in"))
            answering.add(event, verdict)
            self.found.append(self._document(envelope, group, event, verdict, broken))
            first = first or self.found[-1]
            held += sum(map(len, event.segments))
            if len(self.found) >= PART or held >= PART_SIZE:
                self.home.engine.checkpoint(self.job, self._record_part)
                self.found, held = [], 0
        self._owe(envelope, answering.end(end, self._mode(envelope, group)), first)
        return first

    def _owe(self, envelope: Envelope, answer: Answer | None, to: _Read | None) -> None:
        if answer is not None:
            self.owed.append(_Owed(envelope, answer, to))

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
        self._answer(conn, self.owed, answered)
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
        if len(self.owed) <= ANSWERS:
            return
        self.home.engine.checkpoint(self.job, self._record_part)
        self.found = []
        with self.home.store.read() as conn:
            before = self._answered_before(conn)
        for at in range(0, len(self.owed), ANSWERS):
            part = self.owed[at : at + ANSWERS]
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
