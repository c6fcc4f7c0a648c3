"""Putting a file where another program takes it away, exactly once.

Whoever reads the folder may take the file the moment it appears, so its absence proves nothing. What proves
it is the order: the file is staged under a hidden name and synced, the caller records "staged", and only then
it is renamed. If the program dies in between, a staged file still there is renamed, and one that is gone was.
"""

from __future__ import annotations

import os
from collections.abc import Callable
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
    staged: bool,
    record_staged: Callable[[], None],
    point: str,
) -> str:
    """Make `source` appear in `folder` as `name`, once however often this is called; the name it got.

    `key` names the staged file and must be the same each time; `staged` is what `record_staged` recorded. A
    name already taken gets `_2`, `_3`: an unfetched file is never replaced. Raises OSError.
    """
    hidden = folder / f".{key}.tmp"
    if not staged:
        _write(hidden, source)
        sync_folder(folder)
        record_staged()
    failpoint(f"{point}:staged")
    if hidden.exists():
        name = _free_name(folder, name)
        os.rename(hidden, folder / name)
        sync_folder(folder)
    failpoint(f"{point}:placed")
    return name


def _write(path: Path, source: BinaryIO) -> None:
    with open(path, "wb") as file:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _free_name(folder: Path, name: str) -> str:
    stem, dot, ending = name.partition(".")
    number = 1
    candidate = name
    while (folder / candidate).exists():
        number += 1
        candidate = f"{stem}_{number}{dot}{ending}"
    return candidate


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
