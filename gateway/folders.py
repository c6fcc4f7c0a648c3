"""Putting a file where another program takes it away, exactly once.

Whoever reads the folder may take the file the moment it appears, so its absence proves nothing. What proves
it is the order: the file is staged under a hidden name and synced, the caller records that, and only then it
is renamed. If the program dies in between, a staged file still there is renamed, and one that is gone was.
That holds only in the folder in which it was staged: the record names it by its inode, so that a share not
mounted, or a folder made anew, is never taken for one whose file was fetched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from gateway.failpoints import failpoint

_CHUNK = 1 << 20


def place_once(
    folder: Path,
    name: str,
    source: BinaryIO,
    *,
    key: str,
    staged: str | None,
    record_staged: Callable[[str, str], None],
    point: str,
) -> str:
    """Make `source` appear in `folder` as `name`, once however often this is called; the name it got.

    `key` names the staged file and must be the same each time. `record_staged` is given a mark of at most 16
    characters and the name that was free; the next call passes them as `staged` and `name`. A name already
    taken gets `_2`, `_3`: an unfetched file is never replaced. Raises OSError.
    """
    hidden = f".{key}.tmp"
    with _opened(folder) as fd:
        here = f"{os.fstat(fd).st_ino:x}"
        if staged != here:
            _write(fd, hidden, source)
            name = _free_name(fd, name)
            record_staged(here, name)
        failpoint(f"{point}:staged")
        if _exists(fd, hidden):
            name = _free_name(fd, name)
            os.rename(hidden, name, src_dir_fd=fd, dst_dir_fd=fd)
            os.fsync(fd)
    failpoint(f"{point}:placed")
    return name


def _write(folder: int, name: str, source: BinaryIO) -> None:
    with open(name, "wb", opener=partial(os.open, mode=0o666, dir_fd=folder)) as file:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    os.fsync(folder)


def _free_name(folder: int, name: str) -> str:
    stem, dot, ending = name.partition(".")
    number = 1
    candidate = name
    while _exists(folder, candidate):
        number += 1
        candidate = f"{stem}_{number}{dot}{ending}"
    return candidate


def _exists(folder: int, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    with _opened(folder) as fd:
        os.fsync(fd)
