"""Builds and opens 96 MiB with every layer, and prints by how many KiB this process grew."""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

from gateway import as2

sys.path.insert(0, str(Path(__file__).parent))
from as2_peer import NOW


def main(folder: Path) -> None:
    us = as2.load_identity((folder / "us.key").read_bytes(), (folder / "us.pem").read_bytes())
    partner = as2.load_identity((folder / "partner.key").read_bytes(), (folder / "partner.pem").read_bytes())
    policy = as2.Policy((us,), as2.Trust((partner.certificate,)))
    block = b"".join(
        f"PO1*{n}*1*EA*{n * 7919 % 100000}**UP*{n * 104729 % 10**12:012}~\r\n".encode() for n in range(24_000)
    )
    with tempfile.TemporaryFile(dir=folder) as source, tempfile.TemporaryFile(dir=folder) as spool:
        while source.tell() < 96 * 1024**2:
            source.write(block)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for compress in ("none", "before-sign"):
            source.seek(0)
            spool.seek(0)
            spool.truncate()
            built = as2.build(
                source, spool, as2_from="A", as2_to="B", message_id="<1@a>", now=NOW,
                sign=as2.Signing(partner), encrypt=as2.Encryption((us.certificate,)), compress=compress,
                receipt=as2.ReceiptRequest(),
            )  # fmt: skip
            with tempfile.TemporaryFile(dir=folder) as payload:
                request = as2.parse_request_headers(built.headers)
                opened = as2.open_message(
                    request, spool, policy=policy, payload=payload, now=NOW, scratch_dir=folder
                )
            assert opened.mic == built.mics["sha256"]
            assert opened.size == source.tell()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
