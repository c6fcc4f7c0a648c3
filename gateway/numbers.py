"""Control numbers: gap-free, because they are taken in the transaction that uses them (X12.5, ISA13)."""

from __future__ import annotations

from sqlalchemy import Connection, select

from edi.tree import PartyId
from gateway.store.dialect import Upsert
from gateway.store.tables import control_number

LAST = 999_999_999

_TAKE = Upsert(
    control_number,
    lambda insert: insert.on_conflict_do_update(
        index_elements=["ours", "theirs", "level"],
        set_={"next": control_number.c.next + insert.excluded.next - 1},
    ).returning(control_number.c.next),
)


def take(conn: Connection, ours: PartyId, theirs: PartyId, level: str, count: int = 1) -> list[int]:
    """The next `count` numbers of a level (interchange, group, transaction) between two parties, from 1.

    After 999999999 comes 1. Concurrent takers wait for each other's transaction, so there is no gap.
    """
    if not count:
        return []
    values = {"ours": str(ours), "theirs": str(theirs), "level": level, "next": count + 1}
    after: int = conn.execute(_TAKE.on(conn), values).scalar_one()
    return [(number - 1) % LAST + 1 for number in range(after - count, after)]


def peek(conn: Connection, ours: PartyId, theirs: PartyId, level: str) -> int:
    """The number that would be taken next."""
    found = conn.execute(
        select(control_number.c.next).where(
            control_number.c.ours == str(ours),
            control_number.c.theirs == str(theirs),
            control_number.c.level == level,
        )
    ).scalar()
    return ((found or 1) - 1) % LAST + 1
