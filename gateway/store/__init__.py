"""Where everything is kept: rows in a database, payloads in a folder named by their digest.

`Store.write` runs a function in one transaction and returns when it is durable; `Store.read` lends a
connection that cannot write. Nothing is acknowledged to anyone before the `write` that records it has
returned. Errors are those of `gateway.store.errors`. After `StoreFatal` the store refuses everything and
`failed` is set, and the process is to exit: what was acknowledged is on disk, and is found at the next start.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self, TypeVar, cast

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.store import schema, sqlite
from gateway.store.blobs import Blob, Blobs, BlobWriter
from gateway.store.dialect import Upsert
from gateway.store.errors import (
    DiskFull,
    RunnerExists,
    SchemaTooNew,
    StoreCorrupt,
    StoreError,
    StoreFatal,
    StoreUnavailable,
    as_store_error,
)
from gateway.store.partials import PartialLocked, PartialRange, Partials, WholeWriter
from gateway.store.tables import payload

__all__ = [
    "SMALL",
    "Blob",
    "BlobWriter",
    "Blobs",
    "DiskFull",
    "PartialLocked",
    "PartialRange",
    "Partials",
    "PayloadWriter",
    "RunnerExists",
    "SchemaTooNew",
    "Store",
    "StoreCorrupt",
    "StoreError",
    "StoreFatal",
    "StoreUnavailable",
    "WholeWriter",
    "after_commit",
]

T = TypeVar("T")

SMALL = 64 * 1024  # bytes of a payload that is kept as a row

_KEEP = Upsert(payload, lambda insert: insert.on_conflict_do_nothing(index_elements=["sha256"]))


def after_commit(conn: Connection, callback: Callable[[], None]) -> None:
    """Call `callback` once the transaction of this `Store.write` is durable; never if it is rolled back.

    It runs in the writing thread: it may set an event, and must not wait or raise.
    """
    cast("list[Callable[[], None]]", conn.info["after_commit"]).append(callback)


class Store:
    """An open store. One a process; threads share it."""

    def __init__(self, path: Path, blobs: Blobs) -> None:
        self.path = path
        self.blobs = blobs
        self.partials = Partials(blobs)
        self.failed = threading.Event()
        self.failure: StoreFatal | None = None
        self._writing = sqlite.engine(path, begin="BEGIN IMMEDIATE")
        self._reading = sqlite.engine(path, begin="BEGIN", read_only=True)
        self._writer = sqlite.Writer(self._writing)
        blobs.on_fatal = self.fail

    @classmethod
    def open(cls, path: str | Path, *, blobs: Path) -> Self:
        """Open the database file and the payload folder, making or upgrading them when needed.

        Raises SchemaTooNew for a database that a newer program has upgraded, and StoreUnavailable.
        """
        path = Path(path)
        sqlite.create(path)
        schema.upgrade(path)
        return cls(path, Blobs(blobs))

    def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn(connection)` in one transaction; returns its result once that is durable.

        What `fn` raises rolls it back and is raised here. `fn` runs in another thread, together with others:
        it must be short, must not wait, and touches nothing but the connection and its own values.
        Raises StoreUnavailable, StoreFatal.
        """
        if self.failure is not None:
            raise StoreFatal(*self.failure.args)
        try:
            return self._writer.write(fn)
        except StoreFatal as error:
            self.fail(error)
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Lend a connection that sees one snapshot, from its first query on, and cannot write."""
        try:
            with self._reading.connect() as conn:
                yield conn
        except SQLAlchemyError as error:
            known = as_store_error(error)
            if known is error:
                raise
            if isinstance(known, StoreFatal):
                self.fail(known)
            raise known from error

    def writer(self) -> PayloadWriter:
        """A file-like writer whose `commit` gives a blob to `keep`; raises DiskFull below the watermark."""
        return PayloadWriter(self.blobs)

    def put(self, stream: BinaryIO) -> Blob:
        """Take in all that `stream` still gives, as a blob to `keep`. Raises DiskFull, StoreFatal."""
        with self.writer() as writer:
            while data := stream.read(SMALL):
                writer.write(data)
            return writer.commit()

    def keep(self, conn: Connection, payload: bytes | Blob) -> Blob:
        """Store bytes with a transaction, durable when it is.

        Up to SMALL bytes are a row of it, which costs no sync of its own; more is a blob, synced before.
        Raises DiskFull, StoreFatal.
        """
        if not isinstance(payload, Blob):
            payload = _in_memory(payload) if len(payload) <= SMALL else self.blobs.put(io.BytesIO(payload))
        if payload.data is not None:
            conn.execute(_KEEP.on(conn), {"sha256": payload.sha256, "data": payload.data})
        return Blob(payload.sha256, payload.size)

    def contents(self, blob: Blob) -> BinaryIO:
        """A blob's bytes for reading, whether or not it is kept yet. Raises StoreCorrupt."""
        return self.fetch(blob.sha256) if blob.data is None else io.BytesIO(blob.data)

    def fetch(self, sha256: str, *, verify: bool = False) -> BinaryIO:
        """Stored bytes, row or blob, for reading; with `verify`, only after all matched their name.

        Raises StoreCorrupt when they are gone or do not match.
        """
        if self.blobs.path(sha256).exists():
            return self.blobs.open(sha256, verify=verify)
        with self.read() as conn:
            data = conn.execute(select(payload.c.data).where(payload.c.sha256 == sha256)).scalar()
        if data is None:
            raise StoreCorrupt(f"the payload {sha256} is gone")
        if verify and hashlib.sha256(data).hexdigest() != sha256:
            raise StoreCorrupt(f"the payload {sha256} is not what was stored")
        return io.BytesIO(data)

    def sole_runner(self, wait_s: float = 5.0) -> BinaryIO | None:
        """Become the one process that runs jobs here, until the returned file is closed or the process dies.

        None where leases alone decide, because several nodes may run jobs. Raises RunnerExists.
        """
        return sqlite.sole_runner(self.path, wait_s)

    def close(self) -> None:
        """Commit what waits, then let go of the files."""
        self._writer.close()
        self._writing.dispose()
        self._reading.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def fail(self, error: StoreFatal) -> None:
        """Take no more: what is on this disk can no longer be relied on. The process is to exit."""
        self.failure = error
        self.failed.set()


class PayloadWriter:
    """Bytes on their way in: held in memory while they are few enough for a row, then a file."""

    resumed = False

    def __init__(self, blobs: Blobs) -> None:
        blobs.require_room()
        self._blobs = blobs
        self._held = bytearray()
        self._file: BlobWriter | None = None

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return len(self._held) if self._file is None else self._file.size

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take bytes; raises DiskFull when they do not fit."""
        if self._file is None and len(self._held) + len(data) <= SMALL:
            self._held += data
            return len(data)
        if self._file is None:
            self._file = self._blobs.writer()
            self._file.write(self._held)
        return self._file.write(data)

    def written(self) -> BinaryIO:
        """What was written so far, for reading."""
        return io.BytesIO(self._held) if self._file is None else self._file.written()

    def commit(self) -> Blob:
        """A blob to `keep`: in memory, or already durable. Raises DiskFull, StoreFatal."""
        if self._file is not None:
            return self._file.commit()
        return _in_memory(bytes(self._held))

    def abort(self) -> None:
        """Leave nothing of what was not committed."""
        if self._file is not None:
            self._file.abort()

    forget = abort

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.abort()


def _in_memory(data: bytes) -> Blob:
    return Blob(hashlib.sha256(data).hexdigest(), len(data), data)
