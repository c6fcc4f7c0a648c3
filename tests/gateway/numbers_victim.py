"""A writer that takes control numbers with documents until it is killed: one of several on one database.

    python numbers_victim.py DATABASE WRITER DOCUMENTS

Each document is recorded in the transaction that takes its numbers, or in none. Ends once the database holds
DOCUMENTS of them.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from edi.tree import PartyId
from gateway import numbers
from gateway.store import Store
from gateway.store.tables import event

OURS, THEIRS = PartyId("ZZ", "US"), PartyId("08", "RETAIL")


def main(path: Path, writer: str, documents: int) -> None:
    store = Store.open(path, blobs=path.parent / "blobs")
    chance = random.Random(writer)

    def issue(conn: Connection) -> bool:
        if conn.execute(select(func.count()).select_from(event)).scalar_one() >= documents:
            return False
        count = chance.randrange(1, 4)
        (interchange,) = numbers.take(conn, OURS, THEIRS, "interchange")
        sets = numbers.take(conn, OURS, THEIRS, "transaction", count)
        text = f"{interchange} {' '.join(map(str, sets))}"
        conn.execute(insert(event), {"at": datetime.now(UTC), "name": writer, "text": text})
        if chance.random() < 0.1:
            raise Refused  # what could not be written gives its numbers back
        return True

    print("running", flush=True)
    going = True
    while going:
        try:
            going = store.write(issue)
        except Refused:
            going = True
    store.close()


class Refused(Exception):
    """The document cannot be written."""


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
