"""Sending a file as it is: stored, queued, and, where it is EDI, tracked to its acknowledgment."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import Connection, insert, update

from edi.problems import NotEdi
from edi.tree import Group, Interchange, Transaction
from gateway import edi
from gateway.config import Partner
from gateway.home import Home
from gateway.numbers import plain
from gateway.pipeline import outbound
from gateway.store import Blob
from gateway.store.tables import attachment, document, transmission

_UNKNOWN = "application/octet-stream"


class Attached(NamedTuple):
    """A file that goes with another in one AS2 message, not kept yet if it is small."""

    blob: Blob
    filename: str
    content_type: str


def dispatch(
    home: Home,
    partner: Partner,
    stream: BinaryIO,
    *,
    filename: str,
    content_type: str | None = None,
    attachments: Sequence[tuple[BinaryIO, str]] = (),
) -> str:
    """Queue a file for a partner; its transmission id. Raises StoreUnavailable, StoreFatal.

    Transactions found in it are recorded, so that the partner's acknowledgment of them is expected. Each of
    `attachments`, a stream and its name, goes with it as it is.
    """
    blob = home.store.put(stream)
    attached = [
        Attached(home.store.put(file), name, mimetypes.guess_type(name)[0] or _UNKNOWN)
        for file, name in attachments
    ]
    with home.store.contents(blob) as stored:
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
            content_type=kind or _UNKNOWN,
            attached=attached,
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
    attached: Sequence[Attached] = (),
    cause: str | None = None,
) -> str:
    """Queue bytes with the `transactions` found in them; the transmission id."""
    now = home.now()
    identity = outbound.queue_file(home, conn, partner, blob, filename=filename, content_type=content_type)
    if attached:
        _attach(home, conn, identity, attached)
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
        f"{filename}, {blob.size} bytes{_with_it(attached)}, to {partner.name}",
        partner=partner.name,
        transmission=identity,
    )
    return identity


def _attach(home: Home, conn: Connection, identity: str, attached: Sequence[Attached]) -> None:
    """Record the files that go with a transmission's, each with a Content-ID that stays (RFC 2392)."""

    def content_id(ordinal: int) -> str:
        return outbound.message_id(home, f"{identity}.{ordinal}")

    for file in attached:
        home.store.keep(conn, file.blob)
    conn.execute(update(transmission).where(transmission.c.id == identity).values(content_id=content_id(1)))
    conn.execute(
        insert(attachment),
        [
            {
                "transmission": identity,
                "ordinal": ordinal,
                "content_id": content_id(ordinal),
                "filename": file.filename,
                "content_type": file.content_type,
                "size": file.blob.size,
                "sha256": file.blob.sha256,
            }
            for ordinal, file in enumerate(attached, 2)
        ],
    )


def _with_it(attached: Sequence[Attached]) -> str:
    return f", and {len(attached)} with it" if attached else ""


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
