"""What the server tells the product, as values: the whole of the port between the two.

A journal is a function of one event. It returns once the event is stored; if it raises `Refused` (or
anything else) the client's request is answered FAILURE, so nothing is acknowledged that is not stored.
The values hold only text, numbers and paths, so that the port can become a pipe between two processes.
Paths are "in/ORDER.edi" and "out/940.edi", whatever names the partner sees the two folders under.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

TEMPORARY_NAMES = ("*.tmp", "*.part", "*.filepart", "*.filep*", "*.partial", "*.uploading", "*~", ".*")


@dataclass(frozen=True, slots=True)
class Account:
    """One partner's login: `root` holds the folders in/ and out/ it sees, and partial/ and work/ it does not.

    `quota_bytes` bounds what in/ and partial/ hold together; None is no bound. `inbox` and `outbox` are the
    names the partner sees in/ and out/ under. `allow_from` are the networks it may come from, any if there
    are none. `temporary` are the patterns, in any case, of the names its client uses before it renames.
    """

    user: str
    root: Path
    quota_bytes: int | None = None
    inbox: str = "in"
    outbox: str = "out"
    allow_from: tuple[str, ...] = ()
    temporary: tuple[str, ...] = TEMPORARY_NAMES


@dataclass(frozen=True, slots=True)
class Session:
    """One SFTP channel of a logged-in partner; `id` is unique over the life of the server."""

    id: str
    user: str
    peer: str  # IP address
    key: str  # fingerprint of the key that logged in
    client: str  # the client's own version string


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The signature is verified and the SFTP subsystem has been asked for."""

    session: Session


@dataclass(frozen=True, slots=True)
class LoggedOut:
    session: Session


@dataclass(frozen=True, slots=True)
class Uploading:
    """A file is about to be opened for writing; a journal that cannot take files now raises `Refused`."""

    session: Session
    path: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A whole file stands under a final name: closed by its writer, or renamed (`renamed_from`) to it.

    File and folder are synced to disk. OK is answered after the journal returns.
    """

    session: Session
    path: str
    size: int
    inode: int
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """The session ended with this file open for writing; it stays in partial/, to be resumed by its owner."""

    session: Session
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Removed:
    """A file was removed, or a candidate was withdrawn by renaming it to a temporary name."""

    session: Session
    path: str
    renamed_to: str | None = None


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file of out/ was closed after bytes `start` to `end` of `size` were read without a gap."""

    session: Session
    path: str
    size: int
    start: int
    end: int

    @property
    def complete(self) -> bool:
        return self.start == 0 and self.end >= self.size


@dataclass(frozen=True, slots=True)
class StorageFailed:
    """The disk refused a write or a sync. The client was answered FAILURE and the sync is not repeated."""

    session: Session
    path: str
    error: str


Event: TypeAlias = (
    LoggedIn | LoggedOut | Uploading | Uploaded | Partial | Removed | Downloaded | StorageFailed
)
Journal: TypeAlias = Callable[[Event], None]


class Refused(Exception):
    """A request that is answered FAILURE with this text; the text goes to the partner."""
