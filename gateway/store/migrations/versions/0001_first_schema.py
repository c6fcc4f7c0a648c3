"""first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certificate_exchange",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("partner", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("usages", sa.JSON(), nullable=False),
        sa.Column("respond_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("response_url", sa.Text(), nullable=True),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("transmission", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate_exchange")),
    )
    with op.batch_alter_table("certificate_exchange", schema=None) as batch_op:
        batch_op.create_index("ix_certificate_exchange_request", ["partner", "request_id"], unique=False)

    op.create_table(
        "certificate_use",
        sa.Column("partner", sa.String(length=64), nullable=False),
        sa.Column("look_up", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("partner", "look_up", "fingerprint", name=op.f("pk_certificate_use")),
    )
    op.create_table(
        "certificate_warning",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner", "fingerprint", name=op.f("pk_certificate_warning")),
    )
    op.create_table(
        "control_number",
        sa.Column("ours", sa.Text(), nullable=False),
        sa.Column("theirs", sa.Text(), nullable=False),
        sa.Column("level", sa.String(length=24), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ours", "theirs", "level", name=op.f("pk_control_number")),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("partner", sa.String(length=64), nullable=True),
        sa.Column("correlation", sa.String(length=40), nullable=True),
        sa.Column("document", sa.String(length=40), nullable=True),
        sa.Column("transmission", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index("ix_event_correlation", ["correlation"], unique=False)
        batch_op.create_index("ix_event_document", ["document"], unique=False)
        batch_op.create_index("ix_event_transmission", ["transmission"], unique=False)

    op.create_table(
        "job",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("lane", sa.String(length=96), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("run_at", sa.Float(precision=53), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=16), nullable=True),
        sa.Column("owner", sa.String(length=96), nullable=True),
        sa.Column("lease_until", sa.Float(precision=53), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("uniq", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("done_at", sa.Float(precision=53), nullable=True),
        sa.CheckConstraint(
            "state IN ('ready', 'running', 'done', 'dead', 'cancelled')", name=op.f("ck_job_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("uniq", name=op.f("uq_job_uniq")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(
            "ix_job_dead",
            ["done_at"],
            unique=False,
            sqlite_where=sa.text("state = 'dead'"),
            postgresql_where=sa.text("state = 'dead'"),
        )
        batch_op.create_index(
            "ix_job_done_at",
            ["done_at"],
            unique=False,
            sqlite_where=sa.text("done_at IS NOT NULL"),
            postgresql_where=sa.text("done_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_job_due",
            ["lane", "run_at", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'ready'"),
            postgresql_where=sa.text("state = 'ready'"),
        )
        batch_op.create_index(
            "ix_job_ready",
            ["lane", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'ready'"),
            postgresql_where=sa.text("state = 'ready'"),
        )
        batch_op.create_index(
            "ix_job_running",
            ["lane"],
            unique=False,
            sqlite_where=sa.text("state = 'running'"),
            postgresql_where=sa.text("state = 'running'"),
        )

    op.create_table(
        "job_event",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("job", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_event")),
    )
    with op.batch_alter_table("job_event", schema=None) as batch_op:
        batch_op.create_index("ix_job_event_job", ["job"], unique=False)

    op.create_table(
        "lane",
        sa.Column("id", sa.String(length=96), nullable=False),
        sa.Column("direction", sa.String(length=32), nullable=False),
        sa.Column("max_running", sa.Integer(), nullable=False),
        sa.Column("rate_per_s", sa.Float(precision=53), nullable=True),
        sa.Column("paused", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Float(precision=53), nullable=True),
        sa.Column("open_at", sa.Float(precision=53), nullable=False),
        sa.Column("served_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lane")),
    )
    with op.batch_alter_table("lane", schema=None) as batch_op:
        batch_op.create_index("ix_lane_next_at", ["next_at"], unique=False)

    op.create_table(
        "node",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=96), nullable=False),
        sa.Column("started_at", sa.Float(precision=53), nullable=False),
        sa.Column("heartbeat_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node")),
    )
    op.create_table(
        "order",
        sa.Column("correlation", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("partner", sa.String(length=64), nullable=False),
        sa.Column("warehouse", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("correlation", name=op.f("pk_order")),
        sa.UniqueConstraint(
            "partner", "number", "correlation", name=op.f("uq_order_partner_number_correlation")
        ),
    )
    with op.batch_alter_table("order", schema=None) as batch_op:
        batch_op.create_index("ix_order_number", ["number"], unique=False)

    op.create_table(
        "payload",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_payload")),
    )
    op.create_table(
        "schedule",
        sa.Column("id", sa.String(length=96), nullable=False),
        sa.Column("lane", sa.String(length=96), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("every_s", sa.Float(precision=53), nullable=False),
        sa.Column("next_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule")),
    )
    op.create_table(
        "sftp_file",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("partner", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sftp_file")),
    )
    with op.batch_alter_table("sftp_file", schema=None) as batch_op:
        batch_op.create_index("ix_sftp_file_partner", ["partner", "path"], unique=False)

    op.create_table(
        "transmission",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("partner", sa.String(length=64), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("given_filename", sa.Text(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("content_id", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("wire_sha256", sa.String(length=64), nullable=True),
        sa.Column("wire_headers", sa.JSON(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("mic", sa.Text(), nullable=True),
        sa.Column("mics", sa.JSON(), nullable=True),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("receipt_signed", sa.Integer(), nullable=True),
        sa.Column("mic_match", sa.Integer(), nullable=True),
        sa.Column("receipt_sha256", sa.String(length=64), nullable=True),
        sa.Column("receipt_headers", sa.JSON(), nullable=True),
        sa.Column("protection", sa.JSON(), nullable=True),
        sa.Column("supersedes", sa.String(length=32), nullable=True),
        sa.Column("claim", sa.String(length=64), nullable=True),
        sa.Column("peer", sa.Text(), nullable=True),
        sa.Column("step", sa.String(length=16), nullable=True),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("correlation", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transmission")),
        sa.UniqueConstraint("claim", name=op.f("uq_transmission_claim")),
    )
    with op.batch_alter_table("transmission", schema=None) as batch_op:
        batch_op.create_index("ix_transmission_created_at", ["created_at"], unique=False)
        batch_op.create_index("ix_transmission_message_id", ["message_id"], unique=False)
        batch_op.create_index("ix_transmission_partner_filename", ["partner", "filename"], unique=False)
        batch_op.create_index("ix_transmission_partner_sha256", ["partner", "sha256"], unique=False)
        batch_op.create_index(
            "ix_transmission_supersedes",
            ["supersedes"],
            unique=False,
            sqlite_where=sa.text("supersedes IS NOT NULL"),
            postgresql_where=sa.text("supersedes IS NOT NULL"),
        )

    op.create_table(
        "as2_former_id",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("transmission", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["transmission"], ["transmission.id"], name=op.f("fk_as2_former_id_transmission_transmission")
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_as2_former_id")),
    )
    op.create_table(
        "as2_message",
        sa.Column("as2_from", sa.Text(), nullable=False),
        sa.Column("as2_to", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("transmission", sa.String(length=32), nullable=False),
        sa.Column("succeeded", sa.Integer(), nullable=False),
        sa.Column("receipt_headers", sa.JSON(), nullable=True),
        sa.Column("receipt", sa.LargeBinary(), nullable=True),
        sa.Column("receipt_url", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["transmission"], ["transmission.id"], name=op.f("fk_as2_message_transmission_transmission")
        ),
        sa.PrimaryKeyConstraint("as2_from", "as2_to", "message_id", name=op.f("pk_as2_message")),
    )
    op.create_table(
        "attachment",
        sa.Column("transmission", sa.String(length=32), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Text(), nullable=True),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("given_filename", sa.Text(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["transmission"], ["transmission.id"], name=op.f("fk_attachment_transmission_transmission")
        ),
        sa.PrimaryKeyConstraint("transmission", "ordinal", name=op.f("pk_attachment")),
    )
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.create_index("ix_attachment_filename", ["filename"], unique=False)

    op.create_table(
        "document",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("partner", sa.String(length=64), nullable=False),
        sa.Column("transmission", sa.String(length=32), nullable=True),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=True),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("correlation", sa.String(length=40), nullable=True),
        sa.Column("functional_id", sa.String(length=8), nullable=True),
        sa.Column("interchange_control", sa.String(length=35), nullable=True),
        sa.Column("group_control", sa.String(length=35), nullable=True),
        sa.Column("transaction_control", sa.String(length=35), nullable=True),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("batch", sa.String(length=40), nullable=True),
        sa.Column("leaves_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ack", sa.String(length=24), nullable=False),
        sa.Column("ack_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ack_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ack_by", sa.String(length=40), nullable=True),
        sa.Column("step", sa.String(length=16), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cause", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["transmission"], ["transmission.id"], name=op.f("fk_document_transmission_transmission")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
    )
    with op.batch_alter_table("document", schema=None) as batch_op:
        batch_op.create_index(
            "ix_document_batched",
            ["partner", "batch"],
            unique=False,
            sqlite_where=sa.text("status = 'batched'"),
            postgresql_where=sa.text("status = 'batched'"),
        )
        batch_op.create_index("ix_document_cause", ["cause"], unique=False)
        batch_op.create_index("ix_document_correlation", ["correlation"], unique=False)
        batch_op.create_index(
            "ix_document_group", ["partner", "direction", "functional_id", "group_control"], unique=False
        )
        batch_op.create_index(
            "ix_document_interchange", ["partner", "direction", "interchange_control"], unique=False
        )
        batch_op.create_index("ix_document_number", ["number"], unique=False)
        batch_op.create_index("ix_document_transmission", ["transmission"], unique=False)

    op.create_table(
        "interchange",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("transmission", sa.String(length=32), nullable=False),
        sa.Column("partner", sa.String(length=64), nullable=False),
        sa.Column("syntax", sa.String(length=8), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("control_number", sa.String(length=35), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["transmission"], ["transmission.id"], name=op.f("fk_interchange_transmission_transmission")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interchange")),
    )
    with op.batch_alter_table("interchange", schema=None) as batch_op:
        batch_op.create_index(
            "ix_interchange_control", ["sender", "receiver", "control_number"], unique=False
        )
        batch_op.create_index("ix_interchange_latest", ["sender", "receiver", "created_at"], unique=False)
        batch_op.create_index("ix_interchange_transmission", ["transmission"], unique=False)
