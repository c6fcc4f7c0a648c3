"""The developer's commands for the schema's revisions.

python -m gateway.store.migrate revision "what it adds"    the next revision, from the difference
python -m gateway.store.migrate first                      write 0001 anew (only before the first release)
python -m gateway.store.migrate check                      exit 1 when tables and revisions differ
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from gateway.store import lane_tables, schema, sqlite, tables

assert lane_tables.job.metadata is tables.metadata


def differences(conn: Connection) -> list[object]:
    """What separates a database from the tables; empty when the revisions say all."""
    return list(compare_metadata(MigrationContext.configure(conn), tables.metadata))


@contextmanager
def database_at_head() -> Iterator[Connection]:
    """A database that only the revisions made."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "head.db"
        sqlite.create(path)
        schema.upgrade(path)
        engine = sqlite.engine(path, begin="BEGIN")
        try:
            with engine.connect() as conn:
                yield conn
        finally:
            engine.dispose()


def revise(message: str) -> Path:
    """Write the next revision: the difference between a database at `head` and the tables."""
    number = f"{int(schema.head()) + 1:04}"
    with database_at_head() as conn:
        command.revision(schema.alembic_config(conn), message=message, autogenerate=True, rev_id=number)
    (written,) = schema.VERSIONS.glob(f"{number}_*.py")
    lines = written.read_text().splitlines(keepends=True)
    written.write_text("".join(line for line in lines if not line.lstrip().startswith("# ###")))
    for arguments in (["format", "--quiet"], ["check", "--quiet", "--fix"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, str(written)], check=True)
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see the module's page."""
    parser = argparse.ArgumentParser(prog="python -m gateway.store.migrate")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("revision").add_argument("message")
    commands.add_parser("first").set_defaults(message="first schema")
    commands.add_parser("check")
    chosen = parser.parse_args(arguments)
    if chosen.command == "check":
        with database_at_head() as conn:
            found = differences(conn)
        sys.stdout.writelines(f"{difference}\n" for difference in found)
        return 1 if found else 0
    if chosen.command == "first":
        for path in schema.VERSIONS.glob("0*.py"):
            path.unlink()
    sys.stdout.write(f"{revise(chosen.message)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
