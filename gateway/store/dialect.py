"""The little in which databases differ: their clock, and an insert that meets a row already there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Float, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

Insert = sqlite.Insert | postgresql.Insert


class database_now(FunctionElement[float]):
    """Seconds since 1970 by the database's clock, the one clock all nodes share; to a millisecond."""

    type = Float(53)
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite_now(element: Any, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now, "postgresql")
def _postgresql_now(element: Any, compiler: Any, **options: Any) -> str:
    # Stable within a statement, so an index can be searched by it; now() would be the transaction's begin.
    return "extract(epoch from statement_timestamp())::float8"


class Upsert:
    """An INSERT with an ON CONFLICT clause, built once for each dialect so that its compiled form is reused.

    `build` receives the dialect's insert, and adds `on_conflict_do_nothing` or `on_conflict_do_update`.
    """

    def __init__(self, table: Table, build: Callable[[Any], Any]) -> None:
        self._statements = {
            "sqlite": build(sqlite.insert(table)),
            "postgresql": build(postgresql.insert(table)),
        }

    def on(self, conn: Connection) -> Any:
        """The statement for the database `conn` talks to."""
        return self._statements[conn.dialect.name]
