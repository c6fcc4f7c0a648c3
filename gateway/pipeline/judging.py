"""Step 4: know. Whose each interchange of a file is, whether it is to us, and whether it is new.

An interchange that a hub brings belongs to the partner it says it is from, where that partner is reached
`via` this hub. All that it leads to is between us and that partner.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import BinaryIO

from sqlalchemy import Connection, select

from edi.problems import Problem, Severity
from edi.tree import Group, GroupEnd, Interchange, InterchangeEnd, Transaction
from gateway import edi, numbers
from gateway.config import Partner
from gateway.edi import Answer, Syntax
from gateway.errors import DeadReason
from gateway.home import Home
from gateway.store.tables import interchange as interchange_table

_TYPES = 20  # that are remembered of one interchange
_LONGEST_NUMBER = 14  # digits of 0020; ISA13 has 9
_LATEST = 50  # control numbers of a sender, among which what comes next is missed


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
    answers: list[Answer] = field(default_factory=list)  # that the judgment itself leads to
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
            self._answer(answer)

    def accept(self) -> None:
        """Have the partner told that it came, where that is asked for."""
        self._answer(self.syntax.received(self.header, self.end, [group for group, _ in self.groups]))

    def _answer(self, answer: Answer | None) -> None:
        if answer is not None:
            self.answers.append(answer)


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


def judge(
    home: Home,
    conn: Connection,
    envelopes: list[Envelope],
    *,
    channel: Partner,
    transmission: str,
    released: bool,
) -> None:
    """Decide for each interchange of a file whether it is its partner's, to us, and new.

    `channel` is who brought it; `released` lets pass what was held for its control number.
    """
    judging = _Judging(home, channel, transmission, released)
    for envelope in envelopes:
        envelope.partner = judging.sender(envelope.header)
        judging.judge(conn, envelope)


class _Judging:
    """The judgment of one file: what it says again it has said before."""

    def __init__(self, home: Home, channel: Partner, transmission: str, released: bool) -> None:
        self._home = home
        self._channel = channel
        self._transmission = transmission
        self._released = released
        self._seen: set[tuple[str, str, str]] = set()  # sender, receiver and control number
        self._latest_of: dict[tuple[str, str], list[int]] = {}  # numbers accepted before, the last one first

    def sender(self, header: Interchange) -> Partner:
        """Whose an interchange is: the partner's it names, if this channel carries it, else the channel's."""
        named = self._home.config.by_party(header.sender, header.syntax)
        carried = named is not None and named.via == self._channel.name and named.status != "draft"
        return named if named is not None and carried else self._channel

    def judge(self, conn: Connection, envelope: Envelope) -> None:
        """Decide about the next interchange of the file."""
        header, us, partner = envelope.header, self._home.config.us, envelope.partner
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
            self._judge_number(conn, envelope)
            if envelope.status == "accepted":
                self._remember(conn, header)
                envelope.accept()
        if envelope.status in ("accepted", "held"):  # what was refused may come again
            self._seen.add((str(header.sender), str(header.receiver), header.control_number))

    def _is_known(self, header: Interchange, partner: Partner) -> bool:
        """Whether both sides have ids in its syntax, under which it can be answered."""
        us, syntax = self._home.config.us, header.syntax
        ours = us.owns(header.receiver, syntax) or us.identity(syntax) is not None
        return ours and (partner.owns(header.sender, syntax) or partner.identity(syntax) is not None)

    def _wrong_usage(self, header: Interchange, partner: Partner) -> bool:
        held = "wrong_usage" in self._home.config.defaults.quarantine_on
        return held and header.usage != partner.usage

    def _foreign_group(self, envelope: Envelope) -> str | None:
        """A GS02 that is another partner's identity is no more ours to accept than such an ISA06."""
        mine = {party.id for party in envelope.partner.parties}
        for group, _ in envelope.groups:
            for other in self._home.config.partners.values():
                if group.sender in {party.id for party in other.parties} - mine:
                    return f"a group says it is from {group.sender}, which is an identity of {other.name}"
        return None

    def _judge_number(self, conn: Connection, envelope: Envelope) -> None:
        header, rules = envelope.header, envelope.partner.control_numbers
        released = self._released
        key = (str(header.sender), str(header.receiver), header.control_number)
        earlier = conn.execute(
            select(interchange_table)
            .where(
                interchange_table.c.sender == key[0],
                interchange_table.c.receiver == key[1],
                interchange_table.c.control_number == key[2],
                interchange_table.c.status.in_(("accepted", "held")),
                interchange_table.c.transmission != self._transmission,
                interchange_table.c.created_at > self._home.now() - numbers.KEPT,
            )
            .order_by(interchange_table.c.created_at.desc())
        ).all()
        number = f"control number {header.control_number} from {header.sender}"
        for one in earlier:
            if one.content_sha256 == envelope.content_sha256:
                text = f"{number} was read before, in {one.transmission}"
                envelope.refuse("duplicate", DeadReason.DUPLICATE_ICN, text, answered=True)
                return
        if earlier or key in self._seen:
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
        if key not in self._latest_of:
            found = conn.execute(
                select(interchange_table.c.control_number)
                .where(
                    interchange_table.c.sender == key[0],
                    interchange_table.c.receiver == key[1],
                    interchange_table.c.status == "accepted",
                    interchange_table.c.transmission != self._transmission,
                    interchange_table.c.created_at > self._home.now() - numbers.KEPT,
                )
                .order_by(interchange_table.c.created_at.desc())
                .limit(_LATEST)
            ).scalars()
            self._latest_of[key] = [number for number in map(_counted, found) if number is not None]
        return self._latest_of[key]

    def _remember(self, conn: Connection, header: Interchange) -> None:
        if (number := _counted(header.control_number)) is not None:
            latest = self._latest(conn, header)
            latest.insert(0, number)
            del latest[_LATEST:]


def _counted(control_number: str) -> int | None:
    """A control number as one that is counted; None for other text, and for more digits than one may have."""
    counts = control_number.isascii() and control_number.isdecimal()
    return int(control_number) if counts and len(control_number) <= _LONGEST_NUMBER else None
