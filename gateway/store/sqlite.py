"""SQLite as the store: durable by its settings, written by one thread, run by one process.

One thread owns the writing connection. What waits for it together is committed together, each in a savepoint
of its own, so that one sync to disk pays for many transactions and a failing one falls alone. Another process
may write the same file; it waits for the lock like any other writer.
"""

from __future__ import annotations

import fcntl
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import msgspec
import sqlalchemy
from sqlalchemy import Connection, Engine, event

from gateway.store.errors import RunnerExists, StoreError, StoreUnavailable, as_store_error

T = TypeVar("T")

BUSY_S = 5.0  # how long a writer waits for another process's lock
_BATCH_S = 0.01  # how long a batch gathers at most: every member waits for its end
_BATCH_LENGTH = 128


def json_text(value: Any) -> str:
    """JSON as the store writes it: compact, UTF-8, Decimal as text."""
    return msgspec.json.encode(value).decode()


def create(path: Path) -> None:
    """Make the file, readable by its owner alone, and switch it to the write-ahead log.

    Raises StoreUnavailable when the file system cannot carry a write-ahead log, or is full or locked;
    StoreFatal when the file is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=BUSY_S)
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        finally:
            connection.close()
    except OSError as error:
        raise StoreUnavailable(f"the database {path.name} cannot be opened: {error}") from error
    except sqlite3.Error as error:
        raise as_store_error(error) from error
    if mode != "wal":
        raise StoreUnavailable(f"the database {path.name} cannot keep a write-ahead log here (mode {mode})")


def engine(path: Path, *, begin: str, read_only: bool = False, foreign_keys: bool = True) -> Engine:
    """An engine whose transactions start with `begin`, every connection set to FULL synchronisation."""
    made = sqlalchemy.create_engine(
        sqlalchemy.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_S, "check_same_thread": False},
        json_serializer=json_text,
        json_deserializer=msgspec.json.decode,
        pool_size=16,
        max_overflow=48,
        pool_timeout=BUSY_S,
    )

    @event.listens_for(made, "connect")
    def _connected(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone stops at the drive's cache
        connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        connection.execute(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
        (level,) = connection.execute("PRAGMA synchronous").fetchone()
        if level != 2:
            raise StoreUnavailable(f"the database refuses synchronous=FULL (it is at {level})")

    @event.listens_for(made, "begin")
    def _begun(conn: Connection) -> None:
        conn.exec_driver_sql(begin)

    return made


class Writer:
    """The one thread that writes. `write` returns when the transaction is durable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a transaction of its own; its result once committed, or what it raised."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a transaction cannot wait for another: pass its connection on instead")
        write = _Write(fn)
        with self._closing:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._waiting.put(write)
        return cast("T", write.outcome.result())

    def close(self) -> None:
        """Finish what waits, then end."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            self._commit_together(first)

    def _gather(self, first: _Write) -> Iterator[_Write]:
        until = time.monotonic() + _BATCH_S
        yield first
        for _ in range(_BATCH_LENGTH - 1):
            try:
                write = self._waiting.get_nowait()
            except queue.Empty:
                return
            if write is None:
                self._waiting.put(None)  # nothing can have come behind it
                return
            yield write
            if time.monotonic() > until:
                return

    def _commit_together(self, first: _Write) -> None:
        members = []
        try:
            with self._engine.begin() as conn:
                for write in self._gather(first):
                    members.append(write)
                    write.apply(conn)
        except BaseException as error:
            for write in members or [first]:
                write.lose(error)
        else:
            for write in members:
                write.settle()


class _Write:
    """One caller's transaction inside a batch."""

    def __init__(self, fn: Callable[[Connection], Any]) -> None:
        self.outcome: Future[Any] = Future()
        self._fn = fn
        self._result: Any = None
        self._error: BaseException | None = None
        self._after: list[Callable[[], None]] = []

    def apply(self, conn: Connection) -> None:
        """Run inside a savepoint. Raises only when the whole batch is lost."""
        driver = cast("sqlite3.Connection", conn.connection.driver_connection)
        conn.info["after_commit"] = self._after
        driver.execute("SAVEPOINT write")
        try:
            self._result = self._fn(conn)
        except BaseException as error:
            # On some errors (disk full, I/O) SQLite rolls the whole transaction back by itself.
            if not driver.in_transaction:
                raise
            self._error = error
            driver.execute("ROLLBACK TO write")
        driver.execute("RELEASE write")

    def settle(self) -> None:
        """The batch is durable: tell the caller, then whoever asked to be told."""
        if self._error is not None:
            self.outcome.set_exception(as_store_error(self._error))
            return
        self.outcome.set_result(self._result)
        for callback in self._after:
            callback()

    def lose(self, error: BaseException) -> None:
        """The batch came to nothing: the caller's own error, or what happened to all."""
        cause = as_store_error(self._error or error)
        if isinstance(cause, StoreError):
            mine: BaseException = type(cause)(*cause.args)  # each caller raises an instance of its own
        elif self._error is not None:
            mine = self._error
        else:
            mine = StoreUnavailable(f"the transaction was rolled back: {error}")
        mine.__cause__ = None if mine is error else error
        self.outcome.set_exception(mine)


def sole_runner(path: Path, wait_s: float) -> BinaryIO:
    """Hold the lock that says who runs this database's jobs; the kernel lets go of it when the process dies.

    Closing the file gives it up. Raises RunnerExists when another still holds it after `wait_s` seconds.
    """
    file = (path.parent / f"{path.name}.runner.lock").open("wb")
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                file.close()
                raise RunnerExists(f"another process already runs the jobs of {path.name}") from None
            time.sleep(0.02)
        else:
            return file
