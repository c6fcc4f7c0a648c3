"""The tables of the business: what crossed the wire, what it meant, and what is still owed.

Rows tell the truth; folders are projections of it. Every id is time-ordered text made by `new_id`, except
where a row must come out the same when a step runs again: then the id is derived (a document is its
transmission and its ordinal in it).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Utc(TypeDecorator[datetime]):
    """An aware UTC time. SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone was about to be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        assert isinstance(value, datetime)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u


def new_id(now: datetime) -> str:
    """A 20-character id that sorts by time: 9 characters of milliseconds, 11 random (55 bits)."""
    value = (int(now.timestamp() * 1000) << 55) | (int.from_bytes(os.urandom(7), "big") >> 1)
    text = ""
    for _ in range(20):
        text = _ALPHABET[value & 31] + text
        value >>= 5
    return text


SUPERSEDES = text("supersedes IS NOT NULL")

transmission = Table(
    "transmission",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("direction", String(3), nullable=False),  # in | out
    Column("partner", String(64)),  # null: the channel proved no partner
    Column("channel", String(16), nullable=False),  # as2 | sftp | folder | cli
    # in: stored, done, duplicate, held, refused
    # out: queued, sent, delivered, failed, resubmitted, superseded
    Column("status", String(16), nullable=False),
    Column("reason", String(40)),  # a stable dead-letter reason id
    Column("error", Text),  # in words, for the operator
    Column("filename", Text),  # fit to be shown
    Column("given_filename", Text),  # as the partner wrote it, where that differs: data, never a path
    Column("content_type", Text),
    Column("content_id", Text),  # of the payload, where other files go with it
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),  # of the payload; names its blob
    Column("wire_sha256", String(64)),  # of the AS2 body as it crossed the wire; names its blob
    Column("wire_headers", JSON),
    Column("message_id", Text),
    Column("mic", Text),  # "base64, alg" over what was received; as sent: {alg: base64}
    Column("mics", JSON),
    Column("disposition", Text),
    Column("receipt_signed", Integer),  # 0 | 1; null while there is none
    Column("mic_match", Integer),
    Column("receipt_sha256", String(64)),  # blob of the MDN that closed it, or that last proved nothing
    Column("receipt_headers", JSON),
    # how it really was protected: signed_with, outdated, digest, encrypted_to, cipher, key_transport, receipt
    Column("protection", JSON),
    Column("supersedes", String(32)),  # a refused transmission, with another certificate
    Column("claim", String(64), unique=True),  # a claimed file's name in work/: makes intake repeatable
    Column("peer", Text),  # where it came from or went to, for the operator
    Column("step", String(16)),  # checkpoint inside a send whose side effect cannot be repeated
    Column("first_sent_at", Utc),  # the first attempt since an operator last asked for any
    Column("correlation", String(40)),
    Column("created_at", Utc, nullable=False),
    Column("done_at", Utc),
    Index("ix_transmission_partner_sha256", "partner", "sha256"),
    Index("ix_transmission_partner_filename", "partner", "filename"),
    Index("ix_transmission_message_id", "message_id"),
    Index("ix_transmission_created_at", "created_at"),
    # Partial, as few have one: SQLite, once it has statistics, takes an index of NULLs for no use.
    Index("ix_transmission_supersedes", "supersedes", sqlite_where=SUPERSEDES, postgresql_where=SUPERSEDES),
)

# The files that go with the payload of a transmission in one AS2 message (RFC 6362).
attachment = Table(
    "attachment",
    metadata,
    Column("transmission", String(32), ForeignKey("transmission.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),  # which part of the message, from 1; the payload is one too
    Column("content_id", Text),
    Column("filename", Text),
    Column("given_filename", Text),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Index("ix_attachment_filename", "filename"),
)

# Payloads too small to be worth a file of their own; the others are blobs. Either way the digest is the name.
payload = Table(
    "payload",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

# A known (From, To, Message-ID) is answered with the stored receipt, byte for byte (RFC 4130 sect. 7.6).
as2_message = Table(
    "as2_message",
    metadata,
    Column("as2_from", Text, primary_key=True),
    Column("as2_to", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("transmission", String(32), ForeignKey("transmission.id"), nullable=False),
    Column("succeeded", Integer, nullable=False),  # a failed first attempt does not block the next
    Column("receipt_headers", JSON),
    Column("receipt", LargeBinary),
    Column("receipt_url", Text),  # asynchronous when set
    Column("created_at", Utc, nullable=False),
)

# Message-IDs under which a transmission was sent before it got another: a receipt may still name one.
as2_former_id = Table(
    "as2_former_id",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("transmission", String(32), ForeignKey("transmission.id"), nullable=False),
)

interchange = Table(
    "interchange",
    metadata,
    Column("id", String(40), primary_key=True),  # transmission id, dash, ordinal
    Column("transmission", String(32), ForeignKey("transmission.id"), nullable=False),
    Column("partner", String(64), nullable=False),
    Column("syntax", String(8), nullable=False),
    Column("sender", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("control_number", String(35), nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("status", String(16), nullable=False),  # accepted | duplicate | held | refused
    Column("reason", String(40)),
    Column("problems", JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
    Index("ix_interchange_control", "sender", "receiver", "control_number"),
    Index("ix_interchange_latest", "sender", "receiver", "created_at"),
    Index("ix_interchange_transmission", "transmission"),
)

BATCHED = text("status = 'batched'")

document = Table(
    "document",
    metadata,
    Column("id", String(40), primary_key=True),  # transmission id, dash, ordinal; outbound: new_id
    Column("direction", String(3), nullable=False),
    Column("partner", String(64), nullable=False),
    Column("transmission", String(32), ForeignKey("transmission.id")),
    Column("type", String(8), nullable=False),  # 850, 997, ORDERS
    Column("version", String(16), nullable=False),
    Column("kind", String(32)),  # sales_order; null when it could not be mapped
    Column("number", Text),  # the business number: PO, shipment, invoice
    Column("correlation", String(40)),
    Column("functional_id", String(8)),
    Column("interchange_control", String(35)),
    Column("group_control", String(35)),
    Column("transaction_control", String(35)),
    Column("status", String(24), nullable=False),  # accepted(_with_errors), rejected, held, batched, sent
    Column("reason", String(40)),
    Column("error", Text),
    Column("problems", JSON, nullable=False),
    Column("body", LargeBinary),  # the canonical document as JSON
    Column("batch", String(40)),  # the document that began the batch it leaves with
    Column("leaves_at", Utc),  # at the latest
    # out: waiting, accepted, accepted_with_errors, partial, rejected, overdue; none where none is due
    Column("ack", String(24), nullable=False),
    Column("ack_due_at", Utc),  # of an acknowledgment of ours: by when it is to have left
    Column("ack_at", Utc),  # when it came; after ack_due_at, it was late
    Column("ack_by", String(40)),  # the acknowledgment document that closed it
    Column("step", String(16)),  # checkpoint of the delivery: staged
    Column("delivered_at", Utc),  # into the ERP
    Column("cause", String(40)),  # the document this one follows from
    Column("created_at", Utc, nullable=False),
    Index("ix_document_correlation", "correlation"),
    Index("ix_document_number", "number"),
    Index("ix_document_group", "partner", "direction", "functional_id", "group_control"),
    Index("ix_document_interchange", "partner", "direction", "interchange_control"),
    Index("ix_document_transmission", "transmission"),
    Index("ix_document_cause", "cause"),
    Index("ix_document_batched", "partner", "batch", sqlite_where=BATCHED, postgresql_where=BATCHED),
)

# An order is what its documents have in common; the correlation id is the id of the document that began it.
order = Table(
    "order",
    metadata,
    Column("correlation", String(40), primary_key=True),
    Column("number", Text, nullable=False),
    Column("partner", String(64), nullable=False),
    Column("warehouse", String(64)),
    Column("status", String(16), nullable=False),  # open | done | held
    Column("created_at", Utc, nullable=False),
    Column("done_at", Utc),
    Index("ix_order_number", "number"),
    UniqueConstraint("partner", "number", "correlation"),
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Utc, nullable=False),
    Column("name", String(40), nullable=False),
    Column("text", Text, nullable=False),
    Column("partner", String(64)),
    Column("correlation", String(40)),
    Column("document", String(40)),
    Column("transmission", String(32)),
    Index("ix_event_correlation", "correlation"),
    Index("ix_event_document", "document"),
    Index("ix_event_transmission", "transmission"),
)

# One row a sequence, locked by its update: gap-free because it is taken in the transaction that uses it.
control_number = Table(
    "control_number",
    metadata,
    Column("ours", Text, primary_key=True),
    Column("theirs", Text, primary_key=True),
    Column("level", String(24), primary_key=True),  # interchange | group | transaction
    Column("next", BigInteger, nullable=False),
)

# What a partner left in or took from its folder on our SFTP server.
sftp_file = Table(
    "sftp_file",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Utc, nullable=False),
    Column("partner", String(64), nullable=False),
    Column("path", Text, nullable=False),
    Column("what", String(16), nullable=False),  # uploaded, partial, downloaded, removed, renamed
    Column("size", BigInteger, nullable=False),
    Column("peer", Text),
    Index("ix_sftp_file_partner", "partner", "path"),
)

# Which certificate was used with a partner, at which look-up, and when last: to the minute.
certificate_use = Table(
    "certificate_use",
    metadata,
    Column("partner", String(64), primary_key=True),
    Column("look_up", String(16), primary_key=True),  # one of certificates.LOOK_UPS
    Column("fingerprint", String(64), primary_key=True),  # SHA-256 of the certificate, lower-case hex
    Column("last_at", Utc, nullable=False),
)

# How near to its end a certificate was when that was last told; each nearness is told once.
certificate_warning = Table(
    "certificate_warning",
    metadata,
    Column("owner", String(64), primary_key=True),  # a partner's name; empty: ours
    Column("fingerprint", String(64), primary_key=True),
    Column("days", Integer, nullable=False),
    Column("at", Utc, nullable=False),
)

# A certificate that a partner asks us to trust, or we ask a partner to (draft-meadors-certificate-exchange).
certificate_exchange = Table(
    "certificate_exchange",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("direction", String(3), nullable=False),  # in: they ask | out: we ask
    Column("partner", String(64), nullable=False),
    Column("request_id", Text, nullable=False),
    Column("status", String(16), nullable=False),  # waiting | pending | accepted | rejected
    Column("usages", JSON, nullable=False),  # of CertUsage
    Column("respond_by", Utc),
    Column("response_url", Text),  # as they wrote it; never contacted
    Column("issuer", Text, nullable=False),  # as the request spells it
    Column("serial", Text, nullable=False),  # decimal
    Column("fingerprint", String(64), nullable=False),
    Column("certificate", LargeBinary, nullable=False),  # DER
    Column("reason", Text),  # of a rejection
    Column("transmission", String(32)),  # that carried the request
    Column("created_at", Utc, nullable=False),
    Column("decided_at", Utc),
    Index("ix_certificate_exchange_request", "partner", "request_id"),
)
