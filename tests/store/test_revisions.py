"""The schema: revisions say what the tables say, upgrades are all or nothing, newer ones are refused."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store import SchemaTooNew, Store, migrate, schema

ROOT = Path(__file__).parent.parent.parent

ADD_A_TABLE = """
import os
from alembic import op
import sqlalchemy as sa

revision = "9000"
down_revision = "{before}"


def upgrade():
    op.create_table("added", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("DELETE FROM control_number")
    if "{ending}" == "killed":
        os.kill(os.getpid(), 9)
    if "{ending}" == "broken":
        op.execute("SELECT nothing FROM nowhere")
"""


def test_the_revisions_make_exactly_the_tables() -> None:
    with migrate.database_at_head() as conn:
        assert migrate.differences(conn) == []


def test_a_table_without_a_revision_is_found() -> None:
    with migrate.database_at_head() as conn:
        conn.exec_driver_sql("DROP TABLE job_event")
        assert any("job_event" in str(difference) for difference in migrate.differences(conn))


def test_opening_again_does_not_load_alembic(tmp_path: Path) -> None:
    Store.open(tmp_path / "a.db", blobs=tmp_path / "blobs").close()
    script = (
        "import sys; from pathlib import Path; from gateway.store import Store\n"
        "Store.open(sys.argv[1], blobs=Path(sys.argv[2])).close()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.db"), str(tmp_path / "blobs")]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_an_old_program_refuses_a_newer_database_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    Store.open(path, blobs=tmp_path / "blobs").close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew, match="9999"):
        Store.open(path, blobs=tmp_path / "blobs")
    assert schema.current(path) == "9999"


@pytest.fixture
def with_revision_9000(tmp_path: Path) -> Path:
    """A copy of the program, and a database with a row that it upgrades."""
    program = tmp_path / "program"
    shutil.copytree(ROOT / "gateway", program / "gateway")
    path = tmp_path / "old.db"
    Store.open(path, blobs=tmp_path / "blobs").close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO control_number VALUES ('us', 'them', 'interchange', 42)")
    return program


def open_with(program: Path, path: Path, ending: str) -> subprocess.CompletedProcess[str]:
    versions = program / "gateway" / "store" / "migrations" / "versions"
    revision = ADD_A_TABLE.format(before=schema.head(), ending=ending)
    (versions / "9000_added.py").write_text(revision)
    script = (
        "import sys; from pathlib import Path; from gateway.store import Store\n"
        "Store.open(sys.argv[1], blobs=Path(sys.argv[2])).close()"
    )
    command = [sys.executable, "-c", script, str(path), str(path.parent / "blobs")]
    return subprocess.run(command, cwd=program, capture_output=True, text=True, check=False)


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM control_number").fetchall()


@pytest.mark.parametrize("ending", ["killed", "broken"])
def test_an_upgrade_that_does_not_end_leaves_the_old_schema_and_every_row(
    with_revision_9000: Path, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / "old.db"
    assert open_with(with_revision_9000, path, ending).returncode != 0
    assert schema.current(path) == schema.head()
    assert rows(path) == [("us", "them", "interchange", 42)]
    Store.open(path, blobs=tmp_path / "blobs").close()


def test_an_upgrade_leaves_a_copy_of_the_database_as_it_was(with_revision_9000: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    done = open_with(with_revision_9000, path, "well")
    assert done.returncode == 0, done.stderr
    assert schema.current(path) == "9000"
    assert rows(path) == []
    copy = tmp_path / "old.db.before-9000"
    assert schema.current(copy) == schema.head()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert rows(copy) == [("us", "them", "interchange", 42)]
