"""Bringing a database to the schema this program knows.

Revisions are numbered 0001, 0002, ... so that a database's can be compared with the program's without loading
alembic. An upgrade is one transaction: killed inside it, the old schema stands. The database is copied
beside itself first, and that copy is the only way back. `gateway.store.migrate` makes new revisions.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from gateway.store import sqlite
from gateway.store.errors import SchemaTooNew, as_store_error

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

_MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = _MIGRATIONS / "versions"


def head() -> str:
    """The newest revision this program knows."""
    return max((path.name[:4] for path in VERSIONS.glob("[0-9]*.py")), default="0000")


def current(path: Path) -> str:
    """The revision a database stands at; 0000 for an empty one."""
    try:
        with closing(sqlite3.connect(path, timeout=sqlite.BUSY_S)) as connection:
            sql = "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
            if connection.execute(sql).fetchone() is None:
                return "0000"
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise as_store_error(error) from error
    return row[0] if row else "0000"


def upgrade(path: Path) -> None:
    """Bring a database to `head`. Raises SchemaTooNew, StoreUnavailable; nothing is changed then."""
    stands_at = current(path)
    if stands_at > head():
        raise SchemaTooNew(
            f"the database {path.name} is at revision {stands_at}, and this program knows {head()} at most: "
            "start the newer program, or restore the copy made before its upgrade"
        )
    if stands_at == head():
        return
    if stands_at != "0000":
        _copy(path, path.with_name(f"{path.name}.before-{head()}"))
    from alembic import command

    # Without foreign keys: rebuilding a table drops it, which must not cascade. They are checked at the end.
    engine = sqlite.engine(path, begin="BEGIN IMMEDIATE", foreign_keys=False)
    try:
        with engine.begin() as conn:
            command.upgrade(alembic_config(conn), "head")
            broken = conn.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise RuntimeError(f"the upgrade would leave rows that refer to nothing: {broken[:5]}")
    except SQLAlchemyError as error:
        raise as_store_error(error) from error
    finally:
        engine.dispose()


def alembic_config(conn: Connection) -> Config:
    """Alembic's configuration for our revisions on this connection, inside its transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    return config


def _copy(path: Path, to: Path) -> None:
    sqlite.create(to)  # readable by its owner alone
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        raise as_store_error(error) from error
