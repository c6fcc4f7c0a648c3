"""Steps 1 and 2: bytes are stored and queued to be read; only then may anyone be told that they came."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from sqlalchemy import Connection, insert, select

from gateway.failpoints import failpoint
from gateway.home import Home
from gateway.store import Blob
from gateway.store.tables import new_id, transmission


class Source(NamedTuple):
    """Where bytes came from. `partner` is whom the channel proved; `claim` makes intake repeatable."""

    channel: str  # sftp | folder | cli
    partner: str | None
    filename: str | None = None
    peer: str | None = None
    claim: str | None = None
    quarantine: tuple[str, str] | None = None  # reason and words: stored for a person, not processed


def receive(home: Home, stream: BinaryIO, source: Source) -> str:
    """Store what a partner left, and queue it to be read; its transmission id.

    When this returns, the bytes are synced and the row is committed. The same claim again returns the first
    id; the same bytes from the same partner again are kept as a duplicate and not processed.
    Raises StoreUnavailable, StoreFatal.
    """
    blob = home.store.put(stream)
    failpoint("receive:stored")
    stored = home.store.write(lambda conn: _record(home, conn, source, blob))
    failpoint("receive:committed")
    return stored


def _record(home: Home, conn: Connection, source: Source, blob: Blob) -> str:
    if source.claim is not None:
        known = conn.execute(select(transmission.c.id).where(transmission.c.claim == source.claim)).scalar()
        if known is not None:
            return str(known)
    home.store.keep(conn, blob)
    now = home.now()
    identity = new_id(now)
    status, reason, error = _state(conn, source, blob)
    conn.execute(
        insert(transmission),
        {
            "id": identity,
            "direction": "in",
            "partner": source.partner,
            "channel": source.channel,
            "status": status,
            "reason": reason,
            "error": error,
            "filename": source.filename,
            "size": blob.size,
            "sha256": blob.sha256,
            "claim": source.claim,
            "peer": source.peer,
            "created_at": now,
            "done_at": None if status == "stored" else now,
        },
    )
    what = f"{source.filename or 'a file'}, {blob.size} bytes, from {source.partner} over {source.channel}"
    name, text = ("received", what) if status == "stored" else (status, f"{what}: {error}")
    home.note(conn, name, text, partner=source.partner, transmission=identity)
    if status == "stored":
        queue_reading(home, conn, identity, source.partner)
    return identity


def _state(conn: Connection, source: Source, blob: Blob) -> tuple[str, str | None, str | None]:
    """Stored, or why it is not to be processed."""
    if source.quarantine is not None:
        return "held", *source.quarantine
    earlier = conn.execute(
        select(transmission.c.id).where(
            transmission.c.direction == "in",
            transmission.c.partner == source.partner,
            transmission.c.channel == source.channel,
            transmission.c.sha256 == blob.sha256,
            transmission.c.status.in_(("stored", "done")),
        )
    ).scalar()
    if earlier is not None:
        return "duplicate", None, f"the same bytes as {earlier}; kept and not processed"
    return "stored", None, None


def queue_reading(
    home: Home, conn: Connection, transmission_id: str, partner: str | None, *, release: bool = False
) -> None:
    """Have a stored transmission read, behind what the same partner sent before.

    With `release`, no control number in it is held against it: a person has decided.
    """
    home.engine.enqueue(
        conn,
        lane=f"{partner or 'unknown'}:in",
        kind="read",
        payload={"transmission": transmission_id} | ({"release": True} if release else {}),
        uniq=f"read:{transmission_id}",
    )
