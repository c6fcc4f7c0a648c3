"""Builds and opens a message of three files, 96 MiB in all, and prints by how many KiB this process grew."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from pathlib import Path

from gateway import as2

sys.path.insert(0, str(Path(__file__).parent))
from as2_peer import NOW

SIZE = 32 * 1024**2


def main(folder: Path) -> None:
    us = as2.load_identity((folder / "us.key").read_bytes(), (folder / "us.pem").read_bytes())
    partner = as2.load_identity((folder / "partner.key").read_bytes(), (folder / "partner.pem").read_bytes())
    policy = as2.Policy((us,), as2.Trust((partner.certificate,)))
    with (
        tempfile.TemporaryFile(dir=folder) as payload,
        tempfile.TemporaryFile(dir=folder) as drawing,
        tempfile.TemporaryFile(dir=folder) as sheet,
        tempfile.TemporaryFile(dir=folder) as spool,
        open(os.devnull, "wb", buffering=0) as away,
    ):
        for file in (payload, drawing, sheet):
            for _ in range(SIZE >> 20):
                file.write(os.urandom(1 << 20))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for encoding in ("binary", "base64"):
            for file in (payload, drawing, sheet, spool):
                file.seek(0)
            spool.truncate()
            built = as2.build(
                payload, spool, as2_from="A", as2_to="B", message_id="<1@a>", now=NOW, encoding=encoding,
                attachments=[as2.Attachment(drawing), as2.Attachment(sheet)],
                sign=as2.Signing(partner), encrypt=as2.Encryption((us.certificate,)),
                receipt=as2.ReceiptRequest(),
            )  # fmt: skip
            opened = as2.open_message(
                as2.parse_request_headers(built.headers), spool, policy=policy, payload=away, now=NOW,
                attach=lambda: away, scratch_dir=folder,
            )  # fmt: skip
            assert opened.mic == built.mics["sha256"]
            assert [part.size for part in (opened.payload, *opened.attachments)] == [SIZE] * 3
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
