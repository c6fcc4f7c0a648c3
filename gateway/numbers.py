"""Control numbers: gap-free, because they are taken in the transaction that uses them.

Those of X12 are ISA13, GS06 and ST02, those of EDIFACT UNB 0020, UNG 0048 and UNH 0062; a partner who speaks
both has sequences of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Connection, select

from edi.tree import PartyId, Syntax
from gateway.config import ControlNumbers
from gateway.store.dialect import Upsert
from gateway.store.tables import control_number

KEPT = timedelta(days=90)  # for so long, a number that comes again is a repetition

_TAKE = Upsert(
    control_number,
    lambda insert: insert.on_conflict_do_update(
        index_elements=["ours", "theirs", "level"],
        set_={"next": control_number.c.next + insert.excluded.next - 1},
    ).returning(control_number.c.next),
)


_PUT = Upsert(
    control_number,
    lambda insert: insert.on_conflict_do_update(
        index_elements=["ours", "theirs", "level"], set_={"next": insert.excluded.next}
    ),
)

LAST: dict[Syntax, int] = {  # the highest number; after it comes 1
    "x12": 999_999_999,
    "edifact": 99_999_999_999_999,  # 0020, 0048 and 0062 have 14 characters
}
LEVELS = ("interchange", "group", "transaction")
_NAMES = {  # of sequences
    "x12": {level: level for level in LEVELS},
    "edifact": dict(zip(LEVELS, ("UNB", "UNG", "UNH"), strict=True)),
}


def plain(number: str | None) -> str:
    """A control number without its padding."""
    return (number or "").strip().lstrip("0") or "0"


def last(name: str) -> int:
    """The highest number of a sequence, after which comes 1."""
    syntax: Syntax = "edifact" if name.partition(" ")[0] in _NAMES["edifact"].values() else "x12"
    return LAST[syntax]


def sequence(
    rules: ControlNumbers, usage: str, level: str, functional_id: str, syntax: Syntax = "x12"
) -> str:
    """The sequence that gives a level its numbers: `interchange`, `group IN`, `UNH`, `transaction test`."""
    name = _NAMES[syntax][level]
    if rules.scope == "partner+type" and level != "interchange" and functional_id:
        name += f" {functional_id}"
    if rules.usage == "apart" and usage == "T":
        name += " test"
    return name


@dataclass(frozen=True)
class Taking:
    """Takes the numbers of one interchange, as `control_numbers` of the partner says they are counted."""

    conn: Connection
    ours: PartyId
    theirs: PartyId
    usage: str
    rules: ControlNumbers
    syntax: Syntax = "x12"

    def interchange(self) -> int:
        """ISA13 or 0020."""
        return self._take("interchange", "", 1)[0]

    def group(self, functional_id: str, interchange: int) -> int:
        """GS06 or 0048: counted, or that of its interchange."""
        if self.rules.group == "interchange":
            return interchange
        return self._take("group", functional_id, 1)[0]

    def transactions(self, functional_id: str, count: int) -> Sequence[int]:
        """ST02 or 0062 of the sets of a group: counted on, or from 1 in each group."""
        if self.rules.transaction == "group":
            return range(1, count + 1)
        return self._take("transaction", functional_id, count)

    def _take(self, level: str, functional_id: str, count: int) -> list[int]:
        name = sequence(self.rules, self.usage, level, functional_id, self.syntax)
        return take(self.conn, self.ours, self.theirs, name, count)


def take(conn: Connection, ours: PartyId, theirs: PartyId, level: str, count: int = 1) -> list[int]:
    """The next `count` numbers of a sequence between two parties, from 1.

    After the last comes 1. Concurrent takers wait for each other's transaction, so there is no gap.
    """
    if not count:
        return []
    values = {"ours": str(ours), "theirs": str(theirs), "level": level, "next": count + 1}
    after: int = conn.execute(_TAKE.on(conn), values).scalar_one()
    return [_shown(number, level) for number in range(after - count, after)]


class Counter(NamedTuple):
    """One sequence: between us and a partner, at a level; `next` is the number taken next, from 1."""

    ours: str
    theirs: str
    level: str
    next: int


def counters(conn: Connection, theirs: Iterable[PartyId] | None = None) -> list[Counter]:
    """Every sequence that has been used or set, or those with the given identities of one partner."""
    query = select(control_number).order_by(
        control_number.c.theirs, control_number.c.ours, control_number.c.level
    )
    if theirs is not None:
        query = query.where(control_number.c.theirs.in_([str(party) for party in theirs]))
    return [
        Counter(row.ours, row.theirs, row.level, _shown(row.next, row.level)) for row in conn.execute(query)
    ]


def peek(conn: Connection, ours: PartyId, theirs: PartyId, level: str) -> int:
    """The number that would be taken next."""
    next = conn.execute(
        select(control_number.c.next).where(
            control_number.c.ours == str(ours),
            control_number.c.theirs == str(theirs),
            control_number.c.level == level,
        )
    ).scalar()
    return _shown(next or 1, level)


def put(conn: Connection, ours: PartyId, theirs: PartyId, level: str, next: int) -> None:
    """Have `next` (from 1 to the last) taken next. What lies behind the sequence would be used again."""
    values = {"ours": str(ours), "theirs": str(theirs), "level": level, "next": next}
    conn.execute(_PUT.on(conn), values)


def _shown(stored: int, level: str) -> int:
    return (stored - 1) % last(level) + 1
