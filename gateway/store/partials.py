"""Bodies that broke off on their way in, kept so that their senders can go on from there.

Whoever sends is not proved while a body arrives. So what is kept is bounded for each sender, in bytes, in
number and in age; a file's name is a digest of what the sender wrote; and what is told of a transfer is only
its length, to who knows its name.

A partial is a file of exactly the bytes that have come, in a folder of its sender, named
`DIGEST-TOTAL`. It is locked while a request adds to it; the kernel lets go of the lock when the process dies.
Its length is told after a sync, so it is on disk. A body that is whole becomes a blob, and leaves
`DIGEST-TOTAL-SHA256`, an empty file: a sender that was not answered then need not send it all again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from gateway.store.blobs import Blob, Blobs, BlobWriter, unusable
from gateway.store.errors import StoreError, StoreUnavailable

MOST = 32
"""Transfers kept for one sender, whole ones included."""


class PartialLocked(StoreError):
    """Another request is adding to this transfer now."""

    temporary = True


class PartialRange(StoreError):
    """These bytes do not join on to those that are held."""

    def __init__(self, held: int) -> None:
        super().__init__(f"{held} bytes are held")
        self.held = held


class Partials:
    """The folder of what broke off, beside the payloads. `sender` and `name` are any text."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._root = blobs.root / "partial"
        self._changing = threading.Lock()  # which files there are, not what is in them

    def held(self, sender: str, name: str) -> int:
        """How many bytes of a transfer are on disk. Raises PartialLocked, StoreFatal."""
        with self._changing:
            found = self._find(sender, name)
            if found is None:
                return 0
            if found.sha256 is not None:
                return found.total if self._blobs.path(found.sha256).exists() else 0
            file = _locked(found.path)
        with file:
            self._blobs._sync(file.fileno())
            return os.fstat(file.fileno()).st_size

    def writer(
        self, sender: str, name: str, *, start: int, total: int, space: int
    ) -> BlobWriter | WholeWriter:
        """A writer of the bytes from `start` on, of which `total` are a whole body.

        It is one that keeps what has come when it is aborted, while all that is kept for the sender is no
        more than `space` bytes. Raises PartialLocked, PartialRange, StoreUnavailable.
        """
        with self._changing:
            found = self._find(sender, name)
            if found is not None and (start == 0 or found.total != total):
                with _locked(found.path):
                    found.path.unlink()
                found = None
            if found is None:
                if start > 0:
                    raise PartialRange(0)
                if not self._make_room(sender, total, space):
                    return BlobWriter(self._blobs)
                path = self._folder(sender) / f"{_digest(name)}-{total}"
                try:
                    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    path.touch(mode=0o600, exist_ok=False)
                except OSError as error:
                    raise unusable(error) from error
                return PartialWriter(self._blobs, path, _locked(path), 0, total)
            if found.sha256 is not None:
                if start >= total or not self._blobs.path(found.sha256).exists():
                    raise PartialRange(0)
                return WholeWriter(self._blobs, found.path, Blob(found.sha256, total), start)
            file = _locked(found.path)
            held = os.fstat(file.fileno()).st_size
            if start > held:
                file.close()
                raise PartialRange(held)
            return PartialWriter(self._blobs, found.path, file, start, total)

    def sweep(self, older_than_s: float) -> int:
        """Forget transfers to which nothing was added for so many seconds; how many there were."""
        before = time.time() - older_than_s
        with self._changing:
            folders = [path for path in self._root.glob("*") if path.is_dir()]
            return sum(
                _forget(one) for folder in folders for one in _listed(folder) if one.changed_at < before
            )

    def _folder(self, sender: str) -> Path:
        return self._root / _digest(sender)

    def _find(self, sender: str, name: str) -> _Kept | None:
        wanted = _digest(name)
        return next((one for one in _listed(self._folder(sender)) if one.digest == wanted), None)

    def _make_room(self, sender: str, total: int, space: int) -> bool:
        """Forget the sender's oldest transfers until another of this size may begin; whether it may."""
        kept = sorted(_listed(self._folder(sender)), key=lambda one: one.changed_at)
        while kept and (len(kept) >= MOST or total + sum(one.claims for one in kept) > space):
            oldest = kept.pop(0)
            if not _forget(oldest):
                return False  # it is being added to
        return total <= space


class _Kept:
    """A file of the folder, by its name."""

    def __init__(self, path: Path) -> None:
        digest, total, *sha256 = path.name.split("-")
        self.path = path
        self.digest = digest
        self.total = int(total)
        self.sha256 = sha256[0] if sha256 else None
        self.changed_at = path.stat().st_mtime

    @property
    def claims(self) -> int:
        """The bytes it may come to take."""
        return 0 if self.sha256 is not None else self.total


class PartialWriter(BlobWriter):
    """Bytes on their way to becoming a blob, which stay when they broke off."""

    def __init__(self, blobs: Blobs, path: Path, file: BinaryIO, start: int, total: int) -> None:
        self._partial = path, file
        self._total = total
        self.resumed = start > 0
        self._whole: Path | None = None
        try:
            super().__init__(blobs)
            file.truncate(start)
            file.seek(start)
        except (OSError, StoreUnavailable) as error:
            file.close()
            if start == 0:
                path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise unusable(error) from error
            raise
        self._size = self._looked_at = start

    def _begin(self) -> tuple[Path, BinaryIO]:
        return self._partial

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take bytes; raises PartialRange for more than the whole, and DiskFull, and then leaves nothing."""
        try:
            if self._size + len(data) > self._total:
                raise PartialRange(0)
            return super().write(data)
        except (PartialRange, StoreUnavailable):
            self.forget()
            raise

    def commit(self) -> Blob:
        """Make the whole body a blob. Raises PartialRange when it is not whole, DiskFull, StoreFatal."""
        if self._size != self._total:
            raise PartialRange(self._size)
        path = self._partial[0]
        if self.resumed:
            with path.open("rb") as whole:
                self._digest = hashlib.file_digest(whole, "sha256")
        blob = super().commit()
        self._whole = path.with_name(f"{path.name}-{blob.sha256}")
        with suppress(OSError):  # without it the sender sends all again
            self._whole.touch(mode=0o600)
        return blob

    def abort(self) -> None:
        """Keep what has come, unless that is nothing."""
        if self._size == 0:
            self.forget()
        self._file.close()

    def forget(self) -> None:
        """Keep nothing of the transfer, nor that it was whole."""
        if self._whole is not None:
            self._whole.unlink(missing_ok=True)
        if self._path is not None:
            self._path.unlink(missing_ok=True)  # while it is locked: later, the name may be another's
            self._path = None
        self._file.close()


class WholeWriter:
    """The last bytes of a body that is a blob already: they are compared, and written nowhere."""

    resumed = True

    def __init__(self, blobs: Blobs, mark: Path, blob: Blob, start: int) -> None:
        self._mark = mark
        self._blob = blob
        self._path = blobs.path(blob.sha256)
        self._file = self._path.open("rb")
        self._file.seek(start)
        self._size = start

    def written(self) -> BinaryIO:
        """The whole body, for reading."""
        return self._path.open("rb")

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Compare bytes; raises PartialRange when they are others."""
        if self._file.read(len(data)) != bytes(data):
            raise PartialRange(0)
        self._size += len(data)
        return len(data)

    def commit(self) -> Blob:
        """The blob that it is. Raises PartialRange when not all of its last bytes came."""
        if self._size != self._blob.size:
            raise PartialRange(self._size)
        return self._blob

    def abort(self) -> None:
        """Leave all as it is."""
        self._file.close()

    def forget(self) -> None:
        """Keep nothing of the transfer."""
        self._mark.unlink(missing_ok=True)


def _listed(folder: Path) -> list[_Kept]:
    found = []
    with suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            with suppress(FileNotFoundError):  # it has just become a blob
                found.append(_Kept(Path(entry.path)))
    return found


def _locked(path: Path) -> BinaryIO:
    """The file, for reading and writing, while no other has it. Raises PartialLocked."""
    locked = PartialLocked("another request is adding to this transfer")
    try:
        file = path.open("r+b", buffering=0)
    except FileNotFoundError:  # it has just become a blob
        raise locked from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    file.close()
    raise locked


def _forget(kept: _Kept) -> bool:
    """Remove it unless it is being added to; whether it was removed."""
    try:
        with _locked(kept.path):
            kept.path.unlink()
    except PartialLocked:
        return False
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
