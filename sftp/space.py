"""One partner's files: the folders in/ and out/ it sees, and partial/, where a file is while it is written.

Rules. A file under in/ is whole: it gets there by one rename, after its bytes are synced. Until then it lies
in partial/ and its owner sees it as in/NAME, so that an upload can be resumed; opening a whole file for
writing takes it back to partial/ by the same rename, which a scanner that claims it by renaming either wins
or loses. Nobody needs a list of what is complete. A partner's path has at most two components, and each
operation is one system call relative to a folder's descriptor that follows no link, so there is no path to
walk and nothing to escape to. The folders are made and opened once and shared by the account's sessions.
Locks are taken in one order: the space's, an upload's, the count's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from sftp.events import TEMPORARY_NAMES, Refused

IN, OUT, PARTIAL, WORK = "in", "out", "partial", "work"

_NAME_MAX = 255  # bytes
_PATH_MAX = 4096  # bytes
_RECHECK_BYTES = 32 * 1024 * 1024
_RECOUNT_S = 5.0
_WINDOWS_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def is_temporary(name: str, patterns: Collection[str] = TEMPORARY_NAMES) -> bool:
    """Whether clients use such a name for a file they have not finished."""
    folded = name.casefold()
    return any(fnmatchcase(folded, pattern.casefold()) for pattern in patterns)


def name_problem(name: str) -> str | None:
    """Why a new file may not be called so, in words for the partner; None when it may."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "the name is not UTF-8"
    if len(os.fsencode(name)) > _NAME_MAX:
        return "the name is longer than 255 bytes"
    if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in name):
        return "the name has a control character"
    if "/" in name or "\\" in name or name in {"", ".", ".."}:
        return "the name has a path separator"
    if _WINDOWS_DEVICE.fullmatch(name):
        return "the name is reserved"
    return None


class Place(NamedTuple):
    """Where a path leads: the top ("", ""), a folder ("in", ""), or a file in one ("in", "NAME")."""

    folder: str
    name: str

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}" if self.name else self.folder


def normalize(path: bytes) -> list[bytes]:
    """The components of a path from the top; `..` at the top stays there. Lexical, as there are no links.

    `FileNotFoundError` for a path too long or with a NUL.
    """
    if len(path) > _PATH_MAX or b"\0" in path:
        raise FileNotFoundError(errno.ENOENT, "no such file")
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in {b"", b"."}:
            parts.append(part)
    return parts


def locate(path: bytes, folders: Mapping[str, str]) -> Place:
    """Where `path` leads, with `folders` from the names a partner sees to "in" and "out".

    `FileNotFoundError` for what cannot exist: too deep, too long, or with a NUL.
    """
    parts = normalize(path)
    if len(parts) > 2:
        raise FileNotFoundError(errno.ENOENT, "no such file")
    folder, name = (os.fsdecode(part) for part in [*parts, b"", b""][:2])
    if not folder or folder in folders:
        return Place(folders.get(folder, ""), name)
    if name:
        raise FileNotFoundError(errno.ENOENT, "no such folder")
    return Place("", folder)


def make_folders(root: Path) -> None:
    """Makes what is missing of an account's folders: in/, out/, partial/ and work/."""
    for folder in (IN, OUT, PARTIAL, WORK):
        (root / folder).mkdir(mode=0o700, parents=True, exist_ok=True)


class Upload:
    """A file open for writing in partial/. Only the last handle opened on a name may write to it."""

    def __init__(self, space: Space, name: str, fd: int, append: bool, whole: bool) -> None:
        self.name = name
        self.size = os.fstat(fd).st_size
        self.removed = False
        self.whole = whole  # published before, and not changed since by this handle
        self._space = space
        self._fd = fd
        self._append = append
        self._open = True
        self._room_until = self.size
        self._lock = threading.Lock()

    def write(self, offset: int, data: memoryview) -> None:
        """Writes all of `data`; raises `Refused` without room, `OSError` when the disk fails."""
        with self._lock:
            self._require_open()
            end = (self.size if self._append else offset) + len(data)
            self._require_room(end)
            self.whole = False
            offset = 0 if self._append else offset
            while data:
                written = os.pwrite(self._fd, data, offset)
                data, offset = data[written:], offset + written
            self.size = max(self.size, end)

    def read(self, offset: int, length: int) -> bytes:
        with self._lock:
            self._require_open()
            return os.pread(self._fd, length, offset)

    def truncate(self, size: int) -> None:
        with self._lock:
            self._require_open()
            self._require_room(size)
            self.whole = False
            os.ftruncate(self._fd, size)
            self.size = size

    def set_mtime(self, mtime: int) -> None:
        with self._lock:
            self._require_open()
            os.utime(self._fd, (mtime, mtime))

    def stat(self) -> os.stat_result:
        with self._lock:
            self._require_open()
            return os.fstat(self._fd)

    def sync(self) -> None:
        with self._lock:
            self._require_open()
            os.fsync(self._fd)

    def close(self) -> None:
        """Gives the descriptor back. What was written stays in partial/."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._fd)

    def _require_open(self) -> None:
        if not self._open:
            raise Refused("the file has been opened for writing again")

    def _require_room(self, end: int) -> None:
        if end > self._room_until:
            left = self._space.require_room(end, end - self.size)
            self._room_until = end + min(left // 16, _RECHECK_BYTES)


class Space:
    """The folders of one account under `root`; safe to use from the threads of all its sessions.

    A file is refused beyond `max_file_bytes`, when in/ and partial/ would hold more than `quota_bytes`
    together, or when less than `min_free` (a fraction) of the file system would be left.
    """

    def __init__(self, root: Path, max_file_bytes: int, min_free: float) -> None:
        self.quota_bytes: int | None = None
        self._max_file_bytes = max_file_bytes
        self._min_free = min_free
        self._lock = threading.RLock()
        self._writing: dict[str, Upload] = {}
        self._counting = threading.Lock()
        self._used, self._used_at = 0, float("-inf")
        make_folders(root)
        self._fds = {folder: os.open(root / folder, _DIRECTORY) for folder in (IN, OUT, PARTIAL)}

    def close(self) -> None:
        with self._lock:
            for upload in self._writing.values():
                upload.close()
            self._writing.clear()
            while self._fds:
                os.close(self._fds.popitem()[1])

    def stat(self, place: Place) -> os.stat_result:
        """Attributes of a folder or a regular file; `PermissionError` for anything else that stands there."""
        if not place.name:
            return os.fstat(self._fds[place.folder or IN])
        found = self._find(place)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        return found[1]

    def names(self, folder: str) -> list[str]:
        """The regular files of a folder, sorted; what is being written into out/ by us is not among them."""
        if folder == OUT:
            return sorted(name for name in self._scan(OUT) if not name.startswith("."))
        return sorted({*self._scan(IN), *self._scan(PARTIAL)})

    def open_download(self, place: Place) -> int:
        """A descriptor to read a regular file by."""
        if (found := self._find(place)) is None:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        fd = os.open(place.name, os.O_RDONLY | _FILE, dir_fd=self._fds[found[0]])
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise PermissionError(errno.EACCES, "not a regular file")
        return fd

    def open_upload(
        self,
        name: str,
        *,
        create: bool = False,
        exclusive: bool = False,
        truncate: bool = False,
        append: bool = False,
    ) -> Upload:
        """Opens in/`name` for writing, taking back the whole file of that name if it was not claimed yet."""
        with self._lock:
            found = self._find(Place(IN, name))
            if found is None and create and (problem := name_problem(name)):
                raise PermissionError(errno.EACCES, problem)
            if found is not None and exclusive:
                raise FileExistsError(errno.EEXIST, "the file exists")
            self.require_room(0, 0)
            if (earlier := self._writing.pop(name, None)) is not None:
                earlier.close()
            whole = self._take_back(name)
            flags = os.O_RDWR | _FILE | (os.O_CREAT if create else 0) | (os.O_APPEND if append else 0)
            try:
                fd = os.open(name, flags, 0o600, dir_fd=self._fds[PARTIAL])
            except OSError:
                if whole:
                    self._put_forward(name)
                raise
            upload = self._writing[name] = Upload(self, name, fd, append, whole)
            if truncate:
                upload.truncate(0)
            return upload

    def publish(self, upload: Upload) -> os.stat_result | None:
        """Makes a closed upload a whole file under in/, on disk when this returns; None if it was removed.

        Raises `Refused` if the name was opened again meanwhile, `OSError` when the disk fails; the file is
        then left in partial/.
        """
        try:
            upload.sync()
            with self._lock:
                if upload.removed:
                    return None
                attributes = upload.stat()
                self._put_forward(upload.name)
                self._forget(upload)
        finally:
            self.abandon(upload)
        try:
            os.fsync(self._fds[IN])
        except OSError:
            self.withdraw(upload.name)
            raise
        return attributes

    def abandon(self, upload: Upload) -> bool:
        """Closes an upload; True if that leaves a partial file. One that changed nothing goes back to in/."""
        with self._lock:
            was_latest = self._forget(upload)
            if was_latest and upload.whole:
                self._put_forward(upload.name)
        upload.close()
        return was_latest and not upload.whole

    def withdraw(self, name: str) -> None:
        """Takes a published file back to partial/, unless it was claimed."""
        with self._lock:
            self._take_back(name)

    def truncate(self, name: str, size: int) -> os.stat_result | None:
        """Sets the size of a file of in/; the attributes of a whole file, None for one still partial."""
        with self._lock:
            if (writing := self._writing.get(name)) is not None:
                writing.truncate(size)
                return None
            upload = self.open_upload(name)
            was_whole = upload.whole
            try:
                upload.truncate(size)
            finally:
                if not was_whole or upload.whole:
                    self.abandon(upload)
            return self.publish(upload) if was_whole else None

    def rename(self, old: str, new: str, *, replace: bool) -> os.stat_result | None:
        """Renames a file of in/; the attributes of a whole file, None for one that is still partial.

        Raises `FileExistsError` for a taken name unless `replace`.
        """
        with self._lock:
            source, target = self._find(Place(IN, old)), self._find(Place(IN, new))
            if source is None:
                raise FileNotFoundError(errno.ENOENT, "no such file")
            if problem := name_problem(new):
                raise PermissionError(errno.EACCES, problem)
            folder, attributes = source
            if old != new:
                if target is not None and not replace:
                    raise FileExistsError(errno.EEXIST, "the file exists")
                self._rename_within(folder, old, new)
        if folder == PARTIAL:
            return None
        os.fsync(self._fds[IN])
        return attributes

    def remove(self, place: Place) -> None:
        with self._lock:
            if self._find(place) is None:
                raise FileNotFoundError(errno.ENOENT, "no such file")
            for folder in (PARTIAL, IN) if place.folder == IN else (OUT,):
                self._unlink(folder, place.name)
        os.fsync(self._fds[place.folder])

    def set_mtime(self, place: Place, mtime: int) -> None:
        folder, _ = self._find(place) or (place.folder, None)
        os.utime(place.name, (mtime, mtime), dir_fd=self._fds[folder], follow_symlinks=False)

    def file_system(self) -> os.statvfs_result:
        return os.fstatvfs(self._fds[PARTIAL])

    def require_room(self, size: int, growth: int) -> int:
        """The bytes left if a file of `size` bytes grows by `growth` to it; `Refused` if that is too much."""
        disk = self.file_system()
        kept_free = int(self._min_free * disk.f_blocks)
        left = {
            "the file is too large": self._max_file_bytes - size,
            "the server's disk is full": (disk.f_bavail - kept_free) * disk.f_frsize - growth,
        }
        with self._counting:
            if self.quota_bytes is not None:
                left["the quota is used up"] = self.quota_bytes - self._count_used() - growth
            for problem, bytes_left in left.items():
                if bytes_left < 0:
                    raise Refused(problem)
            self._used += growth
        return min(left.values())

    def _count_used(self) -> int:
        """What the account holds: counted every few seconds, with what was granted since."""
        now = time.monotonic()
        if now - self._used_at > _RECOUNT_S:
            self._used_at = now
            files = ((folder, name) for folder in (IN, PARTIAL) for name in self._scan(folder))
            found = (self._lstat(folder, name) for folder, name in files)
            self._used = sum(attributes.st_size for attributes in found if attributes)
        return self._used

    def _find(self, place: Place) -> tuple[str, os.stat_result] | None:
        """The folder a file really is in, and its attributes. What is being written hides what is whole."""
        if not place.folder:
            return None
        for folder in (PARTIAL, IN) if place.folder == IN else (OUT,):
            attributes = self._lstat(folder, place.name)
            if attributes is not None:
                if not stat.S_ISREG(attributes.st_mode):
                    raise PermissionError(errno.EACCES, "not a regular file")
                return folder, attributes
        return None

    def _lstat(self, folder: str, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._fds[folder], follow_symlinks=False)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENAMETOOLONG}:
                return None
            raise

    def _scan(self, folder: str) -> Iterator[str]:
        fd = os.open(".", _DIRECTORY, dir_fd=self._fds[folder])  # an offset of its own: sessions list at once
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        yield entry.name
        finally:
            os.close(fd)

    def _take_back(self, name: str) -> bool:
        try:
            os.rename(name, name, src_dir_fd=self._fds[IN], dst_dir_fd=self._fds[PARTIAL])
        except FileNotFoundError:
            return False
        return True

    def _put_forward(self, name: str) -> None:
        os.rename(name, name, src_dir_fd=self._fds[PARTIAL], dst_dir_fd=self._fds[IN])

    def _rename_within(self, folder: str, old: str, new: str) -> None:
        other = IN if folder == PARTIAL else PARTIAL
        if (replaced := self._writing.pop(new, None)) is not None:
            replaced.removed = True
        os.rename(old, new, src_dir_fd=self._fds[folder], dst_dir_fd=self._fds[folder])
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=self._fds[other])
        if folder == PARTIAL and (upload := self._writing.pop(old, None)) is not None:
            upload.name = new
            self._writing[new] = upload

    def _unlink(self, folder: str, name: str) -> None:
        if folder == PARTIAL and (upload := self._writing.pop(name, None)) is not None:
            upload.removed = True
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fds[folder])

    def _forget(self, upload: Upload) -> bool:
        if self._writing.get(upload.name) is not upload:
            return False
        del self._writing[upload.name]
        return True
