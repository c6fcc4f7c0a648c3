"""What the store raises, and how a driver's error becomes one of these.

Four kinds, because four different things follow: wait (`StoreUnavailable`), hold one payload for a person
(`StoreCorrupt`), stop the process (`StoreFatal`), install the newer program (`SchemaTooNew`). A constraint
that a transaction violates is the caller's affair and stays SQLAlchemy's IntegrityError.
"""

from __future__ import annotations

import sqlite3

import sqlalchemy.exc

from gateway.errors import GatewayError


class StoreError(GatewayError):
    """Base of what the store raises."""


class StoreUnavailable(StoreError):
    """The database or disk cannot take this now: full, locked, out of reach. Nothing was kept; try later."""

    temporary = True


class DiskFull(StoreUnavailable):
    """No room on the disk, or too little above the watermark to begin."""


class StoreCorrupt(StoreError):
    """A payload is gone or is not what was stored; a person has to look, and everything else goes on."""


class StoreFatal(StoreError):
    """A sync to disk failed, or the database is damaged: acknowledge nothing more, exit, recover at start.

    A second sync would report success for pages the kernel already dropped, so none is tried.
    """


class SchemaTooNew(StoreError):
    """The database was upgraded by a newer program than this one."""


class RunnerExists(StoreError):
    """Another process already runs the jobs of this database."""


_SYNC_FAILED = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}


def as_store_error(error: BaseException) -> BaseException:
    """The store's error for a driver's, or `error` itself when it is not about the store's health."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):  # no connection became free in time
        return StoreUnavailable(str(error))
    cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)  # absent when the driver itself objects
        if code is None:
            return error
        if code in _SYNC_FAILED:
            return StoreFatal(f"the database could not be synced to disk: {cause}")
        primary = code & 0xFF
        if primary == sqlite3.SQLITE_FULL:
            return DiskFull(f"the database: {cause}")
        if primary in _CORRUPT:
            return StoreFatal(f"the database is damaged: {cause}")
        if primary in _UNAVAILABLE:
            return StoreUnavailable(f"the database: {cause} ({cause.sqlite_errorname})")
        return error
    return error
