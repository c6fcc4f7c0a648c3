"""One SFTP session: reads requests off a channel, does them in the account's space, writes the answers.

Rules. The operations are a closed table; what is not in it is OP_UNSUPPORTED. A CLOSE that arrives while the
session lives makes an upload whole, and OK is sent only after the bytes are synced and the journal has
stored the event; a session that ends with a handle open leaves a partial file. Errors carry the codes of the
response contract and texts that name the partner's data, never a path of ours.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

from sftp.events import (
    Account,
    Downloaded,
    Event,
    Journal,
    Partial,
    Refused,
    Removed,
    Session,
    StorageFailed,
    Uploaded,
    Uploading,
)
from sftp.space import IN, OUT, Place, Space, Upload, is_temporary, locate, normalize
from sftp.wire import (
    DATA_MAX,
    PACKET_MAX,
    Attrs,
    BadMessage,
    Code,
    Op,
    Open,
    Reader,
    packet,
    status_packet,
    string,
    version_packet,
)

_log = logging.getLogger(__name__)

_EXTENSIONS = {
    b"posix-rename@openssh.com": b"1",
    b"statvfs@openssh.com": b"2",
    b"fsync@openssh.com": b"1",
    b"limits@openssh.com": b"1",
}
_NAMES_PER_PACKET = 100
_LISTINGS = 16  # open at once; each holds the names of a whole folder
_FLUSH_BYTES = 128 * 1024
_REMEMBERED = 1000  # uploads whose attributes are kept for clients that look after closing
_REMEMBERED_S = 60.0
_TEXTS = {
    Code.OK: "OK",
    Code.EOF: "end of file",
    Code.NO_SUCH_FILE: "no such file",
    Code.PERMISSION_DENIED: "permission denied",
    Code.FAILURE: "failure",
    Code.BAD_MESSAGE: "bad message",
    Code.OP_UNSUPPORTED: "operation not supported",
}
_CODES = {
    errno.ENOENT: Code.NO_SUCH_FILE,
    errno.ENOTDIR: Code.NO_SUCH_FILE,
    errno.ENAMETOOLONG: Code.NO_SUCH_FILE,
    errno.EACCES: Code.PERMISSION_DENIED,
    errno.EPERM: Code.PERMISSION_DENIED,
    errno.ELOOP: Code.PERMISSION_DENIED,
    errno.ENXIO: Code.PERMISSION_DENIED,
}
_DISK_ERRORS = {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class ByteChannel(Protocol):
    """The part of an SSH channel a session needs; `recv` returns b"" at the end."""

    def recv(self, nbytes: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> object: ...


class _Status(Exception):
    """Ends a request with a status other than FAILURE."""

    def __init__(self, code: Code, text: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text or _TEXTS[code]


class _Download:
    """A file open for reading. It remembers how far it was read without a gap."""

    def __init__(self, place: Place, fd: int) -> None:
        self.place = place
        self.size = os.fstat(fd).st_size
        self.start = self.end = -1
        self._fd = fd
        self._ahead: dict[int, int] = {}

    def read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._fd, length, offset)
        if self.start < 0:
            self.start = self.end = offset
        if offset <= self.end:
            self.end = max(self.end, offset + len(data))
            while self._ahead and (end := self._ahead.pop(self.end, None)) is not None:
                self.end = end
        elif len(self._ahead) < 1024:
            self._ahead[offset] = offset + len(data)
        return data

    def stat(self) -> os.stat_result:
        return os.fstat(self._fd)

    def close(self) -> None:
        os.close(self._fd)


class _Listing:
    """A folder open for reading: names taken at OPENDIR, attributes when they are asked for."""

    def __init__(self, folder: str, names: Iterator[str]) -> None:
        self.folder = folder
        self.names = names


class SftpSession:
    """Serves one channel until it ends. `active_at` is the monotonic time of the last packet either way."""

    def __init__(
        self,
        channel: ByteChannel,
        session: Session,
        account: Account,
        space: Space,
        journal: Journal,
        *,
        max_handles: int,
    ) -> None:
        self.session = session
        self._account = account
        self._folders = {account.inbox: IN, account.outbox: OUT}
        self.active_at = time.monotonic()
        self._channel = channel
        self._space = space
        self._journal = journal
        self._max_handles = max_handles
        self._handles: dict[bytes, Upload | _Download | _Listing] = {}
        self._next_handle = 0
        self._answering = False
        self._closed_uploads: dict[Place, tuple[float, Attrs]] = {}

    @property
    def busy(self) -> bool:
        """A file is open, or a request is not answered yet."""
        return self._answering or bool(self._handles)

    def run(self) -> None:
        """Answers requests until the peer ends the channel or breaks the framing."""
        try:
            self._serve()
        finally:
            self._answering = False
            self._end()

    def _serve(self) -> None:
        pending, answers = b"", bytearray()
        while data := self._channel.recv(PACKET_MAX):
            self.active_at, self._answering = time.monotonic(), True
            pending += data
            view, at = memoryview(pending), 0
            while len(view) - at >= 4:
                length = int.from_bytes(view[at : at + 4])
                if not 5 <= length <= PACKET_MAX:
                    _log.info("session %s: packet of %d bytes refused", self.session.id, length)
                    return
                if len(view) - at < 4 + length:
                    break
                answers += self._answer(view[at + 4 : at + 4 + length])
                at += 4 + length
                if len(answers) >= _FLUSH_BYTES:
                    self._flush(answers)
            pending = pending[at:]
            self._flush(answers)
            self._answering = False

    def _flush(self, answers: bytearray) -> None:
        if answers:
            self._channel.sendall(bytes(answers))
            answers.clear()
            self.active_at = time.monotonic()

    def _answer(self, view: memoryview) -> bytes:
        if view[0] == Op.INIT:  # the one packet without a request id; any version is answered with ours
            return version_packet(_EXTENSIONS)
        request, reader = int.from_bytes(view[1:5]), Reader(view[5:])
        operation = _OPERATIONS.get(view[0])
        try:
            if operation is None:
                raise _Status(Code.OP_UNSUPPORTED)
            op, body = operation(self, reader)
            return packet(op, request, body)
        except _Status as status:
            return status_packet(request, status.code, status.text)
        except BadMessage:
            return status_packet(request, Code.BAD_MESSAGE, _TEXTS[Code.BAD_MESSAGE])
        except Refused as refusal:
            return status_packet(request, Code.FAILURE, str(refusal))
        except OSError as error:
            code = _CODES.get(error.errno or 0, Code.FAILURE)
            # An error raised by the space has a text of ours; one of the system may name a path.
            text = error.strerror if error.filename is None and code != Code.NO_SUCH_FILE else None
            return status_packet(request, code, text or _TEXTS[code])
        except Exception:
            _log.exception("session %s: request %d failed", self.session.id, view[0])
            return status_packet(request, Code.FAILURE, _TEXTS[Code.FAILURE])

    def _end(self) -> None:
        """Closes what the peer left open: uploads stay partial, downloads are incomplete."""
        for handle in self._handles.values():
            try:
                if isinstance(handle, Upload):
                    if self._space.abandon(handle):
                        self._record(Partial(self.session, f"{IN}/{handle.name}", handle.size))
                elif isinstance(handle, _Download):
                    handle.close()
                    self._record_download(handle)
            except Exception:
                _log.exception("session %s: an open handle was not recorded", self.session.id)
        self._handles.clear()

    def _record(self, event: Event) -> None:
        """Tells the journal; whatever goes wrong in it is a refusal and nothing of it reaches the partner."""
        try:
            self._journal(event)
        except Refused:
            raise
        except Exception as error:
            _log.exception("session %s: %s was not recorded", self.session.id, type(event).__name__)
            raise Refused("the server cannot take this now") from error

    def _add(self, handle: Upload | _Download | _Listing) -> tuple[Op, bytes]:
        self._next_handle += 1
        key = struct.pack(">I", self._next_handle)
        self._handles[key] = handle
        return Op.HANDLE, string(key)

    def _handle(self, reader: Reader) -> Upload | _Download | _Listing:
        try:
            return self._handles[reader.string()]
        except KeyError:
            raise _Status(Code.BAD_MESSAGE, "no such handle") from None

    def _file(self, reader: Reader) -> Upload | _Download:
        handle = self._handle(reader)
        if isinstance(handle, _Listing):
            raise _Status(Code.BAD_MESSAGE, "the handle is a folder's")
        return handle

    def _require_handle_free(self) -> None:
        if len(self._handles) >= self._max_handles:
            raise Refused("too many open handles")

    # Each operation takes its fields off the reader and returns the answer, or raises.

    def _open(self, reader: Reader) -> tuple[Op, bytes]:
        place, flags = self._locate(reader), Open(reader.u32() & 0x3F)
        self._require_handle_free()
        if not flags & (Open.WRITE | Open.APPEND | Open.CREAT | Open.TRUNC):
            if not place.name:
                raise _Status(Code.FAILURE, "that is a folder")
            return self._add(_Download(place, self._space.open_download(place)))
        self._require_writable(place)
        self._record(Uploading(self.session, str(place)))
        with self._storage(place):
            upload = self._space.open_upload(
                place.name,
                create=bool(flags & Open.CREAT),
                exclusive=bool(flags & Open.EXCL),
                truncate=bool(flags & Open.TRUNC),
                append=bool(flags & Open.APPEND),
            )
        self._closed_uploads.pop(place, None)
        return self._add(upload)

    def _close(self, reader: Reader) -> tuple[Op, bytes]:
        key = reader.string()
        handle = self._handles.pop(key, None)
        match handle:
            case None:
                raise _Status(Code.BAD_MESSAGE, "no such handle")
            case Upload():
                self._finish_upload(handle)
            case _Download():
                handle.close()
                self._record_download(handle)
        return _ok()

    def _finish_upload(self, upload: Upload) -> None:
        with self._storage(Place(IN, upload.name)):
            attributes = self._space.publish(upload)
        self._tell_whole(Place(IN, upload.name), attributes)

    def _tell_whole(self, place: Place, attributes: os.stat_result | None) -> None:
        """Has a file that became whole recorded, or takes it back."""
        if attributes is None:
            return
        if not is_temporary(place.name, self._account.temporary):
            try:
                self._record(Uploaded(self.session, str(place), attributes.st_size, attributes.st_ino))
            except Refused:
                self._space.withdraw(place.name)
                raise
        self._remember(place, attributes)

    def _record_download(self, download: _Download) -> None:
        if download.place.folder == OUT:
            start, end = max(download.start, 0), max(download.end, 0)
            self._record(Downloaded(self.session, str(download.place), download.size, start, end))

    def _read(self, reader: Reader) -> tuple[Op, bytes]:
        handle, offset, length = self._file(reader), reader.u64(), reader.u32()
        data = handle.read(min(offset, 2**62), min(length, DATA_MAX))
        if not data:
            raise _Status(Code.EOF)
        return Op.DATA, string(data)

    def _write(self, reader: Reader) -> tuple[Op, bytes]:
        handle, offset, data = self._file(reader), reader.u64(), reader.view()
        if not isinstance(handle, Upload):
            raise _Status(Code.PERMISSION_DENIED, "the file is open for reading")
        with self._storage(Place(IN, handle.name)):
            handle.write(offset, data)
        return _ok()

    def _stat(self, reader: Reader) -> tuple[Op, bytes]:
        place = self._locate(reader)
        try:
            return Op.ATTRS, _attributes(self._space.stat(place), place.folder).pack()
        except FileNotFoundError:
            if (remembered := self._recall(place)) is None:
                raise
            return Op.ATTRS, remembered.pack()

    def _fstat(self, reader: Reader) -> tuple[Op, bytes]:
        handle = self._file(reader)
        folder = IN if isinstance(handle, Upload) else handle.place.folder
        return Op.ATTRS, _attributes(handle.stat(), folder).pack()

    def _setstat(self, reader: Reader) -> tuple[Op, bytes]:
        place, attrs = self._locate(reader), reader.attrs()
        self._require_writable(place)
        try:
            current = self._space.stat(place)
        except FileNotFoundError:
            if self._recall(place) is None:
                raise
            return _ok()
        if attrs.size is not None and attrs.size != current.st_size:
            self._record(Uploading(self.session, str(place)))
            with self._storage(place):
                attributes = self._space.truncate(place.name, attrs.size)
            self._tell_whole(place, attributes)
        if attrs.mtime is not None:
            self._space.set_mtime(place, attrs.mtime)
        return _ok()

    def _fsetstat(self, reader: Reader) -> tuple[Op, bytes]:
        handle, attrs = self._file(reader), reader.attrs()
        if not isinstance(handle, Upload):
            raise _Status(Code.PERMISSION_DENIED, "the file is open for reading")
        with self._storage(Place(IN, handle.name)):
            if attrs.size is not None:
                handle.truncate(attrs.size)
            if attrs.mtime is not None:
                handle.set_mtime(attrs.mtime)
        return _ok()

    def _opendir(self, reader: Reader) -> tuple[Op, bytes]:
        place = self._locate(reader)
        self._require_handle_free()
        if place.name:
            self._space.stat(place)
            raise _Status(Code.FAILURE, "that is not a folder")
        if sum(isinstance(handle, _Listing) for handle in self._handles.values()) >= _LISTINGS:
            raise Refused("too many open folders")
        names = self._space.names(place.folder) if place.folder else list(self._folders)
        return self._add(_Listing(place.folder, iter(names)))

    def _readdir(self, reader: Reader) -> tuple[Op, bytes]:
        listing = self._handle(reader)
        if not isinstance(listing, _Listing):
            raise _Status(Code.BAD_MESSAGE, "the handle is a file's")
        while names := list(islice(listing.names, _NAMES_PER_PACKET)):
            if entries := [entry for name in names if (entry := self._entry(listing.folder, name))]:
                return Op.NAME, struct.pack(">I", len(entries)) + b"".join(entries)
        raise _Status(Code.EOF)

    def _entry(self, folder: str, name: str) -> bytes | None:
        place = Place(folder, name) if folder else Place(self._folders[name], "")
        try:
            attrs = _attributes(self._space.stat(place), place.folder)
        except OSError:  # gone since OPENDIR
            return None
        raw = os.fsencode(name)
        return string(raw) + string(attrs.long_name(raw)) + attrs.pack()

    def _remove(self, reader: Reader) -> tuple[Op, bytes]:
        place = self._locate(reader)
        if not place.name:
            raise _Status(Code.PERMISSION_DENIED, "folders are fixed")
        with self._storage(place):
            self._space.remove(place)
        self._closed_uploads.pop(place, None)
        self._record(Removed(self.session, str(place)))
        return _ok()

    def _rename(self, reader: Reader) -> tuple[Op, bytes]:
        return self._rename_to(reader, replace=False)

    def _rename_to(self, reader: Reader, replace: bool) -> tuple[Op, bytes]:
        old, new = self._locate(reader), self._locate(reader)
        self._require_writable(old)
        self._require_writable(new)
        with self._storage(new):
            attributes = self._space.rename(old.name, new.name, replace=replace)
        self._closed_uploads.pop(old, None)
        if attributes is None:  # still partial under its new name
            return _ok()
        try:
            if not is_temporary(new.name, self._account.temporary):
                self._record(
                    Uploaded(self.session, str(new), attributes.st_size, attributes.st_ino, str(old))
                )
            elif not is_temporary(old.name, self._account.temporary):
                self._record(Removed(self.session, str(old), renamed_to=str(new)))
        except Refused:
            self._space.rename(new.name, old.name, replace=True)
            raise
        self._remember(new, attributes)
        return _ok()

    def _folders_are_fixed(self, reader: Reader) -> tuple[Op, bytes]:
        place = self._locate(reader)
        if place.folder and not place.name:
            raise _Status(Code.FAILURE, "the folder exists")
        raise _Status(Code.PERMISSION_DENIED, "folders are fixed")

    def _realpath(self, reader: Reader) -> tuple[Op, bytes]:
        path = b"/" + b"/".join(normalize(reader.string()))
        return Op.NAME, struct.pack(">I", 1) + string(path) * 2 + Attrs().pack()

    def _readlink(self, reader: Reader) -> tuple[Op, bytes]:
        self._space.stat(self._locate(reader))
        raise _Status(Code.PERMISSION_DENIED, "there are no links")

    def _extended(self, reader: Reader) -> tuple[Op, bytes]:
        match reader.string():
            case b"posix-rename@openssh.com":
                return self._rename_to(reader, replace=True)
            case b"fsync@openssh.com":
                if isinstance(handle := self._file(reader), Upload):
                    with self._storage(Place(IN, handle.name)):
                        handle.sync()
                return _ok()
            case b"limits@openssh.com":
                limits = struct.pack(">QQQQ", PACKET_MAX, DATA_MAX, DATA_MAX, self._max_handles)
                return Op.EXTENDED_REPLY, limits
            case b"statvfs@openssh.com":
                self._space.stat(self._locate(reader))
                return Op.EXTENDED_REPLY, _pack_statvfs(self._space.file_system(), self._space.quota_bytes)
        raise _Status(Code.OP_UNSUPPORTED)

    def _locate(self, reader: Reader) -> Place:
        return locate(reader.string(), self._folders)

    def _require_writable(self, place: Place) -> None:
        if place.folder == OUT:
            raise _Status(Code.PERMISSION_DENIED, f"/{self._account.outbox} can only be read and emptied")
        if not place.folder or not place.name:
            raise _Status(Code.PERMISSION_DENIED, f"files are written in /{self._account.inbox}")

    @contextmanager
    def _storage(self, place: Place) -> Iterator[None]:
        """Tells the journal when the disk itself fails, and the partner only that it did."""
        try:
            yield
        except OSError as error:
            if error.errno not in _DISK_ERRORS:
                raise
            _log.exception("session %s: storage failed", self.session.id)
            self._record(StorageFailed(self.session, str(place), os.strerror(error.errno)))
            raise Refused("the server cannot store the file now") from error

    def _remember(self, place: Place, attributes: os.stat_result) -> None:
        """Some clients stat or set times after CLOSE, when the file may have been claimed."""
        if len(self._closed_uploads) >= _REMEMBERED:
            del self._closed_uploads[next(iter(self._closed_uploads))]
        self._closed_uploads[place] = (time.monotonic(), _attributes(attributes, place.folder))

    def _recall(self, place: Place) -> Attrs | None:
        closed_at, attrs = self._closed_uploads.get(place, (0.0, None))
        return attrs if time.monotonic() - closed_at < _REMEMBERED_S else None


def _ok() -> tuple[Op, bytes]:
    return Op.STATUS, struct.pack(">I", Code.OK) + string(b"OK") + string(b"")


def _attributes(attributes: os.stat_result, folder: str) -> Attrs:
    """What a partner is shown: size and time, and a mode that says what it may do, not ours."""
    if stat.S_ISDIR(attributes.st_mode):
        return Attrs(0, stat.S_IFDIR | (0o755 if folder == IN else 0o555), int(attributes.st_mtime))
    mode = 0o644 if folder == IN else 0o444
    return Attrs(attributes.st_size, stat.S_IFREG | mode, int(attributes.st_mtime))


def _pack_statvfs(disk: os.statvfs_result, quota_bytes: int | None) -> bytes:
    """The answer to statvfs@openssh.com (PROTOCOL 4.4); a quota stands for the size of the disk."""
    blocks = disk.f_blocks if quota_bytes is None else min(disk.f_blocks, quota_bytes // disk.f_frsize)
    free = min(disk.f_bavail, blocks)
    return struct.pack(
        ">11Q",
        disk.f_bsize,
        disk.f_frsize,
        blocks,
        free,
        free,
        disk.f_files,
        disk.f_favail,
        disk.f_favail,
        0,
        0,
        255,
    )


_Operation = Callable[[SftpSession, Reader], tuple[Op, bytes]]
_OPERATIONS: dict[int, _Operation] = {
    Op.OPEN: SftpSession._open,
    Op.CLOSE: SftpSession._close,
    Op.READ: SftpSession._read,
    Op.WRITE: SftpSession._write,
    Op.LSTAT: SftpSession._stat,
    Op.STAT: SftpSession._stat,
    Op.FSTAT: SftpSession._fstat,
    Op.SETSTAT: SftpSession._setstat,
    Op.FSETSTAT: SftpSession._fsetstat,
    Op.OPENDIR: SftpSession._opendir,
    Op.READDIR: SftpSession._readdir,
    Op.REMOVE: SftpSession._remove,
    Op.MKDIR: SftpSession._folders_are_fixed,
    Op.RMDIR: SftpSession._folders_are_fixed,
    Op.REALPATH: SftpSession._realpath,
    Op.READLINK: SftpSession._readlink,
    Op.RENAME: SftpSession._rename,
    Op.EXTENDED: SftpSession._extended,
}
