"""Payloads in a folder, each named by its SHA-256: written once, synced, then renamed into place.

A blob exists only whole: bytes go to `tmp/`, the file is synced, renamed to `ab/abcd...`, and the folder that
names it is synced. Names come from digests alone, so nothing a partner writes becomes a path. The same
content twice is one file.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from gateway.store.errors import DiskFull, StoreCorrupt, StoreFatal, StoreUnavailable

_CHUNK = 256 * 1024
_RESERVE_BYTES = 256 * 1024 * 1024
_RESERVE_PART = 0.05
_LOOK_EVERY = 8 * 1024 * 1024  # bytes written between two looks at the free space
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Blob(NamedTuple):
    """What names stored bytes: their SHA-256 in lower-case hex, and their number.

    With `data`, they are those bytes, which are stored nowhere until `Store.keep` makes them a row.
    """

    sha256: str
    size: int
    data: bytes | None = None


class Blobs:
    """The folder of payloads. `on_fatal` is told when a sync fails, before StoreFatal is raised."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.on_fatal: Callable[[StoreFatal], None] = lambda error: None
        self._temporary = self.root / "tmp"
        self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, stream: BinaryIO) -> Blob:
        """Store all that `stream` still gives. Raises DiskFull, StoreFatal."""
        with self.writer() as writer:
            while data := stream.read(_CHUNK):
                writer.write(data)
            return writer.commit()

    def writer(self) -> BlobWriter:
        """A file-like writer; without `commit` it leaves nothing. Raises DiskFull below the watermark."""
        return BlobWriter(self)

    def path(self, sha256: str) -> Path:
        """Where a blob stands, or would. Raises ValueError for what is no lower-case SHA-256."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError("not a SHA-256 in lower-case hex")
        return self.root / sha256[:2] / sha256

    def open(self, sha256: str, *, verify: bool = False) -> BinaryIO:
        """The bytes, for reading; with `verify`, only after all were read and matched their name.

        Raises StoreCorrupt when they are gone or do not match.
        """
        try:
            file = self.path(sha256).open("rb")
        except FileNotFoundError:
            raise StoreCorrupt(f"the payload {sha256} is gone") from None
        if verify:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                file.close()
                raise StoreCorrupt(f"the payload {sha256} is not what was stored")
            file.seek(0)
        return file

    def read(self, sha256: str) -> bytes:
        """All bytes of a small blob, verified. Raises StoreCorrupt."""
        with self.open(sha256, verify=True) as file:
            return file.read()

    def has_room(self, size: int = 0) -> bool:
        """Whether `size` bytes still leave the reserve free: 5 % of the disk, at most 256 MiB."""
        disk = os.statvfs(self.root)
        reserve = min(_RESERVE_BYTES, _RESERVE_PART * disk.f_blocks * disk.f_frsize)
        return disk.f_bavail * disk.f_frsize - size >= reserve

    def require_room(self) -> None:
        """Raises DiskFull below the reserve: what comes in must not take the room of what is to be done."""
        if not self.has_room():
            raise DiskFull("the payload folder has too little room left to begin")

    def sweep(self, older_than_s: float = 86_400.0) -> int:
        """Remove temporary files last written more than `older_than_s` seconds ago; how many there were."""
        swept = 0
        before = time.time() - older_than_s
        for entry in os.scandir(self._temporary):
            try:
                if entry.stat().st_mtime < before:
                    os.unlink(entry.path)
                    swept += 1
            except FileNotFoundError:  # its writer ended meanwhile
                continue
        return swept

    def _sync(self, fd: int) -> None:
        """To the medium, or StoreFatal: a failed sync is never tried again."""
        try:
            if (full := getattr(fcntl, "F_FULLFSYNC", None)) is not None:  # macOS
                fcntl.fcntl(fd, full)
            else:
                os.fsync(fd)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise DiskFull(f"the payload folder: {error.strerror}") from error
            fatal = StoreFatal(f"a payload could not be synced to disk: {error.strerror}")
            self.on_fatal(fatal)
            raise fatal from error

    def _sync_folder(self, folder: Path) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._sync(fd)
        finally:
            os.close(fd)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and every missing parent, each synced into the one that names it."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)
        self._sync_folder(folder.parent)


class BlobWriter:
    """Bytes on their way to becoming a blob."""

    resumed = False  # whether it goes on from bytes that an earlier request has brought

    def __init__(self, blobs: Blobs) -> None:
        blobs.require_room()
        self._blobs = blobs
        self._digest = hashlib.sha256()
        self._size = 0
        self._looked_at = 0
        self._path: Path | None
        self._path, self._file = self._begin()

    def _begin(self) -> tuple[Path, BinaryIO]:
        """The file to write, unbuffered."""
        try:
            fd, name = tempfile.mkstemp(dir=self._blobs._temporary)
        except OSError as error:
            raise unusable(error) from error
        return Path(name), os.fdopen(fd, "wb", buffering=0)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take bytes; raises DiskFull when they do not fit or eat into the reserve."""
        view = memoryview(data).cast("B")
        self._digest.update(view)
        written = 0
        try:
            while written < len(view):
                written += self._file.write(view[written:])
        except OSError as error:
            raise unusable(error) from error
        self._size += written
        if self._size - self._looked_at >= _LOOK_EVERY:
            self._looked_at = self._size
            if not self._blobs.has_room():
                raise DiskFull("the payload folder ran out of room")
        return written

    def written(self) -> BinaryIO:
        """What was written so far, for reading, before it is anything that is kept."""
        if self._path is None:
            raise ValueError("the writer is already at its end")
        return self._path.open("rb")

    def commit(self) -> Blob:
        """Make the bytes durable under their name. Raises DiskFull, StoreFatal."""
        if self._path is None:
            raise ValueError("the writer is already at its end")
        blob = Blob(self._digest.hexdigest(), self._size)
        final = self._blobs.path(blob.sha256)
        self._blobs._sync(self._file.fileno())
        try:
            self._blobs._make_folder(final.parent)
            # Over an equal file, too: it may be another writer's, renamed but not yet synced into its folder.
            os.replace(self._path, final)
            self._path = None
            self._file.close()
            self._blobs._sync_folder(final.parent)
        except OSError as error:
            raise unusable(error) from error
        return blob

    def abort(self) -> None:
        """Leave nothing. After `commit` it does nothing."""
        self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def forget(self) -> None:
        """Keep nothing of it for a later request, either."""
        self.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.abort()


def unusable(error: OSError) -> Exception:
    """What an error of the file system means for whoever wants to store."""
    if error.errno in _NO_ROOM:
        return DiskFull(f"the payload folder: {error.strerror}")
    return StoreUnavailable(f"the payload folder: {error.strerror}")
