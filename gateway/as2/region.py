"""Stretches of files, so that a layer of a message can be read again instead of being held in memory."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

CHUNK = 256 * 1024
"""Bytes read, hashed, encrypted and written at a time."""

IN_MEMORY = 1024 * 1024
"""A layer of up to this many bytes never touches the disk."""

MAX_IN_MEMORY = 8
"""So many of them: a message of many parts is not held in memory part by part."""


@dataclass(frozen=True, slots=True)
class Region:
    """Bytes `start` to `end` of a seekable file. The file's position is moved by every read."""

    file: IO[bytes]
    start: int
    end: int

    @classmethod
    def of(cls, file: IO[bytes]) -> Region:
        """The whole of a file."""
        return cls(file, 0, file.seek(0, io.SEEK_END))

    @property
    def size(self) -> int:
        return self.end - self.start

    def cut(self, start: int, end: int | None = None) -> Region:
        """The part between two offsets counted from this region's start."""
        stop = self.end if end is None else self.start + end
        return Region(self.file, self.start + start, stop)

    def read(self, at: int = 0, size: int | None = None) -> bytes:
        """Up to `size` bytes from offset `at`; the caller bounds `size` or knows the region to be small."""
        start = self.start + at
        available = max(0, self.end - start)
        self.file.seek(start)
        return self.file.read(available if size is None else min(size, available))

    def find(self, needle: bytes, at: int = 0) -> int | None:
        """The offset of the first occurrence at or after `at`."""
        while True:
            window = self.read(at, CHUNK)
            index = window.find(needle)
            if index >= 0:
                return at + index
            if at + len(window) >= self.size:
                return None
            at += len(window) - len(needle) + 1

    def chunks(self) -> Iterator[bytes]:
        """All bytes, in order. Other reads of the same file may happen in between."""
        at = self.start
        while at < self.end:
            self.file.seek(at)
            data = self.file.read(min(CHUNK, self.end - at))
            if not data:
                raise EOFError("the spool file became shorter while it was read")
            at += len(data)
            yield data


class Scratch:
    """Unnamed files for the layers in between; leaving the context destroys them.

    They have no name on disk, so plaintext that did not verify can be neither found nor left behind.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._files = ExitStack()
        self._kept = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def keep(self, chunks: Iterable[bytes]) -> Region:
        """Writes the chunks down and returns where they are."""
        directory = str(self._directory) if self._directory else None
        self._kept += 1
        file: IO[bytes]
        if self._kept <= MAX_IN_MEMORY:
            file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=directory)  # noqa: SIM115 - closed by __exit__
        else:
            file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by __exit__
        self._files.enter_context(file)
        size = 0
        for chunk in chunks:
            size += file.write(chunk)
        return Region(file, 0, size)


def regrouped(chunks: Iterable[bytes], size: int = CHUNK) -> Iterator[bytes]:
    """The same bytes in chunks of at least `size`, except the last; never an empty one."""
    held: list[bytes] = []
    length = 0
    for chunk in chunks:
        held.append(chunk)
        length += len(chunk)
        if length >= size:
            yield b"".join(held)
            held, length = [], 0
    if length:
        yield b"".join(held)
