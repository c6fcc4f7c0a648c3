"""The ERP as folders: `out/` for it to take, `in/` for us to take.

`out/<document id>.json` appears once per document. A document renamed into `in/`, or a file of EDI that the
ERP has written itself, is taken and sent, then moved to `done/`, or to `refused/` with the reason beside it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.folders import place_once, sync_folder

MAX_BYTES = 64 << 20
EDI = frozenset({".x12", ".edi", ".edifact"})  # how the names of files end that are EDI already
_LONGEST_NAME = 240  # bytes of a file name of at most 255 that leave room for an ending


class Arrival(NamedTuple):
    """A file the ERP has left in `in/`."""

    path: Path
    data: bytes

    @property
    def name(self) -> str:
        """Its file name as text, whatever bytes it is made of."""
        return self.path.name.encode("utf-8", "backslashreplace").decode()


class FileErp:
    """The folders under `root`. Raises OSError when they cannot be used: the caller tries again later.

    It makes none of them. Where one is missing, a share may not be mounted, and a folder made in its place
    would take documents that no one ever sees.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "out"
        self.inbox = root / "in"

    def deliver(
        self, document_id: str, body: bytes, *, staged: str | None, record_staged: Callable[[str], None]
    ) -> None:
        """Hand a document over, once; see `place_once` for `staged`."""
        place_once(
            self.out,
            f"{document_id}.json",
            io.BytesIO(body),
            key=document_id,
            staged=staged,
            record_staged=lambda mark, name: record_staged(mark),
            point="erp",
        )

    def arrivals(self) -> Iterator[Arrival]:
        """What lies in `in/`, oldest name first. Hidden and `.tmp` files are not yet meant for us."""
        for path in sorted(self.inbox.iterdir()):
            if (
                path.name.startswith(".")
                or path.suffix not in {".json", *EDI}
                or path.is_symlink()
                or not path.is_file()
            ):
                continue
            try:
                with open(path, "rb") as file:
                    data = file.read(MAX_BYTES + 1)
            except FileNotFoundError:  # the ERP took it back
                continue
            yield Arrival(path, data)

    def done(self, path: Path) -> None:
        """Move what has been taken out of `in/`."""
        self._move(path, "done")

    def refuse(self, path: Path, reason: str) -> None:
        """Move what cannot be taken out of `in/`, its reason beside it as NAME.reason.txt."""
        beside = os.fsencode(path.name)[:_LONGEST_NAME] + b".reason.txt"
        (self.root / "refused" / os.fsdecode(beside)).write_text(reason + "\n", "utf-8")
        self._move(path, "refused")

    def _move(self, path: Path, folder: str) -> None:
        os.replace(path, self.root / folder / path.name)
        sync_folder(self.root / folder)
        sync_folder(self.inbox)
