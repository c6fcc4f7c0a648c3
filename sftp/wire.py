"""SFTP version 3 on the wire (draft-ietf-secsh-filexfer-02): numbers, attributes, packing. No I/O.

Rules: what a peer sends is read only through `Reader`, which raises `BadMessage` for anything short;
names are bytes, since a peer may send any; the answers are complete packets with their length.
"""

from __future__ import annotations

import stat
import struct
import time
from dataclasses import dataclass
from enum import IntEnum, IntFlag

VERSION = 3
PACKET_MAX = 256 * 1024  # the limit OpenSSH's own server has and `limits@openssh.com` reports
DATA_MAX = PACKET_MAX - 1024  # bytes of a file in one READ or WRITE


class Op(IntEnum):
    """Packet types of section 3."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


class Code(IntEnum):
    """Status codes of section 7."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    OP_UNSUPPORTED = 8


class Open(IntFlag):
    """Flags of OPEN, section 6.3."""

    READ = 0x01
    WRITE = 0x02
    APPEND = 0x04
    CREAT = 0x08
    TRUNC = 0x10
    EXCL = 0x20


class _Has(IntFlag):
    SIZE = 0x01
    UIDGID = 0x02
    PERMISSIONS = 0x04
    ACMODTIME = 0x08
    EXTENDED = 0x80000000


class BadMessage(Exception):
    """A packet that ends before its fields do, or that has fields where none belong."""


@dataclass(frozen=True, slots=True)
class Attrs:
    """File attributes of section 5; `None` is "not sent". Times are whole seconds of the epoch."""

    size: int | None = None
    mode: int | None = None
    mtime: int | None = None

    def pack(self) -> bytes:
        flags, out = _Has(0), b""
        if self.size is not None:
            flags |= _Has.SIZE
            out += struct.pack(">Q", self.size)
        if self.mode is not None:
            flags |= _Has.UIDGID | _Has.PERMISSIONS  # clients that print a listing expect an owner
            out += struct.pack(">III", 0, 0, self.mode)
        if self.mtime is not None:
            flags |= _Has.ACMODTIME
            out += struct.pack(">II", self.mtime, self.mtime)
        return struct.pack(">I", flags) + out

    def long_name(self, name: bytes) -> bytes:
        """The line of `ls -l` that clients show and some parse, in UTC (section 7)."""
        mode, at = self.mode or 0, time.gmtime(self.mtime or 0)
        recent = abs((self.mtime or 0) - time.time()) < 180 * 86_400
        day = time.strftime("%b %d %H:%M" if recent else "%b %d  %Y", at)
        return f"{stat.filemode(mode)}    1 partner  partner  {self.size or 0:>10} {day} ".encode() + name


class Reader:
    """Takes the fields off one packet in order."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def u32(self) -> int:
        return int.from_bytes(self._take(4))

    def u64(self) -> int:
        return int.from_bytes(self._take(8))

    def string(self) -> bytes:
        return bytes(self._take(self.u32()))

    def view(self) -> memoryview:
        """A string field without a copy; valid while the packet's buffer is."""
        return self._take(self.u32())

    def attrs(self) -> Attrs:
        """Reads every field of an ATTRS structure; owner, access time and extensions are dropped."""
        flags = self.u32()
        size = mode = mtime = None
        if flags & _Has.SIZE:
            size = self.u64()
        if flags & _Has.UIDGID:
            self._take(8)
        if flags & _Has.PERMISSIONS:
            mode = self.u32()
        if flags & _Has.ACMODTIME:
            self._take(4)
            mtime = self.u32()
        if flags & _Has.EXTENDED:
            for _ in range(self.u32()):
                self.view()
                self.view()
        return Attrs(size, mode, mtime)

    def _take(self, count: int) -> memoryview:
        end = self._at + count
        if end > len(self._data):
            raise BadMessage
        field = self._data[self._at : end]
        self._at = end
        return field


def string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def packet(op: Op, request: int, body: bytes) -> bytes:
    return struct.pack(">IBI", len(body) + 5, op, request) + body


def version_packet(extensions: dict[bytes, bytes]) -> bytes:
    body = b"".join(string(name) + string(value) for name, value in extensions.items())
    return struct.pack(">IBI", len(body) + 5, Op.VERSION, VERSION) + body


def status_packet(request: int, code: Code, text: str) -> bytes:
    return packet(Op.STATUS, request, struct.pack(">I", code) + string(text.encode()) + string(b""))
