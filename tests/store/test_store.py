"""The database: durable when `write` returns, shared by threads and processes, plain about what fails."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, func, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.store import (
    SMALL,
    DiskFull,
    RunnerExists,
    Store,
    StoreCorrupt,
    StoreFatal,
    StoreUnavailable,
    after_commit,
    sqlite,
)
from gateway.store.tables import control_number
from gateway.store.tables import event as event_table

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def note(text: str) -> Callable[[Connection], None]:
    def write(conn: Connection) -> None:
        conn.execute(insert(event_table), {"at": NOW, "name": "test", "text": text})

    return write


def notes(store: Store) -> list[str]:
    with store.read() as conn:
        return list(conn.execute(select(event_table.c.text).order_by(event_table.c.id)).scalars())


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
    )


WRITE_FOR_EVER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from sqlalchemy import insert
from gateway.store import Store
from gateway.store.tables import event
store = Store.open(sys.argv[1], blobs=Path(sys.argv[2]))
name = sys.argv[3]
for number in range(int(sys.argv[4])):
    row = {"at": datetime.now(UTC), "name": name, "text": f"{name} {number}"}
    store.write(lambda conn: conn.execute(insert(event), row) and None)
    print(number, flush=True)
store.close()
"""


def test_what_was_written_can_be_read_and_the_result_comes_back(store: Store) -> None:
    def count(conn: Connection) -> int:
        note("one")(conn)
        return int(conn.execute(select(func.count()).select_from(event_table)).scalar_one())

    assert store.write(count) == 1
    assert notes(store) == ["one"]


def test_every_connection_syncs_fully_and_checks_foreign_keys(store: Store) -> None:
    def settings(conn: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "query_only")
        return [conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert store.write(settings) == ["wal", 2, 1, 0]
    with store.read() as conn:
        assert settings(conn) == ["wal", 2, 1, 1]


def test_the_database_is_readable_by_its_owner_alone(store: Store) -> None:
    assert store.path.stat().st_mode & 0o777 == 0o600
    for companion in store.path.parent.glob("tradelane.db-*"):
        assert companion.stat().st_mode & 0o077 == 0


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="readonly"), store.read() as conn:
        note("no")(conn)
    assert notes(store) == []


def test_a_reader_keeps_its_snapshot_while_others_write(store: Store) -> None:
    store.write(note("before"))
    with store.read() as conn:
        count = select(func.count()).select_from(event_table)
        assert conn.execute(count).scalar() == 1
        store.write(note("meanwhile"))
        assert conn.execute(count).scalar() == 1
    assert notes(store) == ["before", "meanwhile"]


def test_what_a_failing_transaction_wrote_is_gone_and_its_error_reaches_the_caller(store: Store) -> None:
    def fail(conn: Connection) -> None:
        note("half")(conn)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        store.write(fail)
    assert notes(store) == []


def test_a_violated_constraint_stays_an_integrity_error(store: Store) -> None:
    def twice(conn: Connection) -> None:
        row = {"ours": "a", "theirs": "b", "level": "group", "next": 1}
        conn.execute(insert(control_number), [row, row])

    with pytest.raises(IntegrityError):
        store.write(twice)


@pytest.fixture
def held_writer(store: Store) -> Iterator[threading.Event]:
    """The writer is busy until the event is set, so that what is written meanwhile shares one commit."""
    go, busy = threading.Event(), threading.Event()

    def hold(conn: Connection) -> None:
        busy.set()
        assert go.wait(10)

    thread = threading.Thread(target=store.write, args=(hold,))
    thread.start()
    assert busy.wait(10)
    yield go
    go.set()
    thread.join()


def test_what_waits_together_commits_together_and_a_failing_one_falls_alone(
    store: Store, held_writer: threading.Event
) -> None:
    commits: list[Connection] = []
    event.listen(store._writing, "commit", commits.append)

    def fail(conn: Connection) -> None:
        note("never")(conn)
        raise LookupError

    with ThreadPoolExecutor(40) as threads:
        good = [threads.submit(store.write, note(f"n{number}")) for number in range(39)]
        bad = threads.submit(store.write, fail)
        while store._writer._waiting.qsize() < 40:
            time.sleep(0.001)
        held_writer.set()
        assert [future.result() for future in good] == [None] * 39
        assert isinstance(bad.exception(), LookupError)
    assert sorted(notes(store)) == sorted(f"n{number}" for number in range(39))
    assert len(commits) <= 3  # the one that held the writer, and those that waited for it


def test_who_asked_to_be_told_is_told_after_the_commit_and_not_after_a_rollback(store: Store) -> None:
    told = []

    def good(conn: Connection) -> None:
        note("kept")(conn)
        after_commit(conn, lambda: told.append(notes(store)))

    def bad(conn: Connection) -> None:
        after_commit(conn, lambda: told.append(["rolled back"]))
        raise LookupError

    store.write(good)
    with pytest.raises(LookupError):
        store.write(bad)
    store.write(note("last"))
    assert told == [["kept"]]


def test_a_transaction_that_waits_for_another_is_refused_instead_of_hanging(store: Store) -> None:
    with pytest.raises(RuntimeError, match="cannot wait for another"):
        store.write(lambda conn: store.write(note("inner")))


def test_a_closed_store_says_so(store: Store) -> None:
    store.write(note("last"))
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.write(note("late"))


def test_two_processes_write_the_same_database(store: Store, tmp_path: Path) -> None:
    other = python(WRITE_FOR_EVER, store.path, tmp_path / "blobs", "theirs", 150)
    for number in range(150):
        store.write(note(f"ours {number}"))
    other.communicate(timeout=30)
    assert other.returncode == 0
    written = notes(store)
    for name in ("ours", "theirs"):
        assert [text for text in written if text.startswith(name)] == [f"{name} {n}" for n in range(150)]


def test_two_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    processes = [
        python(WRITE_FOR_EVER, tmp_path / "new.db", tmp_path / "blobs", f"p{number}", 5)
        for number in range(3)
    ]
    for process in processes:
        process.communicate(timeout=30)
    assert [process.returncode for process in processes] == [0, 0, 0]
    with Store.open(tmp_path / "new.db", blobs=tmp_path / "blobs") as store:
        assert len(notes(store)) == 15


def test_what_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    acknowledged = []
    for round_ in range(5):
        process = python(WRITE_FOR_EVER, tmp_path / "kill.db", tmp_path / "blobs", f"r{round_}", 1_000_000)
        assert process.stdout is not None
        enough = [process.stdout.readline() for _ in range(20 + 7 * round_)]
        process.send_signal(signal.SIGKILL)
        lines = [*enough, *process.stdout]
        acknowledged += [f"r{round_} {line.strip()}" for line in lines if line.endswith("\n")]
        process.wait()
        process.stdout.close()
    with Store.open(tmp_path / "kill.db", blobs=tmp_path / "blobs") as store:
        written = notes(store)
        assert store.write(lambda conn: conn.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"
    assert len(set(written)) == len(written)
    assert not set(acknowledged) - set(written)
    assert len(written) - len(acknowledged) <= 5  # at most the one in flight of each round


def test_a_lock_held_by_another_makes_the_store_unavailable_and_normal_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_S", 0.1)
    with Store.open(tmp_path / "busy.db", blobs=tmp_path / "blobs") as store:
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked") as caught:
                store.write(note("while locked"))
            assert caught.value.temporary
            assert notes(store) == []  # readers do not mind
            other.execute("ROLLBACK")
        store.write(note("after"))
        assert notes(store) == ["after"]


FILL_UP_TO_A_LIMIT = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from sqlalchemy import insert
from gateway.store import DiskFull, Store, StoreUnavailable
from gateway.store.tables import event
store = Store.open(sys.argv[1], blobs=Path(sys.argv[2]))
def write(number):
    row = {"at": datetime.now(UTC), "name": "x", "text": f"{number} " + "x" * 20000}
    store.write(lambda conn: conn.execute(insert(event), row) and None)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
kept = 0
try:
    while kept < 1000:
        write(kept)
        kept += 1
except StoreUnavailable as error:
    print("refused", kept)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
write("again")
print("again")
with store.read() as conn:
    print(conn.exec_driver_sql("select count(*) from event").scalar() - 1 - kept)
    print(conn.exec_driver_sql("pragma integrity_check").scalar())
store.close()
"""


def test_a_file_that_may_not_grow_is_refused_and_taken_again_without_a_restart(tmp_path: Path) -> None:
    process = python(FILL_UP_TO_A_LIMIT, tmp_path / "limit.db", tmp_path / "blobs")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    refused, again, lost, integrity = out.splitlines()
    assert refused.startswith("refused")
    assert int(refused.split()[1]) > 5
    assert (again, lost, integrity) == ("again", "0", "ok")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB of its own; only root can make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)]
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs Linux and root to mount a small disk")
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets no one mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_refuses_and_keeps_all_it_took_and_is_normal_once_space_returns(small_disk: Path) -> None:
    with Store.open(small_disk / "full.db", blobs=small_disk / "blobs") as store:
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * 2_000_000)
        kept = []
        with pytest.raises(DiskFull):
            for number in range(1000):
                text = f"{number} " + "x" * 10_000
                store.write(note(text))
                kept.append(text)
        with pytest.raises(DiskFull):
            store.write(note("y" * 100_000))
        assert notes(store) == kept
        filler.unlink()
        store.write(note("y" * 100_000))
        assert notes(store) == [*kept, "y" * 100_000]
        assert store.write(lambda conn: conn.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"
        assert not store.failed.is_set()


@pytest.mark.external("strace")
def test_a_failed_sync_is_fatal_and_nothing_is_acknowledged_after_it(tmp_path: Path) -> None:
    strace = require_strace()
    script = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from sqlalchemy import insert
from gateway.store import Store, StoreFatal
from gateway.store.tables import event
store = Store.open(sys.argv[1], blobs=Path(sys.argv[2]))
print("ready", flush=True)
kept, fatal = 0, 0
for number in range(60):
    row = {"at": datetime.now(UTC), "name": "x", "text": str(number)}
    try:
        store.write(lambda conn: conn.execute(insert(event), row) and None)
        kept += 1
        assert fatal == 0, "acknowledged after a failed sync"
    except StoreFatal:
        fatal += 1
print(kept, fatal, store.failed.is_set(), flush=True)
"""
    Store.open(tmp_path / "sync.db", blobs=tmp_path / "blobs").close()
    inject = "inject=fsync,fdatasync:error=EIO:when=20+"
    process = subprocess.run(
        [
            *(strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", inject),
            *(sys.executable, "-c", script, str(tmp_path / "sync.db"), str(tmp_path / "blobs")),
        ],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    kept, fatal, failed = process.stdout.splitlines()[1].split()
    assert int(kept) + int(fatal) == 60
    assert int(kept) >= 10
    assert int(fatal) >= 10
    assert failed == "True"
    with Store.open(tmp_path / "sync.db", blobs=tmp_path / "blobs") as store:
        assert notes(store)[: int(kept)] == [str(number) for number in range(int(kept))]


def require_strace() -> str:
    strace = shutil.which("strace")
    if strace is None or subprocess.run([strace, "-o", "/dev/null", "true"], check=False).returncode != 0:
        pytest.skip("needs strace, and leave to trace")
    return strace


def test_a_store_that_failed_refuses_everything(store: Store) -> None:
    store.blobs.on_fatal(StoreFatal("a payload could not be synced"))
    assert store.failed.is_set()
    with pytest.raises(StoreFatal, match="could not be synced"):
        store.write(note("no"))


def test_a_file_that_is_no_database_is_fatal_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreFatal, match="not a database"):
        Store.open(tmp_path / "bad.db", blobs=tmp_path / "blobs")
    assert (tmp_path / "bad.db").read_bytes() == b"this is no database" * 1000


def test_a_damaged_page_is_fatal_when_it_is_met_and_not_answered_from(store: Store) -> None:
    store.write(lambda conn: [note("x" * 3000)(conn) for _ in range(200)])
    store.write(lambda conn: note("last")(conn))
    path, blobs = store.path, store.blobs.root
    store.close()
    with path.open("r+b") as file:
        pages = path.stat().st_size // 4096
        for page in range(pages // 2, pages):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    with Store.open(path, blobs=blobs) as again:
        with pytest.raises(StoreFatal, match="damaged"):
            notes(again)
        assert again.failed.is_set()


def test_only_one_may_run_the_jobs_and_the_lock_ends_with_its_holder(store: Store) -> None:
    held = store.sole_runner(wait_s=0)
    assert held is not None
    with pytest.raises(RunnerExists):
        store.sole_runner(wait_s=0)
    held.close()
    again = store.sole_runner(wait_s=0)
    assert again is not None
    again.close()


def test_a_small_payload_made_inside_a_transaction_is_a_row_of_it_and_goes_with_it(store: Store) -> None:
    kept = store.write(lambda conn: store.keep(conn, b"small"))
    assert not store.blobs.path(kept.sha256).exists()
    assert store.fetch(kept.sha256, verify=True).read() == b"small"

    def fail(conn: Connection) -> None:
        store.keep(conn, b"never")
        raise LookupError

    with pytest.raises(LookupError):
        store.write(fail)
    with pytest.raises(StoreCorrupt, match="gone"):
        store.fetch(hashlib.sha256(b"never").hexdigest())


def test_a_large_payload_made_inside_a_transaction_is_a_blob(store: Store) -> None:
    data = os.urandom(SMALL + 1)
    kept = store.write(lambda conn: store.keep(conn, data))
    assert store.blobs.path(kept.sha256).exists()
    with store.fetch(kept.sha256, verify=True) as stream:
        assert stream.read() == data


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, 3 * SMALL])
def test_what_comes_in_is_kept_by_the_transaction_that_records_it(store: Store, size: int) -> None:
    data = os.urandom(size)
    with store.writer() as writer:
        for at in range(0, size, 50_000):
            writer.write(data[at : at + 50_000])
        with writer.written() as so_far:
            assert so_far.read() == data
        blob = writer.commit()
    assert (blob.sha256, blob.size) == (hashlib.sha256(data).hexdigest(), size)
    with store.contents(blob) as before:
        assert before.read() == data
    if size <= SMALL:
        with pytest.raises(StoreCorrupt, match="gone"):
            store.fetch(blob.sha256)
    kept = store.write(lambda conn: store.keep(conn, blob))
    assert store.blobs.path(kept.sha256).exists() == (size > SMALL)
    for one in (blob, kept):
        with store.contents(one) as after:
            assert after.read() == data


@pytest.mark.parametrize("size", [100, 3 * SMALL])
def test_what_comes_in_and_breaks_off_leaves_nothing(store: Store, size: int) -> None:
    with pytest.raises(LookupError), store.writer() as writer:
        writer.write(os.urandom(size))
        raise LookupError
    assert [path for path in store.blobs.root.rglob("*") if path.is_file()] == []


def test_nothing_comes_in_below_the_reserve_and_what_is_answered_can_be_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.blobs, "has_room", lambda: False)
    with pytest.raises(DiskFull):
        store.writer()
    kept = store.write(lambda conn: store.keep(conn, b"a receipt"))
    assert store.fetch(kept.sha256, verify=True).read() == b"a receipt"
