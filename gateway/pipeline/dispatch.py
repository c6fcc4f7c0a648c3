"""Sending a file as it is: stored, queued, and, where it is EDI, tracked to its acknowledgment."""

from __future__ import annotations

import mimetypes
from typing import Any, BinaryIO

from sqlalchemy import Connection, insert

from edi.problems import NotEdi
from edi.tree import Group, Interchange, Transaction
from gateway import edi
from gateway.config import Partner
from gateway.home import Home
from gateway.numbers import plain
from gateway.pipeline import outbound
from gateway.store import Blob
from gateway.store.tables import document


def dispatch(
    home: Home, partner: Partner, stream: BinaryIO, *, filename: str, content_type: str | None = None
) -> str:
    """Queue a file for a partner; its transmission id. Raises StoreUnavailable, StoreFatal.

    Transactions found in it are recorded, so that the partner's acknowledgment of them is expected.
    """
    blob = home.store.blobs.put(stream)
    with home.store.fetch(blob.sha256) as stored:
        found = transactions(stored)
    kind = content_type or mimetypes.guess_type(filename)[0]
    if content_type is None and found:
        kind = edi.of_type(found[0]["type"]).CONTENT_TYPE

    return home.store.write(
        lambda conn: queue(
            home,
            conn,
            partner,
            blob,
            found,
            filename=filename,
            content_type=kind or "application/octet-stream",
        )
    )


def queue(
    home: Home,
    conn: Connection,
    partner: Partner,
    blob: Blob,
    found: list[dict[str, Any]],
    *,
    filename: str,
    content_type: str,
    cause: str | None = None,
) -> str:
    """Queue stored bytes with the `transactions` found in them; the transmission id."""
    now = home.now()
    identity = outbound.queue_file(home, conn, partner, blob, filename=filename, content_type=content_type)
    for number, values in enumerate(found, 1):
        ack = home.config.ack(partner, values["type"])
        expected = ack.mode != "none"
        document_id = f"{identity}-{number}"
        conn.execute(
            insert(document),
            {
                "id": document_id,
                "direction": "out",
                "partner": partner.name,
                "transmission": identity,
                "status": "sent",
                "problems": [],
                "ack": "waiting" if expected else "none",
                "cause": cause,
                "created_at": now,
                **values,
            },
        )
        if expected:
            outbound.expect(home, conn, partner, document_id, ack, now)
    home.note(
        conn,
        "issued",
        f"{filename}, {blob.size} bytes, to {partner.name}",
        partner=partner.name,
        transmission=identity,
    )
    return identity


def transactions(stream: BinaryIO) -> list[dict[str, Any]]:
    """The transactions of an EDI file as columns; none for other content."""
    found: list[dict[str, Any]] = []
    header: Interchange | None = None
    group: Group | None = None
    try:
        for event in edi.read(stream):
            match event:
                case Interchange():
                    header = event
                case Group():
                    group = event
                case Transaction() if header is not None and group is not None:
                    if edi.of(header).is_answered(event, group):
                        found.append(columns(header, group, event))
    except NotEdi:
        return []
    return found


def columns(header: Interchange, group: Group, item: Transaction) -> dict[str, Any]:
    """A transaction as the columns by which an acknowledgment finds it."""
    return {
        "type": item.type[:8],
        "version": item.version[:16],
        "functional_id": group.functional_id or None,
        "interchange_control": plain(header.control_number),
        "group_control": plain(group.control_number) if group.segment else None,
        "transaction_control": plain(item.control_number),
    }
