"""How alembic runs our revisions: on the connection it is given, inside that connection's transaction."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import TypeDecorator

from gateway.store import lane_tables, tables

assert lane_tables.job.metadata is tables.metadata  # imported, so that its tables are in the metadata too


def render_item(kind: str, item: Any, autogenerate: Any) -> str | Literal[False]:
    """A revision names the database's types alone: ours may change or go, and it must run for ever."""
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    render_as_batch=True,
    render_item=render_item,
    transactional_ddl=True,
)
context.run_migrations()
